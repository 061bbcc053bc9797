"""The program of a cluster's worker: a pool of sandboxed processes behind a Dask worker.

`genrec worker` starts it as ``python -m db.cluster_worker SCHEDULER PRESET``. Its environment has
nothing but Dask's own settings. It has no database, and no token.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

from distributed import Security, Worker, WorkerPlugin, get_worker

from db.ingest.file_facts import FactsReader, FileFacts, FileOrder
from db.ingest.task_codec import FileTask, pack_facts, pack_task_error, unpack_task
from genrec.errors import GenrecError, ModelMismatch
from genrec.preset import Preset
from genrec.types import MAX_ANALYZED_S, Runtime
from genrec.workers.pool import AnalysisPool
from genrec.workers.worker import ANALYZER

log = logging.getLogger(__name__)

PLUGIN = "genrec"
_PAUSE_S = 2.0  # between attempts to reach the scheduler
_FILES_AT_ONCE = 2  # of a task: one file is hashed while another is analysed


class TaskRunner(WorkerPlugin):
    """Reads the files of tasks with one pool for as long as the program runs."""

    name = PLUGIN

    def __init__(self, pool: AnalysisPool, model_id: str) -> None:
        self._pool, self._model_id = pool, model_id

    async def run(self, data: bytes) -> bytes:
        """Return the reply to a task; an error is part of it."""
        task = unpack_task(data)
        try:
            if task.model_id != self._model_id:
                raise ModelMismatch(
                    f"A worker of the cluster has the model {self._model_id} and not"
                    f" {task.model_id}: set GENREC_PRESET there to the same preset."
                )
            return pack_facts(await self._read(task))
        except GenrecError as error:
            return pack_task_error(error)

    async def _read(self, task: FileTask) -> list[FileFacts]:
        reader = FactsReader(self._pool, task.folder, task.labels)
        places = asyncio.Semaphore(_FILES_AT_ONCE)

        async def is_known(content: str) -> bool:
            return content in task.known

        async def read(order: FileOrder) -> FileFacts:
            async with places:
                return await reader.read(order, is_known)

        jobs = [asyncio.ensure_future(read(order)) for order in task.orders]
        try:
            return list(await asyncio.gather(*jobs))
        finally:
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)


async def run_task(data: bytes) -> bytes:
    """Return the reply to a task of `db.ingest.task_codec`; a worker of the cluster calls this."""
    runner: Any = get_worker().plugins[PLUGIN]
    reply: bytes = await runner.run(data)
    return reply


def main(argv: Sequence[str] | None = None) -> int:
    """Serve tasks until SIGTERM or SIGINT; return the exit code."""
    options = _parser().parse_args(argv)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("distributed").setLevel(logging.ERROR)
    try:
        asyncio.run(_serve(options))
    except GenrecError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m db.cluster_worker", description=__doc__)
    parser.add_argument("scheduler", help="address of the scheduler")
    parser.add_argument("preset", type=Path, help="a models/NAME folder")
    parser.add_argument("--workers", type=int, default=0, help="processes of the pool")
    parser.add_argument("--timeout-s", type=float, default=30.0, help="seconds per file")
    parser.add_argument("--analyzed-s", type=float, default=MAX_ANALYZED_S, help="of a file")
    parser.add_argument(
        "--runtime", choices=get_args(Runtime), default="auto", help="library that runs the network"
    )
    parser.add_argument("--analyzer", default=ANALYZER, help="factory as module:function")
    parser.add_argument("--model-id", default="", help="of that factory; default: the preset's")
    return parser


async def _serve(options: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    model_id = options.model_id
    if not model_id:
        model_id = (await asyncio.to_thread(Preset.load, options.preset)).model_id
    async with AnalysisPool(
        options.preset,
        workers=options.workers,
        queue=1000,
        timeout_s=options.timeout_s,
        max_analyzed_s=options.analyzed_s,
        runtime=options.runtime,
        expected_model_id=model_id,
        analyzer=options.analyzer,
    ) as pool:
        await pool.warm()  # a machine without the preset says so now, and takes no file
        runner = TaskRunner(pool, model_id)
        while not stopped.is_set():
            await _connect(options.scheduler, runner, pool.size, stopped)
            with suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), _PAUSE_S)


async def _connect(address: str, runner: TaskRunner, threads: int, stopped: asyncio.Event) -> None:
    """Serve the scheduler until it is gone, or until this program is stopped."""
    split = urlsplit(address)
    host = split.hostname if split.hostname in ("127.0.0.1", "localhost", "::1") else None
    security = Security(require_encryption=split.scheme == "tls")  # type: ignore[no-untyped-call]
    worker: Any = Worker(
        address,
        nthreads=threads,
        host=host,
        protocol=split.scheme,
        security=security,
        dashboard=False,
        dashboard_address="127.0.0.1:0",
        memory_limit=0,  # the processes of the pool have their own limit
        local_directory=tempfile.gettempdir(),  # where Dask removes what killed workers left
        plugins=(runner,),
        death_timeout=10,
        nanny=None,
    )
    try:
        await worker
    except (OSError, TimeoutError, ValueError) as error:
        log.warning("scheduler not reached: %s: %s", address, error)
        return
    log.info("worker connected: %s, threads=%d", address, threads)
    waiting = [asyncio.ensure_future(stopped.wait()), asyncio.ensure_future(worker.finished())]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()
        await worker.close(timeout=2)
    if not stopped.is_set():
        log.warning("scheduler lost: %s; the worker connects again", address)


if __name__ == "__main__":
    code = main()
    sys.exit(code)
