"""Instance lock: one bot a database, or a second one would correct replies that still run."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from genrec.errors import CatalogueError


@contextmanager
def instance_lock(database: Path) -> Iterator[None]:
    """Lock the database for the block, or raise; the lock of a killed bot is released."""
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
                f"Another bot is running with the database {database}: stop it, or give this one a"
                " database of its own (GENREC_DATABASE)."
            ) from None
        yield
    finally:
        os.close(lock)
