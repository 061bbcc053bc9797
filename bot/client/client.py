"""The discord.py client: intents, cogs and command sync."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import aiohttp
import discord
from discord import app_commands
from discord.ext import commands
from discord.gateway import DiscordWebSocket

from bot.client.buttons import OnPress, control_class
from bot.client.dedup import EventDedup
from bot.client.error_handler import ErrorHandler
from bot.client.retry import with_retry
from db.connection import Database
from db.key_values import get_value, set_value
from genrec.errors import CatalogueError

log = logging.getLogger(__name__)

_SYNC_S = 60.0
_GUILD_READY_S = 2.0
_LONGEST_SYNC_PAUSE_S = 3600.0
SYNC_ERRORS = (
    discord.HTTPException, app_commands.AppCommandError, aiohttp.ClientError, OSError,
    TimeoutError,
)  # fmt: skip
"""Errors of `sync_commands` that another try may mend."""


class Tree(app_commands.CommandTree["Client"]):
    """The command tree: drops duplicate events and passes errors to the error handler."""

    def __init__(self, client: Client, *, dedup: EventDedup, errors: ErrorHandler) -> None:
        super().__init__(client)
        self._dedup = dedup
        self._errors = errors

    async def interaction_check(self, interaction: discord.Interaction[Client], /) -> bool:
        """Return False for an interaction that was dispatched before: discord.py drops it."""
        return self._dedup.is_new(interaction.id)

    async def on_error(
        self, interaction: discord.Interaction[Client], error: app_commands.AppCommandError, /
    ) -> None:
        """Send the message of an error; a failed autocomplete is only logged."""
        if interaction.type is discord.InteractionType.autocomplete:
            command = interaction.command.qualified_name if interaction.command else "unknown"
            data: Mapping[str, Any] = interaction.data or {}
            option = _focused_option(data.get("options", ()))
            log.warning(
                "autocomplete failed: interaction %s, command %s, option %s",
                interaction.id,
                command,
                option or "unknown",
                exc_info=error,
            )
            return
        await self._errors.respond(interaction, error)


def _focused_option(options: Iterable[Any]) -> str:
    """Return the name of the option that is being typed, or "" if there is none."""
    for option in options:
        if option.get("focused"):
            return str(option["name"])
        if inner := _focused_option(option.get("options", ())):
            return inner
    return ""


class Client(commands.AutoShardedBot):
    """The client with the intents and commands of genrec.

    With one shard an ``AutoShardedBot`` is an ordinary client.
    """

    def __init__(
        self,
        *,
        message_content: bool,
        shards: int,
        take_turn: Callable[[int], Awaitable[None]] | None = None,
        dedup: EventDedup,
        errors: ErrorHandler,
        set_up: Callable[[Client], Awaitable[None]],
        on_connected: Callable[[Client], None],
        forget_guild: Callable[[int], Awaitable[None]],
        compare_guilds: Callable[[Client], Awaitable[None]],
    ) -> None:
        # The bot uses no voice, so no warnings about missing voice libraries.
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
        intents = discord.Intents.default()
        intents.message_content = message_content
        intents.typing = False
        intents.voice_states = False
        super().__init__(
            command_prefix=commands.when_mentioned,  # required, but not used
            help_command=None,
            intents=intents,
            shard_count=shards or None,
            allowed_mentions=discord.AllowedMentions.none(),
            max_messages=None,
            chunk_guilds_at_startup=False,
            member_cache_flags=discord.MemberCacheFlags.none(),
            guild_ready_timeout=_GUILD_READY_S,
            max_ratelimit_timeout=30.0,
            tree_cls=lambda client: Tree(client, dedup=dedup, errors=errors),  # type: ignore[arg-type]
        )
        self._set_up = set_up
        self._take_turn = take_turn
        self._on_connected = on_connected
        self._forget_guild = forget_guild
        self.successor: Client | None = None
        """The client that replaced this one, for requests that started with it."""
        self._compare_guilds = compare_guilds
        self._launched_later: set[int] = set()
        self._background: set[asyncio.Task[None]] = set()

    async def setup_hook(self) -> None:
        """Add cogs and sync commands, between login and connection."""
        await self._set_up(self)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Wait for the shard's turn among all processes, or alone as discord.py does."""
        if self._take_turn is None:
            await super().before_identify_hook(shard_id, initial=initial)
        else:
            await self._take_turn(shard_id or 0)

    def not_launched(self, shards: Iterable[int]) -> list[int]:
        """Return those of ``shards`` that this client does not have."""
        return [shard for shard in shards if shard not in (self.shard_ids or ())]

    async def launch_more(self, shards: Sequence[int]) -> None:
        """Connect more shards of a running client that was given its shards.

        Their guilds are compared once READY has listed them.
        """
        assert self.shard_ids is not None, "all shards are connected"
        self._launched_later.update(shards)
        for shard in shards:
            self.shard_ids.append(shard)
            await self.launch_shard(DiscordWebSocket.DEFAULT_GATEWAY, shard)

    def run_in_background(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run work until it ends or the client is closed; an error is logged."""
        if self.is_closed():  # discord.py dispatches some events after that
            return
        task = asyncio.create_task(_logged(work))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def close(self) -> None:
        """Close the connection and cancel the work in the background."""
        await super().close()
        for task in self._background:
            task.cancel()
        if self._background:
            await asyncio.wait(self._background)

    async def on_message(self, message: discord.Message, /) -> None:
        """Do nothing: genrec has no text commands, and cogs have listeners of their own."""

    async def on_ready(self) -> None:
        """Report the connection, and delete the data of guilds that removed the bot meanwhile."""
        self._on_connected(self)
        self.run_in_background(partial(self._compare_guilds, self))

    async def on_shard_ready(self, shard_id: int) -> None:
        """Compare the guilds once all shards of `launch_more` are ready: `on_ready` comes once."""
        if shard_id in self._launched_later:
            self._launched_later.discard(shard_id)
            if not self._launched_later:
                self.run_in_background(partial(self._compare_guilds, self))

    async def on_guild_join(self, guild: discord.Guild) -> None:
        """Record the new guild, so that its removal is found later."""
        log.info("joined guild %s", guild.id)
        self.run_in_background(partial(self._compare_guilds, self))

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """Delete the data of a guild that removed the bot."""
        await self._forget_guild(guild.id)
        log.info("guild removed: guild %s, data deleted", guild.id)


async def _logged(work: Callable[[], Awaitable[None]]) -> None:
    try:
        await work()
    except Exception:
        log.exception("background work failed")


async def add_cogs(
    client: Client, cogs: Sequence[commands.Cog], *, dedup: EventDedup, errors: ErrorHandler
) -> None:
    """Add cogs with their message menus, and one class for all their buttons."""
    callbacks: dict[str, OnPress] = {}
    for cog in cogs:
        await client.add_cog(cog)
        callbacks |= getattr(cog, "buttons", {})
        for menu in getattr(cog, "menus", ()):
            client.tree.add_command(menu)
    client.add_dynamic_items(control_class(callbacks, dedup=dedup, errors=errors))


async def sync_commands(
    client: Client, *, db: Database, guild_id: int | None = None, force: bool = False
) -> bool:
    """Register the commands if their definitions have changed, and return True if so.

    With ``guild_id`` they are registered in this guild only, and with ``force`` even unchanged.
    """
    tree = client.tree
    guild = discord.Object(guild_id) if guild_id else None
    if guild is not None:
        tree.copy_global_to(guild=guild)
    digest = await _digest(tree, guild)
    name = f"commands:{client.application_id}:{guild_id or 'everywhere'}"
    if not force and await get_value(db, name) == digest:
        return False
    await with_retry(lambda: tree.sync(guild=guild), timeout_s=_SYNC_S)
    try:
        await set_value(db, name, digest)
    except CatalogueError as error:
        log.warning("commands registered, and again at the next start: %s", error)
    log.info("commands registered: %s", f"guild {guild_id}" if guild_id else "everywhere")
    return True


async def keep_syncing(
    client: Client, *, db: Database, guild_id: int | None = None, first_pause_s: float = 30.0
) -> None:
    """Try to register the commands until it succeeds, with growing pauses.

    Meanwhile the commands that Discord already has work. Rejected definitions are retried too,
    although only a new version can change them.
    """
    pause_s = first_pause_s
    while True:
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_SYNC_PAUSE_S)
        try:
            await sync_commands(client, db=db, guild_id=guild_id, force=True)
        except SYNC_ERRORS as error:
            log.warning("commands not registered, next try in %.0f s: %s", pause_s, error)
        else:
            return


async def _digest(tree: app_commands.CommandTree[Any], guild: discord.Object | None) -> str:
    """Return the hash of the definitions that a sync sends, translations included."""
    found: list[Any] = [
        *tree.get_commands(guild=guild, type=discord.AppCommandType.chat_input),
        *tree.get_commands(guild=guild, type=discord.AppCommandType.message),
    ]
    if tree.translator is not None:
        definitions = [await c.get_translated_payload(tree, tree.translator) for c in found]
    else:
        definitions = [command.to_dict(tree) for command in found]
    return hashlib.sha256(json.dumps(definitions, sort_keys=True).encode()).hexdigest()
