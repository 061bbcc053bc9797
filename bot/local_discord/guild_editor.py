"""Changes that a server's admins make in Discord's settings: roles, channels and permissions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.local_discord import payloads
from bot.local_discord.api_types import snowflake, timestamp
from bot.local_discord.commands import NotOffered
from bot.local_discord.permissions import Overwrite
from bot.local_discord.state import (
    CATEGORY,
    PRIVATE_THREAD,
    PUBLIC_THREAD,
    TEXT,
    Member,
    Role,
    User,
)

if TYPE_CHECKING:
    from bot.local_discord.api_types import Json
    from bot.local_discord.server_context import ServerContext
    from bot.local_discord.state import Channel, Guild, Message


class GuildEditor:
    """Changes guilds as their admins do, and sends the bot the events of each change."""

    def __init__(self, context: ServerContext) -> None:
        self._context = context
        self._state = context.state

    def add_bot(self, guild: Guild, *, joined_at: str | None = None) -> None:
        """Add the bot to a guild, as its invite address does; by default it joins now."""
        bot = self._state.bot
        guild.with_bot = True
        guild.members[bot.id] = Member(bot, joined_at=joined_at or timestamp())
        payload = payloads.guild_create(guild, bot, new=True)
        self._context.gateway.dispatch_to(guild, "GUILD_CREATE", payload)

    def channel(
        self, name: str, kind: int = TEXT, *, parent: Channel | None = None,
        guild: Guild | None = None,
    ) -> Channel:  # fmt: skip
        """Create a channel, a category, or with a category as ``parent`` a channel inside it."""
        guild = guild or self._state.guild
        made = self._state.add_channel(guild, name, kind=kind, parent=parent)
        self._send("CHANNEL_CREATE", payloads.channel(made, self._state.bot), made)
        return made

    def thread(
        self, name: str, parent: Channel, *, private: bool = False, message: Message | None = None
    ) -> Channel:
        """Start a thread in a channel, or a post in a forum; the bot joins only public ones."""
        if message and any(c.started_from == message.id for c in self._state.channels.values()):
            raise NotOffered("A message can start one thread only.")
        assert parent.guild is not None, "direct messages have no threads"
        kind = PRIVATE_THREAD if private else PUBLIC_THREAD
        made = self._state.add_channel(parent.guild, name, kind=kind, parent=parent)
        made.started_from = message.id if message else None
        if self._visible(made):
            payload = payloads.channel(made, self._state.bot)
            self._send("THREAD_CREATE", payload | {"newly_created": True}, made)
        return made

    def add_to_thread(self, thread: Channel, user: User) -> None:
        """Add a member to a private thread, as a mention in it does."""
        thread.members.add(user.id)
        if user is self._state.bot:
            self._send("THREAD_CREATE", payloads.channel(thread, user), thread)

    def delete_channel(self, channel: Channel) -> None:
        """Delete a channel with its messages."""
        assert channel.guild is not None, "a direct message channel cannot be deleted"
        payload = payloads.channel(channel, self._state.bot)
        del channel.guild.channels[channel.id], self._state.channels[channel.id]
        self._send("CHANNEL_DELETE", payload, channel)

    def set_channels(
        self, *, system: Channel | None = None, public_updates: Channel | None = None
    ) -> None:
        """Choose the first guild's channels of system messages and of notices for moderators."""
        guild = self._state.guild
        guild.system_channel, guild.public_updates_channel = system, public_updates
        self._context.gateway.dispatch_to(guild, "GUILD_UPDATE", payloads.guild(guild))

    def overwrite(
        self, channel: Channel, target: User | Role, *, allow: int = 0, deny: int = 0
    ) -> None:
        """Set the permissions of a role or member in a channel; 0 for both removes them.

        A category passes them on to its channels that have the category's permissions.
        """
        synced = [
            inner
            for inner in self._state.channels.values()
            if channel.kind == CATEGORY
            and inner.parent is channel
            and inner.overwrites == channel.overwrites
        ]
        for changed in (channel, *synced):
            hidden = not self._visible(changed)
            changed.overwrites.pop(target.id, None)
            if allow or deny:
                changed.overwrites[target.id] = Overwrite(allow, deny)
            self._send("CHANNEL_UPDATE", payloads.channel(changed, self._state.bot), changed)
            if hidden and self._visible(changed):
                self._send_threads(changed)

    def role(self, name: str, permissions: int = 0, *, guild: Guild | None = None) -> Role:
        """Create a role."""
        guild = guild or self._state.guild
        made = Role(snowflake(), name, permissions)
        guild.roles[made.id] = made
        self._send_role("GUILD_ROLE_CREATE", guild, made)
        return made

    def delete_role(self, role: Role, *, guild: Guild | None = None) -> None:
        """Delete a role, which its members and the channels' overwrites lose."""
        guild = guild or self._state.guild
        for member in guild.members.values():
            member.roles = [held for held in member.roles if held != role.id]
        for channel in guild.channels.values():
            channel.overwrites.pop(role.id, None)
        del guild.roles[role.id]
        payload = {"guild_id": guild.id, "role_id": role.id}
        self._context.gateway.dispatch_to(guild, "GUILD_ROLE_DELETE", payload)

    def change_role(self, role: Role, permissions: int, *, guild: Guild | None = None) -> None:
        """Change the permissions of a role, such as ``guild.everyone``."""
        role.permissions = permissions
        self._send_role("GUILD_ROLE_UPDATE", guild or self._state.guild, role)

    def change_own_role(self, user: User, permissions: int, *, guild: Guild | None = None) -> None:
        """Change the permissions of the role that a member has of its own, such as the bot's."""
        guild = guild or self._state.guild
        guild.members[user.id].permissions = permissions
        self._send_role("GUILD_ROLE_UPDATE", guild, Role(user.id, user.name, permissions))

    def give(self, user: User, role: Role, *, guild: Guild | None = None) -> None:
        """Give a member a role."""
        self._change_member(guild or self._state.guild, user, role, has=True)

    def take(self, user: User, role: Role, *, guild: Guild | None = None) -> None:
        """Take a role from a member."""
        self._change_member(guild or self._state.guild, user, role, has=False)

    def _change_member(self, guild: Guild, user: User, role: Role, *, has: bool) -> None:
        member = guild.members[user.id]
        member.roles = [held for held in member.roles if held != role.id]
        member.roles += [role.id] if has else []
        if user is self._state.bot:  # without the members intent a bot gets only its own updates
            payload = payloads.member(member) | {"guild_id": guild.id}
            self._context.gateway.dispatch_to(guild, "GUILD_MEMBER_UPDATE", payload)

    def _send_role(self, event: str, guild: Guild, role: Role) -> None:
        position = [each.id for each in payloads.roles(guild)].index(role.id)
        payload = {"guild_id": guild.id, "role": payloads.role(role, position)}
        self._context.gateway.dispatch_to(guild, event, payload)

    def _send_threads(self, parent: Channel) -> None:
        """Send the threads of a channel that has become visible to the bot."""
        inside = [c for c in self._state.channels.values() if c.is_thread and c.parent is parent]
        threads = [payloads.channel(c, self._state.bot) for c in inside if self._visible(c)]
        assert parent.guild is not None, "direct messages have no threads"
        about = {"guild_id": parent.guild.id, "channel_ids": [parent.id], "members": []}
        self._send("THREAD_LIST_SYNC", about | {"threads": threads}, parent)

    def _visible(self, channel: Channel) -> bool:
        return bool(self._state.permissions(self._state.bot, channel))

    def _send(self, event: str, payload: Json | Any, channel: Channel) -> None:
        self._context.gateway.dispatch(event, payload, channel)
        self._state.touch()
