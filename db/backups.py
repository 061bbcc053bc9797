"""Back up the database while it is in use, and restore a backup in its place."""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

import aiosqlite

from db.connection import Database
from db.migrate import APPLICATION_ID, check_schema, migrate
from db.sqlite import translate_errors, without_links
from genrec.errors import CatalogueError, FileMissing
from genrec.files import atomic_write, remove_leftovers

_OWN_ENDINGS = ("", "-wal", "-shm", "-deleted", "-tracks", ".bot.lock")
_HEADER = b"SQLite format 3\x00"
_ID_AT = 68  # https://sqlite.org/fileformat.html: the application id's place in the header


async def write_backup(database: Path, target: Path) -> Path:
    """Copy the database to ``target`` in compact form, check the copy and return its path.

    Other connections may read and write meanwhile. The copy has mode 0600 and appears only when
    it is complete.

    Raises
    ------
    CatalogueError
        There is no database, ``target`` is another file, or the copy cannot be written.
    """
    source = without_links(database)
    if not source.is_file():
        raise CatalogueError(
            f"There is no database {database}: set GENREC_DATABASE to the one to back up."
        )
    _refuse_other_file(source, target)
    try:
        remove_leftovers(target)
        with atomic_write(target, private=True) as temporary:
            with translate_errors(str(source)), _full_disk_as_os_error():
                async with aiosqlite.connect(source, isolation_level=None) as connection:
                    await connection.execute_fetchall("VACUUM INTO ?", (str(temporary),))
            with _errors_of(database):
                async with aiosqlite.connect(temporary, isolation_level=None) as connection:
                    await _check_content(connection, database)
    except OSError as error:
        raise CatalogueError(
            f"The backup {target} cannot be written ({error.strerror}): free disk space, or name a"
            " file in a writable folder."
        ) from error
    return target


async def restore_backup(backup: Path, database: Path) -> Path | None:
    """Replace the database by a checked copy of ``backup``; return where the old one is kept.

    Call it while no bot runs, as under ``instance_lock``. The deletion list stays beside the
    database, so the next ``open_db`` deletes again what was deleted since the backup.

    Raises
    ------
    FileMissing
        The backup cannot be read.
    CatalogueError
        The backup is damaged, foreign or newer than this genrec, or the database is in use.
    """
    target, kept = without_links(database), None
    _refuse_unreadable(backup, target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(target, private=True) as temporary:
            with _errors_of(backup):
                await asyncio.to_thread(_copy, backup, temporary)
                async with aiosqlite.connect(temporary, isolation_level=None) as connection:
                    await _check_content(connection, backup)
                    await migrate(connection)
                    await check_schema(connection)
                    await connection.execute_fetchall("PRAGMA journal_mode = DELETE")
            if target.exists():
                await asyncio.to_thread(_release, target)
                kept = _keep(target)
    except OSError as error:
        raise CatalogueError(
            f"The database {database} cannot be replaced ({error.strerror}): free disk space, or"
            " make its folder writable."
        ) from error
    finally:
        if kept is not None and kept.exists() and target.exists() and kept.samefile(target):
            kept.unlink()  # the database was not replaced
    return kept


async def active_tracks(db: Database) -> int:
    """Return the number of active tracks of all models and scopes."""
    return await db.number(
        "SELECT count(*) FROM entry JOIN generation ON generation.id = generation_id"
        " WHERE state = 'active' AND gone_at IS NULL"
    )


def _refuse_other_file(source: Path, target: Path) -> None:
    """Raise CatalogueError if a backup would overwrite something else than a backup."""
    own = [source.with_name(source.name + ending) for ending in _OWN_ENDINGS]
    if target.resolve() in own:
        raise CatalogueError(f"{target} belongs to the database itself: name another file.")
    if not target.exists():
        return
    if target.is_dir():
        raise CatalogueError(f"{target} is a folder: name a file in it.")
    if not target.is_file() or (target.stat().st_size and not _is_genrec_database(target)):
        raise CatalogueError(
            f"{target} exists and is no backup of genrec, so it is not overwritten: name another"
            " file."
        )


def _refuse_unreadable(backup: Path, target: Path) -> None:
    if not backup.is_file() or not os.access(backup, os.R_OK):
        raise FileMissing(f"{backup} is no file that can be read: name a backup.")
    if target.exists() and backup.samefile(target):
        raise CatalogueError(f"{backup} is the database itself: name a backup.")


def _is_genrec_database(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(_ID_AT + 4)
    return head.startswith(_HEADER) and head[_ID_AT:] == APPLICATION_ID.to_bytes(4, "big")


def _copy(backup: Path, target: Path) -> None:
    """Copy a database, with its write-ahead log if there is one; nothing is written beside it."""
    has_log = backup.with_name(f"{backup.name}-wal").exists()
    options = "mode=ro" if has_log else "mode=ro&immutable=1"
    address = f"file:{quote(str(backup.absolute()))}?{options}"
    with (
        closing(sqlite3.connect(address, uri=True)) as source,
        closing(sqlite3.connect(target)) as copy,
    ):
        source.backup(copy)


async def _check_content(connection: aiosqlite.Connection, shown: Path) -> None:
    """Raise CatalogueError unless the database is sound and genrec's."""
    number = next(iter(await connection.execute_fetchall("PRAGMA application_id")))[0]
    if number != APPLICATION_ID:
        raise CatalogueError(f"{shown} is no database of genrec: name another file.")
    if next(iter(await connection.execute_fetchall("PRAGMA quick_check(1)")))[0] != "ok":
        raise _damaged(shown)


@contextmanager
def _errors_of(shown: Path) -> Iterator[None]:
    """Raise the SQLite errors of a backup as CatalogueError."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise _damaged(shown) from error
        with translate_errors(str(shown)):
            raise


@contextmanager
def _full_disk_as_os_error() -> Iterator[None]:
    """Raise SQLite's error of a full disk, which is that of the copy, as an OSError."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
            raise
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error


def _damaged(shown: Path) -> CatalogueError:
    return CatalogueError(f"{shown} is damaged, or is no database: name another backup.")


def _release(database: Path) -> None:
    """Write the log of the old database into it; raise CatalogueError if a program has it open."""
    with database.open("rb") as file:
        if file.read(len(_HEADER)) != _HEADER:
            return  # SQLite would delete its log
    try:
        with closing(sqlite3.connect(database, timeout=1, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE").fetchall()
    except sqlite3.DatabaseError as error:
        if (error.sqlite_errorcode & 0xFF) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise CatalogueError(
                f"Another program uses the database {database}: wait until `genrec index` ends, or"
                " stop that program."
            ) from error
        # A damaged database is the reason for most restores: it is kept as it is.


def _keep(database: Path) -> Path:
    """Give the old database, with its logs, a second name beside it and return that name."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    kept = database.with_name(f"{database.stem}.replaced-{stamp}{database.suffix}")
    for ending in ("-wal", "-shm"):  # left only by a damaged database
        log = database.with_name(database.name + ending)
        if log.exists():
            log.replace(kept.with_name(kept.name + ending))
    try:
        os.link(database, kept)
    except OSError:  # a file system without hard links
        database.replace(kept)
    return kept
