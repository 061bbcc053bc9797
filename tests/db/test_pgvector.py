"""pgvector against exact search: the graph, mixes, served rows after any changes, no extension."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Collection
from contextlib import suppress
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from db import choose_neighbours, generations, pgvector, pgvector_index, postgres, served
from db.address import PostgresAddress
from db.catalogue_rows import REMOVED, CatalogueRows
from db.connection import open_db
from db.generations import CATALOGUE, NewTrack
from db.index.live import LiveIndex
from db.matrix import MatrixNeighbours
from db.move import move
from db.neighbours import Neighbours, TrackFilter
from db.pgvector import PgNeighbours
from db.pgvector_index import build_index, index_name
from db.pgvector_sql import Look
from db.postgres import PostgresDatabase
from db.served import open_served
from db.session import SqlSession
from db.tracks import Catalogue
from genrec.errors import InputRefused
from genrec.music_filter import MusicFilter
from genrec.seed_scores import SeedScores
from genrec.sound_tags import TagReading
from genrec.types import MusicDescription

MODEL, D = "toy-1", 24
SCOPES = ("library", "guild:7")
GENRES = ("rock", "jazz", "pop", "folk")


def vectors(count: int, seed: int = 0) -> np.ndarray:
    """Return unit vectors (count, D) in clusters."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((12, D))
    rows = centres[rng.integers(0, 12, count)] + 0.7 * rng.standard_normal((count, D))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def described(number: int) -> MusicDescription:
    return MusicDescription(
        bpm=80.0 + number % 60, bpm_confidence=number % 3 / 2, key=number % 24, key_confidence=0.9,
        loudness_lufs=-10.0, dynamics_lu=5.0, brightness_hz=2_000.0, bass=0.4, onsets_per_s=3.0,
    )  # fmt: skip


def tracks(embeddings: np.ndarray, first: int) -> list[NewTrack]:
    return [
        NewTrack(
            title=f"Song {n}",
            artist=f"Artist {n % 40}",
            genre=GENRES[n % 4],
            embedding=vector,
            content=f"{n:064d}",
            description=described(n),
        )
        for n, vector in enumerate(embeddings, first)
    ]


@pytest.fixture
async def db(postgres_address: str) -> AsyncIterator[PostgresDatabase]:
    """Open an empty database on PostgreSQL."""
    async with open_db(postgres_address) as opened:
        assert isinstance(opened, PostgresDatabase)
        yield opened


@pytest.fixture
async def both(db: PostgresDatabase) -> tuple[PgNeighbours, MatrixNeighbours]:
    """Return pgvector with a graph, and the matrix, over the same 1,500 tracks."""
    schema = await open_served(db, MODEL)
    assert schema is not None, "the server of the tests has pgvector"
    catalogue = Catalogue(db)
    await catalogue.add("library", MODEL, tracks(vectors(1_400), 0))
    await catalogue.add("guild:7", MODEL, tracks(vectors(100, 1), 5_000))
    await catalogue.add("guild:8", MODEL, tracks(vectors(50, 1), 9_000))
    assert await build_index(db, MODEL, schema, least=1_000)
    return PgNeighbours(db, MODEL, schema), MatrixNeighbours(db, MODEL)


def seeds(liked: Collection[int], disliked: Collection[int] = ()) -> SeedScores:
    rows = vectors(1_400)
    return SeedScores(rows[list(liked)], rows[list(disliked)].reshape(-1, D), 0.3)


async def recall(
    pair: tuple[Neighbours, Neighbours], asked: SeedScores, among: TrackFilter
) -> float:
    found, exact = [await each.search(asked, among, 48) for each in pair]
    assert len(found.ids) == len(exact.ids)
    assert (np.diff(found.scores) <= 0).all()
    np.testing.assert_allclose(found.scores, asked(found.vectors), atol=1e-5)
    return len({*found.ids[:5].tolist()} & {*exact.ids[:5].tolist()}) / 5


@pytest.mark.parametrize(
    "among",
    [
        TrackFilter(SCOPES),
        TrackFilter(SCOPES, "jazz"),
        TrackFilter(("library",), music=MusicFilter(tempo=(85.0, 110.0))),
        TrackFilter(SCOPES, music=MusicFilter(keys=frozenset({3, 4, 8}))),
        TrackFilter(SCOPES, without=frozenset(range(1, 300))),
        TrackFilter(SCOPES, without_artists=frozenset({"artist 3", "artist 5"})),
        TrackFilter(("guild:7",)),
        TrackFilter(("starter", "guild:7")),
    ],
    ids=["all", "genre", "tempo", "key", "ids", "artists", "server", "starter and server"],
)
async def test_graph_finds_what_the_matrix_finds(
    both: tuple[PgNeighbours, MatrixNeighbours], among: TrackFilter
) -> None:
    assert np.mean([await recall(both, seeds([n]), among) for n in range(0, 1_400, 70)]) >= 0.99


def reading(least: float = 0.5) -> TagReading:
    """Return a reading of two tags; ``least`` is the threshold of both."""
    weights = 30 * vectors(2, 9).T
    return TagReading(
        shown=("calm", "loud"),
        weights=weights,
        bias=np.array([0.5, -1.0], dtype=np.float32),
        slopes=np.ones(2, dtype=np.float32),
        offsets=np.zeros(2, dtype=np.float32),
        thresholds=np.full(2, least, dtype=np.float32),
    )


@pytest.mark.parametrize("tags", [("calm",), ("loud",), ("calm", "loud")], ids="+".join)
async def test_tags_let_exactly_their_tracks_through(
    both: tuple[PgNeighbours, MatrixNeighbours], tags: tuple[str, ...]
) -> None:
    read = reading()
    among = TrackFilter(SCOPES, music=MusicFilter(tags=tags), reading=read)
    probabilities = read.probabilities((await both[1].rows()).matrix)
    has = (probabilities >= read.thresholds)[:, [read.shown.index(tag) for tag in tags]].all(axis=1)
    rows = await both[1].rows()
    wanted = {*rows.ids[has & rows.allowed(SCOPES)].tolist()}
    assert 10 < len(wanted) < 1_400
    for asked in (seeds([3]), seeds([3, 70, 400]), seeds([3], [9])):
        found, exact = [await each.search(asked, among, 1_500) for each in both]
        assert {*exact.ids.tolist()} == wanted
        assert {*found.ids.tolist()} == wanted


async def test_half_precision_decides_about_no_tag(
    both: tuple[PgNeighbours, MatrixNeighbours],
) -> None:
    rows = vectors(1_400)
    log_odds = np.sort(rows @ reading().weights[:, 0] + 0.5)
    wrong = 0
    for place in range(300, 1_100, 100):  # a threshold between two tracks, whatever their distance
        middle = float(log_odds[place : place + 2].mean(dtype=np.float64))
        among = TrackFilter(
            ("library",),
            music=MusicFilter(tags=("calm",)),
            reading=reading(1 / (1 + np.exp(-middle))),
        )
        found, exact = [await each.search(seeds([5]), among, 1_400) for each in both]
        wrong += len({*found.ids.tolist()} ^ {*exact.ids.tolist()})
        assert abs(len(exact.ids) - (1_400 - place - 1)) <= 1
    assert wrong == 0


async def test_tracks_that_nearly_have_a_tag_take_no_place(
    both: tuple[PgNeighbours, MatrixNeighbours],
) -> None:
    """Half precision lets many of these through, because their products are nearly equal."""
    seed = vectors(1_400)[7]
    read = TagReading(
        shown=("calm",),
        weights=seed[:, np.newaxis],
        bias=np.zeros(1, dtype=np.float32),
        slopes=np.ones(1, dtype=np.float32),
        offsets=np.zeros(1, dtype=np.float32),
        thresholds=np.array([0.65], dtype=np.float32),
    )
    among = TrackFilter(SCOPES, music=MusicFilter(tags=("calm",)), reading=read)
    for count in (1, 5, 48):
        found, exact = [await each.search(seeds([7]), among, count) for each in both]
        assert found.ids.tolist() == exact.ids.tolist()


async def test_mixes_and_less_of_this_find_what_the_matrix_finds(
    both: tuple[PgNeighbours, MatrixNeighbours],
) -> None:
    mixes = [seeds([n, n + 1, n + 2]) for n in range(0, 1_000, 100)]
    less = [seeds([n], [n + 3, n + 4]) for n in range(0, 1_000, 100)]
    found = [await recall(both, each, TrackFilter(SCOPES)) for each in (*mixes, *less)]
    assert np.mean(found) >= 0.99


async def test_unlike_seeds_are_compared_with_all_tracks(
    both: tuple[PgNeighbours, MatrixNeighbours], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pgvector, "_FETCHED", 1)  # so few do not reach the bound
    monkeypatch.setattr(pgvector, "_MOST_FETCHED", 2)
    asked = [seeds([n, n + 300, n + 700]) for n in range(0, 700, 70)]
    asked += [seeds([n, n + 500], [n + 3]) for n in range(0, 700, 70)]
    amongs = [TrackFilter(SCOPES), TrackFilter(SCOPES, "jazz", without=frozenset({4, 9}))]

    async def shares() -> list[float]:
        """Return the share of the 48 best tracks that each search finds."""
        shared = []
        for scores, among in product(asked, amongs):
            found, exact = [await each.search(scores, among, 48) for each in both]
            shared.append(len({*found.ids.tolist()} & {*exact.ids.tolist()}) / len(exact.ids))
        return shared

    assert np.mean(await shares()) >= 0.999
    monkeypatch.setattr(pgvector, "MOST_SCANNED", 1_000)
    assert np.mean(await shares()) < 0.97


async def test_near_arc_finds_what_the_matrix_finds(
    both: tuple[PgNeighbours, MatrixNeighbours],
) -> None:
    rows = vectors(1_400)
    pg, matrix = both
    found = await pg.near_arc(rows[0], rows[9], TrackFilter(SCOPES))
    exact = await matrix.near_arc(rows[0], rows[9], TrackFilter(SCOPES))
    shared = {*found.ids.tolist()} & {*exact.ids.tolist()}
    assert len(shared) >= 0.97 * len(exact.ids) > 100


async def test_shared_scopes_are_searched_by_the_graph(
    both: tuple[PgNeighbours, MatrixNeighbours], db: PostgresDatabase
) -> None:
    schema = await open_served(db, MODEL)
    assert schema is not None
    look = Look(MODEL, schema, TrackFilter(SCOPES), D)
    async with db.transaction() as tx:
        await tx.run("SET LOCAL enable_seqscan = off")
        await tx.run("SET LOCAL enable_sort = off")
        plan = await tx.all(f"EXPLAIN {look.sql(5, 5)}", [vectors(1)[0].tolist()])
    assert index_name(MODEL) in str(plan)
    del both


async def test_counts_descriptions_and_samples_are_those_of_the_matrix(
    both: tuple[PgNeighbours, MatrixNeighbours],
) -> None:
    pg, matrix = both
    await matrix.refresh()
    for scopes in (SCOPES, ("guild:8",)):
        assert await pg.count_artists(scopes) == await matrix.count_artists(scopes)
        ids = sorted(await matrix.ids_of(scopes))
        assert await pg.ids_of(scopes) == ids
        assert {*await pg.sample(scopes, 30)} <= {*ids}
        assert await pg.described(ids[:50]) == await matrix.described(ids[:50])
        ours, theirs = await pg.statistics(scopes), await matrix.statistics(scopes)
        assert ours.genres == pytest.approx(theirs.genres)
        assert ours.quartiles == theirs.quartiles
    assert pg.count_by_scope() == matrix.count_by_scope()


def content(rows: CatalogueRows) -> dict[int, tuple[str, ...]]:
    return {
        int(track_id): (
            rows.matrix[row].tobytes().hex(), rows.artists[row], rows.genres[row], rows.scopes[row]
        )
        for row, track_id in enumerate(rows.ids)
        if track_id != REMOVED
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(2))
async def test_served_rows_follow_any_changes(
    db: PostgresDatabase, tmp_path: Path, seed: int
) -> None:
    from tests.db.test_counts import MODEL as CHANGED
    from tests.db.test_counts import _Changes

    schema = await open_served(db, CHANGED)
    assert schema is not None
    changes, pg = _Changes(db, tmp_path, seed), PgNeighbours(db, CHANGED, schema)
    for _ in range(25):
        with suppress(InputRefused):
            await changes.step()
        assert content(await pg.rows()) == content(await Catalogue(db).load(CHANGED))


async def test_tracks_that_are_put_again_keep_their_served_rows(db: PostgresDatabase) -> None:
    assert await open_served(db, MODEL) is not None
    catalogue, places = Catalogue(db), "SELECT track_id, ctid FROM served ORDER BY track_id"
    one, *others = tracks(vectors(9), 0)
    first, *_ = await catalogue.add("library", MODEL, [one, *others])
    before = await db.all(places)
    await catalogue.add("library", MODEL, [replace(one, label="other", title="New"), *others])
    after = await db.all(places)
    assert set(before) - set(after) == {row for row in before if row[0] == first}
    assert await db.all("SELECT track_id FROM served WHERE label = 'other'") == [(first,)]


@pytest.mark.parametrize("known", [9, 2], ids=["new generation stays", "old generation stays"])
async def test_filters_find_tracks_that_a_new_run_describes(
    db: PostgresDatabase, known: int
) -> None:
    schema = await open_served(db, MODEL)
    assert schema is not None
    described_tracks = [
        replace(track, source=f"/{n}") for n, track in enumerate(tracks(vectors(9), 0))
    ]
    catalogue, pg = Catalogue(db), PgNeighbours(db, MODEL, schema)
    await catalogue.add("library", MODEL, [replace(t, description=None) for t in described_tracks])
    in_key = TrackFilter(SCOPES, music=MusicFilter(keys=frozenset(range(24))))
    assert len((await pg.search(seeds([0]), in_key, 9)).ids) == 0
    async with db.transaction(lock=CATALOGUE) as tx:
        new = await generations.ensure(tx, "library", MODEL, D, "building")
        await generations.put(tx, new, described_tracks[:known])
    async with db.transaction(lock=CATALOGUE) as tx:
        active = await generations.find(tx, "library", MODEL, "active")
        assert active is not None
        await generations.merge(tx, new, active)
    exact = await MatrixNeighbours(db, MODEL).search(seeds([0]), in_key, 9)
    found = await pg.search(seeds([0]), in_key, 9)
    assert found.ids.tolist() == exact.ids.tolist()
    assert len(found.ids) == known


async def test_table_is_filled_from_the_tracks_that_are_there(db: PostgresDatabase) -> None:
    await Catalogue(db).add("library", MODEL, tracks(vectors(60), 0))
    without = await choose_neighbours.choose_neighbours(db, MODEL)
    assert isinstance(without, MatrixNeighbours), "a command does not fill the table"
    index = await choose_neighbours.choose_neighbours(db, MODEL, fill=True)
    assert isinstance(index, PgNeighbours)
    assert isinstance(await choose_neighbours.choose_neighbours(db, MODEL), PgNeighbours)
    assert await index.ids_of(("library",)) == sorted(content(await Catalogue(db).load(MODEL)))


async def test_bots_that_start_while_the_table_is_filled_wait_for_it(
    db: PostgresDatabase, postgres_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await Catalogue(db).add("library", MODEL, tracks(vectors(30), 0))
    filling, fill = asyncio.Event(), served._fill

    async def slowly(tx: SqlSession, *generation: Any) -> None:
        filling.set()
        await asyncio.sleep(2)
        await fill(tx, *generation)

    monkeypatch.setattr(served, "_fill", slowly)
    monkeypatch.setitem(postgres._SETTINGS, "lock_timeout", "500ms")
    async with open_db(postgres_address) as other:
        first = asyncio.create_task(open_served(db, MODEL))
        await filling.wait()
        assert await open_served(other, MODEL) == await first
        assert await other.number("SELECT count(*) FROM served") == 30


async def test_move_fills_the_table(
    postgres_address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pgvector_index.build_index, "__kwdefaults__", {"least": 20})
    async with open_db(tmp_path / "old.db") as old:
        await Catalogue(old).add("library", MODEL, tracks(vectors(30), 0))
    async with open_db(postgres_address) as db:
        await open_served(db, MODEL)  # by a bot that was started too early
    await move(tmp_path / "old.db", PostgresAddress(postgres_address))
    async with open_db(postgres_address) as db:
        assert await db.number("SELECT count(*) FROM served") == 30
        graph = "SELECT count(*) FROM pg_index WHERE indisvalid AND indexrelid = to_regclass(?)"
        assert await db.all(graph, (index_name(MODEL),)) == [(1,)]


async def test_server_without_pgvector_uses_the_matrix_and_warns(
    db: PostgresDatabase, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def without(*_: object) -> None:
        """Return what a server without the extension gives."""

    monkeypatch.setattr(choose_neighbours, "open_served", without)
    monkeypatch.setattr(choose_neighbours, "MANY_TRACKS", 10)
    await Catalogue(db).add("library", MODEL, tracks(vectors(20), 0))
    with caplog.at_level(logging.WARNING):
        index = await choose_neighbours.choose_neighbours(db, MODEL, fill=True)
    assert isinstance(index, LiveIndex)
    assert "no pgvector" in caplog.text
