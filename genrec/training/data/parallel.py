"""Long work on every core: in processes that end with their parent, and told of where one dies."""

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
def every_core(died: str) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool of as many processes as there are cores.

    Parameters
    ----------
    died
        The sentence for whoever waits, should one of the processes die.

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
        raise DataError(died) from error
    finally:
        workers.shutdown(cancel_futures=True)  # Ctrl-C waits for the work at hand, not for all


def _end_with_parent() -> None:
    """Do not wait for work for ever where the parent was killed."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
