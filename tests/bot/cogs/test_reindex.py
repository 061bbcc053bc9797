"""/reindex and its Cancel button: who may start and cancel which run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import pytest

from bot.cogs.reindex import Reindex
from bot.errors import RequestDeclined
from bot.i18n import Translations

GUILD, OTHER_GUILD, OPERATOR = 7, 8, 9
OWNER, MEMBER = 70, 71


def cog(reindexing: MagicMock, *, admin_guilds: tuple[int, ...] = ()) -> Reindex:
    return Reindex(
        runner=MagicMock(run_background=AsyncMock()),
        reindexing=reindexing,
        translations=Translations.load(),
        admin_guilds=admin_guilds,
    )


def admin(guild_id: int | None, *, user_id: int = MEMBER, manage_guild: bool = True) -> Any:
    """Return an interaction of a user who, by default, may manage the guild."""
    application = SimpleNamespace(owner=SimpleNamespace(id=OWNER), team=None)
    return MagicMock(
        guild_id=guild_id,
        user=SimpleNamespace(id=user_id),
        client=SimpleNamespace(application=application),
        permissions=SimpleNamespace(manage_guild=manage_guild),
        response=MagicMock(is_done=lambda: False, send_message=AsyncMock()),
        locale="en-US",
    )


async def test_cancel_of_another_guilds_run_is_declined() -> None:
    reindexing = MagicMock()
    with pytest.raises(RequestDeclined) as error:
        await cog(reindexing).cancel(admin(GUILD), (str(OTHER_GUILD),))
    assert error.value.key == "no_permission"
    reindexing.cancel.assert_not_called()


@pytest.mark.parametrize("key", [str(GUILD), "library"])
async def test_cancel_of_an_own_or_the_operators_run_is_allowed(key: str) -> None:
    reindexing = MagicMock()
    await cog(reindexing, admin_guilds=(GUILD,)).cancel(admin(GUILD), (key,))
    reindexing.cancel.assert_called_once_with(key)


async def test_cancel_of_the_operators_run_from_another_guild_is_declined() -> None:
    reindexing = MagicMock()
    with pytest.raises(RequestDeclined) as error:
        await cog(reindexing, admin_guilds=(OPERATOR,)).cancel(admin(GUILD), ("library",))
    assert error.value.key == "not_operator"
    reindexing.cancel.assert_not_called()


async def test_reindex_of_the_operators_library_from_another_guild_is_declined() -> None:
    reindexing = MagicMock()
    made = cog(reindexing, admin_guilds=(OPERATOR,))
    with pytest.raises(RequestDeclined) as error:
        await made.reindex.callback(made, admin(GUILD), "library")  # type: ignore[call-arg]
    assert error.value.key == "not_operator"
    reindexing.handler.assert_not_called()
    await made.reindex.callback(made, admin(GUILD), "server")  # type: ignore[call-arg]
    assert reindexing.handler.call_args.args[0] == GUILD


async def test_reindex_of_the_library_without_admin_servers_needs_the_owner() -> None:
    reindexing = MagicMock()
    made = cog(reindexing)
    with pytest.raises(RequestDeclined) as error:
        await made.reindex.callback(made, admin(GUILD), "library")  # type: ignore[call-arg]
    assert error.value.key == "not_operator"
    reindexing.handler.assert_not_called()
    owner = admin(GUILD, user_id=OWNER, manage_guild=False)
    await made.reindex.callback(made, owner, "library")  # type: ignore[call-arg]
    assert reindexing.handler.call_args.args[0] is None


async def test_reindex_of_a_guild_needs_manage_server_of_the_owner_too() -> None:
    made = cog(MagicMock())
    owner = admin(GUILD, user_id=OWNER, manage_guild=False)
    with pytest.raises(RequestDeclined) as error:
        await made.reindex.callback(made, owner, "server")  # type: ignore[call-arg]
    assert error.value.key == "no_permission"
    with pytest.raises(RequestDeclined) as error:
        await made.reindex.callback(  # type: ignore[call-arg]
            made, admin(None, user_id=OWNER), "library"
        )
    assert error.value.key == "guild_only"
