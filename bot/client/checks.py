"""Checks that need no waiting, made before a command is even acknowledged."""

from __future__ import annotations

import discord

from bot.errors import Declined
from bot.sources import Attachment

# Where a container cannot be told from the name, the decoder decides; these are never sound.
_NOT_SOUND = ("image/", "text/", "application/pdf", "application/json", "application/zip")


def one_source(clip: discord.Attachment | None, link: str | None) -> Attachment | str:
    """Return the one thing to listen to."""
    if clip is not None and link:
        raise Declined("clip_and_link")
    if clip is not None:
        return as_source(clip)
    if not link or not link.strip():
        raise Declined("no_clip")
    return link.strip()


def as_source(attachment: discord.Attachment) -> Attachment:
    """Return what the sources need to know of an upload."""
    return Attachment(url=attachment.url, filename=attachment.filename, size=attachment.size)


def could_be_sound(attachment: discord.Attachment) -> bool:
    """Tell whether an upload may be a clip; an unknown type may, for the decoder decides."""
    kind = attachment.content_type or ""
    return not kind.startswith(_NOT_SOUND)


def is_sound(attachment: discord.Attachment) -> bool:
    """Tell whether Discord itself takes an upload for sound or video."""
    kind = attachment.content_type or ""
    return kind.startswith(("audio/", "video/")) or kind == "application/ogg"


def require_manage_guild(interaction: discord.Interaction) -> int:
    """Return the server's id, if the person may manage it: what Discord shows is no protection."""
    if interaction.guild_id is None:
        raise Declined("guild_only")
    if not interaction.permissions.manage_guild:
        raise Declined("no_permission")
    return interaction.guild_id


def require_role(user: discord.abc.User, role_ids: frozenset[int]) -> None:
    """Decline people without one of the roles that may use the bot; managers always may."""
    if not role_ids or not isinstance(user, discord.Member):
        return
    if user.guild_permissions.manage_guild or role_ids & {role.id for role in user.roles}:
        return
    raise Declined("role_missing")


def may_post_in(channel: discord.abc.MessageableChannel, guild: discord.Guild | None) -> bool:
    """Tell whether the bot may answer in a channel."""
    if guild is None or not isinstance(channel, discord.abc.GuildChannel | discord.Thread):
        return True
    allowed = channel.permissions_for(guild.me)
    if isinstance(channel, discord.Thread):
        return allowed.view_channel and allowed.send_messages_in_threads
    return allowed.view_channel and allowed.send_messages
