"""Serve the HTTP interface beside the bot, or alone."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp import web

from bot.config import PREFIX, Settings, installed_version, plain
from bot.errors import SettingsError
from bot.http_api.gate import Gate, GateRules
from bot.http_api.services import ApiServices
from bot.http_api.v1 import V1
from bot.http_api.web_listener import base_address, listening
from bot.http_api.worker_share import WorkerShare
from bot.metrics import Metrics
from bot.named_tracks import NamedTracks
from bot.own_genre_cache import OwnGenreCache
from bot.runtime.resources import Resources
from bot.sources import Sources
from bot.starter_policy import StarterPolicy
from bot.subsonic.authentication import Credentials
from bot.subsonic.library import SubsonicLibrary
from bot.subsonic.routes import SubsonicRoutes
from bot.ui.track_links import LinkChoice
from db.tracks import LIBRARY, STARTER

log = logging.getLogger(__name__)


@asynccontextmanager
async def http_interface(
    resources: Resources, *, sources: Sources, metrics: Metrics, alone: bool = False
) -> AsyncIterator[str]:
    """Serve the HTTP interface for the length of the block, and yield its address; "" if off.

    With ``alone`` it may use every worker, beside a bot half of them.

    Raises
    ------
    SettingsError
        The address cannot be used.
    """
    settings = resources.settings
    if not settings.http_api_port:
        yield ""
        return
    services = api_services(resources, sources=sources, alone=alone)
    gate = Gate(gate_rules(settings), metrics=metrics)
    app = gate.application(
        [*parts(services, gate), *subsonic_parts(resources, gate, services.share)]
    )
    host, port = settings.http_api_host, settings.http_api_port
    async with AsyncExitStack() as stack:
        try:
            address = await stack.enter_async_context(
                listening(app, host=host, port=port, cancel=True)
            )
        except OSError as error:
            raise SettingsError(
                f"The HTTP interface cannot use {base_address(str(host), port)}"
                f" ({error.strerror}): set {PREFIX}HTTP_API_PORT to another port."
            ) from error
        log.info("http interface: %s/v1", address)
        if subsonic_credentials(settings):
            log.info("opensubsonic: %s/rest", address)
        yield address


def parts(services: ApiServices, gate: Gate) -> Sequence[tuple[str, web.Application]]:
    """Return the applications of the interface, each with its prefix."""
    return [("/v1", V1(services, version=installed_version()).application(gate))]


def subsonic_parts(
    resources: Resources, gate: Gate, share: WorkerShare
) -> Sequence[tuple[str, web.Application]]:
    """Return the application of OpenSubsonic with its prefix; none without password and key."""
    settings = resources.settings
    credentials = subsonic_credentials(settings)
    if not credentials:
        return []
    library = SubsonicLibrary(
        recommender=resources.recommender,
        db=resources.db,
        scopes=(LIBRARY, STARTER) if settings.subsonic_starter else (LIBRARY,),
    )
    routes = SubsonicRoutes(
        library=library,
        share=share,
        credentials=credentials,
        gate=gate,
        version=installed_version(),
    )
    return [("/rest", routes.application())]


def subsonic_credentials(settings: Settings) -> Credentials:
    """Return the credentials of music players from the settings."""
    return Credentials(
        user=settings.subsonic_user,
        password=plain(settings.subsonic_password),
        api_key=plain(settings.subsonic_api_key),
    )


def gate_rules(settings: Settings) -> GateRules:
    """Return the rules of the gate from the settings."""
    return GateRules(
        host=settings.http_api_host,
        token=settings.api_token,
        per_minute=settings.http_api_per_minute,
        limit_s=settings.fetch_timeout_s + 2 * settings.analysis_timeout_s + 30.0,
    )


def api_services(resources: Resources, *, sources: Sources, alone: bool) -> ApiServices:
    """Return what the routes work with."""
    settings, preset, db = resources.settings, resources.preset, resources.db
    index = resources.recommender.index
    return ApiServices(
        preset=preset,
        db=db,
        recommender=resources.recommender,
        named=NamedTracks(resources.recommender),
        sources=sources,
        starter=StarterPolicy(index=index, db=db, policy=settings.starter),
        own=OwnGenreCache(index=index, db=db, labels=preset.labels, dimension=preset.dimension),
        share=WorkerShare.of(resources.pool.size, alone=alone),
        links=LinkChoice.of(settings.track_links, settings.path_root),
        scopes=settings.http_api_scopes,
    )
