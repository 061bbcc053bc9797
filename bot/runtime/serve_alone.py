"""``genrec serve``: run the HTTP interface without Discord, until a signal."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from bot.config import Settings, open_secrets, service_manager_address
from bot.logs import set_up_logs
from bot.metrics import Metrics
from bot.runtime.database_watch import DatabaseWatch
from bot.runtime.exported_state import export_resources
from bot.runtime.health import serve_health
from bot.runtime.http_interface import http_interface
from bot.runtime.instance_lock import instance_lock
from bot.runtime.lifecycle import StopEvent, warm
from bot.runtime.resources import OpenPool, open_recommender
from bot.runtime.sandbox_check import MeasureSandbox, report_sandbox, restrict_sources
from bot.runtime.secrets import protect_secrets
from bot.runtime.service_manager import service_manager
from bot.runtime.source_policy import source_policy, warn_of_old_ytdlp
from bot.sources import SourcePolicy, Sources
from genrec.workers import sandbox

log = logging.getLogger(__name__)

DEFAULT_PORT = 8090


def serve_alone(settings: Settings) -> None:
    """Set up the log and serve until a signal."""
    set_up_logs(form=settings.log_format, level=settings.log_level, secrets=settings.secrets)
    protect_secrets()
    for warning in open_secrets(settings):
        log.warning("secret not private: %s", warning)
    warn_of_old_ytdlp(settings)
    log.info("database: %s", settings.database)
    asyncio.run(_until_stopped(settings))


async def _until_stopped(settings: Settings) -> None:
    stop, started = StopEvent(), time.monotonic()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set_by, name)
    async with open_interface(settings, policy=source_policy(settings)):
        await stop.wait()
    log.info("stopped: %s, ran %d s", stop.reason, time.monotonic() - started)


@asynccontextmanager
async def open_interface(
    settings: Settings,
    *,
    policy: SourcePolicy,
    open_pool: OpenPool | None = None,
    measure_sandbox: MeasureSandbox | None = sandbox.report,
) -> AsyncIterator[str]:
    """Open the services and serve; yield the address. Tests replace ``open_pool`` and ``policy``.

    ``GENREC_HTTP_API_PORT`` 0 means `DEFAULT_PORT` here.
    """
    port = settings.http_api_port or DEFAULT_PORT
    settings = settings.model_copy(update={"http_api_port": port})
    metrics = Metrics()
    async with AsyncExitStack() as stack:
        stack.enter_context(instance_lock(settings.database))
        resources = await stack.enter_async_context(open_recommender(settings, open_pool=open_pool))
        if measure_sandbox is not None:
            measures = await asyncio.to_thread(measure_sandbox)
            report_sandbox(settings, measures, metrics)
            policy = restrict_sources(policy, settings, measures)
        sources = await stack.enter_async_context(Sources(policy))
        export_resources(metrics, resources=resources, policy=policy)
        warming = asyncio.create_task(warm(resources.pool))
        stack.callback(warming.cancel)
        if settings.http_port:
            database = DatabaseWatch(resources.db)
            await stack.enter_async_context(database.watching())
            health = serve_health(
                host=settings.http_host,
                port=settings.http_port,
                metrics=metrics,
                ready=lambda: database.missing,
            )
            await stack.enter_async_context(health)
        address = await stack.enter_async_context(
            http_interface(resources, sources=sources, metrics=metrics, alone=True)
        )
        manager = service_manager(service_manager_address(), lambda: f"serving {address}/v1")
        report_stopping = await stack.enter_async_context(manager)
        try:
            yield address
        finally:
            report_stopping()
