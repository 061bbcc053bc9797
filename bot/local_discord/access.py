"""Refusals of REST calls for which the bot lacks a permission, with Discord's error codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.local_discord.api_types import ApiError
from bot.local_discord.permissions import (
    ATTACH_FILES,
    CONNECT,
    EMBED_LINKS,
    READ_MESSAGE_HISTORY,
    VIEW_CHANNEL,
)
from bot.local_discord.state import STAGE, VOICE, WITHOUT_MESSAGES

if TYPE_CHECKING:
    from bot.local_discord.api_types import Files, Json
    from bot.local_discord.state import Channel, DiscordState, Message


def require_view(state: DiscordState, channel: Channel) -> None:
    """Raise 50001 for a channel that the bot cannot view; a voice channel also needs Connect."""
    needed = VIEW_CHANNEL | (CONNECT if channel.kind in (VOICE, STAGE) else 0)
    if state.permissions(state.bot, channel) & needed != needed:
        raise ApiError(403, 50001, "Missing Access")


def require(state: DiscordState, channel: Channel, permission: int) -> None:
    """Raise 50001 or 50013 unless the bot has a permission in a channel."""
    require_view(state, channel)
    if not state.permissions(state.bot, channel) & permission:
        raise ApiError(403, 50013, "Missing Permissions")


def require_post(state: DiscordState, channel: Channel, body: Json, files: Files) -> None:
    """Raise the error of a message that the bot may not post."""
    if channel.recipient is not None:
        if not channel.recipient.accepts_direct_messages:
            raise ApiError(403, 50007, "Cannot send messages to this user")
        return
    if channel.kind in WITHOUT_MESSAGES:
        raise ApiError(400, 50008, "Cannot send messages in a non-text channel")
    require_view(state, channel)
    if not state.may_post(state.bot, channel):
        raise ApiError(403, 50013, "Missing Permissions")
    if channel.locked:
        raise ApiError(400, 160005, "Thread is locked")
    _require_content(state, channel, body, files)
    if body.get("message_reference"):
        require_reply(state, channel)


def require_reply(state: DiscordState, channel: Channel) -> None:
    """Raise 160002 if the bot may not refer to messages of a channel."""
    if not state.permissions(state.bot, channel) & READ_MESSAGE_HISTORY:
        raise ApiError(400, 160002, "Cannot reply without permission to read message history")


def require_edit(state: DiscordState, message: Message, body: Json, files: Files) -> None:
    """Raise the error of an edit that the bot may not make to its own message."""
    if message.data["author"]["id"] != state.bot.id:
        raise ApiError(403, 50005, "Cannot edit a message authored by another user")
    require_view(state, message.channel)
    if message.channel.archived:
        raise ApiError(400, 50083, "Thread is archived")
    _require_content(state, message.channel, body, files)


def _require_content(state: DiscordState, channel: Channel, body: Json, files: Files) -> None:
    """Raise 50013 for files and embeds without their permission; components need none."""
    if files:
        require(state, channel, ATTACH_FILES)
    if body.get("embeds"):
        require(state, channel, EMBED_LINKS)
