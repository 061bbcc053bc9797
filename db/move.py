"""Move the whole database to another place: a file, or a PostgreSQL server, and back.

All rows keep their ids, so buttons of old messages go on working. The destination gets everything
in one transaction, which is committed only after each of its tables was read again and has the
rows and the digest of the source. So a move that was killed leaves the destination empty, and is
begun again by the same command.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from db.address import PostgresAddress, given_as_argument
from db.backups import active_tracks
from db.choose_neighbours import prepare_neighbours
from db.connection import MEMORY, open_db
from db.move_engines import (
    fill_derived,
    freeze,
    last_ids,
    refuse_busy,
    set_last_ids,
    without_triggers,
)
from db.move_tables import (
    DERIVED_TABLES,
    TABLES,
    Content,
    RowDigest,
    Table,
    columns_of,
    content,
    pages,
    refuse_nul,
    shared_columns,
)
from db.session import Database, SqlSession
from db.sqlite import without_links
from genrec.errors import CatalogueError, DestinationRefused
from genrec.files import atomic_write, remove_leftovers

log = logging.getLogger(__name__)

Place = Path | PostgresAddress
Progress = Callable[[str, int, int], None]
"""Called with a table, its rows copied or checked so far, and the rows of both passes over it."""


@dataclass(frozen=True, slots=True)
class MoveReport:
    """Result of a move: the rows and the digest of each table, equal at both places."""

    tables: Mapping[str, Content]
    tracks: int
    seconds: float

    @property
    def rows(self) -> int:
        """The number of rows of all tables."""
        return sum(content.rows for content in self.tables.values())


async def move(
    source: Place, destination: Place, *, progress: Progress = lambda *_: None
) -> MoveReport:
    """Move the database ``source`` to ``destination``; the source stays as it is.

    Both are paths or addresses as of GENREC_DATABASE. A file appears under its name only when it
    is complete and checked.

    Raises
    ------
    CatalogueError
        There is no source, the destination cannot be written, or the copy differs; a file of the
        destination is then removed.
    DestinationRefused
        Both are the same, or the destination is not empty or cannot be reached.
    """
    started = time.monotonic()
    refuse_places(source, destination)
    async with open_db(source) as old:
        async with _open_destination(destination) as new:
            tables = await copy_database(old, new, progress=progress)
            await _prepare(new)
        tracks = await active_tracks(old)
    return MoveReport(tables, tracks, time.monotonic() - started)


async def _prepare(destination: Database) -> None:
    """Fill the index of neighbours, so that no bot has to at its start."""
    try:
        await prepare_neighbours(destination)
    except CatalogueError as error:  # everything is moved; the first bot fills it
        log.warning("index of neighbours not filled: %s", error)


async def copy_database(
    source: Database, destination: Database, *, progress: Progress = lambda *_: None
) -> dict[str, Content]:
    """Copy all rows into an empty database, compare both and return rows and digest by table.

    Nothing else can write to either database meanwhile. Raises nothing but CatalogueError for a
    fault of the databases; the destination is then as it was.

    Raises
    ------
    CatalogueError
        The destination has rows, a database has tables that the other lacks, or the copy differs.
    """
    async with source.transaction() as read, destination.transaction(durable=True) as write:
        for session in (read, write):
            session.set_no_limit()  # the index of a large catalogue alone may take an hour
        here = await columns_of(read)
        there = await columns_of(write)
        _refuse_unknown(here, source)
        _refuse_unknown(there, destination)
        for database, session in ((source, read), (destination, write)):
            await refuse_busy(database, session)
            await freeze(session)
            await refuse_busy(database, session)
        await _refuse_rows(write, destination)
        columns = {table.name: shared_columns(here, there, table) for table in TABLES}
        totals = {table.name: 2 * await _count(read, table) for table in TABLES}
        copied: dict[str, Content] = {}
        async with without_triggers(write):
            for table in TABLES:
                digest, total = RowDigest(), totals[table.name]
                async for rows in pages(read, table, columns[table.name]):
                    if write.engine == "postgres":
                        refuse_nul(table, rows)
                    await write.copy(table.name, columns[table.name], rows)
                    digest.add(rows)
                    progress(table.name, digest.content.rows, total)
                copied[table.name] = digest.content
            await set_last_ids(write, await last_ids(read))
            await fill_derived(write)
        for table in TABLES:
            found = await content(write, table, columns[table.name])
            progress(table.name, copied[table.name].rows + found.rows, totals[table.name])
            if found != copied[table.name]:
                raise _differs(table, copied[table.name], found, destination)
        # What began meanwhile would go on writing to the old place.
        for database, session in ((source, read), (destination, write)):
            await refuse_busy(database, session)
    return copied


async def database_content(database: Database) -> dict[str, Content]:
    """Return the rows and the digest of each table; comparable within one process only."""
    async with database.snapshot() as session:
        columns = await columns_of(session)
        return {
            table.name: await content(session, table, sorted(columns[table.name]))
            for table in TABLES
        }


def refuse_places(source: Place, destination: Place) -> None:
    """Raise CatalogueError for places that nothing can be moved from or to."""
    for place in (source, destination):
        if str(place) == MEMORY:
            raise CatalogueError("A database in memory cannot be moved: name a file or a server.")
    if isinstance(source, Path) and not source.is_file():
        raise CatalogueError(
            f"There is no database {source}: set GENREC_DATABASE to the one to move."
        )
    if _resolved(source) == (target := _resolved(destination)):
        raise DestinationRefused("The destination is the database itself: name another one.")
    if (
        isinstance(target, Path)
        and target.exists()
        and (not target.is_file() or target.stat().st_size)
    ):
        raise DestinationRefused(
            f"{destination} exists already, and nothing is overwritten: name a file that does not"
            " exist."
        )


def _resolved(place: Place) -> Place:
    return without_links(place) if isinstance(place, Path) else place


@asynccontextmanager
async def _open_destination(destination: Place) -> AsyncIterator[Database]:
    """Open the database to fill; a file has another name until the block has ended well."""
    if not isinstance(destination, Path):
        async with AsyncExitStack() as stack:
            with given_as_argument():
                db = await stack.enter_async_context(open_db(destination))
            yield db
        return
    target = without_links(destination)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(target)
        _remove(target.parent, f"{target.name}.*.part{target.suffix}-*")
        with atomic_write(target, private=True) as temporary:
            try:
                async with open_db(temporary, check=False) as db:
                    yield db
            finally:
                _remove(temporary.parent, f"{temporary.name}-*")
    except OSError as error:
        raise CatalogueError(
            f"The database {destination} cannot be written ({error.strerror}): free disk space, or"
            " name a file in a writable folder."
        ) from error


def _remove(folder: Path, logs: str) -> None:
    """Remove the logs of SQLite that a database of another name has, or had when it was killed."""
    for path in folder.glob(logs):
        path.unlink(missing_ok=True)


async def _count(session: SqlSession, table: Table) -> int:
    return await session.number(f"SELECT count(*) FROM {table.name}")


def _refuse_unknown(columns: Mapping[str, tuple[str, ...]], database: Database) -> None:
    """Raise CatalogueError for a table that would not be moved, and for one that is missing."""
    known = {table.name for table in TABLES}
    found = {
        name
        for name in columns
        if name not in DERIVED_TABLES and not name.startswith(("sqlite_", "entry_words_"))
    }
    if wrong := sorted(found ^ known):
        state = "unknown" if wrong[0] in found else "missing"
        raise CatalogueError(
            f"The table {wrong[0]} of {database.name} is {state}, so nothing is moved: update"
            " genrec, or name a database that holds nothing else."
        )


async def _refuse_rows(session: SqlSession, destination: Database) -> None:
    for table in TABLES:
        if await session.one(f"SELECT 1 FROM {table.name} LIMIT 1") is not None:
            raise DestinationRefused(
                f"The destination {destination.name} already has rows in the table {table.name}:"
                " name an empty database, or a file that does not exist."
            )


def _differs(
    table: Table, copied: Content, found: Content, destination: Database
) -> CatalogueError:
    return CatalogueError(
        f"The table {table.name} of {destination.name} has {found.rows} rows with the digest"
        f" {found.digest[:12]}, and {copied.rows} rows with {copied.digest[:12]} were expected:"
        " nothing was moved, so check the disk of the destination and move again."
    )
