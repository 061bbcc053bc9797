"""Composition root: open the bot's services, and make its cogs and client from them."""

from __future__ import annotations

import asyncio
import logging
import pathlib
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from discord.ext import commands

from bot.client.client import SYNC_ERRORS, Client, add_cogs, keep_syncing, sync_commands
from bot.client.dedup import EventDedup
from bot.client.error_handler import ErrorHandler
from bot.cogs.about import About, BotInfo
from bot.cogs.exports import Exports
from bot.cogs.for_you import ForYouCog
from bot.cogs.genres import Genres
from bot.cogs.library import Library
from bot.cogs.listen import Listen
from bot.cogs.mix import Mix
from bot.cogs.not_again import NotAgainCog
from bot.cogs.path import Path
from bot.cogs.permission_watch import PermissionWatch
from bot.cogs.privacy import Privacy
from bot.cogs.radio import Radio
from bot.cogs.recommend import Recommend
from bot.cogs.reindex import Reindex
from bot.cogs.seed_options import SeedServices
from bot.cogs.settings import ServerSettings
from bot.cogs.uploads import Uploads
from bot.cogs.votes import Votes
from bot.cogs.welcome import Welcome
from bot.config import Settings, installed_version
from bot.i18n import Translations
from bot.i18n.command_translator import CommandTranslator
from bot.jobs.admission import Admission, RequestLimits
from bot.jobs.asked_seeds import SeedFinder
from bot.jobs.departed_guilds import forget_departed_guilds
from bot.jobs.excerpts import Excerpts
from bot.jobs.for_you_answers import ForYouAnswers
from bot.jobs.full_answer import DetailsHandler
from bot.jobs.guild_settings_cache import GuildSettingsCache
from bot.jobs.handlers import RequestHandlers
from bot.jobs.last_answers import LastAnswers
from bot.jobs.layouts import DrawPicture, Layouts
from bot.jobs.lost_permissions import LostPermissions
from bot.jobs.map_answers import MapAnswers
from bot.jobs.message_clips import ClipFinder
from bot.jobs.mix_baskets import MixBaskets
from bot.jobs.mix_handlers import MixHandlers
from bot.jobs.nearest_track import NearestTrack
from bot.jobs.not_again_lists import NotAgainLists
from bot.jobs.options import OptionsResolver
from bot.jobs.recovery import ReplyRecovery
from bot.jobs.reindex import Reindexing
from bot.jobs.runner import RequestRunner
from bot.jobs.teaching import Teacher
from bot.jobs.track_names import TrackNames
from bot.jobs.track_votes import TrackVotes
from bot.jobs.way_handlers import WayHandlers
from bot.library_map import LibraryMaps
from bot.metrics import Metrics
from bot.named_tracks import NamedTracks
from bot.own_genre_cache import OwnGenreCache
from bot.runtime.exported_state import export_state, report_connected
from bot.runtime.indexing_cluster import cluster_of
from bot.runtime.instance_lock import instance_lock
from bot.runtime.resources import OpenPool, Resources, open_recommender
from bot.runtime.sandbox_check import MeasureSandbox, report_sandbox, restrict_sources
from bot.sharding import Sharing, check_shards_here, one_at_a_time, open_sharing
from bot.sources import SourcePolicy, Sources
from bot.starter_policy import StarterPolicy
from bot.taste_answers import ForYou
from bot.ui.invites import invites
from bot.ui.messages import Limits
from bot.ui.spectrogram_image import draw_preview
from bot.ui.track_links import LinkChoice
from genrec.workers import sandbox

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """The services of a running bot; only ``bot.runtime`` reads it."""

    resources: Resources
    sources: Sources
    translations: Translations
    limits: Limits
    metrics: Metrics
    guilds: GuildSettingsCache
    lost: LostPermissions
    errors: ErrorHandler
    admission: Admission
    recovery: ReplyRecovery
    runner: RequestRunner
    dedup: EventDedup
    draw: DrawPicture
    force_sync: bool
    sharing: Sharing | None
    """Leases of several processes; None if this one serves the bot alone (SQLite)."""


@asynccontextmanager
async def open_app(
    settings: Settings,
    *,
    policy: SourcePolicy,
    open_pool: OpenPool | None = None,
    draw: DrawPicture | None = None,
    measure_sandbox: MeasureSandbox | None = sandbox.report,
    force_sync: bool = False,
    progress_every_s: float = 3.0,
) -> AsyncIterator[App]:
    """Open the services and yield them; tests replace ``open_pool`` and ``draw``.

    ``measure_sandbox`` tests the workers' sandbox. None skips the test and refuses no source.
    ``force_sync`` registers the commands at every start, for a Discord that keeps none.
    """
    async with AsyncExitStack() as stack:
        if isinstance(settings.database, pathlib.Path):
            check_shards_here(settings.shards, settings.shards_here)
            stack.enter_context(instance_lock(settings.database))
        measuring = (
            asyncio.ensure_future(asyncio.to_thread(measure_sandbox)) if measure_sandbox else None
        )
        resources = await stack.enter_async_context(open_recommender(settings, open_pool=open_pool))
        db, translations, metrics = resources.db, Translations.load(), Metrics()
        if measuring is not None:
            measures = await measuring
            report_sandbox(settings, measures, metrics)
            policy = restrict_sources(policy, settings, measures)
        sources = await stack.enter_async_context(Sources(policy))
        limits = Limits(max_minutes=settings.max_clip_minutes, max_mb=settings.max_upload_mb)
        guilds = await GuildSettingsCache.load(db)
        lost = LostPermissions(db=db, guilds=guilds, translations=translations)
        errors = ErrorHandler(
            translations=translations,
            limits=limits,
            on_unanswered=lost.unanswered,
            on_refusal=metrics.refusal,
        )
        recovery = ReplyRecovery(db=db, translations=translations)
        sharing = None
        if not isinstance(settings.database, pathlib.Path):
            sharing = await stack.enter_async_context(
                open_sharing(
                    db,
                    run_id=recovery.run_id,
                    shards=settings.shards,
                    here=settings.shards_here,
                    local=settings.database.is_local,
                )
            )
        admission = Admission(
            cooldown_s=settings.cooldown_s,
            limits=RequestLimits(
                total=settings.jobs_in_all,
                per_guild=settings.jobs_per_server,
                direct_messages=settings.jobs_in_direct_messages,
                link_share=settings.link_share,
                waiting_per_user=settings.waiting_per_user,
            ),
            workers=resources.pool.size,
        )
        runner = RequestRunner(
            admission=admission,
            recovery=recovery,
            translations=translations,
            errors=errors,
            metrics=metrics,
            progress_every_s=progress_every_s,
        )
        export_state(metrics, admission=admission, resources=resources, policy=policy)
        yield App(
            resources=resources,
            sources=sources,
            translations=translations,
            limits=limits,
            metrics=metrics,
            guilds=guilds,
            lost=lost,
            errors=errors,
            admission=admission,
            recovery=recovery,
            runner=runner,
            dedup=EventDedup(on_repeat=metrics.repeated_event),
            draw=draw or partial(draw_preview, preset=resources.preset),
            force_sync=force_sync,
            sharing=sharing,
        )


def make_cogs(app: App, client: Client) -> Sequence[commands.Cog]:
    """Return the cogs, each with the services that it uses."""
    db, pool, recommender = app.resources.db, app.resources.pool, app.resources.recommender
    settings, preset = app.resources.settings, app.resources.preset
    excerpts = Excerpts(pool=pool, db=db, enabled=settings.excerpts)
    nearest = NearestTrack(pool=pool, db=db, recommender=recommender)
    own = OwnGenreCache(
        index=recommender.index, db=db, labels=preset.labels, dimension=preset.dimension
    )
    last = LastAnswers()
    maps = LibraryMaps(index=recommender.index, database=db, model_id=preset.model_id)
    layouts = Layouts(
        recommender=recommender, draw=app.draw, excerpts=excerpts, nearest=nearest, own=own,
        last=last,
    )  # fmt: skip
    named = NamedTracks(recommender)
    handlers = RequestHandlers(
        sources=app.sources, recommender=recommender, layouts=layouts, named=named
    )
    starter = StarterPolicy(index=recommender.index, db=db, policy=settings.starter)
    options = OptionsResolver(
        guilds=app.guilds,
        translations=app.translations,
        labels=preset.labels,
        tags=preset.tags.shown if preset.tags is not None else (),
        links=LinkChoice.of(settings.track_links, settings.path_root),
        compact=settings.compact,
        starter=starter,
        db=db,
    )
    names = TrackNames(named=named, options=options, translations=app.translations)
    lists, for_you = NotAgainLists(db), ForYou(recommender=recommender, db=db)
    clips = ClipFinder(app.sources)
    finder = SeedFinder(sources=app.sources, recommender=recommender, names=names)
    seeds = SeedServices(
        runner=app.runner,
        sources=app.sources,
        handlers=MixHandlers(
            finder=finder,
            recommender=recommender,
            layouts=layouts,
            errors=app.errors,
            root=settings.path_root,
        ),
        options=options,
        names=names,
        baskets=MixBaskets(),
        translations=app.translations,
    )
    reindexing = Reindexing(
        db=db,
        pool=pool,
        recommender=recommender,
        sources=app.sources,
        library=settings.library,
        music_below=app.resources.music_below,
        open_cluster=cluster_of(settings),
    )
    server_settings = ServerSettings(
        guilds=app.guilds,
        translations=app.translations,
        recovery=app.recovery,
        lost=app.lost,
        links=LinkChoice.of(settings.track_links, settings.path_root),
        compact=settings.compact,
    )
    info = BotInfo(
        version=installed_version(),
        workers=pool.size,
        waiting=lambda: pool.waiting,
        support_url=settings.support_url,
    )
    return (
        Recommend(
            runner=app.runner,
            sources=app.sources,
            clips=clips,
            errors=app.errors,
            handlers=handlers,
            options=options,
            recovery=app.recovery,
            details=DetailsHandler(recommender=recommender, layouts=layouts),
            names=names,
        ),
        Mix(services=seeds, clips=clips),
        Radio(services=seeds),
        Path(
            runner=app.runner,
            sources=app.sources,
            handlers=WayHandlers(
                finder=finder, recommender=recommender, layouts=layouts, errors=app.errors
            ),
            options=options,
            names=names,
        ),
        Uploads(
            client=client,
            runner=app.runner,
            sources=app.sources,
            clips=clips,
            handlers=handlers,
            options=options,
            guilds=app.guilds,
            errors=app.errors,
            dedup=app.dedup,
        ),
        Library(
            runner=app.runner,
            sources=app.sources,
            recommender=recommender,
            translations=app.translations,
            recovery=app.recovery,
            options=options,
            maps=MapAnswers(maps=maps, recommender=recommender),
            names=names,
            last=last,
            root=settings.path_root,
        ),
        Listen(
            recommender=recommender,
            excerpts=excerpts,
            options=options,
            recovery=app.recovery,
        ),
        Exports(
            recommender=recommender,
            translations=app.translations,
            recovery=app.recovery,
            root=settings.path_root,
        ),
        Reindex(
            runner=app.runner,
            reindexing=reindexing,
            translations=app.translations,
            admin_guilds=settings.admin_servers,
        ),
        Genres(
            db=db,
            model_id=preset.model_id,
            runner=app.runner,
            sources=app.sources,
            clips=clips,
            teacher=Teacher(
                sources=app.sources, recommender=recommender, own=own, limits=app.limits
            ),
            own=own,
            errors=app.errors,
            translations=app.translations,
            recovery=app.recovery,
        ),
        server_settings,
        Welcome(
            client=client,
            db=db,
            translations=app.translations,
            switch_uploads_on=server_settings.switch_uploads_on,
        ),
        PermissionWatch(lost=app.lost, guilds=app.guilds),
        About(
            db=db,
            guilds=app.guilds,
            starter=starter,
            catalogue=recommender.catalogue,
            preset=preset,
            translations=app.translations,
            recovery=app.recovery,
            limits=app.limits,
            info=info,
        ),
        Votes(
            votes=TrackVotes(db=db, recommender=recommender, lists=lists, metrics=app.metrics),
            translations=app.translations,
            recovery=app.recovery,
        ),
        ForYouCog(
            runner=app.runner,
            answers=ForYouAnswers(for_you=for_you, recommender=recommender, excerpts=excerpts),
            for_you=for_you,
            options=options,
            translations=app.translations,
        ),
        NotAgainCog(
            lists=lists,
            names=names,
            options=options,
            translations=app.translations,
            recovery=app.recovery,
        ),
        Privacy(db=db, translations=app.translations, forget=(seeds.baskets.clear, last.forget)),
    )


def make_client(app: App, *, message_content: bool, only_sync: bool = False) -> Client:
    """Return a client that adds the cogs, corrects unfinished replies and syncs the commands.

    With ``only_sync`` it registers the commands, even unchanged ones, and corrects no replies.
    """
    settings = app.resources.settings

    async def set_up(client: Client) -> None:
        await client.tree.set_translator(CommandTranslator(app.translations))
        await add_cogs(client, make_cogs(app, client), dedup=app.dedup, errors=app.errors)
        if not only_sync:
            if settings.token:  # the local Discord's addresses lead nowhere
                _log_invites(client)
            if app.sharing is None:
                await app.recovery.repair(client)
            else:
                leases = app.sharing.keeper.leases
                client.run_in_background(partial(app.recovery.keep_repairing, client, leases))
        db, guild_id, force = app.resources.db, settings.development_server, app.force_sync
        try:
            async with one_at_a_time(app.sharing):
                await sync_commands(client, db=db, guild_id=guild_id, force=only_sync or force)
        except SYNC_ERRORS as error:
            if only_sync:
                raise
            log.error("commands not registered, serving those that Discord has: %s", error)
            client.run_in_background(partial(keep_syncing, client, db=db, guild_id=guild_id))

    return Client(
        message_content=message_content,
        shards=settings.shards,
        take_turn=None if app.sharing is None else app.sharing.turns.take,
        dedup=app.dedup,
        errors=app.errors,
        set_up=set_up,
        on_connected=partial(
            report_connected, metrics=app.metrics, index=app.resources.recommender.index
        ),
        forget_guild=app.guilds.forget,
        compare_guilds=partial(forget_departed_guilds, db=app.resources.db, guilds=app.guilds),
    )


def _log_invites(client: Client) -> None:
    if client.application_id is not None:
        addresses = invites(client.application_id)
        log.info("invite address: to a server: %s", addresses.server)
        log.info("invite address: to an account: %s", addresses.account)
