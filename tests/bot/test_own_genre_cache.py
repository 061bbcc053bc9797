"""Own genres in memory: what is learned, when it is learned again, and what is shown."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from bot import own_genre_cache
from bot.own_genre_cache import MOST_SHOWN, OwnGenreCache
from db.connection import Database, open_db
from db.generations import NewTrack
from db.matrix import MatrixNeighbours
from db.taught_genres import TaughtClip, forget_genre, teach
from genrec.errors import CatalogueError

MODEL, D = "m@1", 16
LABELS = ("rock", "hiphop")


def around(axis: int, number: int) -> np.ndarray:
    x = 0.1 * np.random.default_rng(1000 * axis + number).standard_normal(D)
    x[axis] += 1
    return (x / np.linalg.norm(x)).astype(np.float32)


def tracks(axis: int, genre: str, count: int, *, tagged: bool = True) -> list[NewTrack]:
    return [
        NewTrack(
            title=f"T{n}",
            artist=f"Artist {axis} {n}",
            genre=genre,
            label="rock",
            tagged=tagged,
            embedding=around(axis, n),
            source=f"/{axis}/{n}.mp3",
        )
        for n in range(count)
    ]


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_db(tmp_path / "genrec.db") as opened:
        index = MatrixNeighbours(opened, MODEL)
        starter = [track for axis in range(8, 16) for track in tracks(axis, "pop", 5)]
        await index.catalogue.add("starter", MODEL, starter)
        yield opened


@pytest.fixture
def own(db: Database) -> OwnGenreCache:
    return OwnGenreCache(index=MatrixNeighbours(db, MODEL), db=db, labels=LABELS, dimension=D)


async def words(own: OwnGenreCache, axis: int, *scopes: str) -> list[str]:
    found = await own.words(scopes or ("library",), around(axis, 99), patient=True)
    return [score.label for score in found]


async def add(own: OwnGenreCache, scope: str, *groups: list[NewTrack]) -> None:
    for group in groups:
        await own._index.catalogue.add(scope, MODEL, group)


async def test_tags_are_words_and_predicted_or_the_presets_genres_are_not(
    own: OwnGenreCache,
) -> None:
    await add(
        own, "library", tracks(0, "Dub; Ska", 6), tracks(1, "Hip-Hop", 6),
        tracks(2, "Drone", 6, tagged=False),
    )  # fmt: skip
    assert await words(own, 0) == ["Dub/Ska"]
    assert await words(own, 1) == []
    assert await words(own, 2) == []
    learned = await own.learned("library", patient=True)
    assert [check.name for check in learned.checks] == ["Dub/Ska"]


async def test_narrower_of_two_genres_comes_first_on_its_own_tracks(own: OwnGenreCache) -> None:
    await add(own, "library", tracks(0, "Dub; Ska", 6), tracks(1, "Ska", 6))
    assert (await words(own, 0))[0] == "Dub"
    assert await words(own, 1) == ["Ska"]


async def test_taught_clips_and_tags_of_one_name_are_one_genre(
    own: OwnGenreCache, db: Database
) -> None:
    await add(own, "library", tracks(0, "dub", 2))
    clips = [TaughtClip(f"c{n}", around(0, 50 + n)) for n in range(3)]
    await teach(db, "library", MODEL, "Dub", clips)
    assert await words(own, 0) == ["Dub"]
    (check,) = (await own.learned("library", patient=True)).checks
    assert (check.tracks, check.taught) == (5, True)


async def test_taught_genre_is_learned_and_forgotten_at_once(
    own: OwnGenreCache, db: Database
) -> None:
    await own.learned("library", patient=True)
    clips = [TaughtClip(f"c{n}", around(0, n)) for n in range(3)]
    await teach(db, "library", MODEL, "Dub", clips)
    now = await own.words(("library",), around(0, 99))
    assert [score.label for score in now] == ["Dub"]
    await forget_genre(db, "library", "dub")
    assert await own.words(("library",), around(0, 99)) == ()


async def test_new_tracks_are_learned_after_a_pause_and_the_old_genres_serve_until_then(
    own: OwnGenreCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add(own, "library", tracks(0, "Dub", 6))
    first = await own.learned("library", patient=True)
    await add(own, "library", tracks(1, "Ska", 6))
    assert await own.learned("library") is first
    assert not own._learning
    monkeypatch.setattr(own_genre_cache, "_REFRESH_S", 0.0)
    assert await own.learned("library") is first
    await own._learning["library"]
    assert (await own.learned("library")).names == ("Dub", "Ska")


async def test_words_of_several_scopes_are_merged_and_few(own: OwnGenreCache) -> None:
    await add(own, "library", tracks(0, "Dub", 6))
    await add(own, "guild:7", tracks(0, "Riddim", 6))
    assert set(await words(own, 0, "starter", "library", "guild:7")) == {"Dub", "Riddim"}
    assert await words(own, 0, "library", "guild:8") == ["Dub"]
    assert MOST_SHOWN == 2


async def test_artist_decides_what_can_be_checked(own: OwnGenreCache) -> None:
    alone = [
        NewTrack(
            title=f"T{n}", artist="One", genre="Solo", label="rock", tagged=True,
            embedding=around(3, n), source=f"/solo/{n}.mp3",
        )
        for n in range(6)
    ]  # fmt: skip
    unknown = [
        NewTrack(
            title=f"T{n}", artist="", genre="Nameless", label="rock", tagged=True,
            embedding=around(4, n), source=f"/nameless/{n}.mp3",
        )
        for n in range(6)
    ]  # fmt: skip
    await add(own, "library", alone, unknown)
    checks = {c.name: c for c in (await own.learned("library", patient=True)).checks}
    assert checks["Solo"].refusal == "one_artist"
    assert (checks["Nameless"].artists, checks["Nameless"].refusal) == (6, "")


async def test_largest_genres_are_learned_from_a_limited_number_of_tracks(
    own: OwnGenreCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_genre_cache, "MAX_GENRES", 1)
    monkeypatch.setattr(own_genre_cache, "MAX_TRACKS", 8)
    await add(own, "library", tracks(0, "Dub", 20), tracks(1, "Ska", 6))
    (check,) = (await own.learned("library", patient=True)).checks
    assert (check.name, check.tracks) == ("Dub", 8)


async def test_empty_library_has_no_words(own: OwnGenreCache) -> None:
    assert await words(own, 0, "library", "guild:7") == []
    assert (await own.learned("library", patient=True)).checks == ()


async def test_failure_costs_the_words_and_not_the_answer(
    own: OwnGenreCache, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> None:
        raise CatalogueError("The disk is full: make room.")

    monkeypatch.setattr(own_genre_cache, "tagged_tracks", broken)
    with caplog.at_level(logging.WARNING):
        assert await words(own, 0) == []
    assert "own genres not learned: library" in caplog.text


async def test_patient_request_gets_what_was_taught_while_older_genres_are_learned(
    own: OwnGenreCache, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit, began, may_end = own_genre_cache._fit, threading.Event(), threading.Event()

    def slow_fit(*given):
        began.set()
        assert may_end.wait(30)
        return fit(*given)

    monkeypatch.setattr(own_genre_cache, "_fit", slow_fit)
    old = asyncio.create_task(own.learned("library", patient=True))
    assert await asyncio.to_thread(began.wait, 30)
    clips = [TaughtClip(f"c{n}", around(0, n)) for n in range(3)]
    await teach(db, "library", MODEL, "Dub", clips)
    new = asyncio.create_task(own.learned("library", patient=True))
    await asyncio.sleep(0.05)
    may_end.set()
    assert (await old).checks == ()
    assert [check.name for check in (await new).checks] == ["Dub"]
