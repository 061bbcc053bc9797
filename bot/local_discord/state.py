"""State of the local Discord in memory: users, guilds, channels, members and messages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from bot.local_discord.api_types import ApiError, Json, snowflake, timestamp

ADMINISTRATOR = 1 << 3
MANAGE_GUILD = 1 << 5
ADD_REACTIONS = 1 << 6
VIEW_CHANNEL = 1 << 10
SEND_MESSAGES = 1 << 11
EMBED_LINKS = 1 << 14
ATTACH_FILES = 1 << 15
READ_MESSAGE_HISTORY = 1 << 16
USE_APPLICATION_COMMANDS = 1 << 31
ALL_PERMISSIONS = (1 << 51) - 1
EVERYONE_PERMISSIONS = (
    ADD_REACTIONS
    | VIEW_CHANNEL
    | SEND_MESSAGES
    | EMBED_LINKS
    | ATTACH_FILES
    | READ_MESSAGE_HISTORY
    | USE_APPLICATION_COMMANDS
)

# Fixed ids, so that settings that a bot stores by id stay valid after a restart.
BOT_ID = "1100000000000000001"
YOU_ID = "1100000000000000002"
GUILD_ID = "1100000000000000010"
CHANNEL_IDS = {
    "music": "1100000000000000011",
    "general": "1100000000000000012",
    "bot-corner": "1100000000000000013",
}
DM_ID = "1100000000000000020"
KEPT_MESSAGES = 2_000  # per channel, so that long tests use constant memory

T = TypeVar("T")
Listener = Callable[[str, "Message"], None]


@dataclass(eq=False)
class User:
    """A user account: a person or the bot."""

    id: str
    name: str
    bot: bool = False
    locale: str = "en-US"


@dataclass(eq=False)
class Member:
    """A member of a guild, with the permissions of its own role."""

    user: User
    permissions: int = EVERYONE_PERMISSIONS
    joined_at: str = field(default_factory=timestamp)

    @property
    def resolved(self) -> int:
        """Permissions as Discord resolves them: an administrator has all of them."""
        everything = self.permissions & ADMINISTRATOR
        return ALL_PERMISSIONS if everything else self.permissions | EVERYONE_PERMISSIONS


@dataclass(eq=False)
class Channel:
    """A text channel of a guild, or the direct message channel of a person."""

    id: str
    name: str
    guild: Guild | None = None
    recipient: User | None = None
    topic: str = ""
    denied_to_bot: int = 0
    messages: dict[str, Message] = field(default_factory=dict)


@dataclass(eq=False)
class Guild:
    """A guild; ``with_bot`` is False if the bot is only installed by a user."""

    id: str
    name: str
    owner: User
    with_bot: bool = True
    channels: dict[str, Channel] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)

    def channel(self, name: str) -> Channel:
        """Return the channel with this name."""
        return next(c for c in self.channels.values() if c.name == name)


@dataclass(eq=False)
class Message:
    """A message: its payload, its channel, and its only reader if it is ephemeral."""

    data: Json
    channel: Channel
    only_for: User | None = None

    @property
    def id(self) -> str:
        """The message's id."""
        return str(self.data["id"])


class DiscordState:
    """All users, guilds, channels and messages; listeners are notified of changes."""

    def __init__(self) -> None:
        self.users: dict[str, User] = {}
        self.guilds: dict[str, Guild] = {}
        self.channels: dict[str, Channel] = {}
        self.bot = self.add_user("genrec", user_id=BOT_ID, bot=True)
        self.you = self.add_user("you", user_id=YOU_ID)
        self.listeners: list[Listener] = []
        self.violations: list[str] = []
        self._changed = asyncio.Event()
        home = self.add_guild("Local Discord", owner=self.you, guild_id=GUILD_ID, channels=())
        topics = {"music": "Drop a clip here, or try /recommend"}
        for name, id_ in CHANNEL_IDS.items():
            self.add_channel(home, name, channel_id=id_, topic=topics.get(name, ""))
        self.guild = home

    def add_user(self, name: str, *, user_id: str | None = None, bot: bool = False) -> User:
        """Create and return a user."""
        user = User(user_id or snowflake(), name, bot)
        self.users[user.id] = user
        return user

    def add_guild(
        self,
        name: str,
        *,
        owner: User,
        guild_id: str | None = None,
        with_bot: bool = True,
        channels: tuple[str, ...] = ("music",),
    ) -> Guild:
        """Create and return a guild with its owner and, by default, the bot as members."""
        guild = Guild(guild_id or snowflake(), name, owner, with_bot)
        self.guilds[guild.id] = guild
        guild.members[owner.id] = Member(owner, ALL_PERMISSIONS)
        if with_bot:
            guild.members[self.bot.id] = Member(self.bot)
        for channel in channels:
            self.add_channel(guild, channel)
        return guild

    def add_channel(
        self, guild: Guild, name: str, *, channel_id: str | None = None, topic: str = ""
    ) -> Channel:
        """Create and return a text channel."""
        channel = Channel(channel_id or snowflake(), name, guild, topic=topic)
        guild.channels[channel.id] = self.channels[channel.id] = channel
        return channel

    def dm(self, user: User) -> Channel:
        """Return the direct message channel of a user and the bot; create it if needed."""
        for channel in self.channels.values():
            if channel.recipient is user:
                return channel
        id_ = DM_ID if user is self.you else snowflake()
        channel = Channel(id_, user.name, recipient=user)
        self.channels[id_] = channel
        return channel

    def channel(self, channel_id: str) -> Channel:
        """Return a channel that the bot can reach; raise ApiError otherwise."""
        channel = self.channels.get(channel_id)
        if channel is None or (channel.guild and not channel.guild.with_bot):
            raise ApiError(404, 10003, "Unknown Channel")
        return channel

    def message(self, channel_id: str, message_id: str) -> Message:
        """Return a message that is not ephemeral; raise ApiError otherwise."""
        message = self.channel(channel_id).messages.get(message_id)
        if message is None or message.only_for is not None:
            raise ApiError(404, 10008, "Unknown Message")
        return message

    def permissions(self, user: User, channel: Channel) -> int:
        """Return a user's permissions in a channel."""
        if channel.guild is None:
            return EVERYONE_PERMISSIONS
        member = channel.guild.members.get(user.id)
        granted = member.resolved if member else 0
        return granted & ~channel.denied_to_bot if user is self.bot else granted

    def post(self, message: Message) -> Message:
        """Add a message, notify the listeners and return it."""
        kept = message.channel.messages
        kept[message.id] = message
        if len(kept) > KEPT_MESSAGES:
            del kept[next(iter(kept))]
        self.announce("create", message)
        return message

    def delete(self, message: Message) -> None:
        """Remove a message and notify the listeners."""
        message.channel.messages.pop(message.id, None)
        self.announce("delete", message)

    def announce(self, change: str, message: Message) -> None:
        """Notify all listeners of a change: create, update or delete."""
        for listener in self.listeners:
            listener(change, message)
        self.touch()

    def touch(self) -> None:
        """Wake all coroutines in ``wait_for``, which test their condition again."""
        old, self._changed = self._changed, asyncio.Event()
        old.set()

    async def wait_for(self, test: Callable[[], T], timeout_s: float) -> T:
        """Wait until ``test()`` returns a true value, and return it."""
        async with asyncio.timeout(timeout_s):
            while not (result := test()):
                await self._changed.wait()
            return result
