"""CPU time of operations of the catalogue: 10,000 and 200,000 tracks, a million on demand.

On PostgreSQL the time is that of both processes: of genrec, and of the server and its children.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from db import folders, generations
from db.address import PostgresAddress
from db.connection import open_db
from db.ingest.run import IngestJob, ingest
from db.similar_names import similar_names
from db.tracks import Catalogue
from genrec.page_titles import SongName
from genrec.song_match import match_song
from tests.benchmarks.served_world import cpu_seconds
from tests.db.costs import RARE, fill_catalogue
from tests.db.fakes import DIMENSION, MODEL, FakeAnalyzer, new_track
from tests.db.postgres_server import PostgresServer

Operation = Callable[[Catalogue], Awaitable[object]]
Location = Path | PostgresAddress
ENGINES = ("sqlite", "postgres")

SIZES = (
    pytest.param(10_000, id="ten-thousand"),
    pytest.param(200_000, id="two-hundred-thousand"),
    pytest.param(1_000_000, id="million"),  # make bench ARGS="-k million"
)
# The kernel counts the time of a server's processes in hundredths of a second.
_ROUNDS = {"sqlite": 20, "postgres": 100}


async def _remove_one(catalogue: Catalogue) -> None:
    (track,) = await catalogue.browse(MODEL, "library", limit=1)
    await catalogue.remove("library", [track.id])


async def _forget_folder(catalogue: Catalogue) -> None:
    tracks = [new_track(9_000_000 + n, source=f"/few/{n}.mp3") for n in range(5)]
    await catalogue.add("library", MODEL, tracks)
    assert await folders.forget_folder(catalogue.db, "library", "/few") == 5


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
    "folder of 5 tracks, added and forgotten": _forget_folder,
    "sweep": lambda c: generations.sweep(c.db),
}


@pytest.fixture(scope="module")
def filled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, int], Location]:
    """Return a function that makes the database of an engine and a size, once."""
    folder = tmp_path_factory.mktemp("catalogue")
    last: list[tuple[str, int, Location]] = []

    def make(engine: str, count: int) -> Location:
        if last and last[0][:2] == (engine, count):
            return last[0][2]
        for old in folder.iterdir():  # one at a time on the disk
            old.unlink()
        location: Location = folder / f"{count}.db"
        if engine == "postgres":
            server = request.getfixturevalue("postgres_server")
            location = PostgresAddress(server.new_schema())
        started = time.process_time()
        asyncio.run(_fill(location, count))
        rate = count / (time.process_time() - started)
        sys.stderr.write(f"{count:,} tracks stored, {rate:,.0f} a CPU second of genrec\n")
        last[:] = [(engine, count, location)]
        return location

    return make


async def _fill(location: Location, count: int) -> None:
    async with open_db(location) as db:
        await fill_catalogue(db, count)


async def _measure(
    location: Location, operation: Operation, server: PostgresServer | None
) -> tuple[float, float]:
    """Return the mean milliseconds of genrec and of the server for an operation."""
    async with open_db(location, check=False) as db:
        await operation(Catalogue(db))
        rounds = _ROUNDS[db.engine]
        both, here = cpu_seconds(server), time.process_time()
        for _ in range(rounds):
            await operation(Catalogue(db))
        here = time.process_time() - here
        both = cpu_seconds(server) - both
        return 1000 * here / rounds, max(0.0, 1000 * (both - here) / rounds) if server else 0.0


def _lines(figures: Mapping[str, tuple[float, float]], server: PostgresServer | None) -> list[str]:
    if server is None:
        return [f"  {here:8.2f} ms  {name}" for name, (here, _) in figures.items()]
    return [
        f"  {here + there:8.2f} ms ({here:.2f} genrec, {there:.2f} server)  {name}"
        for name, (here, there) in figures.items()
    ]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("count", SIZES)
@pytest.mark.timeout(1800)
def test_catalogue(
    benchmark: BenchmarkFixture, filled: Callable[[str, int], Location], engine: str, count: int,
    timed: bool, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Print milliseconds of CPU for each operation; the benchmark itself is autocomplete."""
    if count > 200_000 and "million" not in request.config.getoption("keyword"):
        pytest.skip('a million tracks take minutes: make bench ARGS="-k million"')
    location = filled(engine, count if timed else 300)
    server = request.getfixturevalue("postgres_server") if engine == "postgres" else None

    def measured(name: str) -> tuple[float, float]:
        return asyncio.run(_measure(location, OPERATIONS[name], server))

    figures = {name: measured(name) for name in OPERATIONS}
    assert all(here > 0 for here, _ in figures.values())
    if timed:  # of 300 tracks, the server's time may be less than the kernel counts
        assert server is None or any(there > 0 for _, there in figures.values())
    benchmark.group = f"8 catalogue of {count:,} tracks"
    benchmark.extra_info |= {name: here + there for name, (here, there) in figures.items()}
    benchmark.pedantic(lambda: measured("autocomplete, rare word"), rounds=1)
    if timed:
        with capsys.disabled():
            head = f"{count:,} tracks, {engine}, CPU time:"
            sys.stdout.write("\n".join(["", head, *_lines(figures, server), ""]))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("count", [2_000, 10_000])
def test_reindex_of_an_unchanged_folder_of_the_catalogue(
    benchmark: BenchmarkFixture, engine: str, count: int, timed: bool, tmp_path: Path,
    request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """The cost is linear in the files that are looked at."""
    music, server = tmp_path / "music", None
    location: Location = tmp_path / "genrec.db"
    if engine == "postgres":
        server = request.getfixturevalue("postgres_server")
        location = PostgresAddress(request.getfixturevalue("postgres_address"))
    music.mkdir()
    for number in range(count if timed else 20):
        (music / f"Artist {number % 100} - Song {number}.mp3").write_bytes(b"%d" % number)

    async def index() -> tuple[bool, float, float]:
        job = IngestJob(folder=music, model_id=MODEL, dimension=DIMENSION)
        async with open_db(location) as db:
            both, here = cpu_seconds(server), time.process_time()
            report = await ingest(db, FakeAnalyzer(), job)
            here = time.process_time() - here
            return report.switched, here, cpu_seconds(server) - both - here if server else 0.0

    assert asyncio.run(index())[0]
    benchmark.group = "9 re-index without changes"
    switched, here, there = benchmark.pedantic(lambda: asyncio.run(index()), rounds=1)
    assert not switched
    if timed:
        with capsys.disabled():
            line = _lines({"re-index without changes": (1000 * here, 1000 * there)}, server)[0]
            sys.stdout.write(f"\n{count:,} files, {engine}, CPU time:\n{line}\n")
    shutil.rmtree(music)
