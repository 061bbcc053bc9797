"""Permissions that an answer needs in a channel, and those that the bot lacks there."""

from __future__ import annotations

from dataclasses import dataclass

import discord

from bot.i18n import Localizer
from bot.ui.messages import Markup

MISSING_ACCESS = 50001
MISSING_PERMISSIONS = 50013
NO_HISTORY = 160002
_NOT_A_TEXT_CHANNEL = 50008
_THREAD_ARCHIVED = 50083
_THREAD_LOCKED = 160005
_UNKNOWN_CHANNEL = 10003
CANNOT_POST = (
    MISSING_ACCESS, MISSING_PERMISSIONS, _NOT_A_TEXT_CHANNEL, _THREAD_ARCHIVED, _THREAD_LOCKED,
    _UNKNOWN_CHANNEL,
)  # fmt: skip
"""Discord's error codes of a channel in which the bot may not post or edit."""

_COMPLETE = ("read_message_history", "attach_files", "embed_links")
_VOCAL = (discord.VoiceChannel, discord.StageChannel)


@dataclass(frozen=True, slots=True)
class MissingPermissions:
    """Permissions that the bot lacks in a channel, by their names in discord.py.

    Without one of ``post`` no answer can be posted. Without one of ``part`` an answer lacks a
    part: its reference to the upload, or its spectrogram.
    """

    post: tuple[str, ...] = ()
    part: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.post or self.part)


class PostingRefused(Exception):
    """The bot lacks a permission that posting in a channel needs."""


def is_refused(error: BaseException) -> bool:
    """Return True for an error that means that the bot may not post in a channel."""
    by_discord = isinstance(error, discord.HTTPException) and error.code in CANNOT_POST
    return by_discord or isinstance(error, PostingRefused)


def lacks_permission(error: BaseException) -> bool:
    """Return True for a refusal that a server's admin can end with a permission."""
    codes = (MISSING_ACCESS, MISSING_PERMISSIONS)
    by_discord = isinstance(error, discord.HTTPException) and error.code in codes
    return by_discord or isinstance(error, PostingRefused)


def missing_in(channel: object, guild: discord.Guild | None) -> MissingPermissions:
    """Return the permissions for answers that the bot lacks in a channel or thread.

    A direct message, and a channel that is not cached, lack none.
    """
    return MissingPermissions() if guild is None else missing_for(channel, guild.me)


def missing_for(channel: object, me: discord.Member) -> MissingPermissions:
    """Return the permissions for answers that a member, the bot, lacks in a channel or thread."""
    if not isinstance(channel, discord.abc.GuildChannel | discord.Thread):
        return MissingPermissions()
    place = channel.parent if isinstance(channel, discord.Thread) else channel
    if place is None:
        return MissingPermissions()
    # The base class resolves the overwrites only. The subclasses also withhold what a missing
    # permission implies, so they would list Attach Files although only Send Messages is denied.
    granted = discord.abc.GuildChannel.permissions_for(place, me)
    post, part = _needed(channel)
    return MissingPermissions(
        tuple(name for name in post if not getattr(granted, name)),
        tuple(name for name in part if not getattr(granted, name)),
    )


def _needed(channel: object) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the permissions without which no answer is posted, and those for a complete one."""
    if isinstance(channel, discord.Thread | discord.ForumChannel):
        return ("view_channel", "send_messages_in_threads"), _COMPLETE
    if isinstance(channel, _VOCAL):
        return ("view_channel", "connect", "send_messages"), _COMPLETE
    return ("view_channel", "send_messages"), ("send_messages_in_threads", *_COMPLETE)


def needed_to_post(channel: object) -> tuple[str, ...]:
    """Return the permissions without which no answer can be posted in a channel or thread."""
    return _needed(channel)[0]


def may_post_in(channel: object, guild: discord.Guild | None) -> bool:
    """Return True if the bot has the permissions to post in a channel or thread."""
    return not missing_in(channel, guild).post


def is_outside(channel: object, guild: discord.Guild | None) -> bool:
    """Return True for a private thread that the bot can neither see nor manage."""
    if guild is None or not isinstance(channel, discord.Thread) or not channel.is_private():
        return False
    manages = channel.parent is not None and channel.permissions_for(guild.me).manage_threads
    return channel.me is None and not manages


def permission_names(localizer: Localizer, names: tuple[str, ...]) -> Markup:
    """Return permissions as Discord's settings name them in a language, separated by commas."""
    return Markup(", ".join(f"**{localizer(f'permissions.{name}')}**" for name in names))
