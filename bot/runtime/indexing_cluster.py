"""The Dask cluster of GENREC_CLUSTER, opened for one indexing run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from bot.config import Settings, dask_environment
from bot.jobs.reindex import OpenCluster
from db.ingest.cluster_files import ClusterTasks
from genrec.cluster import ClusterClient

TASK = "db.cluster_worker:run_task"
"""Function that the workers of a cluster call, by its name: its module imports Dask."""


def cluster_of(settings: Settings) -> OpenCluster:
    """Return what opens the cluster for a run, and None where no cluster is set."""
    return partial(_open, settings.cluster)


@asynccontextmanager
async def _open(address: str) -> AsyncIterator[ClusterTasks | None]:
    if not address:
        yield None
        return
    async with ClusterClient(address, TASK, environment=dask_environment()) as client:
        yield client
