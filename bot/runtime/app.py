"""The composition root: the one place that opens everything and hands it out, in order."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import discord

from bot.client.dedup import EventDedup
from bot.client.error_handler import ErrorHandler
from bot.config import Settings, SettingsError, renamed_settings
from bot.i18n import Translations
from bot.jobs.admission import Admission
from bot.jobs.guild_settings import GuildSettingsCache
from bot.jobs.handlers import DrawPicture
from bot.jobs.recovery import ReplyRecovery
from bot.jobs.runner import JobRunner
from bot.local_discord import LocalDiscord
from bot.logs import set_up_logs
from bot.metrics import Metrics
from bot.runtime.instance_lock import instance_lock
from bot.runtime.lifecycle import LOGIN_REFUSED, run_until_stopped
from bot.runtime.resources import OpenPool, open_recommender
from bot.runtime.source_policy import source_policy, warn_of_old_ytdlp
from bot.runtime.wiring import App, make_client
from bot.sources import SourcePolicy, Sources
from bot.ui.messages import Limits, Replies
from bot.ui.pages import Pages
from bot.ui.spectrogram_image import draw_preview
from genrec.preset import Preset
from genrec.workers.pool import AnalysisPool

log = logging.getLogger(__name__)


@asynccontextmanager
async def open_app(
    settings: Settings,
    *,
    policy: SourcePolicy,
    open_pool: OpenPool | None = None,
    draw: DrawPicture | None = None,
    fresh_discord: bool = False,
    progress_every_s: float = 3.0,
) -> AsyncIterator[App]:
    """Open database, pool, recommender and sources; tests hand in their own.

    ``fresh_discord`` is one that has forgotten all commands: they are registered at every start.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(instance_lock(settings.database))
        opened = await stack.enter_async_context(open_recommender(settings, open_pool=open_pool))
        db = opened.db
        sources = await stack.enter_async_context(Sources(policy))
        translations, metrics = Translations.load(), Metrics()
        limits = Limits(max_minutes=settings.max_clip_minutes, max_mb=settings.max_upload_mb)
        replies = Replies(translations, limits=limits)
        errors = ErrorHandler(replies=replies)
        recovery = ReplyRecovery(db=db, replies=replies)
        admission = Admission(
            cooldown_s=settings.cooldown_s,
            per_server=settings.jobs_per_server,
            in_all=settings.jobs_in_all,
            workers=opened.pool.size,
        )
        yield App(
            settings=settings,
            policy=policy,
            db=db,
            preset=opened.preset,
            pool=opened.pool,
            recommender=opened.recommender,
            sources=sources,
            servers=await GuildSettingsCache.load(db),
            translations=translations,
            replies=replies,
            pages=Pages(translations, limits=limits),
            metrics=metrics,
            errors=errors,
            admission=admission,
            recovery=recovery,
            runner=JobRunner(
                admission=admission,
                recovery=recovery,
                replies=replies,
                errors=errors,
                metrics=metrics,
                progress_every_s=progress_every_s,
            ),
            dedup=EventDedup(repeated=metrics.repeated),
            draw=draw or partial(draw_preview, preset=opened.preset),
            fresh_discord=fresh_discord,
        )


async def serve(settings: Settings, *, stop: asyncio.Event | None = None) -> None:
    """Run on Discord, or without a token on a local one, until told to stop."""
    stop = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    if settings.token:
        async with open_app(settings, policy=source_policy(settings)) as app:
            await run_until_stopped(app, settings.token, stop=stop)
        return
    await _serve_locally(settings, stop)


async def _serve_locally(settings: Settings, stop: asyncio.Event) -> None:
    """Run on a local Discord with a chat page until told to stop."""
    async with open_local(settings) as (local, app):
        sys.stdout.write(f"The local Discord is ready. Open {local.page_url}\n")
        sys.stdout.flush()
        await run_until_stopped(app, local.token, stop=stop)


@asynccontextmanager
async def open_local(settings: Settings) -> AsyncIterator[tuple[LocalDiscord, App]]:
    """Open everything the bot needs beside a local Discord, where uploads in #music are answered.

    The bot is not on it yet: that is `bot.runtime.lifecycle.run_until_stopped` with the local
    Discord's token.
    """
    # The id of a real server: commands registered there alone would be nowhere here.
    settings = settings.model_copy(update={"development_server": None})
    async with LocalDiscord(port=settings.local_discord_port) as local:
        with local.patch_discord_py():
            async with open_app(
                settings, policy=local_policy(settings, local), fresh_discord=True
            ) as app:
                guild_id, music = int(local.guild.id), int(local.channel("music").id)
                known = await app.servers.settings(guild_id)
                await app.servers.save(replace(known, upload_channels=frozenset({music})))
                yield local, app


def local_policy(settings: Settings, local: LocalDiscord) -> SourcePolicy:
    """Return what may be fetched where Discord is this machine: its attachments too."""
    return replace(
        source_policy(settings),
        schemes=frozenset({"https", "http"}),
        attachment_hosts=frozenset({local.host}),
        open_endpoints=frozenset({(local.host, local.port)}),
    )


def run(settings: Settings) -> None:
    """Run the bot until it is told to stop."""
    set_up_logs(
        form=settings.log_format,
        level=settings.log_level,
        secrets=[settings.token] if settings.token else [],
    )
    for warning in renamed_settings(settings):
        log.warning("renamed setting: %s", warning)
    warn_of_old_ytdlp(settings)
    asyncio.run(serve(settings))


def sync(settings: Settings) -> None:
    """Register the commands with Discord now, changed or not."""
    if settings.token is None:
        raise SettingsError(
            "There is no token to register commands with: set GENREC_DISCORD_TOKEN."
        )
    # A database of its own, so that a bot that is running keeps the real one.
    apart = settings.model_copy(update={"database": Path(":memory:")})
    asyncio.run(_sync(apart, settings.token))


async def _sync(settings: Settings, token: str) -> None:
    policy = source_policy(settings)
    async with open_app(settings, policy=policy, open_pool=_idle_pool) as app:
        client = make_client(app, sees_uploads=False, only_sync=True)
        try:
            async with client:
                await client.login(token)
        except discord.LoginFailure as error:
            raise SettingsError(LOGIN_REFUSED) from error


@asynccontextmanager
async def _idle_pool(settings: Settings, preset: Preset) -> AsyncIterator[AnalysisPool]:
    """Give a pool that is never opened: registering commands hears nothing."""
    yield AnalysisPool(preset.folder, workers=settings.worker_count)
