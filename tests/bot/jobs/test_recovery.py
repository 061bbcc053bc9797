"""Recovery: the next start corrects the replies that a crash left unfinished."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import discord
import pytest

from bot.i18n import Translations
from bot.jobs.recovery import ReplyRecovery
from db.connection import Database, open_db
from db.pending_replies import PendingReply, add_pending_reply, interrupted_replies
from tests.bot.ui.visible import seen

MINUTE_S = 60.0


@pytest.fixture
async def db() -> AsyncIterator[Database]:
    async with open_db(":memory:") as opened:
        yield opened


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> AsyncMock:
    """Return the webhook that edits an interaction's response."""
    made = AsyncMock()
    monkeypatch.setattr(discord.Webhook, "partial", MagicMock(return_value=made))
    return made


def reply(age_s: float, **changes: Any) -> PendingReply:
    given = {"application_id": 1, "token": "secret", "kind": "recommend en-US", **changes}
    return PendingReply(run_id="before", user_id=2, created_at=time.time() - age_s, **given)


async def test_repair_edits_the_response_of_a_valid_token(db: Database, webhook: AsyncMock) -> None:
    await add_pending_reply(db, reply(MINUTE_S))
    assert await ReplyRecovery(db=db, translations=Translations.load()).repair(MagicMock()) == 1
    assert webhook.edit_message.await_args.args == ("@original",)
    assert await interrupted_replies(db, "now") == []


async def test_repair_of_an_expired_token_makes_no_discord_call(
    db: Database, webhook: AsyncMock
) -> None:
    await add_pending_reply(db, reply(16 * MINUTE_S))
    assert await ReplyRecovery(db=db, translations=Translations.load()).repair(MagicMock()) == 0
    webhook.edit_message.assert_not_called()
    discord.Webhook.partial.assert_not_called()  # type: ignore[attr-defined]
    assert await interrupted_replies(db, "now") == []


async def test_repair_is_in_the_language_of_a_request_with_two_words(
    db: Database, webhook: AsyncMock
) -> None:
    translations = Translations.load()
    await add_pending_reply(db, reply(MINUTE_S, kind="library add de"))
    await ReplyRecovery(db=db, translations=translations).repair(MagicMock())
    view = webhook.edit_message.await_args.kwargs["view"]
    assert seen(view) == translations.text("refusals.interrupted", "de")
