"""Users, members, channels, guilds and the application as discord.py expects them on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.local_discord.state import EVERYONE_PERMISSIONS, Channel, DiscordState, Guild, Member, User

if TYPE_CHECKING:
    from bot.local_discord.api_types import Json

# What a guild has to have on the wire and nobody here cares about.
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
MESSAGE_CONTENT_LIMITED = 1 << 19  # application flag: switched on in the portal, under 100 servers


def user(who: User) -> Json:
    """Write a user; discord.py fails without discriminator and avatar."""
    return {
        "id": who.id,
        "username": who.name,
        "discriminator": "0",
        "avatar": None,
        "global_name": who.name,
        "bot": who.bot,
        "public_flags": 0,
        "flags": 0,
        "primary_guild": None,
    }


def member(who: Member) -> Json:
    """Write a member of a guild; its one role is its own and carries its permissions."""
    return {
        "user": user(who.user),
        "nick": None,
        "avatar": None,
        "banner": None,
        "roles": [who.user.id],
        "joined_at": who.joined_at,
        "premium_since": None,
        "deaf": False,
        "mute": False,
        "flags": 0,
        "pending": False,
        "communication_disabled_until": None,
    }


def stranger(who: User) -> Member:
    """Take somebody without a place in the guild as an ordinary member."""
    return Member(who)


def channel(what: Channel, bot: User) -> Json:
    """Write a text channel of a guild, or a direct conversation."""
    base: Json = {"id": what.id, "last_message_id": next(reversed(what.messages), None), "flags": 0}
    if what.guild is None:
        recipients = [user(what.recipient)] if what.recipient else []
        return base | {"type": 1, "recipients": recipients}
    denied = [{"id": bot.id, "type": 1, "allow": "0", "deny": str(what.denied_to_bot)}]
    return base | {
        "type": 0,
        "name": what.name,
        "position": list(what.guild.channels).index(what.id),
        "guild_id": what.guild.id,
        "permission_overwrites": denied if what.denied_to_bot else [],
        "nsfw": False,
        "parent_id": None,
        "topic": what.topic or None,
        "rate_limit_per_user": 0,
    }


def role(id_: str, name: str, permissions: int, position: int) -> Json:
    """Write a role; the one that has the guild's id is @everyone."""
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


def guild(what: Guild) -> Json:
    """Write a guild without its channels and members."""
    roles = [role(what.id, "@everyone", EVERYONE_PERMISSIONS, 0)]
    for position, who in enumerate(what.members.values(), 1):
        roles.append(role(who.user.id, who.user.name, who.permissions, position))
    about = {"id": what.id, "name": what.name, "owner_id": what.owner.id, "roles": roles}
    return PLAIN_GUILD | about


def guild_create(what: Guild, bot: User) -> Json:
    """Write a guild for GUILD_CREATE; ``unavailable: False`` means it was known before."""
    return guild(what) | {
        "unavailable": False,
        "member_count": len(what.members),
        "large": False,
        "joined_at": what.members[bot.id].joined_at,
        "channels": [channel(c, bot) for c in what.channels.values()],
        "threads": [],
        "members": [member(m) for m in what.members.values()],
        "presences": [],
        "voice_states": [],
        "stage_instances": [],
        "guild_scheduled_events": [],
        "soundboard_sounds": [],
    }


def application(state: DiscordState, *, message_content: bool) -> Json:
    """Write the bot's application; its flags tell which privileged intents the portal grants."""
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
