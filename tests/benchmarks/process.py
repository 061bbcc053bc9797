"""Memory of a process, and a context that keeps this process on one core."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def memory_mb(pid: int | str, line: str = "VmHWM:") -> float:
    """Return a process' resident memory in MB: peak, or current (``VmRSS:``); 0 if unknown."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return 0.0
    lines = (each.split() for each in status.read_text().splitlines())
    return next((int(each[1]) / 1024 for each in lines if each[0] == line), 0.0)


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this process, its threads and its children on one core, on systems that can."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    _keep_on({min(allowed)})
    try:
        yield
    finally:
        _keep_on(allowed)


def _keep_on(cores: set[int]) -> None:
    tasks = Path("/proc/self/task")
    for thread in tasks.iterdir() if tasks.exists() else ():
        try:
            os.sched_setaffinity(int(thread.name), cores)
        except ProcessLookupError:  # it ended meanwhile
            continue
    os.sched_setaffinity(0, cores)
