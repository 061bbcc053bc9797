"""Moves of a whole database: every table, ids, sequences, checks, kills and refusals."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from db import move as moving
from db.connection import open_db
from db.move import copy_database, database_content, move
from db.move_tables import DERIVED_TABLES, TABLES, RowDigest, columns_of
from db.session import SqlSession
from db.tracks import Catalogue
from genrec.errors import CatalogueError
from tests.db.every_table import ODD, fill_every_table
from tests.db.fakes import MODEL, new_track


@pytest.fixture
async def source(tmp_path: Path) -> Path:
    """Return the path of a database with rows in every table."""
    path = tmp_path / "genrec.db"
    async with open_db(path) as db:
        await fill_every_table(db)
    return path


async def test_every_table_of_the_schema_is_moved_or_made_anew(source: Path) -> None:
    async with open_db(source) as db, db.snapshot() as session:
        columns = await columns_of(session)
        found = {name for name in columns if not name.startswith(("sqlite_", "entry_words_"))}
        assert found - DERIVED_TABLES == {table.name for table in TABLES}
        for table in TABLES:
            assert await session.number(f"SELECT count(*) FROM {table.name}"), table
            assert set(table.key) <= set(columns[table.name])


async def test_moved_file_has_equal_tables_and_the_source_stays(
    source: Path, tmp_path: Path
) -> None:
    report = await move(source, tmp_path / "new" / "moved.db")
    async with open_db(source) as old, open_db(tmp_path / "new" / "moved.db") as new:
        assert await database_content(old) == await database_content(new)
        assert report.tracks == 42
        assert report.rows == sum(table.rows for table in report.tables.values()) > 200
        assert await Catalogue(new).browse(MODEL, text="ænima 日") == await Catalogue(old).browse(
            MODEL, text="ænima 日"
        )
        assert len(await Catalogue(new).browse(MODEL, text="ænima")) > 5
        assert (await Catalogue(new).stats(MODEL)) == (await Catalogue(old).stats(MODEL))
    assert (tmp_path / "new" / "moved.db").stat().st_mode & 0o777 == 0o600
    assert {path.name for path in (tmp_path / "new").iterdir()} <= {"moved.db", "moved.db-tracks"}


async def test_moved_database_gives_no_id_again(source: Path, tmp_path: Path) -> None:
    await move(source, tmp_path / "moved.db")
    given = []
    for path in (source, tmp_path / "moved.db"):
        async with open_db(path) as db:
            ids = await Catalogue(db).add("library", MODEL, [new_track(900), new_track(901)])
            given.append((ids, await Catalogue(db).revision()))
            assert await Catalogue(db).count(MODEL, "library") == 39
            assert len(await Catalogue(db).browse(MODEL, text="song 901")) == 1
    assert given[0] == given[1]
    assert given[0][0] == [46, 47]  # after 45 tracks, of which three were removed


@pytest.mark.parametrize("fault", ["lost", "changed", "added"])
async def test_copy_that_differs_is_no_database(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    fill = moving.fill_derived

    async def spoil(session: SqlSession) -> None:
        await fill(session)
        statement = {
            "lost": "DELETE FROM fingerprint WHERE embedding_id = 3",
            "changed": "UPDATE track_vote SET cast_at = cast_at + 0.001",
            "added": "INSERT INTO taste VALUES (77)",
        }[fault]
        assert await session.run(statement) == 1

    monkeypatch.setattr(moving, "fill_derived", spoil)
    with pytest.raises(CatalogueError, match=r"digest .* expected: nothing was moved"):
        await move(source, tmp_path / "moved.db")
    assert not list(tmp_path.glob("moved*"))


async def test_table_that_no_version_knows_stops_the_move(source: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(source)) as connection:
        connection.execute("CREATE TABLE notes (a)")
    with pytest.raises(CatalogueError, match=r"The table notes of .* is unknown"):
        await move(source, tmp_path / "moved.db")
    assert not (tmp_path / "moved.db").exists()


async def test_destination_with_rows_is_refused(source: Path, tmp_path: Path) -> None:
    async with open_db(source) as old, open_db(tmp_path / "other.db") as new:
        await Catalogue(new).add("library", MODEL, [new_track(1)])
        before = await database_content(new)
        with pytest.raises(CatalogueError, match="already has rows in the table generation: name"):
            await copy_database(old, new)
        assert await database_content(new) == before
    with pytest.raises(CatalogueError, match="exists already, and nothing is overwritten"):
        await move(source, tmp_path / "other.db")


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("genrec.db", "genrec.db", "The destination is the database itself"),
        ("genrec.db", "link.db", "The destination is the database itself"),
        ("none.db", "moved.db", "There is no database"),
        (":memory:", "moved.db", "A database in memory cannot be moved"),
        ("genrec.db", ":memory:", "A database in memory cannot be moved"),
        ("genrec.db", ".", "exists already"),
    ],
)
async def test_places_that_cannot_be_moved(
    source: Path, tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    (tmp_path / "link.db").symlink_to(source)
    places = [Path(name) if name == ":memory:" else tmp_path / name for name in (old, new)]
    with pytest.raises(CatalogueError, match=sentence):
        await move(*places)
    assert not (tmp_path / "moved.db").exists()
    assert not (tmp_path / "none.db").exists()


_KILLED = """
import asyncio, sys
from pathlib import Path
from db.move import move
def progress(table, done, total):
    print(table, flush=True)
    if table == sys.argv[3]:
        import time; time.sleep(600)
asyncio.run(move(Path(sys.argv[1]), Path(sys.argv[2]), progress=progress))
"""


@pytest.mark.parametrize("at", ["generation", "entry", "kept_value"])
async def test_killed_move_leaves_nothing_and_is_begun_again(
    source: Path, tmp_path: Path, at: str
) -> None:
    moved = tmp_path / "moved.db"
    command = [sys.executable, "-c", _KILLED, source, str(moved), at]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        reached = any(line.strip() == at for line in child.stdout)
        child.send_signal(signal.SIGKILL)
    assert reached
    assert not moved.exists()
    await move(source, moved)
    async with open_db(source) as old, open_db(moved) as new:
        assert await database_content(old) == await database_content(new)
    left = {path.name for path in tmp_path.iterdir() if path.name.startswith("moved")}
    assert left <= {"moved.db", "moved.db-tracks"}


async def test_indexing_run_of_a_file_refuses_the_move(source: Path, tmp_path: Path) -> None:
    async with open_db(source) as db:
        lease = await db.leases.take("scope:guild:7")
        assert lease is not None
        with pytest.raises(CatalogueError, match="an indexing run uses"):
            await move(source, tmp_path / "moved.db")
        await lease.release()
    await move(source, tmp_path / "moved.db")


async def test_nothing_else_writes_while_a_database_is_moved(source: Path, tmp_path: Path) -> None:
    refused = []

    def write(table: str, _done: int, _total: int) -> None:
        if table == "entry" and not refused:
            with closing(sqlite3.connect(source, timeout=0)) as other:
                try:
                    other.execute("DELETE FROM kept_value")
                except sqlite3.OperationalError as error:
                    refused.append(str(error))

    await move(source, tmp_path / "moved.db", progress=write)
    assert refused == ["database is locked"]


async def test_progress_counts_each_row_twice(source: Path, tmp_path: Path) -> None:
    seen: dict[str, tuple[int, int]] = {}

    def note(table: str, done: int, total: int) -> None:
        assert done >= seen.get(table, (0, 0))[0]
        seen[table] = (done, total)

    report = await move(source, tmp_path / "moved.db", progress=note)
    assert {table: (2 * content.rows,) * 2 for table, content in report.tables.items()} == seen


def test_digest_depends_on_rows_and_not_on_their_order() -> None:
    def of(*rows: tuple[object, ...]) -> str:
        digest = RowDigest()
        digest.add(rows)
        return digest.content.digest

    first, second = (1, ODD, b"\x00\xff", 0.1, None), (2, "", b"", 0.0, 7)
    assert of(first, second) == of(second, first)
    different = {
        of(first), of(second), of(first, second), of(first, first), of(first, first, first),
        of((1, ODD, b"\x00\xff", 0.1, 0)), of(("1", ODD, b"\x00\xff", 0.1, None)), of(),
        of((1, ODD, b"\x00\xff", 0.1000000001, None)),
    }  # fmt: skip
    assert len(different) == 9
