"""Recommendations by tempo and key, and the reasons for each track."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from bot.recommender import Recommender
from db.connection import open_db
from genrec.agreement import CatalogueStatistics, agreements
from genrec.errors import KeyUnclear
from genrec.music_filter import COMPATIBLE, MusicWish
from genrec.types import Agreement, MusicDescription
from tests.bot.test_recommender import (
    CLIP,
    PRESET,
    FakePool,
    analysis,
    answer,
    like,
    near,
    serve,
    toward,
)

PLAIN = MusicDescription(
    bpm=120.0,
    bpm_confidence=0.9,
    key=21,
    key_confidence=0.9,
    loudness_lufs=-14.0,
    dynamics_lu=6.0,
    brightness_hz=1500.0,
    bass=0.25,
    onsets_per_s=2.5,
)
FAST = replace(PLAIN, bpm=150.0)
MAJOR = replace(PLAIN, key=0)
FAR = replace(PLAIN, bpm=150.0, key=1)


@pytest.fixture
async def recommender() -> AsyncIterator[Recommender]:
    """Yield a recommender over four tracks with a description and one without."""
    pool = FakePool()
    pool.analysis = replace(analysis(toward(0)), description=PLAIN)
    async with open_db(":memory:") as db:
        made = Recommender(pool=pool, database=db, preset=PRESET)
        described = (PLAIN, FAST, MAJOR, FAR, None)
        tracks = [replace(near(n), description=one) for n, one in enumerate(described, 1)]
        await serve(made, *tracks)
        yield made


async def titles(recommender: Recommender, wish: MusicWish) -> list[str]:
    clip = await recommender.analyze(CLIP)
    rec = await answer(recommender, clip, CLIP, music=wish)
    return [neighbour.track.title for neighbour in rec.tracks]


async def test_tempo_and_key_choose_tracks(recommender: Recommender) -> None:
    assert await titles(recommender, MusicWish()) == [f"Song {n}" for n in range(1, 6)]
    assert await titles(recommender, MusicWish(tempo=(118, 126))) == ["Song 1", "Song 3"]
    assert await titles(recommender, MusicWish(key=1)) == ["Song 4"]
    compatible = MusicWish(key=COMPATIBLE)
    assert await titles(recommender, compatible) == ["Song 1", "Song 2", "Song 3"]
    assert await titles(recommender, replace(compatible, tempo=(140, 160))) == ["Song 2"]
    assert await titles(recommender, MusicWish(tempo=(30, 40))) == []


async def test_the_note_names_what_was_asked_for(recommender: Recommender) -> None:
    clip = await recommender.analyze(CLIP)
    wish = MusicWish(tempo=(140, 160), key=COMPATIBLE)
    few = await answer(recommender, clip, CLIP, music=wish)
    assert few.note.startswith("Only 1 of 5: no other track of this tempo and key in the library")
    none = await answer(recommender, clip, CLIP, music=MusicWish(tempo=(30, 40)))
    assert none.note == "No track of this tempo in the library is similar enough."


async def test_a_filter_searches_all_tracks(recommender: Recommender) -> None:
    await serve(recommender, *(replace(near(n), description=FAST) for n in range(6, 400)))
    await serve(recommender, replace(near(420), description=replace(PLAIN, bpm=90.0)))
    assert await titles(recommender, MusicWish(tempo=(88, 92))) == ["Song 420"]


async def test_similar_tracks_of_a_track_fit_its_key(recommender: Recommender) -> None:
    seed = (await recommender.catalogue.browse(PRESET.model_id, "library"))[0]
    rec = await like(recommender, seed, music=MusicWish(key=COMPATIBLE))
    assert [neighbour.track.title for neighbour in rec.tracks] == ["Song 2", "Song 3"]
    assert rec.description is not None
    assert rec.description.bpm == pytest.approx(120)


async def test_the_catalogue_is_counted_once_per_revision(
    recommender: Recommender, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[bool] = []
    of = CatalogueStatistics.of

    def count(*args: Any) -> CatalogueStatistics:
        counted.append(threading.current_thread() is threading.main_thread())
        return of(*args)

    monkeypatch.setattr(CatalogueStatistics, "of", count)
    clip = await recommender.analyze(CLIP)
    for _ in range(3):
        await answer(recommender, clip)
    assert counted == [False]  # the event loop goes on meanwhile
    await answer(recommender, clip, CLIP, scopes=["library"])
    assert len(counted) == 2
    await serve(recommender, replace(near(7), description=PLAIN))
    await answer(recommender, clip)
    assert len(counted) == 3


async def test_agreements_are_found_off_the_event_loop(
    recommender: Recommender, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: set[threading.Thread] = set()

    def find(*args: Any) -> tuple[Agreement, ...]:
        threads.add(threading.current_thread())
        return agreements(*args)

    monkeypatch.setattr("genrec.agreement.agreements", find)
    clip = await recommender.analyze(CLIP)
    await answer(recommender, clip)
    assert threads
    assert threading.main_thread() not in threads


async def test_an_unclear_key_has_no_compatible_keys(recommender: Recommender) -> None:
    unclear = replace(analysis(toward(0)), description=replace(PLAIN, key_confidence=0.1))
    with pytest.raises(KeyUnclear):
        await answer(recommender, unclear, CLIP, music=MusicWish(key=COMPATIBLE))


async def test_each_track_has_its_own_reasons(recommender: Recommender) -> None:
    rec = await answer(recommender, await recommender.analyze(CLIP))
    assert rec.description == PLAIN
    reasons = [{each.kind for each in neighbour.reasons} for neighbour in rec.tracks]
    assert reasons == [{"tempo", "key"}, {"key"}, {"tempo", "compatible_key"}, set(), set()]
    assert rec.tracks[1].description is not None
    assert rec.tracks[4].description is None


async def test_reasons_come_back_for_the_same_tracks(recommender: Recommender) -> None:
    clip = await recommender.analyze(CLIP)
    rec = await answer(recommender, clip)
    again = await recommender.explain(
        replace(rec, tracks=tuple(replace(each, reasons=()) for each in rec.tracks))
    )
    assert again.tracks == rec.tracks
