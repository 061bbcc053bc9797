"""API payloads of users, members, channels, guilds and the application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.local_discord.state import EVERYONE_PERMISSIONS, Channel, DiscordState, Guild, Member, User

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
    """Return a member's payload; each member has one role of its own with its permissions."""
    return {
        "user": user(guild_member.user),
        "nick": None,
        "avatar": None,
        "banner": None,
        "roles": [guild_member.user.id],
        "joined_at": guild_member.joined_at,
        "premium_since": None,
        "deaf": False,
        "mute": False,
        "flags": 0,
        "pending": False,
        "communication_disabled_until": None,
    }


def channel(text_channel: Channel, bot: User) -> Json:
    """Return the payload of a text channel or a direct message channel."""
    base: Json = {
        "id": text_channel.id,
        "last_message_id": next(reversed(text_channel.messages), None),
        "flags": 0,
    }
    if text_channel.guild is None:
        recipients = [user(text_channel.recipient)] if text_channel.recipient else []
        return base | {"type": 1, "recipients": recipients}
    denied = [{"id": bot.id, "type": 1, "allow": "0", "deny": str(text_channel.denied_to_bot)}]
    return base | {
        "type": 0,
        "name": text_channel.name,
        "position": list(text_channel.guild.channels).index(text_channel.id),
        "guild_id": text_channel.guild.id,
        "permission_overwrites": denied if text_channel.denied_to_bot else [],
        "nsfw": False,
        "parent_id": None,
        "topic": text_channel.topic or None,
        "rate_limit_per_user": 0,
    }


def role(id_: str, name: str, permissions: int, position: int) -> Json:
    """Return a role's payload; the role with the guild's id is @everyone."""
    return {
        "id": id_,
        "name": name,
        "permissions": str(permissions),
        "position": position,
        "color": 0,
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        "hoist": False,
        "managed": False,
        "mentionable": False,
        "icon": None,
        "unicode_emoji": None,
        "flags": 0,
    }


def guild(server: Guild) -> Json:
    """Return a guild's payload without channels and members."""
    roles = [role(server.id, "@everyone", EVERYONE_PERMISSIONS, 0)]
    for position, each in enumerate(server.members.values(), 1):
        roles.append(role(each.user.id, each.user.name, each.permissions, position))
    about = {"id": server.id, "name": server.name, "owner_id": server.owner.id, "roles": roles}
    return PLAIN_GUILD | about


def guild_create(server: Guild, bot: User) -> Json:
    """Return a guild's GUILD_CREATE payload; ``unavailable: False`` means not newly joined."""
    return guild(server) | {
        "unavailable": False,
        "member_count": len(server.members),
        "large": False,
        "joined_at": server.members[bot.id].joined_at,
        "channels": [channel(c, bot) for c in server.channels.values()],
        "threads": [],
        "members": [member(m) for m in server.members.values()],
        "presences": [],
        "voice_states": [],
        "stage_instances": [],
        "guild_scheduled_events": [],
        "soundboard_sounds": [],
    }


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
        "tags": [],
    }
