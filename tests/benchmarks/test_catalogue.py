"""CPU time of operations of the catalogue: 10,000 and 200,000 tracks, a million on demand."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from db import generations
from db.connection import open_db
from db.ingest.run import IngestJob, ingest
from db.similar_names import similar_names
from db.tracks import Catalogue
from genrec.page_titles import SongName
from genrec.song_match import match_song
from tests.db.costs import RARE, fill_catalogue
from tests.db.fakes import DIMENSION, MODEL, FakeAnalyzer, new_track

Operation = Callable[[Catalogue], Awaitable[object]]

SIZES = (
    pytest.param(10_000, id="ten-thousand"),
    pytest.param(200_000, id="two-hundred-thousand"),
    pytest.param(1_000_000, id="million"),  # make bench ARGS="-k million"
)
_ROUNDS = 20


async def _remove_one(catalogue: Catalogue) -> None:
    (track,) = await catalogue.browse(MODEL, "library", limit=1)
    await catalogue.remove("library", [track.id])


async def _find_song(catalogue: Catalogue, title: str, artist: str) -> None:
    names = [SongName(title, artist)]
    async for tracks in similar_names(catalogue.db, MODEL, ["library"], names):
        match = match_song(names, tracks)
        if match.sure is not None or match.similar:
            return
    raise AssertionError(f"{artist} - {title}: not found")


OPERATIONS: Mapping[str, Operation] = {
    "autocomplete, no word": lambda c: c.browse(MODEL, "library"),
    "autocomplete, rare word": lambda c: c.browse(MODEL, "library", text=RARE),
    "autocomplete, common word": lambda c: c.browse(MODEL, "library", text="song"),
    "autocomplete, one letter": lambda c: c.browse(MODEL, "library", text="s"),
    "count for a page": lambda c: c.count(MODEL, "library"),
    "count of a rare word": lambda c: c.count(MODEL, "library", text=RARE),
    "song of a link, exact name": lambda c: _find_song(c, "Song 0000007", "Artist 000007"),
    "song of a link, typos": lambda c: _find_song(c, f"Sogn 0000001 {RARE[:-1]}e", "Artits 000001"),
    "/about": lambda c: c.stats(MODEL),
    "one added track": lambda c: c.add("library", MODEL, [new_track(9_999_999)]),
    "one removed track": _remove_one,
    "sweep": lambda c: generations.sweep(c.db),
}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """Return a function that makes the database of a size, once."""
    folder = tmp_path_factory.mktemp("catalogue")

    def make(count: int) -> Path:
        path = folder / f"{count}.db"
        if not path.exists():
            for old in folder.iterdir():  # one at a time on the disk
                old.unlink()
            started = time.process_time()
            asyncio.run(_fill(path, count))
            rate = count / (time.process_time() - started)
            sys.stderr.write(f"{count:,} tracks stored, {rate:,.0f} a CPU second\n")
        return path

    return make


async def _fill(path: Path, count: int) -> None:
    async with open_db(path) as db:
        await fill_catalogue(db, count)


@pytest.mark.parametrize("count", SIZES)
@pytest.mark.timeout(1800)
def test_catalogue(
    benchmark: BenchmarkFixture, filled: Callable[[int], Path], count: int, timed: bool,
    request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Print milliseconds of CPU for each operation; the benchmark itself is autocomplete."""
    if count > 200_000 and "million" not in request.config.getoption("keyword"):
        pytest.skip('a million tracks take minutes: make bench ARGS="-k million"')
    path = filled(count if timed else 300)

    async def measure(operation: Operation) -> float:
        async with open_db(path, check=False) as db:
            await operation(Catalogue(db))
            started = time.process_time()
            for _ in range(_ROUNDS):
                await operation(Catalogue(db))
            return 1000 * (time.process_time() - started) / _ROUNDS

    figures = {name: asyncio.run(measure(operation)) for name, operation in OPERATIONS.items()}
    assert all(figure > 0 for figure in figures.values())
    benchmark.group = f"8 catalogue of {count:,} tracks"
    benchmark.extra_info |= figures
    benchmark.pedantic(
        lambda: asyncio.run(measure(OPERATIONS["autocomplete, rare word"])), rounds=1
    )
    if timed:
        with capsys.disabled():
            lines = [f"  {figure:8.2f} ms  {name}" for name, figure in figures.items()]
            sys.stdout.write("\n".join(["", f"{count:,} tracks, CPU time:", *lines, ""]))


@pytest.mark.parametrize("count", [2_000, 10_000])
def test_reindex_of_an_unchanged_folder(
    benchmark: BenchmarkFixture, count: int, timed: bool, tmp_path: Path
) -> None:
    """The cost is linear in the files that are looked at."""
    music = tmp_path / "music"
    music.mkdir()
    for number in range(count if timed else 20):
        (music / f"Artist {number % 100} - Song {number}.mp3").write_bytes(b"%d" % number)

    async def index() -> bool:
        async with open_db(tmp_path / "genrec.db") as db:
            job = IngestJob(folder=music, model_id=MODEL, dimension=DIMENSION)
            return (await ingest(db, FakeAnalyzer(), job)).switched

    assert asyncio.run(index())
    benchmark.group = "9 re-index without changes"
    assert not benchmark.pedantic(lambda: asyncio.run(index()), rounds=1)
    shutil.rmtree(music)
