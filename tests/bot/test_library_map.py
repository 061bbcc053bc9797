"""Maps by scopes: computed once, kept, extended, and computed again after many changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from bot.library_map import LibraryMaps
from db.connection import Database, open_db
from db.generations import NewTrack
from db.guild_settings import forget_guild
from db.map_cache import map_path
from db.matrix import MatrixNeighbours
from genrec.errors import MapFailed, MapTooSmall

MODEL = "model"
LIBRARY = {"library"}


class Layouts:
    """Computes places without t-SNE, and counts."""

    def __init__(self) -> None:
        self.starts: list[np.ndarray | None] = []
        self.go = asyncio.Event()
        self.go.set()
        self.fails = False

    async def __call__(
        self, ids: np.ndarray, matrix: np.ndarray, start: np.ndarray | None = None
    ) -> np.ndarray:
        self.starts.append(start)
        await self.go.wait()
        if self.fails:
            raise MapFailed("no map")
        places: np.ndarray = matrix[:, :2] if start is None else np.flip(start, axis=1)
        return places


def track(number: int, scope: str = "library", version: int = 0) -> NewTrack:
    vector = np.random.default_rng((number, version)).normal(size=8)
    return NewTrack(
        title=f"Title {number}", artist="A", genre="jazz",
        embedding=(vector / np.linalg.norm(vector)).astype(np.float32), fingerprint=None,
        source=f"/music/{number}.flac", content=f"{scope}{number}{version}",
    )  # fmt: skip


class Library:
    """A database with tracks, and maps of it."""

    def __init__(self, db: Database) -> None:
        self.db, self.layouts = db, Layouts()
        self.index = MatrixNeighbours(db, MODEL)
        self.maps = self.opened()

    def opened(self) -> LibraryMaps:
        return LibraryMaps(index=self.index, database=self.db, model_id=MODEL, compute=self.layouts)

    async def add(self, numbers: range, scope: str = "library", version: int = 0) -> list[int]:
        tracks = [track(number, scope, version) for number in numbers]
        return await self.index.catalogue.add(scope, MODEL, tracks)


@pytest.fixture
async def library(tmp_path: Path) -> AsyncIterator[Library]:
    async with open_db(tmp_path / "genrec.db") as db:
        yield Library(db)


async def test_map_is_computed_once_and_kept_over_a_restart(library: Library) -> None:
    await library.add(range(20))
    first = await library.maps.of(LIBRARY)
    assert first.positions.shape == (20, 2)
    assert np.abs(first.positions).max() == pytest.approx(1)
    again = await library.maps.of(LIBRARY)
    restarted = await library.opened().of(LIBRARY)
    for other in (again, restarted):
        assert np.array_equal(other.ids, first.ids)
        assert np.array_equal(other.positions, first.positions)
    assert library.layouts.starts == [None]


async def test_two_requests_for_one_map_compute_it_once(library: Library) -> None:
    await library.add(range(20))
    library.layouts.go.clear()
    told: asyncio.Queue[None] = asyncio.Queue()
    waiting = [
        asyncio.create_task(library.maps.of(LIBRARY, lambda: told.put_nowait(None)))
        for _ in range(2)
    ]
    await told.get()
    await told.get()
    waiting[0].cancel()  # the other one still gets its map
    library.layouts.go.set()
    assert len((await waiting[1]).ids) == 20
    assert library.layouts.starts == [None]


async def test_ready_map_does_not_wait_for_another_one(library: Library) -> None:
    await library.add(range(20))
    await library.add(range(20), "guild:1")
    before = await library.maps.of(LIBRARY)
    library.layouts.go.clear()
    computes = asyncio.Event()
    other = asyncio.create_task(library.maps.of({"guild:1"}, computes.set))
    async with asyncio.timeout(5):
        await computes.wait()
        ready = await library.maps.of(LIBRARY)
    assert np.array_equal(ready.positions, before.positions)
    assert not other.done()
    library.layouts.go.set()
    assert len((await other).ids) == 20


async def test_few_new_tracks_are_placed_and_the_others_stay(library: Library) -> None:
    await library.add(range(20))
    before = await library.maps.of(LIBRARY)
    (new,) = await library.add(range(100, 101))
    await library.index.catalogue.remove("library", [int(before.ids[0])])
    after = await library.maps.of(LIBRARY)
    assert len(library.layouts.starts) == 1
    assert new in after.ids
    places = dict(zip(after.ids.tolist(), after.positions.tolist(), strict=True))
    for track_id, place in zip(before.ids.tolist()[1:], before.positions.tolist()[1:], strict=True):
        assert places[track_id] == place
    restarted = await library.opened().of(LIBRARY)
    assert np.array_equal(restarted.positions, after.positions)
    assert len(library.layouts.starts) == 1


async def test_many_new_tracks_compute_it_again_from_the_old_places(library: Library) -> None:
    await library.add(range(20))
    before = await library.maps.of(LIBRARY)
    await library.add(range(100, 110))
    after = await library.maps.of(LIBRARY)
    first, second = library.layouts.starts
    assert first is None
    assert second is not None
    places = dict(zip(after.ids.tolist(), second.tolist(), strict=True))
    for track_id, place in zip(before.ids.tolist(), before.positions.tolist(), strict=True):
        assert places[track_id] == place
    # The second layout is the first one mirrored, so it is turned back.
    kept = np.isin(after.ids, before.ids)
    moved = after.positions[kept] - after.positions[kept].mean(axis=0)
    stayed = before.positions - before.positions.mean(axis=0)
    cosine = (moved * stayed).sum() / np.linalg.norm(moved) / np.linalg.norm(stayed)
    assert cosine > 0.99


async def test_track_that_was_analysed_again_is_placed_anew(library: Library) -> None:
    await library.add(range(20))
    before = await library.maps.of(LIBRARY)
    await library.add(range(1), version=1)
    after = await library.maps.of(LIBRARY)
    old, new = (
        dict(zip(found.ids.tolist(), found.positions.tolist(), strict=True))
        for found in (before, after)
    )
    assert [i for i in old if old[i] != new[i]] == [min(old)]
    assert len(library.layouts.starts) == 1


async def test_map_of_a_server_has_no_tracks_of_others(library: Library) -> None:
    await library.add(range(20))
    await library.add(range(200, 215), scope="guild:1")
    found = await library.maps.of({"guild:1"})
    assert len(found.ids) == 15
    rows = await library.index.rows()
    assert set(found.ids.tolist()) == set(rows.ids[rows.allowed({"guild:1"})].tolist())


async def test_guild_that_left_has_no_file_of_a_map(library: Library) -> None:
    await library.add(range(20))
    await library.add(range(20), "guild:1")
    await library.maps.of(LIBRARY)
    await library.maps.of({"guild:1"})
    await library.maps.of({"guild:1", *LIBRARY})
    folder = Path(library.db.path).parent
    assert len(list(folder.glob("*-map-*"))) == 3
    await forget_guild(library.db, 1)
    left = map_path(library.db.path, MODEL, LIBRARY)
    assert list(folder.glob("*-map-*")) == [left]


async def test_map_of_too_few_tracks_says_how_many_are_needed(library: Library) -> None:
    await library.add(range(9))
    with pytest.raises(MapTooSmall, match="at least 10 tracks, and here are 9"):
        await library.maps.of(LIBRARY)


async def test_map_that_failed_is_tried_again(library: Library) -> None:
    await library.add(range(20))
    library.layouts.fails = True
    with pytest.raises(MapFailed):
        await library.maps.of(LIBRARY)
    library.layouts.fails = False
    assert len((await library.maps.of(LIBRARY)).ids) == 20


async def test_damaged_file_is_computed_again(library: Library) -> None:
    await library.add(range(20))
    await library.maps.of(LIBRARY)
    map_path(library.db.path, MODEL, LIBRARY).write_bytes(b"no archive")
    assert len((await library.opened().of(LIBRARY)).ids) == 20
    assert len(library.layouts.starts) == 2


async def test_clip_is_placed_among_its_nearest_tracks(library: Library) -> None:
    await library.add(range(20))
    found = await library.maps.of(LIBRARY)
    nearest = found.place_of(found.matrix[4])
    assert np.hypot(*(np.array(nearest) - found.positions[4])) < 0.5
