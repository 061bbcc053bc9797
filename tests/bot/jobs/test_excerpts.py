"""Tests of excerpts in the bot: one at a time, bounded, and kept until their file changes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.errors import RequestDeclined
from bot.jobs import excerpts as module
from bot.jobs.excerpts import MAX_WAITING, Excerpts
from db.connection import MEMORY, Database, open_db
from db.folders import register
from genrec.errors import Busy, SilentAudio, WorkerCrashed
from genrec.types import Section, SoundExcerpt, Track


class Pool:
    """Pool that returns excerpts of a given size, and counts what runs at once."""

    def __init__(self, size: int = 100) -> None:
        self.size = size
        self.cut: list[tuple[str, Section | None]] = []
        self.running = self.most = 0
        self.errors: dict[str, Exception] = {}

    async def excerpt(
        self, path: Path, section: Section | None = None, *, seconds: float
    ) -> SoundExcerpt:
        self.cut.append((path.name, section))
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(0.01)
        self.running -= 1
        if path.name in self.errors:
            raise self.errors[path.name]
        return SoundExcerpt(bytes(self.size), seconds)


@pytest.fixture
async def db() -> AsyncIterator[Database]:
    async with open_db(MEMORY) as opened:
        yield opened


@pytest.fixture
async def files(db: Database, tmp_path: Path) -> list[Track]:
    """Return tracks of four files in an indexed folder."""
    async with db.transaction() as tx:
        await register(tx, "library", str(tmp_path))
    for number in range(4):
        (tmp_path / f"{number}.flac").write_bytes(b"sound")
    return [Track(n, f"Song {n}", "A", "", str(tmp_path / f"{n}.flac")) for n in range(4)]


async def test_excerpts_are_cut_one_at_a_time_and_kept(db: Database, files: list[Track]) -> None:
    pool = Pool()
    excerpts = Excerpts(pool=pool, db=db, enabled=True)
    found = await asyncio.gather(*(excerpts.cut(files, user_id=n) for n in range(3)))
    assert all(all(each) for each in found)
    assert (len(pool.cut), pool.most) == (4, 1)


async def test_changed_file_is_cut_again(db: Database, files: list[Track]) -> None:
    pool = Pool()
    excerpts = Excerpts(pool=pool, db=db, enabled=True)
    await excerpts.cut(files[:1], user_id=1)
    os.utime(files[0].source, ns=(1, 1))
    await excerpts.cut(files[:1], user_id=1)
    assert len(pool.cut) == 2


async def test_sections_of_a_file_are_different_excerpts(db: Database, files: list[Track]) -> None:
    pool = Pool()
    excerpts = Excerpts(pool=pool, db=db, enabled=True)
    source = files[0].source
    songs = [Track(n, "S", "A", "", f"{source}#t={n},{n + 5}") for n in range(2)]
    await excerpts.cut(songs, user_id=1)
    assert [section for _, section in pool.cut] == [Section(0, 5), Section(1, 6)]


async def test_memory_for_excerpts_is_bounded(
    db: Database, files: list[Track], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_CACHED_BYTES", 250)
    pool = Pool()
    excerpts = Excerpts(pool=pool, db=db, enabled=True)
    await excerpts.cut(files, user_id=1)
    await excerpts.cut(files[2:], user_id=1)
    assert len(pool.cut) == 4, "the last two are kept"
    await excerpts.cut(files[:1], user_id=1)
    assert len(pool.cut) == 5


async def test_too_many_waiting_excerpts_are_busy(db: Database, files: list[Track]) -> None:
    excerpts = Excerpts(pool=Pool(), db=db, enabled=True)
    waiting = [asyncio.create_task(excerpts.cut(files, user_id=n)) for n in range(MAX_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await excerpts.cut(files, user_id=MAX_WAITING)
    await asyncio.gather(*waiting)
    assert all(await excerpts.cut(files, user_id=1))


async def test_failure_counts_only_if_there_is_no_excerpt(db: Database, files: list[Track]) -> None:
    pool = Pool()
    excerpts = Excerpts(pool=pool, db=db, enabled=True)
    pool.errors = {"0.flac": WorkerCrashed("x"), "1.flac": SilentAudio("x")}
    assert [bool(each) for each in await excerpts.cut(files[:3], user_id=1)] == [False, False, True]
    with pytest.raises(WorkerCrashed):
        await excerpts.cut(files[:2], user_id=1)
    assert await excerpts.cut(files[1:2], user_id=1) == [None]


@pytest.mark.parametrize("track", [
    Track(1, "S", "A", "", "starter:x", "starter"),
    Track(1, "S", "A", "", "https://a.example/x.mp3"),
    Track(1, "S", "A", "", "/etc/passwd"),
    Track(1, "S", "A", "", "/etc/passwd", "guild:1"),
])  # fmt: skip
async def test_other_tracks_have_no_excerpt(db: Database, files: list[Track], track: Track) -> None:
    pool = Pool()
    assert await Excerpts(pool=pool, db=db, enabled=True).cut([track], user_id=1) == [None]
    assert await Excerpts(pool=pool, db=db, enabled=False).cut(files[:1], user_id=1) == [None]
    assert pool.cut == []


async def test_one_user_runs_or_waits_for_one_press(db: Database, files: list[Track]) -> None:
    excerpts = Excerpts(pool=Pool(), db=db, enabled=True)
    first = asyncio.create_task(excerpts.cut(files, user_id=1))
    await asyncio.sleep(0)
    with pytest.raises(RequestDeclined, match="Press Listen again"):
        await excerpts.cut(files, user_id=1)
    assert all(await excerpts.cut(files, user_id=2))
    assert all(await first)
    assert all(await excerpts.cut(files, user_id=1))


async def test_path_that_leaves_the_indexed_folder_has_no_excerpt(
    db: Database, files: list[Track], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "linked").mkdir()
    for path in (outside / "x.flac", outside / "linked" / "y.flac"):
        path.write_bytes(b"sound")
    (tmp_path / "link").symlink_to(outside / "linked")
    excerpts = Excerpts(pool=Pool(), db=db, enabled=True)
    found = [
        (await excerpts.cut([Track(9, "S", "A", "", source)], user_id=1))[0]
        for source in (
            f"{tmp_path}/../{outside.name}/x.flac",
            f"{tmp_path}/link/../x.flac",
            f"{tmp_path}/link/y.flac",
        )
    ]
    assert [each is not None for each in found] == [False, False, True], "a scan follows links"
