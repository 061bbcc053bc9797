"""Checks of a token and its bot on the local Discord, with each refusal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest

from bot.errors import SettingsError
from bot.local_discord import LocalDiscord
from bot.local_discord.permissions import (
    ADMINISTRATOR,
    EVERYONE_PERMISSIONS,
    SEND_MESSAGES,
    VIEW_CHANNEL,
)
from bot.local_discord.schema import Schema
from bot.setup import account
from bot.setup.account import (
    DiscordUnavailable,
    application_faults,
    channels_without_answers,
    grant_message_content,
    has_message_content,
    reach_discord,
    servers,
    signed_in,
    token_mistake,
)
from tests.bot.end_to_end.conftest import schema
from tests.bot.end_to_end.test_unreachable import free_port

__all__ = ["schema"]  # a fixture


@pytest.fixture
async def discord(schema: Schema | None) -> AsyncIterator[LocalDiscord]:
    async with LocalDiscord(schema=schema) as local:
        with local.patch_discord_py():
            yield local
        local.assert_clean()


async def sign_in(token: str) -> str:
    async with signed_in(token) as client:
        return str(client.user)


async def test_token_names_its_bot_and_owner(discord: LocalDiscord) -> None:
    async with signed_in(discord.token) as client:
        assert client.user is not None
        assert (client.user.id, client.user.name) == (int(discord.state.bot.id), "genrec")
        assert client.application is not None
        assert client.application.owner.name == "you"
        assert application_faults(client.application) == []
        assert has_message_content(client.application)


@pytest.mark.parametrize("status", [401, 403])
async def test_refused_token_names_the_page_of_the_right_one(
    discord: LocalDiscord, status: int
) -> None:
    if status == 401:
        with pytest.raises(SettingsError, match=r"refuses the token .* copy it anew"):
            await sign_in("not.the.token")
        return
    discord.faults.server_error("GET", "/users/@me", status)
    with pytest.raises(DiscordUnavailable, match=r"refuses the request .HTTP 403"):
        await sign_in(discord.token)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("abc.def ghi", "a space"),
        ("abc.déf", "foreign character"),
        ("abc.\x1bdef", "foreign character"),
        ("1100000000000000001", "an id"),
        ("0a" * 32, "public key"),
        ("aB3_" * 8, "client secret"),
    ],
)
def test_other_texts_of_the_portal_are_told_from_the_token(text: str, words: str) -> None:
    assert words in token_mistake(text)
    assert token_mistake("x" * 24 + ".Gabcde." + "y" * 38) == ""


async def test_unreachable_discord_is_a_sentence() -> None:
    closed = LocalDiscord(port=free_port())
    with closed.patch_discord_py():
        with pytest.raises(DiscordUnavailable, match=r"cannot be reached .*check the network"):
            await reach_discord()
        with pytest.raises(DiscordUnavailable, match=r"cannot be reached"):
            await sign_in(closed.token)


async def test_discord_that_hangs_or_fails_is_a_sentence(
    discord: LocalDiscord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account, "_LIMIT_S", 0.3)
    discord.faults.delay("GET", "/gateway", 5)
    with pytest.raises(DiscordUnavailable, match=r"has not answered within"):
        await reach_discord()
    discord.faults.server_error("GET", "/gateway", 503)
    with pytest.raises(DiscordUnavailable, match=r"HTTP 503.*discordstatus"):
        await reach_discord()
    discord.faults.server_error("GET", "/users/@me", 502, times=9)
    with pytest.raises(DiscordUnavailable, match=r"has not answered within"):
        await sign_in(discord.token)


async def test_short_rate_limit_is_waited_for_and_a_long_one_is_a_sentence(
    discord: LocalDiscord,
) -> None:
    discord.faults.rate_limited("GET", "/users/@me", 0.2)
    assert await sign_in(discord.token) == "genrec"
    discord.faults.rate_limited("GET", "/users/@me", 400)
    with pytest.raises(DiscordUnavailable, match=r"limits requests of this bot: .* 400 s"):
        await sign_in(discord.token)
    discord.faults.cloudflare_ban("GET", "/gateway")
    with pytest.raises(DiscordUnavailable, match=r"limits requests of this machine"):
        await reach_discord()


async def test_clock_is_compared_with_discords(
    discord: LocalDiscord, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = (await reach_discord()).clock_ahead_s
    assert ahead is not None
    assert abs(ahead) < 2
    wrong = SimpleNamespace(time=lambda: time.time() + 3600, monotonic=time.monotonic)
    monkeypatch.setattr(account, "time", wrong)
    ahead = (await reach_discord()).clock_ahead_s
    assert ahead == pytest.approx(3600, abs=2)


async def test_message_content_can_be_turned_on() -> None:
    async with LocalDiscord(message_content=False) as discord:
        with discord.patch_discord_py():
            async with signed_in(discord.token) as client:
                assert client.application is not None
                assert not has_message_content(client.application)
                assert has_message_content(await grant_message_content(client.application))
            async with signed_in(discord.token) as client:
                assert client.application is not None
                assert has_message_content(client.application)
        discord.assert_clean()


async def test_traps_of_the_portal_are_named(
    discord: LocalDiscord, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with signed_in(discord.token) as client:
        about = client.application
        assert about is not None
        about.interactions_endpoint_url, about.bot_require_code_grant = "https://x.example", True
        first, second = application_faults(about)
    assert "empty 'Interactions Endpoint URL'" in first
    assert "turn it off at https://discord.com/developers/applications/11" in second


async def test_servers_are_listed_with_the_permissions_that_lack(discord: LocalDiscord) -> None:
    bot = discord.state.bot.id
    poor, rich = discord.add_guild("Poor"), discord.add_guild("Rich")
    discord.add_guild("Elsewhere", with_bot=False)
    poor.everyone.permissions = poor.members[bot].permissions = VIEW_CHANNEL
    rich.everyone.permissions, rich.members[bot].permissions = 0, ADMINISTRATOR
    async with signed_in(discord.token) as client:
        found = {each.name: each.lacking for each in await servers(client)}
    assert found.pop("Poor") == (
        "send_messages",
        "embed_links",
        "attach_files",
        "read_message_history",
        "send_messages_in_threads",
    )
    assert found == {"Local Discord": (), "Rich": ()}


async def test_all_pages_of_servers_are_read(discord: LocalDiscord) -> None:
    for number in range(250):
        discord.add_guild(f"Guild {number}", channels=())
    async with signed_in(discord.token) as client:
        assert len({each.id for each in await servers(client)}) == 251


async def test_upload_channels_without_permissions_are_named(discord: LocalDiscord) -> None:
    music, general = discord.channel("music"), discord.channel("general")
    discord.edit.overwrite(music, discord.state.bot, deny=SEND_MESSAGES)
    guild_id = int(discord.guild.id)
    assert EVERYONE_PERMISSIONS & SEND_MESSAGES
    async with signed_in(discord.token) as client:
        found = await channels_without_answers(
            client, {int(music.id): guild_id, int(general.id): guild_id, 5: 6}
        )
    assert found == {"Local Discord #music": ("send_messages",)}


async def test_client_leaves_nothing_open(discord: LocalDiscord) -> None:
    async with signed_in(discord.token) as client:
        pass
    assert client.is_closed()
    assert len(asyncio.all_tasks()) <= 4
