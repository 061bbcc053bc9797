"""Process pool over all cores; its processes end when their parent is killed."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from genrec.errors import DataError


@contextmanager
def process_pool(crash_message: str) -> Iterator[ProcessPoolExecutor]:
    """Yield an executor with one process per core; shut it down after the block.

    Parameters
    ----------
    crash_message
        Message of the DataError if a process dies.

    Raises
    ------
    DataError
        A process died.
    """
    spawn = multiprocessing.get_context("spawn")
    workers = ProcessPoolExecutor(os.cpu_count(), mp_context=spawn, initializer=_end_with_parent)
    try:
        yield workers
    except BrokenProcessPool as error:
        raise DataError(crash_message) from error
    finally:
        workers.shutdown(cancel_futures=True)  # after Ctrl-C only running jobs finish


def _end_with_parent() -> None:
    """Start a thread that ends this process when its parent is killed."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
