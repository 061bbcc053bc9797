"""What the bot consists of: everything that is open, and the cogs and the client made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from discord.ext import commands

from bot.client.client import Client, add_features, sync_commands
from bot.client.dedup import EventDedup
from bot.client.error_handler import ErrorHandler
from bot.cogs.about import About, BotInfo, Privacy
from bot.cogs.library import Library, Reindex
from bot.cogs.recommend import Recommend
from bot.cogs.settings import ServerSettings
from bot.cogs.uploads import Uploads
from bot.config import Settings
from bot.i18n import Translations
from bot.i18n.command_translator import CommandTranslator
from bot.jobs.admission import Admission
from bot.jobs.guild_settings import GuildSettingsCache
from bot.jobs.handlers import DrawPicture, RequestHandlers
from bot.jobs.options import Preferences
from bot.jobs.recovery import ReplyRecovery
from bot.jobs.reindex import Reindexing
from bot.jobs.runner import JobRunner
from bot.metrics import Metrics
from bot.recommender import Recommender
from bot.sources import SourcePolicy, Sources
from bot.ui.messages import Replies
from bot.ui.pages import Pages
from db.connection import Database
from genrec.preset import Preset
from genrec.workers.pool import AnalysisPool


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """Everything that is open; only features, connection and app look inside."""

    settings: Settings
    policy: SourcePolicy
    db: Database
    preset: Preset
    pool: AnalysisPool
    recommender: Recommender
    sources: Sources
    servers: GuildSettingsCache
    translations: Translations
    replies: Replies
    pages: Pages
    metrics: Metrics
    errors: ErrorHandler
    admission: Admission
    recovery: ReplyRecovery
    runner: JobRunner
    dedup: EventDedup
    draw: DrawPicture
    fresh_discord: bool


def features(app: App, *, sees_uploads: bool) -> Sequence[commands.Cog]:
    """Make the cogs; each gets what it uses, by name."""
    handlers = RequestHandlers(
        sources=app.sources,
        policy=app.policy,
        recommender=app.recommender,
        catalogue=app.recommender.catalogue,
        preset=app.preset,
        replies=app.replies,
        draw=app.draw,
    )
    preferences = Preferences(
        servers=app.servers, translations=app.translations, labels=app.preset.labels
    )
    reindexing = Reindexing(
        db=app.db,
        pool=app.pool,
        catalogue=app.recommender.catalogue,
        recommender=app.recommender,
        preset=app.preset,
        sources=app.sources,
        replies=app.replies,
        library=app.settings.library,
    )
    machine = BotInfo(
        version=_version(),
        workers=app.pool.size,
        waiting=lambda: app.pool.waiting,
        support_url=app.settings.support_url,
    )
    return (
        Recommend(runner=app.runner, handlers=handlers, preferences=preferences),
        Uploads(
            runner=app.runner,
            handlers=handlers,
            preferences=preferences,
            servers=app.servers,
            replies=app.replies,
            errors=app.errors,
            dedup=app.dedup,
        ),
        Library(
            runner=app.runner,
            handlers=handlers,
            sources=app.sources,
            recommender=app.recommender,
            catalogue=app.recommender.catalogue,
            preset=app.preset,
            replies=app.replies,
            pages=app.pages,
        ),
        Reindex(
            runner=app.runner,
            reindexing=reindexing,
            replies=app.replies,
            admin_servers=app.settings.admin_servers,
        ),
        ServerSettings(
            servers=app.servers,
            replies=app.replies,
            pages=app.pages,
            preset=app.preset,
            sees_uploads=sees_uploads,
        ),
        About(
            db=app.db,
            catalogue=app.recommender.catalogue,
            preset=app.preset,
            replies=app.replies,
            pages=app.pages,
            metrics=app.metrics,
            machine=machine,
        ),
        Privacy(db=app.db, replies=app.replies, pages=app.pages),
    )


def make_client(app: App, *, sees_uploads: bool, only_sync: bool = False) -> Client:
    """Make a client that adds the features, repairs what a crash left, and syncs on change.

    ``only_sync`` makes one that registers the commands, changed or not, and does nothing else.
    """

    async def set_up(client: Client) -> None:
        await client.tree.set_translator(CommandTranslator(app.translations))
        cogs = features(app, sees_uploads=sees_uploads)
        await add_features(client, cogs, dedup=app.dedup, errors=app.errors)
        if not only_sync:
            await app.recovery.repair(client)
        server_id = app.settings.development_server
        force = only_sync or app.fresh_discord
        await sync_commands(client, db=app.db, server_id=server_id, force=force)

    return Client(
        message_content=sees_uploads,
        shards=app.settings.shards,
        dedup=app.dedup,
        errors=app.errors,
        set_up=set_up,
        forget_server=app.servers.forget,
    )


def _version() -> str:
    try:
        return version("genrec")
    except PackageNotFoundError:
        return "from source"
