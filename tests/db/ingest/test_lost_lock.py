"""Tests of an indexing run whose lock PostgreSQL drops while the run goes on."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from bot.cli import library_folders
from db.connection import Database, open_db
from db.ingest.run import IngestJob, ingest
from db.tracks import Catalogue
from genrec.errors import CatalogueError
from tests.bot.end_to_end.fakes import make_preset
from tests.db.fakes import DIMENSION, LABELS, MODEL, FakeAnalyzer, HeldAnalyzer, fill, until

LOCK = "scope:library"


DROP_LEASES = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE application_name = 'genrec leases' AND datname = current_database()"
)


async def _drop_leases(one: Database, other: Database) -> None:
    """End the connections that hold leases of this database, until ``one`` has noticed."""
    await other.all(DROP_LEASES)
    async with asyncio.timeout(60):
        while await one.leases.is_held(LOCK):  # noqa: ASYNC110 - the server says so
            await asyncio.sleep(0.01)


async def until_free(db: Database) -> None:
    """Wait until nobody holds the lock, also if the connection of these leases is ended too."""
    held = True
    async with asyncio.timeout(60):
        while held:
            with contextlib.suppress(CatalogueError):
                held = await db.leases.is_held(LOCK)
            await asyncio.sleep(0.2)


async def test_run_that_lost_its_lock_takes_it_again(postgres_address: str, tmp_path: Path) -> None:
    job = _job(fill(tmp_path / "music", 12)[0].parent)
    analyzer = HeldAnalyzer()
    async with open_db(postgres_address) as one, open_db(postgres_address) as other:
        run = asyncio.create_task(ingest(one, analyzer, job))
        analyzer.allow(4)
        await until(lambda: len(analyzer.calls) == 8)
        await _drop_leases(one, other)
        assert not await other.leases.is_held(LOCK)
        analyzer.allow(3)
        await until(lambda: len(analyzer.calls) == 11)
        with pytest.raises(CatalogueError, match="being indexed already"):
            await ingest(other, FakeAnalyzer(), job)
        analyzer.allow(5)
        assert (await run).tracks == 12


async def test_run_ends_with_a_sentence_while_another_has_its_lock(
    postgres_address: str, tmp_path: Path
) -> None:
    job = _job(fill(tmp_path / "music", 12)[0].parent)
    first, second = HeldAnalyzer(), HeldAnalyzer()
    async with open_db(postgres_address) as one, open_db(postgres_address) as other:
        run = asyncio.create_task(ingest(one, first, job))
        await until(lambda: len(first.calls) == 4)
        await _drop_leases(one, other)
        next_run = asyncio.create_task(ingest(other, second, job))
        await until(lambda: len(second.calls) == 4)
        first.allow(1)
        with pytest.raises(CatalogueError, match="library is being indexed already"):
            await run
        second.allow(12)
        assert (await next_run).tracks == 12


async def test_run_ends_with_a_sentence_once_another_has_ended(
    postgres_address: str, tmp_path: Path
) -> None:
    job = _job(fill(tmp_path / "music", 12)[0].parent)
    analyzer = HeldAnalyzer()
    async with open_db(postgres_address) as one, open_db(postgres_address) as other:
        run = asyncio.create_task(ingest(one, analyzer, job))
        await until(lambda: len(analyzer.calls) == 4)
        await _drop_leases(one, other)
        assert (await ingest(other, FakeAnalyzer(), job)).tracks == 12
        analyzer.allow(1)
        with pytest.raises(CatalogueError, match="Another run has indexed the scope library"):
            await run
        assert await Catalogue(other).count(MODEL) == 12


@pytest.mark.parametrize("command", ["move", "forget"])
async def test_command_that_lost_its_lock_changes_nothing(
    command: str,
    postgres_address: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_preset(tmp_path / "preset", songs=0)
    monkeypatch.setenv("GENREC_PRESET", str(tmp_path / "preset"))
    monkeypatch.setenv("GENREC_DATABASE", postgres_address)
    music = fill(tmp_path / "music", 3)[0].parent
    moved = fill(tmp_path / "moved", 3)[0].parent
    known_name = library_folders._known_name
    async with open_db(postgres_address) as other:
        assert (await ingest(other, FakeAnalyzer(), _job(music))).tracks == 3
        analyzer, runs = HeldAnalyzer(), []

        async def interrupted(db: Database, given: str, resolved: str) -> str:
            if not runs:
                await other.all(DROP_LEASES)
                await until_free(other)
                runs.append(asyncio.create_task(ingest(other, analyzer, _job(moved))))
                await until(lambda: len(analyzer.calls) == 3)
            return await known_name(db, given, resolved)

        monkeypatch.setattr(library_folders, "_known_name", interrupted)
        move, forget = library_folders._move, library_folders._forget
        with pytest.raises(CatalogueError, match=r"kept other runs .* broke, so nothing was ch"):
            await (move(music, moved) if command == "move" else forget(music))
        [paths] = zip(*await other.all("SELECT source FROM track ORDER BY id LIMIT 3"), strict=True)
        assert {Path(path).parent for path in paths} == {music}
        analyzer.allow(3)
        assert (await runs[0]).tracks == 6
        if command == "move":
            assert (await move(music, moved)).moved == 3
        else:
            assert await forget(music) == 3


def _job(folder: Path) -> IngestJob:
    return IngestJob(folder=folder, model_id=MODEL, dimension=DIMENSION, labels=LABELS)
