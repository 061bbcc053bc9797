"""The discord.py client: intents, cogs and command sync; it knows no service and holds no state."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.client.buttons import Press, control_class
from bot.client.dedup import EventDedup
from bot.client.error_handler import ErrorHandler
from bot.client.retry import with_retry
from db.connection import Database
from db.key_values import get_value, set_value

log = logging.getLogger(__name__)

_SYNC_S = 60.0
_GUILD_READY_S = 2.0


class Tree(app_commands.CommandTree["Client"]):
    """The commands; repeated events are dropped, and errors are told by the one handler."""

    def __init__(self, client: Client, *, dedup: EventDedup, errors: ErrorHandler) -> None:
        super().__init__(client)
        self._dedup = dedup
        self._errors = errors

    async def interaction_check(self, interaction: discord.Interaction[Client], /) -> bool:
        """Let each interaction through once."""
        return self._dedup.is_new(interaction.id)

    async def on_error(
        self, interaction: discord.Interaction[Client], error: app_commands.AppCommandError, /
    ) -> None:
        """Hand an error to the handler; a suggestion that failed is only logged."""
        if interaction.type is discord.InteractionType.autocomplete:
            log.warning("a suggestion failed", exc_info=error)
            return
        await self._errors.answer(interaction, error)


class Client(commands.AutoShardedBot):
    """A client with the intents and commands of genrec.

    Always the sharded one: with one shard it is an ordinary client, and more are a setting.
    """

    def __init__(
        self,
        *,
        message_content: bool,
        shards: int,
        dedup: EventDedup,
        errors: ErrorHandler,
        set_up: Callable[[Client], Awaitable[None]],
        forget_server: Callable[[int], Awaitable[None]],
    ) -> None:
        # No voice here, so nothing about its libraries in the log either.
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
        intents = discord.Intents.default()
        intents.message_content = message_content
        intents.typing = False
        intents.voice_states = False
        super().__init__(
            command_prefix=commands.when_mentioned,  # required; on_message below reads no commands
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
        self._forget_server = forget_server

    async def setup_hook(self) -> None:
        """Do what comes between login and connection."""
        await self._set_up(self)

    async def on_message(self, message: discord.Message, /) -> None:
        """Read no commands in messages: the cogs listen themselves."""

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """Keep nothing about a server that the bot was removed from."""
        await self._forget_server(guild.id)
        log.info("removed from server %s: what was kept about it is deleted", guild.id)


async def add_features(
    client: Client, features: Sequence[commands.Cog], *, dedup: EventDedup, errors: ErrorHandler
) -> None:
    """Add cogs with their message menus, and one class for all their buttons."""
    presses: dict[str, Press] = {}
    for cog in features:
        await client.add_cog(cog)
        presses |= getattr(cog, "presses", {})
        for menu in getattr(cog, "menus", ()):
            client.tree.add_command(menu)
    client.add_dynamic_items(control_class(presses, dedup=dedup, errors=errors))


async def sync_commands(
    client: Client, *, db: Database, server_id: int | None = None, force: bool = False
) -> bool:
    """Register the commands where their definition has changed since; return whether it had.

    ``server_id`` registers them on one server, where they appear at once.
    """
    tree = client.tree
    guild = discord.Object(server_id) if server_id else None
    if guild is not None:
        tree.copy_global_to(guild=guild)
    digest = await _digest(tree, guild)
    name = f"commands:{client.application_id}:{server_id or 'everywhere'}"
    if not force and await get_value(db, name) == digest:
        return False
    await with_retry(lambda: tree.sync(guild=guild), timeout_s=_SYNC_S)
    await set_value(db, name, digest)
    log.info("commands registered %s", f"on server {server_id}" if server_id else "everywhere")
    return True


async def _digest(tree: app_commands.CommandTree[Any], guild: discord.Object | None) -> str:
    """Hash what a sync would send, translations included."""
    found: list[Any] = [
        *tree.get_commands(guild=guild, type=discord.AppCommandType.chat_input),
        *tree.get_commands(guild=guild, type=discord.AppCommandType.message),
    ]
    if tree.translator is not None:
        definitions = [await c.get_translated_payload(tree, tree.translator) for c in found]
    else:
        definitions = [command.to_dict(tree) for command in found]
    return hashlib.sha256(json.dumps(definitions, sort_keys=True).encode()).hexdigest()
