"""API payloads of users, members, channels, guilds and the application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.local_discord.api_types import timestamp
from bot.local_discord.state import (
    FORUM,
    PUBLIC_THREAD,
    STAGE,
    VOICE,
    Channel,
    DiscordState,
    Guild,
    Member,
    Role,
    User,
)

if TYPE_CHECKING:
    from bot.local_discord.api_types import Json

# Required keys of a guild that genrec does not use.
PLAIN_GUILD: Json = {
    **dict.fromkeys(
        (
            "icon",
            "splash",
            "banner",
            "description",
            "home_header",
            "discovery_splash",
            "application_id",
            "afk_channel_id",
            "system_channel_id",
            "widget_channel_id",
            "max_presences",
            "vanity_url_code",
            "rules_channel_id",
            "safety_alerts_channel_id",
            "public_updates_channel_id",
            "incidents_data",
        )
    ),
    **dict.fromkeys(
        (
            "verification_level",
            "default_message_notifications",
            "explicit_content_filter",
            "mfa_level",
            "nsfw_level",
            "premium_tier",
            "premium_subscription_count",
            "system_channel_flags",
        ),
        0,
    ),
    **dict.fromkeys(("widget_enabled", "premium_progress_bar_enabled", "nsfw"), False),
    "region": "",
    "emojis": [],
    "stickers": [],
    "features": [],
    "afk_timeout": 300,
    "max_members": 500_000,
    "max_stage_video_channel_users": 50,
    "max_video_channel_users": 25,
    "preferred_locale": "en-US",
}
MESSAGE_CONTENT_LIMITED = 1 << 19  # application flag: enabled in the portal, below 100 guilds


def user(account: User) -> Json:
    """Return a user's payload; discord.py needs discriminator and avatar."""
    return {
        "id": account.id,
        "username": account.name,
        "discriminator": "0",
        "avatar": None,
        "global_name": account.name,
        "bot": account.bot,
        "public_flags": 0,
        "flags": 0,
        "primary_guild": None,
    }


def member(guild_member: Member) -> Json:
    """Return a member's payload; each member has a role of its own with its permissions."""
    return {
        "user": user(guild_member.user),
        "nick": None,
        "avatar": None,
        "banner": None,
        "roles": [guild_member.user.id, *guild_member.roles],
        "joined_at": guild_member.joined_at,
        "premium_since": None,
        "deaf": False,
        "mute": False,
        "flags": 0,
        "pending": False,
        "communication_disabled_until": guild_member.timed_out_until,
    }


def channel(place: Channel, bot: User) -> Json:
    """Return the payload of a channel, a thread or a direct message channel."""
    base: Json = {
        "id": place.id,
        "type": place.kind,
        "last_message_id": next(reversed(place.messages), None),
        "flags": 0,
    }
    if place.guild is None:
        recipients = [user(place.recipient)] if place.recipient else []
        return base | {"type": 1, "recipients": recipients}
    base |= {"name": place.name, "guild_id": place.guild.id, "rate_limit_per_user": 0}
    base["parent_id"] = place.parent.id if place.parent else None
    if place.is_thread:
        return base | _thread(place, bot)
    return (
        base
        | _KIND_FIELDS.get(place.kind, {})
        | {
            "position": list(place.guild.channels).index(place.id),
            "permission_overwrites": _overwrites(place),
            "nsfw": False,
            "topic": place.topic or None,
        }
    )


_VOICE_FIELDS: Json = {"bitrate": 64_000, "user_limit": 0, "rtc_region": None}
_KIND_FIELDS: dict[int, Json] = {
    VOICE: _VOICE_FIELDS,
    STAGE: _VOICE_FIELDS,
    FORUM: {"available_tags": [], "default_reaction_emoji": None, "default_sort_order": None},
}


def _overwrites(place: Channel) -> list[Json]:
    """Return a channel's overwrites; ``type`` 1 is a member's."""
    roles = place.guild.roles if place.guild else {}
    return [
        {
            "id": target,
            "type": 0 if target in roles else 1,
            "allow": str(overwrite.allow),
            "deny": str(overwrite.deny),
        }
        for target, overwrite in place.overwrites.items()
    ]


def _thread(thread: Channel, bot: User) -> Json:
    created = timestamp()
    payload: Json = {
        "owner_id": thread.guild.owner.id if thread.guild else "0",
        "message_count": len(thread.messages),
        "member_count": max(1, len(thread.members)),
        "total_message_sent": len(thread.messages),
        "thread_metadata": {
            "archived": thread.archived,
            "auto_archive_duration": 1440,
            "archive_timestamp": created,
            "locked": thread.locked,
            "create_timestamp": created,
        }
        | ({} if thread.kind == PUBLIC_THREAD else {"invitable": True}),
    }
    if bot.id in thread.members:
        payload["member"] = {
            "id": thread.id, "user_id": bot.id, "join_timestamp": created, "flags": 0
        }  # fmt: skip
    return payload


def role(guild_role: Role, position: int) -> Json:
    """Return a role's payload; the role with the guild's id is @everyone."""
    payload: Json = {
        "id": guild_role.id,
        "name": guild_role.name,
        "permissions": str(guild_role.permissions),
        "position": position,
        "color": 0,
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        "hoist": False,
        "managed": guild_role.bot_id is not None,
        "mentionable": False,
        "icon": None,
        "unicode_emoji": None,
        "flags": 0,
    }
    return payload | ({"tags": {"bot_id": guild_role.bot_id}} if guild_role.bot_id else {})


def roles(server: Guild) -> list[Role]:
    """Return a guild's roles, @everyone first, then those that each member has of its own."""
    own = [
        Role(m.user.id, m.user.name, m.permissions, m.user.id if m.user.bot else None)
        for m in server.members.values()
    ]
    return [*server.roles.values(), *own]


def guild(server: Guild) -> Json:
    """Return a guild's payload without channels and members."""
    return PLAIN_GUILD | {
        "id": server.id,
        "name": server.name,
        "owner_id": server.owner.id,
        "roles": [role(each, position) for position, each in enumerate(roles(server))],
        "system_channel_id": server.system_channel and server.system_channel.id,
        "public_updates_channel_id": server.public_updates_channel
        and server.public_updates_channel.id,
        "rules_channel_id": server.rules_channel and server.rules_channel.id,
        "preferred_locale": server.locale,
    }


def own_guild(server: Guild, bot: User) -> Json:
    """Return the payload of one of the bot's guilds; permissions are those of its roles."""
    me = server.members[bot.id]
    granted = server.everyone.permissions | me.permissions
    for held in me.roles:
        granted |= server.roles[held].permissions
    return {
        "id": server.id,
        "name": server.name,
        "icon": None,
        "banner": None,
        "owner": server.owner is bot,
        "permissions": str(granted),
        "features": [],
    }


def guild_create(server: Guild, bot: User, *, new: bool = False) -> Json:
    """Return a guild's GUILD_CREATE payload; a ``new`` one has no key ``unavailable``."""
    known = {} if new else {"unavailable": False}
    return (
        guild(server)
        | known
        | {
            "member_count": len(server.members),
            "large": False,
            "joined_at": server.members[bot.id].joined_at,
            "channels": [channel(c, bot) for c in server.channels.values() if not c.is_thread],
            "threads": [
                channel(c, bot)
                for c in server.channels.values()
                if c.kind == PUBLIC_THREAD or (c.is_thread and bot.id in c.members)
            ],
            "members": [member(m) for m in server.members.values()],
            "presences": [],
            "voice_states": [],
            "stage_instances": [],
            "guild_scheduled_events": [],
            "soundboard_sounds": [],
        }
    )


def application(state: DiscordState, *, message_content: bool) -> Json:
    """Return the application's payload; its flags are the privileged intents of the portal."""
    flags = MESSAGE_CONTENT_LIMITED if message_content else 0
    return {
        "id": state.bot.id,
        "name": state.bot.name,
        "icon": None,
        "description": "",
        "type": None,
        "summary": "",
        "bot": user(state.bot),
        "bot_public": True,
        "bot_require_code_grant": False,
        "verify_key": "0" * 64,
        "flags": flags,
        "flags_new": str(flags),
        "owner": user(state.you),
        "team": None,
        "redirect_uris": [],
        "interactions_endpoint_url": None,
        "role_connections_verification_url": None,
        "approximate_guild_count": len(state.guilds),
        "approximate_user_install_count": 0,
        "approximate_user_authorization_count": 0,
        "explicit_content_filter": 0,
        "eligible_oauth2_scopes": [],
        "integration_types_config": {"0": {}, "1": {}},
        "tags": [],
    }
