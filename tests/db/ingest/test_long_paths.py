"""Tests of paths and links that are too long for an index of PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from db.connection import Database
from db.generations import MAX_SOURCE_BYTES
from db.ingest.run import IngestJob, ingest
from db.tracks import Catalogue
from genrec.errors import CatalogueError
from tests.db.fakes import DIMENSION, LABELS, MODEL, FakeAnalyzer, fill, new_track


def _source(size: int) -> str:
    """Return a link of this size that does not compress."""
    numbers = "".join(f"{number:05d}" for number in range(0, size * 17, 17))
    return f"https://music.example/{numbers}"[:size]


async def test_long_path_is_refused_and_the_other_files_are_indexed(
    db: Database, tmp_path: Path
) -> None:
    music = tmp_path / "music"
    fill(music, 3)
    deep = music
    while len(str(deep).encode()) < 2_800:
        deep /= f"{len(str(deep)):04d}é" * 40
    fill(deep, 1, start=7)
    job = IngestJob(folder=music, model_id=MODEL, dimension=DIMENSION, labels=LABELS)
    report = await ingest(db, FakeAnalyzer(), job)
    if db.engine == "sqlite":
        assert (report.tracks, report.failures) == (4, [])
        return
    assert report.tracks == 3
    (failure,) = report.failures
    assert failure.path.startswith(str(deep))
    assert f"PostgreSQL stores {MAX_SOURCE_BYTES:,} at most: shorten" in failure.reason
    assert (await ingest(db, FakeAnalyzer(), job)).failures == [failure]


async def test_longest_source_is_stored(catalogue: Catalogue) -> None:
    source = _source(MAX_SOURCE_BYTES)
    guild = f"guild:{2**63 - 1}"  # the longest scope
    await catalogue.add(guild, MODEL, [replace(new_track(1), source=source)])
    (track,) = await catalogue.browse(MODEL, guild)
    assert track.source == source


async def test_longer_source_is_refused_by_postgresql(catalogue: Catalogue) -> None:
    track = replace(new_track(1), source=_source(MAX_SOURCE_BYTES + 1))
    if catalogue.db.engine == "sqlite":
        await catalogue.add("library", MODEL, [track])
        assert await catalogue.count(MODEL, "library") == 1
        return
    with pytest.raises(CatalogueError, match="has 2,501 bytes, and PostgreSQL stores 2,500 at"):
        await catalogue.add("library", MODEL, [track])
    assert await catalogue.count(MODEL, "library") == 0


async def test_last_track_of_a_source_is_stored(catalogue: Catalogue) -> None:
    tracks = [replace(new_track(number), source="/music/a.mp3") for number in (1, 2)]
    await catalogue.add("library", MODEL, tracks)
    (track,) = await catalogue.browse(MODEL, "library")
    assert track.title == tracks[1].title
    assert await catalogue.count(MODEL, "library") == 1
