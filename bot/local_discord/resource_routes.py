"""REST routes of users, the application, commands, guilds, channels and their messages."""

from __future__ import annotations

from urllib.parse import unquote

from bot.local_discord import payloads
from bot.local_discord.access import require, require_edit, require_post, require_view
from bot.local_discord.api_types import ApiError, Json
from bot.local_discord.content_access import without_content
from bot.local_discord.permissions import ADD_REACTIONS, READ_MESSAGE_HISTORY
from bot.local_discord.rest import Call, RouteTable
from bot.local_discord.state import Message

table = RouteTable()


@table.on("GET", "/users/@me")
async def me(call: Call) -> object:
    """Return the bot's own user."""
    about = {"mfa_enabled": False, "locale": "en-US", "verified": True, "email": None}
    return payloads.user(call.context.state.bot) | about


@table.on("GET", "/applications/@me")
@table.on("GET", "/oauth2/applications/@me")
async def application(call: Call) -> object:
    """Return the bot's application."""
    context = call.context
    return payloads.application(context.state, message_content=context.message_content)


@table.on("PATCH", "/applications/@me")
async def edit_application(call: Call) -> object:
    """Change the flags of the application: the switch of Message Content in the portal."""
    context = call.context
    if "flags" in call.body:
        granted = bool(int(call.body["flags"] or 0) & payloads.MESSAGE_CONTENT_LIMITED)
        context.message_content = granted
        context.gateway.grant_message_content(on=granted)
    return payloads.application(context.state, message_content=context.message_content)


@table.on("GET", "/users/@me/guilds")
async def own_guilds(call: Call) -> object:
    """Return the guilds of the bot in the order of their ids, with its permissions there."""
    state = call.context.state
    after, limit = int(call.query.get("after", 0)), int(call.query.get("limit", 200))
    joined = [guild for guild in state.guilds.values() if guild.with_bot and int(guild.id) > after]
    found = sorted(joined, key=lambda guild: int(guild.id))[:limit]
    return [payloads.own_guild(guild, state.bot) for guild in found]


@table.on("GET", "/guilds/{guild_id}/channels")
async def guild_channels(call: Call) -> object:
    """Return the channels of a guild, without threads."""
    state = call.context.state
    found = state.guilds.get(call.params["guild_id"])
    if found is None or not found.with_bot:
        raise ApiError(404, 10004, "Unknown Guild")
    return [payloads.channel(c, state.bot) for c in found.channels.values() if not c.is_thread]


@table.on("GET", "/users/{user_id}")
async def user(call: Call) -> object:
    """Return a user."""
    found = call.context.state.users.get(call.params["user_id"])
    if found is None:
        raise ApiError(404, 10013, "Unknown User")
    return payloads.user(found)


@table.on("POST", "/users/@me/channels")
async def open_dm(call: Call) -> object:
    """Return the direct message channel with a user."""
    state = call.context.state
    found = state.users.get(str(call.body["recipient_id"]))
    if found is None:
        raise ApiError(404, 10013, "Unknown User")
    return payloads.channel(state.dm(found), state.bot)


@table.on("GET", "/gateway", bot_only=False)
async def gateway(call: Call) -> object:
    """Return the gateway's URL."""
    return {"url": call.context.gateway.url}


@table.on("GET", "/gateway/bot")
async def gateway_bot(call: Call) -> object:
    """Return the gateway's URL, the recommended number of shards and the limit of Identify."""
    about = call.context.gateway
    buckets = about.identify_limit.max_concurrency
    limit = {"total": 1000, "remaining": 999, "reset_after": 0, "max_concurrency": buckets}
    return {"url": about.url, "shards": about.shards, "session_start_limit": limit}


@table.on("GET", "/guilds/{guild_id}")
async def guild(call: Call) -> object:
    """Return a guild of which the bot is a member."""
    state = call.context.state
    found = state.guilds.get(call.params["guild_id"])
    if found is None or not found.with_bot:
        raise ApiError(404, 10004, "Unknown Guild")
    return payloads.guild(found)


@table.on("GET", "/guilds/{guild_id}/members/{user_id}")
async def member(call: Call) -> object:
    """Return a member of a guild."""
    found = call.context.state.guilds.get(call.params["guild_id"])
    found_member = found.members.get(call.params["user_id"]) if found else None
    if found_member is None:
        raise ApiError(404, 10007, "Unknown Member")
    return payloads.member(found_member)


@table.on("PUT", "/applications/{application_id}/commands")
@table.on("PUT", "/applications/{application_id}/guilds/{guild_id}/commands")
async def replace_commands(call: Call) -> object:
    """Replace all commands of a scope, and return them."""
    return call.context.commands.replace(call.params.get("guild_id"), call.body or [])


@table.on("GET", "/applications/{application_id}/commands")
@table.on("GET", "/applications/{application_id}/guilds/{guild_id}/commands")
async def list_commands(call: Call) -> object:
    """Return the registered commands of a scope."""
    return call.context.commands.all(call.params.get("guild_id"))


@table.on("POST", "/applications/{application_id}/commands")
@table.on("POST", "/applications/{application_id}/guilds/{guild_id}/commands")
async def add_command(call: Call) -> object:
    """Register one command, and return it."""
    return call.context.commands.add(call.params.get("guild_id"), call.body)


def _command(call: Call) -> Json:
    scope = call.params.get("guild_id")
    found = call.context.commands.get(scope, call.params["command_id"])
    if found is None:
        raise ApiError(404, 10063, "Unknown application command")
    return found


@table.on("GET", "/applications/{application_id}/commands/{command_id}")
@table.on("GET", "/applications/{application_id}/guilds/{guild_id}/commands/{command_id}")
async def get_command(call: Call) -> object:
    """Return one command."""
    return _command(call)


@table.on("DELETE", "/applications/{application_id}/commands/{command_id}")
@table.on("DELETE", "/applications/{application_id}/guilds/{guild_id}/commands/{command_id}")
async def remove_command(call: Call) -> None:
    """Delete one command."""
    call.context.commands.remove(call.params.get("guild_id"), _command(call)["id"])


@table.on("GET", "/channels/{channel_id}")
async def channel(call: Call) -> object:
    """Return a channel."""
    state = call.context.state
    found = state.channel(call.params["channel_id"])
    require_view(state, found)
    return payloads.channel(found, state.bot)


@table.on("POST", "/channels/{channel_id}/typing")
async def typing(call: Call) -> None:
    """Accept a typing indicator, without an effect."""
    call.context.state.channel(call.params["channel_id"])


@table.on("GET", "/channels/{channel_id}/messages")
async def history(call: Call) -> object:
    """Return messages between ``after`` and ``before``, newest first.

    Without Read Message History there are none, and no error.
    """
    state = call.context.state
    found = state.channel(call.params["channel_id"])
    require_view(state, found)
    if not state.permissions(state.bot, found) & READ_MESSAGE_HISTORY:
        return []
    before, after = (int(call.query.get(key, 0)) for key in ("before", "after"))
    limit = int(call.query.get("limit", 50))
    seen = [
        _seen(call, m)
        for m in found.messages.values()
        if m.only_for is None and int(m.id) > after and (not before or int(m.id) < before)
    ]
    nearest = seen[:limit] if after and not before else seen[-limit:]
    return nearest[::-1]


@table.on("POST", "/channels/{channel_id}/messages")
async def send(call: Call) -> object:
    """Post and return a message of the bot; a repeated nonce returns the existing message."""
    context, body = call.context, call.body or {}
    location = context.state.channel(call.params["channel_id"])
    require_post(context.state, location, body, call.files)
    if body.get("enforce_nonce"):
        for old in location.messages.values():
            if old.data.get("nonce") == body.get("nonce"):
                return old.data
    extra = {"nonce": body["nonce"]} if "nonce" in body else {}
    bot = context.state.bot
    message = context.messages.write(bot, location, body, call.files, **extra)
    context.messages.reply(message, body)
    return context.state.post(message).data


def _seen(call: Call, message: Message) -> Json:
    """Return a message's payload, without content if the portal's switch is off."""
    if call.context.message_content or message.channel.guild is None:
        return message.data
    return without_content(message.data, call.context.state.bot.id)


def _message(call: Call) -> Message:
    return call.context.state.message(call.params["channel_id"], call.params["message_id"])


@table.on("GET", "/channels/{channel_id}/messages/{message_id}")
async def get_message(call: Call) -> object:
    """Return one message."""
    message = _message(call)
    require(call.context.state, message.channel, READ_MESSAGE_HISTORY)
    return _seen(call, message)


@table.on("PATCH", "/channels/{channel_id}/messages/{message_id}")
async def edit_message(call: Call) -> object:
    """Edit a message of the bot, and return it."""
    message, body = _message(call), call.body or {}
    require_edit(call.context.state, message, body, call.files)
    call.context.messages.edit(message, body, call.files)
    return message.data


@table.on("DELETE", "/channels/{channel_id}/messages/{message_id}")
async def delete_message(call: Call) -> None:
    """Delete a message of the bot."""
    message = _message(call)
    require_view(call.context.state, message.channel)
    if message.data["author"]["id"] != call.context.state.bot.id:
        raise ApiError(403, 50013, "Missing Permissions")
    call.context.state.delete(message)


@table.on("PUT", "/channels/{channel_id}/messages/{message_id}/reactions/{emoji}/@me")
async def add_reaction(call: Call) -> None:
    """Add the bot's reaction; a second one with the same emoji changes nothing."""
    reaction = {
        "emoji": {"id": None, "name": unquote(call.params["emoji"])},
        "count": 1,
        "me": True,
        "me_burst": False,
        "burst_colors": [],
        "count_details": {"burst": 0, "normal": 1},
    }
    _replace_reaction(call, [reaction])


@table.on("DELETE", "/channels/{channel_id}/messages/{message_id}/reactions/{emoji}/@me")
async def remove_reaction(call: Call) -> None:
    """Remove the bot's reaction, if there is one."""
    _replace_reaction(call, [])


def _replace_reaction(call: Call, reactions: list[Json]) -> None:
    """Put these reactions in the place of the bot's reaction with the call's emoji."""
    message = _message(call)
    require(call.context.state, message.channel, ADD_REACTIONS)
    emoji = unquote(call.params["emoji"])
    others = [r for r in message.data.get("reactions", []) if r["emoji"]["name"] != emoji]
    message.data["reactions"] = others + reactions
    call.context.state.announce("update", message)
