"""Radio lists: near the seeds, with even steps, artists apart, and why they are short."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import numpy as np
import pytest

from bot.radio_station import RadioStation
from bot.recommender import Recommender
from db.connection import open_db
from genrec.errors import NoMusic
from genrec.names import artist_key
from genrec.questions import Question, Rules, Seed
from genrec.radio import is_apart
from genrec.types import Track
from tests.bot.test_recommender import PRESET, FakePool, analysis, toward, track
from tests.bot.test_recommender import near as near_track


@pytest.fixture
async def recommender() -> AsyncIterator[Recommender]:
    """Make a recommender over an empty catalogue."""
    async with open_db(":memory:") as db:
        yield Recommender(pool=FakePool(), database=db, preset=PRESET)


@pytest.fixture
async def starter() -> AsyncIterator[Recommender]:
    """Make a recommender over the starter catalogue of the shipped preset."""
    async with open_db(":memory:") as db:
        opened = Recommender(pool=FakePool(), database=db, preset=PRESET)
        await opened.open()
        yield opened


async def vectors(recommender: Recommender, tracks: tuple[Track, ...]) -> np.ndarray:
    found = [await recommender.embedding(each.id) for each in tracks]
    return np.stack([vector for vector in found if vector is not None])


async def some_track(recommender: Recommender, place: int) -> Seed:
    rows = await recommender.index.rows()
    found = await recommender.tracks([int(rows.ids[place])])
    return await recommender.track_seed(found[0])


@pytest.mark.parametrize("place", [5, 140, 333, 512, 700])
async def test_list_of_the_starter_flows_and_stays_near(starter: Recommender, place: int) -> None:
    seed = await some_track(starter, place)
    question = Question((seed,), Rules(count=30))
    found = await RadioStation(starter).play(question, chance=place)
    x = await vectors(starter, found.tracks)
    artists = [artist_key(each.artist) for each in found.tracks]
    assert len(found.tracks) == 30
    assert is_apart(artists, 4)
    assert artist_key(seed.artist) not in artists
    steps = np.arccos(np.clip((x[:-1] * x[1:]).sum(axis=1), -1, 1))
    rng = np.random.default_rng(place)
    random = []
    for _ in range(100):
        order = rng.permutation(30)
        random.append(np.arccos(np.clip((x[order[:-1]] * x[order[1:]]).sum(axis=1), -1, 1)))
    assert steps.sum() < min(each.sum() for each in random)
    rows = await starter.index.rows()
    assert (x @ seed.embedding).min() > np.median(rows.matrix @ seed.embedding)


async def test_fallback_scopes_are_used_for_lack_of_own_songs(starter: Recommender) -> None:
    seed = await some_track(starter, 140)
    rules = Rules(count=20, scopes=("library",), fallback=("starter",))
    found = await RadioStation(starter).play(Question((seed,), rules), chance=1)
    assert found.fallback
    assert len(found.tracks) == 20


async def test_reason_of_a_short_list_is_true(recommender: Recommender) -> None:
    tracks = [near_track(n, artist=f"Artist {n % 2}") for n in range(40)]
    await recommender.catalogue.add("library", PRESET.model_id, tracks)
    seed = Seed(toward(0))
    station = RadioStation(recommender)
    found = await station.play(Question((seed,), Rules(count=20)), chance=1)
    assert (len(found.tracks), found.shortage) == (2, "artists")
    found = await station.play(Question((seed,), Rules(count=20)), chance=1, apart=0)
    assert (len(found.tracks), found.shortage) == (20, "")


async def test_songs_that_are_not_similar_are_left_out(recommender: Recommender) -> None:
    tracks = [near_track(n) for n in range(12)] + [track(n, toward(3)) for n in range(50, 90)]
    await recommender.catalogue.add("library", PRESET.model_id, tracks)
    found = await RadioStation(recommender).play(
        Question((Seed(toward(0)),), Rules(count=20)), chance=1
    )
    assert (len(found.tracks), found.shortage) == (12, "similar")


async def test_clip_without_music_has_no_list(recommender: Recommender) -> None:
    noise = replace(analysis(toward(0)), music=0.0)
    with pytest.raises(NoMusic):
        await RadioStation(recommender).play(Question((Seed(toward(0), analysis=noise),)), chance=1)
