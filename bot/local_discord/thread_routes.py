"""REST routes that start threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.local_discord import payloads
from bot.local_discord.access import require
from bot.local_discord.api_types import ApiError
from bot.local_discord.permissions import CREATE_PRIVATE_THREADS, CREATE_PUBLIC_THREADS
from bot.local_discord.rest import Call, RouteTable
from bot.local_discord.state import PRIVATE_THREAD, PUBLIC_THREAD

if TYPE_CHECKING:
    from bot.local_discord.state import Channel

table = RouteTable()


@table.on("POST", "/channels/{channel_id}/messages/{message_id}/threads")
async def start_from_message(call: Call) -> object:
    """Start a thread from a message, which can have one only, and return it."""
    state = call.context.state
    message = state.message(call.params["channel_id"], call.params["message_id"])
    require(state, message.channel, CREATE_PUBLIC_THREADS)
    if any(c.started_from == message.id for c in state.channels.values()):
        raise ApiError(400, 160004, "A thread has already been created for this message")
    return _started(call, message.channel, PUBLIC_THREAD, message.id)


@table.on("POST", "/channels/{channel_id}/threads")
async def start(call: Call) -> object:
    """Start a thread without a message and return it."""
    state = call.context.state
    parent, kind = state.channel(call.params["channel_id"]), call.body.get("type", PRIVATE_THREAD)
    private = kind == PRIVATE_THREAD
    require(state, parent, CREATE_PRIVATE_THREADS if private else CREATE_PUBLIC_THREADS)
    return _started(call, parent, kind, None)


def _started(call: Call, parent: Channel, kind: int, message_id: str | None) -> object:
    state = call.context.state
    if parent.guild is None:
        raise ApiError(400, 50024, "Cannot execute action on this channel type")
    thread = state.add_channel(parent.guild, call.body["name"], kind=kind, parent=parent)
    thread.started_from = message_id
    thread.members.add(state.bot.id)
    payload = payloads.channel(thread, state.bot)
    call.context.gateway.dispatch("THREAD_CREATE", payload | {"newly_created": True}, thread)
    return payload
