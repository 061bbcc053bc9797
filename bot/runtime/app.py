"""Run the bot on Discord or on the local Discord, and register its commands."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import discord

from bot.client.client import SYNC_ERRORS
from bot.config import Settings, open_secrets, renamed_settings, unknown_settings
from bot.errors import SettingsError
from bot.local_discord import LocalDiscord
from bot.locations import command_name, default_database
from bot.logs import set_up_logs
from bot.runtime.lifecycle import LOGIN_REFUSED, StopEvent, run_until_stopped
from bot.runtime.page_address import page_key, with_free_port
from bot.runtime.secrets import protect_secrets
from bot.runtime.source_policy import source_policy, warn_of_old_ytdlp
from bot.runtime.wiring import App, make_client, open_app
from bot.sources import SourcePolicy
from db.folders import folder_state
from genrec.errors import GenrecError
from genrec.preset import Preset
from genrec.workers.pool import AnalysisPool

log = logging.getLogger(__name__)

LOOPBACK = {4: "127.0.0.1", 6: "::1"}  # by the version of the Internet Protocol


async def serve(settings: Settings) -> None:
    """Run the bot on Discord, or without a token on the local one, until a signal."""
    stop = StopEvent()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set_by, name)
    if settings.token:
        async with open_app(settings, policy=source_policy(settings)) as app:
            await run_until_stopped(app, settings.token, stop=stop)
        return
    await _serve_locally(settings, stop)


async def _serve_locally(settings: Settings, stop: asyncio.Event) -> None:
    """Run on the local Discord with its chat page until ``stop``."""
    _say("GENREC_DISCORD_TOKEN is not set: starting a local Discord, on this machine only.")
    asked = settings.local_discord_port
    settings = with_free_port(settings)
    if settings.local_discord_port != asked:
        _say(
            f"Port {asked} is in use, so the page has another address this time. To choose one, set"
            " GENREC_LOCAL_DISCORD_PORT."
        )
    key = page_key(settings.database_file or default_database())
    async with open_local(settings, page_key=key) as (local, app):
        _say(f"The local Discord is ready. Open {local.page_url}")
        if key and settings.local_discord_port:
            _say("The address is the same at each start. Press Ctrl-C to stop.")
        _say(f"To bring the bot to your own server on Discord, run {command_name()} setup.")
        await run_until_stopped(app, local.token, stop=stop)


def _say(sentence: str) -> None:
    sys.stdout.write(sentence + "\n")
    sys.stdout.flush()


@asynccontextmanager
async def open_local(
    settings: Settings, *, page_key: str = ""
) -> AsyncIterator[tuple[LocalDiscord, App]]:
    """Open a local Discord and the services and yield both; #music is an upload channel.

    `bot.runtime.lifecycle.run_until_stopped` with the local Discord's token then connects the bot.
    """
    # A guild of the real Discord: commands registered there alone would be missing here.
    settings = settings.model_copy(update={"development_server": None})
    listen = settings.local_discord_host
    async with LocalDiscord(
        host=str(LOOPBACK[listen.version] if listen.is_unspecified else listen),
        listen=str(listen),
        port=settings.local_discord_port,
        page_key=page_key,
    ) as local:
        with local.patch_discord_py():
            async with open_app(
                settings, policy=local_policy(settings, local), force_sync=True
            ) as app:
                guild_id, music = int(local.guild.id), int(local.channel("music").id)
                known = await app.guilds.settings(guild_id)
                await app.guilds.save(replace(known, upload_channels=frozenset({music})))
                yield local, app


def local_policy(settings: Settings, local: LocalDiscord) -> SourcePolicy:
    """Return the source policy that also allows attachments of the local Discord."""
    return replace(
        source_policy(settings),
        schemes=frozenset({"https", "http"}),
        attachment_hosts=frozenset({local.host}),
        open_endpoints=frozenset({(local.host, local.port)}),
    )


def run(settings: Settings) -> None:
    """Set up the log and run the bot until a signal stops it."""
    set_up_logs(form=settings.log_format, level=settings.log_level, secrets=settings.secrets)
    protect_secrets()
    for warning in renamed_settings(settings):
        log.warning("renamed setting: %s", warning)
    for warning in unknown_settings():
        log.warning("unknown setting: %s", warning)
    if warning := _music_folder_gone(settings):
        log.warning("music folder gone: %s", warning)
    for warning in open_secrets(settings):
        log.warning("secret not private: %s", warning)
    warn_of_old_ytdlp(settings)
    log.info("database: %s", settings.database)
    asyncio.run(serve(settings))


def _music_folder_gone(settings: Settings) -> str:
    """Return a warning if the folder of GENREC_LIBRARY is missing or empty, else ""."""
    if settings.library is None or (state := folder_state(str(settings.library))) == "there":
        return ""
    return (
        f"{settings.library} is {state}: mount its disk, or set GENREC_LIBRARY to the music folder."
        " Its tracks are not recommended, and they are kept."
    )


def sync(settings: Settings) -> None:
    """Register the commands with Discord, even if they have not changed."""
    if settings.token is None:
        raise SettingsError(
            "Commands cannot be registered without a token: set GENREC_DISCORD_TOKEN."
        )
    protect_secrets()
    # A database in memory, because a running bot locks the real one.
    in_memory = settings.model_copy(update={"database": Path(":memory:")})
    asyncio.run(_sync(in_memory, settings.token))


async def _sync(settings: Settings, token: str) -> None:
    policy = source_policy(settings)
    async with open_app(
        settings, policy=policy, open_pool=_closed_pool, measure_sandbox=None
    ) as app:
        client = make_client(app, message_content=False, only_sync=True)
        try:
            async with client:
                await client.login(token)
        except discord.LoginFailure as error:
            raise SettingsError(LOGIN_REFUSED) from error
        except SYNC_ERRORS as error:
            raise GenrecError(
                f"The commands could not be registered with Discord ({error}): try again in a"
                " minute."
            ) from error


@asynccontextmanager
async def _closed_pool(settings: Settings, preset: Preset) -> AsyncIterator[AnalysisPool]:
    """Yield a pool that is never opened: registering commands analyses nothing."""
    yield AnalysisPool(preset.folder, workers=settings.workers)
