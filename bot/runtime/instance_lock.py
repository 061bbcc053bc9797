"""Instance lock: one bot per database, because another one would correct unfinished replies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from db.address import PostgresAddress
from db.sqlite import without_links
from genrec.errors import CatalogueError


@contextmanager
def instance_lock(database: Path | PostgresAddress) -> Iterator[None]:
    """Lock the database for the block; raise CatalogueError if another bot has locked it.

    The lock file lies beside the file that symbolic links lead to, so all names share it. A file
    with hard links is refused: its other names may lie anywhere, and SQLite damages such a file.
    The kernel releases the lock of a killed bot. Several bots may share a PostgreSQL database, and
    each has a lease there, so nothing is locked here.
    """
    if isinstance(database, PostgresAddress) or str(database) == ":memory:":
        yield
        return
    resolved = without_links(database)
    try:
        resolved.parent.mkdir(parents=True, exist_ok=True)
        names = resolved.stat().st_nlink if resolved.exists() else 1
        lock = os.open(
            resolved.with_name(f"{resolved.name}.bot.lock"), os.O_CREAT | os.O_RDWR, 0o600
        )
    except OSError as error:
        raise CatalogueError(
            f"The database {database} cannot be opened ({error.strerror}): name a file in a"
            " writable folder (GENREC_DATABASE)."
        ) from error
    try:
        if names > 1:
            raise CatalogueError(
                f"The database {database} is one file with {names} names (hard links), so another"
                " bot could write to it: copy it, and remove the other names."
            )
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
