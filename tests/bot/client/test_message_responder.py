"""Responders: the message of an upload that may be no question."""

from __future__ import annotations

from typing import Any
from unittest.mock import AsyncMock, MagicMock

import pytest
from discord.ui import LayoutView

from bot.client.message_responder import MessageResponder

PROGRESS, RESPONSE = LayoutView(), LayoutView()


class Posted:
    """A channel that keeps what is sent, edited and deleted."""

    def __init__(self) -> None:
        self.id = 7
        self.sent: list[dict[str, Any]] = []
        self.lost_replies = 0
        self.message = AsyncMock()

    async def send(self, **body: Any) -> MagicMock:
        self.sent.append(body)
        if self.lost_replies:
            self.lost_replies -= 1
            raise ConnectionResetError
        return MagicMock(id=70)


@pytest.fixture
def channel() -> Posted:
    return Posted()


def responder(channel: Posted, *, watched: bool) -> MessageResponder:
    upload = MagicMock(id=5, channel=channel)
    client = MagicMock(spec=["get_partial_messageable"])
    client.get_partial_messageable.return_value.get_partial_message.return_value = channel.message
    return MessageResponder(
        upload, client=client, locale="en-US", progress=PROGRESS, watched=watched
    )


async def test_upload_for_the_bot_is_acknowledged_with_the_progress(channel: Posted) -> None:
    answering = responder(channel, watched=False)
    assert not answering.silent
    await answering.acknowledge()
    await answering.finish(RESPONSE)
    assert [body["view"] for body in channel.sent] == [PROGRESS]
    assert channel.message.edit.await_args.kwargs["view"] is RESPONSE
    assert answering.target.message_id == 70


async def test_watched_upload_is_acknowledged_with_nothing(channel: Posted) -> None:
    answering = responder(channel, watched=True)
    await answering.acknowledge()
    assert (channel.sent, answering.silent, answering.target.message_id) == ([], True, None)
    await answering.discard()
    assert channel.sent == []
    channel.message.delete.assert_not_awaited()


async def test_response_to_a_watched_upload_is_one_message(channel: Posted) -> None:
    answering = responder(channel, watched=True)
    await answering.finish(RESPONSE, [MagicMock(return_value="file")])
    (body,) = channel.sent
    assert (body["view"], body["files"], body["nonce"]) == (RESPONSE, ["file"], 5)
    assert not answering.silent
    channel.message.edit.assert_not_awaited()


async def test_progress_of_a_watched_upload_is_edited_or_deleted(channel: Posted) -> None:
    answering = responder(channel, watched=True)
    await answering.show(PROGRESS)
    await answering.show(RESPONSE)
    assert len(channel.sent) == 1
    channel.message.edit.assert_awaited_once()
    await answering.discard()
    channel.message.delete.assert_awaited_once()


@pytest.fixture
async def lost(channel: Posted) -> MessageResponder:
    """Return a responder whose progress may have been posted: every reply to it was lost."""
    channel.lost_replies = 1000
    answering = responder(channel, watched=True)
    with pytest.raises((ConnectionResetError, TimeoutError)):
        await answering.show(PROGRESS)
    channel.lost_replies = 0
    assert not answering.silent
    assert {body["nonce"] for body in channel.sent} == {5}
    return answering


async def test_progress_whose_reply_was_lost_is_found_and_deleted(
    channel: Posted, lost: MessageResponder
) -> None:
    await lost.discard()
    channel.message.delete.assert_awaited_once()


async def test_response_is_edited_into_progress_whose_reply_was_lost(
    channel: Posted, lost: MessageResponder
) -> None:
    await lost.finish(RESPONSE)
    assert channel.sent[-1]["nonce"] == 5
    assert channel.message.edit.await_args.kwargs["view"] is RESPONSE
