"""``genrec worker``: a worker of a Dask cluster, without token, database or Discord."""

from __future__ import annotations

import os
from typing import Annotated

import typer


def worker(
    scheduler: Annotated[
        str | None,
        typer.Argument(help="The scheduler; default: GENREC_CLUSTER.", metavar="ADDRESS"),
    ] = None,
) -> None:
    """Analyse files for the indexing runs of a Dask cluster, until it is stopped."""
    from importlib.util import find_spec

    from bot.config import cluster_fault, dask_environment, load_settings
    from bot.errors import SettingsError
    from bot.locations import find_preset
    from genrec.workers import sandbox

    settings = load_settings()
    address = scheduler or settings.cluster
    if not address:
        raise SettingsError(
            "Name a scheduler, such as tls://scheduler.example:8786, or set GENREC_CLUSTER."
        )
    if fault := cluster_fault(address):
        raise SettingsError(f"The scheduler is {address!r}: {fault}.")
    if find_spec("distributed") is None:
        raise SettingsError("A worker needs Dask: install genrec with the extra, genrec[cluster].")
    command = sandbox.command(
        "db.cluster_worker", address, str(find_preset(settings.preset).resolve()),
        "--workers", str(settings.workers),
        "--timeout-s", str(settings.analysis_timeout_s),
        "--analyzed-s", str(settings.analyzed_s),
        "--runtime", settings.runtime,
    )  # fmt: skip
    # A scheduler may run any code in a worker. So the worker replaces this process, and with it
    # every setting that was read: it gets Dask's variables, and no other of the environment.
    os.execve(command[0], command, {**sandbox.environment(), **dask_environment()})  # noqa: S606
