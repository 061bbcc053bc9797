"""State of the local Discord in memory: users, guilds, channels, members and messages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from bot.local_discord.api_types import ApiError, Json, snowflake, timestamp
from bot.local_discord.permissions import (
    ALL_PERMISSIONS,
    CONNECT,
    EVERYONE_PERMISSIONS,
    MANAGE_THREADS,
    SEND_MESSAGES,
    SEND_MESSAGES_IN_THREADS,
    Overwrite,
    implied,
    in_channel,
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

# Types of channels.
TEXT, VOICE, CATEGORY, NEWS, STAGE, FORUM = 0, 2, 4, 5, 13, 15
PUBLIC_THREAD, PRIVATE_THREAD = 11, 12
THREADS = (PUBLIC_THREAD, PRIVATE_THREAD)
WITHOUT_MESSAGES = (CATEGORY, FORUM)

T = TypeVar("T")
Listener = Callable[[str, "Message"], None]


@dataclass(eq=False)
class User:
    """A user account: a person or the bot."""

    id: str
    name: str
    bot: bool = False
    locale: str = "en-US"
    accepts_direct_messages: bool = True


@dataclass(eq=False)
class Role:
    """A role of a guild; the one with the guild's id is @everyone, a bot's own has ``bot_id``."""

    id: str
    name: str
    permissions: int = 0
    bot_id: str | None = None


@dataclass(eq=False)
class Member:
    """A member of a guild: ``permissions`` of a role of its own, and the ids of its other roles."""

    user: User
    permissions: int = EVERYONE_PERMISSIONS
    joined_at: str = field(default_factory=timestamp)
    roles: list[str] = field(default_factory=list)
    timed_out_until: str | None = None


@dataclass(eq=False)
class Channel:
    """A channel or thread of a guild, or the direct message channel of a person.

    ``parent`` is the category of a channel or the channel of a thread, and ``overwrites`` are by
    the id of a role or member. ``members`` are the ids of a private thread's members.
    """

    id: str
    name: str
    guild: Guild | None = None
    recipient: User | None = None
    topic: str = ""
    kind: int = TEXT
    parent: Channel | None = None
    overwrites: dict[str, Overwrite] = field(default_factory=dict)
    members: set[str] = field(default_factory=set)
    started_from: str | None = None
    """Id of the message that a thread was started from."""
    archived: bool = False
    locked: bool = False
    messages: dict[str, Message] = field(default_factory=dict)

    @property
    def is_thread(self) -> bool:
        """True for a thread or a forum's post."""
        return self.kind in THREADS


@dataclass(eq=False)
class Guild:
    """A guild; ``with_bot`` is False if the bot is only installed by a user."""

    id: str
    name: str
    owner: User
    with_bot: bool = True
    channels: dict[str, Channel] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    roles: dict[str, Role] = field(default_factory=dict)
    system_channel: Channel | None = None
    public_updates_channel: Channel | None = None
    rules_channel: Channel | None = None
    locale: str = "en-US"

    def __post_init__(self) -> None:
        self.roles[self.id] = Role(self.id, "@everyone", EVERYONE_PERMISSIONS)

    @property
    def everyone(self) -> Role:
        """The role @everyone."""
        return self.roles[self.id]

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
        self,
        guild: Guild,
        name: str,
        *,
        channel_id: str | None = None,
        topic: str = "",
        kind: int = TEXT,
        parent: Channel | None = None,
    ) -> Channel:
        """Create and return a channel; in a category it starts with the category's overwrites."""
        channel = Channel(
            channel_id or snowflake(), name, guild, topic=topic, kind=kind, parent=parent
        )
        if parent is not None and parent.kind == CATEGORY:
            channel.overwrites = dict(parent.overwrites)
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
        """Return a user's permissions in a channel; those in a thread come from its channel."""
        guild = channel.guild
        if guild is None:
            return EVERYONE_PERMISSIONS
        member = guild.members.get(user.id)
        if member is None:
            return 0
        granted = guild.everyone.permissions | member.permissions
        for role in member.roles:
            granted |= guild.roles[role].permissions
        place = channel.parent if channel.is_thread and channel.parent else channel
        granted = in_channel(
            granted, place.overwrites, everyone=guild.id, roles=member.roles, member=user.id
        )
        timed_out = member.timed_out_until is not None
        granted = implied(granted, thread=channel.is_thread, timed_out=timed_out)
        hidden = channel.kind == PRIVATE_THREAD and user.id not in channel.members
        return 0 if hidden and not granted & MANAGE_THREADS else granted

    def may_post(self, user: User, channel: Channel) -> bool:
        """Return True if a user may write in a channel; voice channels also need Connect."""
        needed = SEND_MESSAGES_IN_THREADS if channel.is_thread else SEND_MESSAGES
        if channel.kind in (VOICE, STAGE):
            needed |= CONNECT
        if channel.kind in WITHOUT_MESSAGES:
            return False
        return self.permissions(user, channel) & needed == needed

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
