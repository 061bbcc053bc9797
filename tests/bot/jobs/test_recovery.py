"""Recovery: replies are saved before the acknowledgement, and corrected after a crash."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import discord
import pytest

from bot.client.message_responder import SENT_PRIVATELY
from bot.client.responders import ReplyTarget
from bot.i18n import Localizer, Translations
from bot.jobs import recovery as recovery_module
from bot.jobs.recovery import ReplyRecovery
from bot.jobs.reply_correction import WATCHED
from bot.ui import messages
from bot.ui.components import UNFINISHED_ID, is_unfinished
from db.connection import Database, open_db
from db.pending_replies import (
    PendingReply,
    ReplyChanges,
    interrupted_replies,
    save_reply_changes,
)
from genrec.errors import CatalogueError
from tests.bot.fake_leases import FakeLeases, FakeServer
from tests.bot.ui.visible import seen
from tests.db.fakes import until

MINUTE_S = 60.0
HOUR_S = 60 * MINUTE_S
TRANSLATIONS = Translations.load()
BOT_ID, UPLOAD_ID, CHANNEL_ID = 11, 22, 33


@pytest.fixture
async def db() -> AsyncIterator[Database]:
    async with open_db(":memory:") as opened:
        yield opened


@pytest.fixture
def recovery(db: Database) -> ReplyRecovery:
    return ReplyRecovery(db=db, translations=TRANSLATIONS)


def message(*, unfinished: bool = True, **attributes: Any) -> MagicMock:
    """Return a message of the bot, with progress or with its final content."""
    made = MagicMock(spec=discord.Message, **attributes)
    made.flags.loading = False
    made.components = [MagicMock(id=UNFINISHED_ID if unfinished else 1)]
    return made


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> AsyncMock:
    """Return the webhook that edits an interaction's response, which is unfinished."""
    made = AsyncMock()
    made.fetch_message.return_value = message()
    monkeypatch.setattr(discord.Webhook, "partial", MagicMock(return_value=made))
    return made


@dataclass
class Channel:
    """A channel with one message of the bot; without a permission its history is empty."""

    found: MagicMock
    readable: bool = True

    def __post_init__(self) -> None:
        self.partial = AsyncMock(spec=discord.PartialMessage)
        self.partial.fetch.return_value = self.found
        self.send = AsyncMock(return_value=MagicMock(id=77))
        self.fetch_message = AsyncMock()
        if not self.readable:
            self.partial.fetch.side_effect = self.fetch_message.side_effect = forbidden()

    def get_partial_message(self, message_id: int) -> AsyncMock:
        self.asked_for = message_id
        return self.partial

    async def history(self, **_: Any) -> AsyncIterator[MagicMock]:
        if self.readable:
            yield self.found


def forbidden() -> discord.Forbidden:
    return discord.Forbidden(MagicMock(status=403, reason="Forbidden"), "Missing Permissions")


def client_of(channel: Channel) -> MagicMock:
    client = MagicMock()
    client.user.id = BOT_ID
    client.get_partial_messageable.return_value = channel
    return client


def reply(age_s: float, **changes: Any) -> PendingReply:
    given = {"application_id": 1, "token": "secret", "kind": "recommend en-US", **changes}
    return PendingReply(run_id="before", user_id=2, created_at=time.time() - age_s, **given)


async def save(db: Database, *replies: PendingReply) -> None:
    await save_reply_changes(db, ReplyChanges(added={one.id: one for one in replies}))


# Saving


@dataclass
class FakeResponder:
    """Responder of a request with a target, and nothing else."""

    target: ReplyTarget
    user_id: int = 2
    guild_id: int | None = 3
    channel_id: int | None = CHANNEL_ID
    locale: str = "en-US"


TARGET = ReplyTarget(application_id=1, token="secret")


async def test_open_returns_after_the_reply_is_saved(db: Database, recovery: ReplyRecovery) -> None:
    reply_id = await recovery.open("genre", FakeResponder(TARGET))  # type: ignore[arg-type]
    (saved,) = await interrupted_replies(db, "later")
    assert (saved.id, saved.token, saved.kind) == (reply_id, "secret", "genre en-US")


async def test_replies_opened_at_once_share_transactions(
    db: Database, recovery: ReplyRecovery, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    async def counted(db: Database, changes: ReplyChanges) -> None:
        sizes.append(len(changes.added))
        await save_reply_changes(db, changes)

    monkeypatch.setattr(recovery_module, "save_reply_changes", counted)
    responder: Any = FakeResponder(TARGET)
    await asyncio.gather(*(recovery.open("genre", responder) for _ in range(40)))
    assert sum(sizes) == 40
    assert len(sizes) <= 2
    assert len(await interrupted_replies(db, "later")) == 40


async def test_message_id_is_saved_after_the_acknowledgement(
    db: Database, recovery: ReplyRecovery
) -> None:
    responder: Any = FakeResponder(ReplyTarget(upload_id=UPLOAD_ID))
    reply_id = await recovery.open("upload", responder)
    responder.target = ReplyTarget(message_id=44, upload_id=UPLOAD_ID)
    recovery.posted(reply_id, responder)
    await recovery.flush()
    (saved,) = await interrupted_replies(db, "later")
    assert (saved.message_id, saved.upload_id) == (44, UPLOAD_ID)
    await recovery.close(reply_id)
    assert await interrupted_replies(db, "later") == []


async def test_message_that_only_its_id_leads_to_is_saved_at_once(
    db: Database, recovery: ReplyRecovery
) -> None:
    responder: Any = FakeResponder(ReplyTarget(only_by_id=True))
    reply_id = await recovery.open("upload", responder)
    responder.target = ReplyTarget(message_id=44, only_by_id=True)
    recovery.posted(reply_id, responder)
    async with asyncio.timeout(2):
        for _ in range(100):
            await asyncio.sleep(0.01)
            (saved,) = await interrupted_replies(db, "later")
            if saved.message_id is not None:
                break
    assert (saved.id, saved.message_id) == (reply_id, 44)


async def test_unwritable_database_delays_no_request_and_loses_no_deletion(
    db: Database, recovery: ReplyRecovery, monkeypatch: pytest.MonkeyPatch, caplog
) -> None:
    responder: Any = FakeResponder(TARGET)
    before = await recovery.open("genre", responder)

    async def full(db: Database, changes: ReplyChanges) -> None:
        raise CatalogueError("The disk is full.")

    monkeypatch.setattr(recovery_module, "save_reply_changes", full)
    during = await recovery.open("genre", responder)
    await recovery.close(before)
    await recovery.close(during)
    assert not recovery.writable
    errors = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert ["database not writable" in r.getMessage() for r in errors] == [True]
    assert len(await interrupted_replies(db, "later")) == 1

    monkeypatch.setattr(recovery_module, "save_reply_changes", save_reply_changes)
    await recovery.flush()
    assert recovery.writable
    assert await interrupted_replies(db, "later") == []


async def test_reply_whose_commit_succeeded_without_an_answer_is_deleted(
    db: Database, recovery: ReplyRecovery, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def commit_but_lose_the_answer(*arguments: Any) -> None:
        await save_reply_changes(*arguments)
        raise CatalogueError("connection lost")

    responder: Any = FakeResponder(TARGET)
    with monkeypatch.context() as patch:
        patch.setattr(recovery_module, "save_reply_changes", commit_but_lose_the_answer)
        reply_id = await recovery.open("recommend", responder)
    assert await interrupted_replies(db, "other")
    await recovery.close(reply_id)
    await recovery.flush()
    assert await interrupted_replies(db, "other") == []


async def test_error_with_one_dead_process_delays_no_other(
    db: Database, recovery: ReplyRecovery, webhook: AsyncMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery_module, "GRACE_S", 0.5)
    runs = [f"dead {number}" for number in range(5)]
    replies = [replace(reply(5 * MINUTE_S), run_id=run) for run in runs]
    await save(db, *replies)
    read = recovery_module.replies_of_run

    async def fail_for_the_first(db: Database, run_id: str) -> list[PendingReply]:
        if run_id == runs[0]:
            raise ValueError("not an error of the catalogue")
        return await read(db, run_id)

    monkeypatch.setattr(recovery_module, "replies_of_run", fail_for_the_first)
    leases = FakeLeases(FakeServer())
    repairing = asyncio.create_task(recovery.keep_repairing(MagicMock(), leases))
    await until(lambda: len(leases.held) == len(runs))  # all at the same time
    await until(lambda: not leases.held)
    assert not repairing.done(), "an error ends nothing"
    repairing.cancel()
    await asyncio.wait([repairing])
    assert [left.run_id for left in await interrupted_replies(db, "other")] == runs[:1]
    assert leases.held == {}, "each lease is given back"


async def test_slow_database_delays_the_acknowledgement_by_a_second_at_most(
    db: Database, recovery: ReplyRecovery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery_module, "_SAVE_S", 0.01)
    async with db.transaction():
        reply_id = await recovery.open("genre", FakeResponder(TARGET))  # type: ignore[arg-type]
    await recovery.flush()
    assert [one.id for one in await interrupted_replies(db, "later")] == [reply_id]


@pytest.mark.parametrize("fails", [False, True])
async def test_deferred_interaction_has_a_pending_reply_until_it_responds(
    db: Database, recovery: ReplyRecovery, fails: bool
) -> None:
    interaction = MagicMock(application_id=1, token="secret", locale="en-US", guild_id=3)
    interaction.user.id = 2
    interaction.channel_id = CHANNEL_ID
    interaction.command.qualified_name = "library list"
    interaction.response.defer = AsyncMock(return_value=MagicMock(message_id=44))

    async def handle() -> None:
        async with recovery.deferred(interaction):
            (saved,) = await interrupted_replies(db, "later")
            assert (saved.kind, saved.token) == ("library list en-US", "secret")
            interaction.response.defer.assert_awaited_once_with(ephemeral=True, thinking=True)
            if fails:
                raise CatalogueError("The catalogue is damaged.")

    if fails:
        with pytest.raises(CatalogueError):
            await handle()
    else:
        await handle()
    assert await interrupted_replies(db, "later") == []


# Correction


async def test_repair_edits_the_response_of_a_valid_token(
    db: Database, recovery: ReplyRecovery, webhook: AsyncMock
) -> None:
    await save(db, reply(MINUTE_S))
    assert await recovery.repair(MagicMock()) == 1
    assert webhook.edit_message.await_args.args == ("@original",)
    assert await interrupted_replies(db, "now") == []


async def test_repair_edits_a_follow_up_by_its_id(
    db: Database, recovery: ReplyRecovery, webhook: AsyncMock
) -> None:
    await save(db, reply(MINUTE_S, message_id=44))
    assert await recovery.repair(MagicMock()) == 1
    assert webhook.fetch_message.await_args.args == (44,)
    assert webhook.edit_message.await_args.args == (44,)


async def test_repair_leaves_a_response_that_is_final(
    db: Database, recovery: ReplyRecovery, webhook: AsyncMock
) -> None:
    webhook.fetch_message.return_value = message(unfinished=False)
    await save(db, reply(MINUTE_S))
    assert await recovery.repair(MagicMock()) == 0
    webhook.edit_message.assert_not_called()
    assert await interrupted_replies(db, "now") == []


async def test_repair_of_an_expired_token_without_a_message_makes_no_discord_call(
    db: Database, recovery: ReplyRecovery, webhook: AsyncMock
) -> None:
    await save(db, reply(16 * MINUTE_S))
    assert await recovery.repair(MagicMock()) == 0
    webhook.edit_message.assert_not_called()
    discord.Webhook.partial.assert_not_called()  # type: ignore[attr-defined]
    assert await interrupted_replies(db, "now") == []


async def test_repair_of_an_expired_token_edits_the_message_itself(
    db: Database, recovery: ReplyRecovery, webhook: AsyncMock
) -> None:
    channel = Channel(message())
    await save(db, reply(16 * MINUTE_S, channel_id=CHANNEL_ID, message_id=44))
    assert await recovery.repair(client_of(channel)) == 1
    assert channel.asked_for == 44
    channel.partial.edit.assert_awaited_once()
    webhook.edit_message.assert_not_called()


@pytest.mark.parametrize("readable", [True, False])
async def test_repair_finds_the_reply_to_an_upload(
    db: Database, recovery: ReplyRecovery, readable: bool
) -> None:
    found = message(id=55, author=MagicMock(id=BOT_ID), reference=MagicMock(message_id=UPLOAD_ID))
    channel = Channel(found, readable=readable)
    upload = {"application_id": None, "token": None, "channel_id": CHANNEL_ID}
    await save(db, reply(MINUTE_S, upload_id=UPLOAD_ID, **upload))
    assert await recovery.repair(client_of(channel)) == 1
    # Without Read Message History the nonce finds the message: Discord posts no second one.
    assert channel.asked_for == (55 if readable else 77)
    channel.partial.edit.assert_awaited_once()
    if not readable:
        assert channel.send.await_args.kwargs["nonce"] == UPLOAD_ID


async def test_repair_deletes_what_it_posts_for_a_watched_upload_without_a_reply(
    db: Database, recovery: ReplyRecovery
) -> None:
    channel = Channel(message(), readable=False)
    new = AsyncMock(components=shown("refusals.interrupted"))
    channel.send.return_value = new
    upload = {"application_id": None, "token": None, "channel_id": CHANNEL_ID}
    await save(db, reply(1, upload_id=UPLOAD_ID, kind=f"{WATCHED} en-US", **upload))
    assert await recovery.repair(client_of(channel)) == 0
    new.delete.assert_awaited_once()
    channel.partial.edit.assert_not_called()
    assert await interrupted_replies(db, "later") == []


async def test_repair_finds_the_progress_of_a_watched_upload_by_its_nonce(
    db: Database, recovery: ReplyRecovery
) -> None:
    channel = Channel(message(), readable=False)
    progress = AsyncMock(id=78, components=shown("progress.analyzing"))
    channel.send.return_value = progress
    upload = {"application_id": None, "token": None, "channel_id": CHANNEL_ID}
    await save(db, reply(1, upload_id=UPLOAD_ID, kind=f"{WATCHED} en-US", **upload))
    assert await recovery.repair(client_of(channel)) == 1
    assert channel.asked_for == 78
    progress.delete.assert_not_awaited()


class Room(Channel):
    """A channel whose history is an upload and the messages that follow it."""

    def __init__(self, *following: MagicMock, reactions: tuple[Any, ...] = ()) -> None:
        super().__init__(message())
        self.upload = MagicMock(spec=discord.Message, id=UPLOAD_ID, reactions=list(reactions))
        self.upload.author.id = 2
        self.messages = [self.upload, *following]
        self.send.return_value = MagicMock(id=77, components=shown("refusals.interrupted"))

    async def history(self, **given: Any) -> AsyncIterator[MagicMock]:
        self.after = given["after"].id
        for one in self.messages[: given["limit"]]:
            yield one


UPLOAD: dict[str, Any] = {
    "upload_id": UPLOAD_ID, "kind": "upload de", "application_id": None, "token": None,
    "channel_id": CHANNEL_ID,
}  # fmt: skip


async def test_upload_whose_process_died_before_its_progress_gets_a_reply(
    db: Database, recovery: ReplyRecovery
) -> None:
    channel = Room()
    await save(db, reply(MINUTE_S, **UPLOAD))
    assert await recovery.repair(client_of(channel)) == 1
    assert channel.after == UPLOAD_ID - 1
    sent = channel.send.await_args.kwargs
    assert seen(sent["view"]) == TRANSLATIONS.text("refusals.interrupted", "de")
    assert (sent["nonce"], sent["mention_author"], sent["silent"]) == (UPLOAD_ID, False, True)
    assert sent["reference"] is channel.upload.to_reference.return_value
    assert await interrupted_replies(db, "later") == []


async def test_reply_that_appears_while_the_missing_one_is_posted_is_corrected(
    db: Database, recovery: ReplyRecovery
) -> None:
    channel = Room()
    channel.send.return_value = MagicMock(id=78, components=shown("progress.analyzing"))
    await save(db, reply(1, **UPLOAD))
    assert await recovery.repair(client_of(channel)) == 1
    assert channel.asked_for == 78
    channel.partial.edit.assert_awaited_once()


async def test_answer_that_appears_while_the_missing_reply_is_posted_is_left(
    db: Database, recovery: ReplyRecovery
) -> None:
    channel = Room()
    channel.partial.fetch = AsyncMock(return_value=message(unfinished=False))
    channel.send.return_value = MagicMock(id=78, components=shown("refusals.no_clip"))
    await save(db, reply(1, **UPLOAD))
    assert await recovery.repair(client_of(channel)) == 0
    channel.partial.edit.assert_not_called()


@pytest.mark.parametrize(("age_s", "posted"), [(2 * HOUR_S, 1), (4 * HOUR_S, 0)])
async def test_missing_reply_is_posted_for_three_hours_only(
    db: Database, recovery: ReplyRecovery, age_s: float, posted: int
) -> None:
    channel = Room()
    await save(db, reply(age_s, **UPLOAD))
    assert await recovery.repair(client_of(channel)) == posted
    assert channel.send.await_count == posted
    assert await interrupted_replies(db, "later") == []


async def test_unfinished_reply_to_an_upload_is_corrected_after_days(
    db: Database, recovery: ReplyRecovery
) -> None:
    of_bot, answered = MagicMock(id=BOT_ID), MagicMock(message_id=UPLOAD_ID)
    channel = Room(message(id=55, author=of_bot, reference=answered))
    await save(db, reply(72 * HOUR_S, **UPLOAD))
    assert await recovery.repair(client_of(channel)) == 1
    assert channel.asked_for == 55
    channel.partial.edit.assert_awaited_once()
    channel.send.assert_not_called()


@pytest.mark.parametrize(
    ("case", "channel"),
    [
        ("told privately", lambda: Room(reactions=(MagicMock(me=True, emoji=SENT_PRIVATELY),))),
        ("upload deleted", lambda: Room(other())),
        ("reply may lie further on", lambda: Room(*(other() for _ in range(200)))),
        ("watched", Room),
    ],
)
async def test_no_reply_is_posted_for_an_upload(
    db: Database, recovery: ReplyRecovery, case: str, channel: Callable[[], Room]
) -> None:
    room = channel()
    if case == "upload deleted":
        del room.messages[0]
    kind = f"{WATCHED} de" if case == "watched" else "upload de"
    await save(db, reply(MINUTE_S, **UPLOAD | {"kind": kind}))
    assert await recovery.repair(client_of(room)) == 0
    room.send.assert_not_called()
    assert await interrupted_replies(db, "later") == []


async def test_somebody_elses_reaction_does_not_count_as_an_answer(
    db: Database, recovery: ReplyRecovery
) -> None:
    channel = Room(other(), reactions=(MagicMock(me=False, emoji=SENT_PRIVATELY),))
    await save(db, reply(MINUTE_S, **UPLOAD))
    assert await recovery.repair(client_of(channel)) == 1


def other() -> MagicMock:
    """Return somebody's message that refers to nothing."""
    return message(id=1, author=MagicMock(id=3), reference=None)


def shown(key: str) -> list[discord.TextDisplay]:
    """Return the components of a message with one text, inside a container."""
    inner = MagicMock(spec=discord.TextDisplay, content=TRANSLATIONS.text(key, "en-US"))
    return [MagicMock(spec=discord.Container, children=[inner])]


async def test_repair_is_in_the_language_of_a_request_with_two_words(
    db: Database, recovery: ReplyRecovery, webhook: AsyncMock
) -> None:
    await save(db, reply(MINUTE_S, kind="library add de"))
    await recovery.repair(MagicMock())
    view = webhook.edit_message.await_args.kwargs["view"]
    assert seen(view) == TRANSLATIONS.text("refusals.interrupted", "de")


def test_progress_is_unfinished_and_a_response_is_not() -> None:
    localizer = Localizer(TRANSLATIONS, "en-US")
    for view, unfinished in (
        (messages.progress(localizer, "fetching"), True),
        (messages.decline(localizer, "interrupted"), False),
    ):
        shown = MagicMock(components=view.children)
        shown.flags.loading = False
        assert is_unfinished(shown) == unfinished
