"""Instance lock: one bot per database, because another one would correct unfinished replies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from genrec.errors import CatalogueError


@contextmanager
def instance_lock(database: Path) -> Iterator[None]:
    """Lock the database for the block; raise CatalogueError if another bot has locked it.

    The kernel releases the lock of a killed bot.
    """
    if str(database) == ":memory:":
        yield
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(database.with_name(f"{database.name}.bot.lock"), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CatalogueError(
                f"Another bot is running with the database {database}: stop it, or set"
                " GENREC_DATABASE to another file."
            ) from None
        yield
    finally:
        os.close(lock)
