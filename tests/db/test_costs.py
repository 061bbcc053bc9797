"""Tests that the cost of an operation does not grow with the catalogue."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from db import browse, folders, generations
from db.connection import Database, open_db
from db.ingest.run import IngestJob, ingest
from db.served import open_served
from db.similar_names import similar_names
from db.taught_genres import is_tagged, taught_version
from db.tracks import Catalogue
from genrec.page_titles import SongName
from tests.db.costs import RARE, count_changes, count_steps, fill_catalogue
from tests.db.fakes import DIMENSION, LABELS, MODEL, FakeAnalyzer, fill, new_track

SMALL, LARGE = 300, 6_000  # twenty times as many
_GROWTH = 1.6
# Steps for deeper trees and more segments; a hundred rows more cost as much on SQLite.
_LOGARITHMIC = {"sqlite": 2_000, "postgres": 150}
_MOST = {"sqlite": 20_000, "postgres": 4_000}
Operation = Callable[[Catalogue], Awaitable[object]]


async def _last(catalogue: Catalogue) -> int:
    return await catalogue.db.number("SELECT max(track_id) FROM entry WHERE generation_id = 1")


async def _middle_page(catalogue: Catalogue) -> object:
    middle = await _last(catalogue) // 2
    return await catalogue.browse(MODEL, "library", limit=10, after=middle)


async def _remove_one(catalogue: Catalogue) -> None:
    assert await catalogue.remove("library", [await _last(catalogue)]) == 1
    await generations.sweep(catalogue.db)


async def _by_name(catalogue: Catalogue) -> None:
    names = [SongName("Song 0000007", "Artist 000007")]
    found = similar_names(catalogue.db, MODEL, ["library"], names)
    assert len(await anext(found)) == 1
    await found.aclose()


async def _index_guild(catalogue: Catalogue, scope: str = "guild:2") -> None:
    async with catalogue.db.transaction(lock=generations.CATALOGUE) as tx:
        new = await generations.ensure(tx, scope, MODEL, DIMENSION, "building")
        await generations.put(tx, new, [new_track(9_000_001), new_track(9_000_002)])
        await generations.activate(tx, new)


async def _forget_guild(catalogue: Catalogue) -> None:
    await _index_guild(catalogue, "guild:3")
    assert await catalogue.remove_scope("guild:3")


async def _index_a_few(catalogue: Catalogue) -> None:
    async with catalogue.db.transaction(lock=generations.CATALOGUE) as tx:
        active = await generations.find(tx, "library", MODEL, "active")
        new = await generations.ensure(tx, "library", MODEL, DIMENSION, "building")
        tracks = [new_track(n, source=f"/few/{n}.mp3") for n in (9_000_003, 9_000_004)]
        await generations.put(tx, new, tracks)
        assert active is not None
        assert await generations.merge(tx, new, active) == active


async def _move_folder(catalogue: Catalogue) -> None:
    await _index_a_few(catalogue)
    with tempfile.TemporaryDirectory() as target:
        Path(target, "9000003.mp3").touch()
        moved = await folders.move_folder(catalogue.db, "library", "/few", target)
        assert (moved.moved, moved.gone) == (1, 1)
        await folders.forget_folder(catalogue.db, "library", target)


async def _forget_folder(catalogue: Catalogue) -> None:
    await _index_a_few(catalogue)
    assert await folders.forget_folder(catalogue.db, "library", "/few") == 2


OPERATIONS: Mapping[str, Operation] = {
    "first page": lambda c: c.browse(MODEL, "library"),
    "page in the middle": _middle_page,
    "all scopes": lambda c: c.browse(MODEL),
    "rare word": lambda c: c.browse(MODEL, "library", text=RARE),
    "part of a rare word": lambda c: c.browse(MODEL, "library", text=RARE[1:5]),
    "common word": lambda c: c.browse(MODEL, "library", text="song"),
    "first letter": lambda c: c.browse(MODEL, "library", text="s"),
    "common and rare word": lambda c: c.browse(MODEL, "library", text=f"artist {RARE}"),
    "word of no track": lambda c: c.browse(MODEL, "library", text="xylophone"),
    "word in a small guild": lambda c: c.browse(MODEL, "guild:1", text="song"),
    "song by its name": _by_name,
    "version of the taught genres": lambda c: taught_version(c.db, "library"),
    "whether a genre is a tag": lambda c: is_tagged(c.db, 7),
    "count": lambda c: c.count(MODEL, "library"),
    "count of a rare word": lambda c: c.count(MODEL, "library", text=RARE),
    "stats": lambda c: c.stats(MODEL),
    "tracks by id": lambda c: c.tracks(MODEL, range(1, 49)),
    "add one": lambda c: c.add("library", MODEL, [new_track(9_999_999)]),
    "remove one": _remove_one,
    "index a small guild": _index_guild,
    "forget a small guild": _forget_guild,
    "index a few files": _index_a_few,
    "move a folder of a few files": _move_folder,
    "forget a folder of a few files": _forget_folder,
    "sweep": lambda c: generations.sweep(c.db),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["file", "postgres"])
async def catalogues(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[list[Catalogue]]:
    """Return a small catalogue and one of twenty times as many tracks."""
    folder: Path = tmp_path_factory.mktemp("costs")
    async with AsyncExitStack() as stack:
        opened = []
        for count in (SMALL, LARGE):
            location: Path | str = folder / f"{count}.db"
            if request.param == "postgres":
                location = request.getfixturevalue("postgres_server").new_schema()
            db = await stack.enter_async_context(open_db(location))
            if db.engine == "postgres":
                assert await open_served(db, MODEL), "the server of the tests has pgvector"
            await fill_catalogue(db, count)
            opened.append(Catalogue(db))
        yield opened


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", OPERATIONS)
async def test_operation_costs_the_same_in_a_large_catalogue(
    catalogues: list[Catalogue], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browse, "MAX_SORTED", 100)  # in proportion to these catalogues
    small, large = [
        await count_steps(catalogue.db, lambda c=catalogue: OPERATIONS[name](c))  # type: ignore[misc]
        for catalogue in catalogues
    ]
    engine = catalogues[0].db.engine
    figures = f"{name}: {small} steps of {engine} for {SMALL} tracks, {large} for {LARGE}"
    assert 0 < small < _MOST[engine], figures
    assert large < _GROWTH * small + _LOGARITHMIC[engine], figures


async def test_reindex_of_an_unchanged_folder_writes_no_track(db: Database, tmp_path: Path) -> None:
    async def index() -> None:
        job = IngestJob(
            folder=tmp_path / "music", model_id=MODEL, dimension=DIMENSION, labels=LABELS
        )
        await ingest(db, FakeAnalyzer(), job)

    async def rows() -> list[tuple[object, ...]]:
        return [
            row
            for table in ("entry", "track", "embedding", "tally", "change", "maybe_unused")
            for row in await db.all(f"SELECT * FROM {table}")
        ]

    fill(tmp_path / "music", 40)
    await index()
    before = await rows()
    assert await count_changes(db, index) <= 3  # the folder's row, the building generation
    assert await rows() == before
    few = await count_steps(db, index)
    fill(tmp_path / "music", 400)
    await index()
    assert await count_steps(db, index) < 11 * few  # ten times the files
