"""Checks without I/O, made before a command is acknowledged."""

from __future__ import annotations

import discord

from bot.errors import RequestDeclined
from bot.sources import Attachment, links_in


def one_source(clip: discord.Attachment | None, link: str | None) -> Attachment | str:
    """Return the clip or the link of a command, without Discord's markup.

    Raises RequestDeclined for none, for both, and for several links.
    """
    if clip is not None and link:
        raise RequestDeclined("clip_and_link")
    if clip is not None:
        return as_source(clip)
    if not link or not link.strip():
        raise RequestDeclined("no_clip")
    links = links_in(link)
    if len(links) > 1:
        raise RequestDeclined("several_links")
    return links[0] if links else link.strip()


def typed_name(clip: discord.Attachment | None, link: str | None, track: str | None) -> str | None:
    """Return the name in the option ``track`` of a command; None if clip or link is given.

    Raises RequestDeclined for several of the three, and for none.
    """
    given = sum(bool(each) for each in (clip, link and link.strip(), track and track.strip()))
    if given > 1:
        raise RequestDeclined("one_source" if track else "clip_and_link")
    if not given:
        raise RequestDeclined("no_source")
    return track if track and track.strip() else None


def as_source(attachment: discord.Attachment) -> Attachment:
    """Return an uploaded file as an ``Attachment``, which ``Sources`` accepts."""
    return Attachment(url=attachment.url, filename=attachment.filename, size=attachment.size)


def require_manage_guild(interaction: discord.Interaction) -> int:
    """Return the guild's id; raise RequestDeclined outside a guild or without Manage Server.

    Hiding a command from other users, as Discord does, is no protection.
    """
    if interaction.guild_id is None:
        raise RequestDeclined("guild_only")
    if not interaction.permissions.manage_guild:
        raise RequestDeclined("no_permission")
    return interaction.guild_id


def operator_ids(application: discord.AppInfo | None) -> frozenset[int]:
    """Return the users who operate the bot: the application's owner, or its team.

    Of a team these are its owner and the members who accepted as admin or developer. discord.py
    fetches the application once, at login.
    """
    if application is None:
        return frozenset()
    team = application.team
    if team is None:
        return frozenset({application.owner.id})
    members = {
        member.id
        for member in team.members
        if member.membership_state is discord.TeamMembershipState.accepted
        and member.role in (discord.TeamMemberRole.admin, discord.TeamMemberRole.developer)
    }
    return frozenset(members if team.owner_id is None else members | {team.owner_id})


def require_role(user: discord.abc.User, role_ids: frozenset[int]) -> None:
    """Raise RequestDeclined for a user with neither one of the roles nor Manage Server."""
    if not role_ids or not isinstance(user, discord.Member):
        return
    if user.guild_permissions.manage_guild or role_ids & {role.id for role in user.roles}:
        return
    raise RequestDeclined("role_missing")
