"""Notices about upload channels in which the bot can no longer answer."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable

import aiohttp
import discord
from discord.ui import LayoutView

from bot.client.channel_permissions import may_post_in, missing_in, needed_to_post, permission_names
from bot.client.retry import with_retry
from bot.i18n import Localizer, Translations
from bot.jobs.guild_settings_cache import GuildSettingsCache
from bot.ui import messages
from db.connection import Database
from db.key_values import get_value, set_value
from genrec.errors import CatalogueError

log = logging.getLogger(__name__)

_MAX_REMEMBERED = 10_000
_FAILURES = (discord.HTTPException, aiohttp.ClientError, OSError, TimeoutError, RuntimeError)


class LostPermissions:
    """Notifies admins once of an upload channel without the permissions that answers need.

    A notice goes to the first place that accepts it: the channel of Discord's notices for
    moderators, a direct message to the owner, the channel of system messages. It is repeated only
    after the permissions were there again.
    """

    def __init__(
        self, *, db: Database, guilds: GuildSettingsCache, translations: Translations
    ) -> None:
        self._db = db
        self._guilds = guilds
        self._translations = translations
        self._members_notified: OrderedDict[tuple[int, int], None] = OrderedDict()
        self._marks = asyncio.Lock()

    async def check(self, guild: discord.Guild) -> None:
        """Notify the admins of the upload channels that have lost permissions."""
        channels = [c for c in guild.channels if self._guilds.is_upload_channel(c.id)]
        if not channels:
            return
        lacking = {channel.id for channel in channels if not _works(channel, guild)}
        async with self._marks:
            marked = await self._marked(guild.id)
            if marked - lacking:  # a later loss is a notice again
                await self._mark(guild.id, marked & lacking)
        for channel in channels:
            if not may_post_in(channel, guild):
                await self._notify_admins(guild, channel, mark=channel.id)

    async def unanswered(self, message: discord.Message) -> None:
        """Notify somebody of an upload or mention whose answer Discord refuses.

        For an upload channel that is an admin. The author of a mention gets a direct message, once
        for each channel.
        """
        guild, channel = message.guild, message.channel
        if guild is None:
            return
        place = channel.parent_id if isinstance(channel, discord.Thread) else channel.id
        if self._guilds.is_upload_channel(place):
            await self._notify_admins(guild, channel, mark=place)
        if guild.me.id in {user.id for user in message.mentions}:
            await self._notify_author(guild, message)

    async def _notify_admins(self, guild: discord.Guild, channel: object, *, mark: int) -> None:
        async with self._marks:
            marked = await self._marked(guild.id)
            if mark in marked:
                return
            await self._mark(guild.id, marked | {mark})
        view = self._notice("answers_lost", guild, channel)
        where = await self._first_place(guild, view)
        log.warning(
            "upload channel without permissions: guild %s, channel %s, admins notified: %s",
            guild.id, mark, where or "nowhere",
        )  # fmt: skip

    async def _first_place(self, guild: discord.Guild, view: LayoutView) -> str | None:
        """Send a notice to the first place that accepts it; return its name or None."""
        for name, channel in (
            ("moderators", guild.public_updates_channel),
            ("owner", None),
            ("system channel", guild.system_channel),
        ):
            if name != "owner" and (channel is None or not may_post_in(channel, guild)):
                continue
            send = channel.send if channel is not None else await self._owner(guild)
            if send is not None and await _sent(send, view):
                return name
        return None

    async def _owner(self, guild: discord.Guild) -> Callable[..., Awaitable[object]] | None:
        """Return the function that sends the guild's owner a direct message."""
        owner_id = guild.owner_id
        if owner_id is None:
            return None
        try:
            return (await with_retry(lambda: guild.fetch_member(owner_id))).send
        except _FAILURES as error:
            log.info("owner not found: guild %s: %s", guild.id, error)
            return None

    async def _notify_author(self, guild: discord.Guild, message: discord.Message) -> None:
        key = (message.author.id, message.channel.id)
        if key in self._members_notified:
            return
        self._members_notified[key] = None
        if len(self._members_notified) > _MAX_REMEMBERED:
            self._members_notified.popitem(last=False)
        view = self._notice("mention_unanswered", guild, message.channel)
        await _sent(message.author.send, view)

    def _notice(self, key: str, guild: discord.Guild, channel: object) -> LayoutView:
        localizer = Localizer(self._translations, guild.preferred_locale)
        # Discord may refuse before the event of the change arrives; then all of them are named.
        names = missing_in(channel, guild).post or needed_to_post(channel)
        return messages.notice(
            localizer,
            key,
            channel=messages.channel_link(getattr(channel, "id", 0)),
            server=guild.name,
            permissions=permission_names(localizer, names),
        )

    async def _marked(self, guild_id: int) -> set[int]:
        """Return the channels of a guild whose loss its admins know."""
        value = await get_value(self._db, _name(guild_id))
        return set(json.loads(value)) if value else set()

    async def _mark(self, guild_id: int, channels: set[int]) -> None:
        try:
            await set_value(self._db, _name(guild_id), json.dumps(sorted(channels)))
        except CatalogueError as error:
            log.warning("notice may be repeated: guild %s: %s", guild_id, error)


def _works(channel: discord.abc.GuildChannel, guild: discord.Guild) -> bool:
    """Return True if uploads in a channel and in its threads can be answered."""
    missing = missing_in(channel, guild)
    return not missing.post and "send_messages_in_threads" not in missing.part


def _name(guild_id: int) -> str:
    return f"unanswered:{guild_id}"


async def _sent(send: Callable[..., Awaitable[object]], view: LayoutView) -> bool:
    """Send a message and return whether Discord accepted it."""
    nonce = discord.utils.time_snowflake(discord.utils.utcnow())  # so that no retry sends it twice
    try:
        await with_retry(lambda: send(view=view, nonce=nonce))
    except _FAILURES as error:
        log.info("notice not accepted: %s", error)
        return False
    return True
