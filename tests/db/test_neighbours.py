"""Neighbours: filters, embeddings of some tracks and counts, whatever the engine."""

from __future__ import annotations

import numpy as np
import pytest

from db.choose_neighbours import choose_neighbours
from db.connection import Database
from db.generations import NewTrack
from db.neighbours import Neighbours, TrackFilter
from genrec.seed_scores import SeedScores

MODEL = "toy-1"
D = 16


def new_track(number: int, artist: str, genre: str) -> NewTrack:
    rng = np.random.default_rng(number)
    vector = rng.standard_normal(D).astype(np.float32)
    return NewTrack(
        title=f"Song {number}",
        artist=artist,
        genre=genre,
        embedding=vector / np.linalg.norm(vector),
        content=f"{number:064d}",
    )


@pytest.fixture
async def neighbours(db: Database) -> Neighbours:
    index = await choose_neighbours(db, MODEL, fill=True)
    genres = ("rock", "jazz")
    library = [new_track(n, f"Artist {n % 7}", genres[n % 2]) for n in range(60)]
    await index.catalogue.add("library", MODEL, library)
    await index.catalogue.add("guild:7", MODEL, [new_track(n, "", "rock") for n in range(60, 70)])
    return index


def scores(number: int) -> SeedScores:
    seed = new_track(number, "", "").embedding
    return SeedScores(seed[np.newaxis], np.zeros((0, D), dtype=np.float32))


async def test_search_filters_scopes_genre_ids_and_artists(neighbours: Neighbours) -> None:
    near = await neighbours.search(scores(4), TrackFilter(("library", "guild:7")), 70)
    assert len(near.ids) == 70
    assert near.scores[0] == pytest.approx(1)
    assert (np.diff(near.scores) <= 0).all()
    own = near.ids[0]
    genre = await neighbours.search(scores(4), TrackFilter(("library",), "rock"), 70)
    assert len(genre.ids) == 30
    without = frozenset(near.ids[:2].tolist())
    among = TrackFilter(("library",), without=without, without_artists=frozenset({"artist 3"}))
    left = await neighbours.search(scores(4), among, 70)
    assert own not in left.ids
    artists = (await neighbours.vectors(left.ids.tolist())).artists
    assert "artist 2" in artists
    assert "artist 3" not in artists


async def test_embeddings_are_in_the_order_of_ids(neighbours: Neighbours) -> None:
    ids = await neighbours.ids_of(("library",))
    found = await neighbours.vectors([ids[9], ids[2], 10**9])
    assert found.ids.tolist() == sorted((ids[2], ids[9]))
    assert found.genres == ["rock", "jazz"]
    near = await neighbours.search(scores(2), TrackFilter(("library",)), 1)
    assert found.vectors[0].tolist() == near.vectors[0].tolist()


async def test_unknown_artists_count_once_a_track(neighbours: Neighbours) -> None:
    assert await neighbours.count_artists(("library",)) == (60, 7)
    assert await neighbours.count_artists(("library", "guild:7")) == (70, 17)
    assert len(await neighbours.ids_of(("library",), "artist 3")) == 9


async def test_sample_draws_different_tracks_of_the_scopes(neighbours: Neighbours) -> None:
    drawn = await neighbours.sample(("guild:7",), 100)
    assert sorted(drawn) == await neighbours.ids_of(("guild:7",))


async def test_change_is_seen_by_the_next_search(neighbours: Neighbours, db: Database) -> None:
    before = await neighbours.refresh()
    other = await choose_neighbours(db, MODEL, fill=True)
    await other.catalogue.add("guild:7", MODEL, [new_track(99, "New", "rock")])
    near = await neighbours.search(scores(99), TrackFilter(("guild:7",)), 1)
    assert near.scores[0] == pytest.approx(1)
    assert await neighbours.refresh() > before
    assert neighbours.count_by_scope()["guild:7"] == 11
