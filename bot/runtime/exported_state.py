"""Export the state of the running bot as metrics: versions, pool, index, database, connection."""

from __future__ import annotations

import logging
import os
import platform
from collections import Counter
from pathlib import Path

import discord

from bot.client.client import Client
from bot.config import installed_version
from bot.jobs.admission import Admission
from bot.metrics import Metrics
from bot.runtime.resources import Resources
from bot.sources import SourcePolicy
from bot.sources.ytdlp_version import ytdlp_version
from db.connection import Database
from db.neighbours import Neighbours
from db.tracks import LIBRARY, STARTER
from genrec.workers.pool import AnalysisPool

log = logging.getLogger(__name__)


def export_state(
    metrics: Metrics,
    *,
    admission: Admission,
    resources: Resources,
    policy: SourcePolicy,
) -> None:
    """Export versions, requests, pool, index and database size."""
    export_resources(metrics, resources=resources, policy=policy)
    metrics.export("genrec_requests_running", lambda: admission.running)


def export_resources(metrics: Metrics, *, resources: Resources, policy: SourcePolicy) -> None:
    """Export versions, pool, index and database size, which there are without Discord too."""
    metrics.info(
        "genrec_build_info",
        {
            "version": installed_version(),
            "python": platform.python_version(),
            "discord_py": discord.__version__,
            "yt_dlp": ytdlp_version(policy),
            "model": resources.preset.model_id,
        },
    )
    _export_pool(metrics, resources.pool)
    index = resources.recommender.index
    metrics.export("genrec_index_tracks", lambda: tracks_by_scope(index.count_by_scope()))
    metrics.export("genrec_index_damaged_tracks", lambda: index.damaged)
    metrics.export("genrec_index_bytes", lambda: index.size_bytes)
    _export_disk(metrics, resources.db)


def _export_pool(metrics: Metrics, pool: AnalysisPool) -> None:
    metrics.export("genrec_workers", lambda: pool.size)
    metrics.export("genrec_network_runtime", lambda: {pool.runtime: 1} if pool.runtime else {})
    metrics.export("genrec_clips_waiting", lambda: pool.waiting)
    metrics.export(
        "genrec_clips_total",
        lambda: {
            "analyzed": pool.stats.done,
            "refused": pool.stats.refused,
            "crashed": pool.stats.crashed,
            "timed_out": pool.stats.timeouts,
        },
    )
    metrics.export("genrec_worker_starts_total", lambda: pool.stats.started)
    metrics.export("genrec_worker_failed_starts_total", lambda: pool.stats.failed_starts)
    metrics.export("genrec_worker_recycles_total", lambda: pool.stats.recycled)


def tracks_by_scope(counts: dict[str, int]) -> dict[str, float]:
    """Return the tracks of the starter catalogue, of the library and of all guilds together."""
    summed = Counter({STARTER: 0, LIBRARY: 0, "guilds": 0})
    for scope, count in counts.items():
        summed[scope if scope in (STARTER, LIBRARY) else "guilds"] += count
    return dict(summed)


def _export_disk(metrics: Metrics, db: Database) -> None:
    database = db.file
    if database is None:
        return
    log = database.with_name(f"{database.name}-wal")

    def free() -> float:
        disk = os.statvfs(database.parent)
        return disk.f_bavail * disk.f_frsize

    metrics.export("genrec_database_bytes", lambda: sum(map(_size, (database, log))))
    metrics.export("genrec_database_disk_free_bytes", free)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def latencies(client: Client | None) -> dict[str, float]:
    """Return the seconds of the last heartbeat of each gateway connection, by shard."""
    if client is None or client.is_closed():
        return {}
    return {str(shard): seconds for shard, seconds in client.latencies}


def report_connected(client: Client, *, metrics: Metrics, index: Neighbours) -> None:
    """Log and count that Discord opened a session."""
    metrics.connected()
    guilds = len(client.guilds)
    log.info(
        "connected as %s, in %d server%s, serving %d tracks",
        client.user, guilds, "" if guilds == 1 else "s", sum(index.count_by_scope().values()),
    )  # fmt: skip
