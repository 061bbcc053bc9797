"""Answers worth having: never the clip, no song twice, artists varied, and honest when few."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from bot.recommender import Recommender
from db.connection import Database, open_db
from db.generations import NewTrack
from genrec.errors import CatalogueError
from genrec.preset import Preset
from genrec.types import Analysis, Clip, GenreScore
from tests.repository import ROOT

PRESET = Preset.load(ROOT / "models" / "resnet50")
SCOPES = ("starter", "library")


class FakePool:
    """Hears the embedding and fingerprint it was told, and counts."""

    def __init__(self) -> None:
        self.heard: list[Path] = []
        self.answer = analysis(toward(0))

    async def analyze(self, path: Path) -> Analysis:
        self.heard.append(path)
        return self.answer


def toward(*axes: float) -> np.ndarray:
    """Return the unit vector with these first coordinates; one number names an axis."""
    x = np.zeros(PRESET.dimension, dtype=np.float32)
    if len(axes) == 1:
        x[int(axes[0])] = 1
    else:
        x[: len(axes)] = axes
    return x / np.linalg.norm(x)


def fingerprint(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-90, 90, (15, 190)).astype(np.int8)


def analysis(embedding: np.ndarray, *, sure: float = 0.9, seed: int = 999) -> Analysis:
    rest = (1 - sure) / (len(PRESET.labels) - 1)
    scores = tuple(
        GenreScore(label, sure if i == 0 else rest) for i, label in enumerate(PRESET.labels)
    )
    return Analysis(
        PRESET.model_id, embedding, scores, fingerprint(seed), 30.0, 30.0, {"decode": 1}
    )


def track(number: int, embedding: np.ndarray, **changes: str) -> NewTrack:
    given = {"title": f"Song {number}", "artist": f"Artist {number}", "label": "jazz", **changes}
    return NewTrack(
        title=given["title"],
        artist=given["artist"],
        genre=given["label"],
        label=given["label"],
        embedding=embedding,
        fingerprint=fingerprint(number),
        source=f"/music/{number}.mp3",
    )


def near(number: int, **changes: str) -> NewTrack:
    """Make a track whose cosine to axis 0 falls slowly with its number."""
    angle = 0.002 * number
    return track(number, toward(np.cos(angle), np.sin(angle)), **changes)


@pytest.fixture
def pool() -> FakePool:
    return FakePool()


@pytest.fixture
async def db() -> AsyncIterator[Database]:
    async with open_db(":memory:") as opened:
        yield opened


@pytest.fixture
def recommender(pool: FakePool, db: Database) -> Recommender:
    """Make a recommender over an empty catalogue; ``open`` would serve the starter tracks."""
    return Recommender(pool=pool, database=db, preset=PRESET)


CLIP = Clip(Path("/tmp/clip.wav"), "ab" * 32)


async def titles(recommender: Recommender, clip: Clip = CLIP, **options: object) -> list[str]:
    answer = await recommender.recommend(clip, **{"scopes": SCOPES, **options})
    return [neighbour.track.title for neighbour in answer.tracks]


async def serve(recommender: Recommender, *tracks: NewTrack, scope: str = "library") -> list[int]:
    return await recommender.catalogue.add(scope, PRESET.model_id, tracks)


async def test_a_fresh_install_recommends_real_songs(recommender: Recommender) -> None:
    await recommender.open()
    starter = PRESET.starter()
    assert starter is not None
    pool_answer = analysis(starter.embeddings[10], seed=1)
    recommender._pool.answer = pool_answer
    answer = await recommender.recommend(CLIP)
    assert len(answer.tracks) == 5
    assert all(neighbour.track.artist for neighbour in answer.tracks)
    assert {neighbour.track.scope for neighbour in answer.tracks} == {"starter"}
    similarities = [neighbour.similarity for neighbour in answer.tracks]
    assert similarities == sorted(similarities, reverse=True)
    assert all(0 <= similarity <= 1 for similarity in similarities)


async def test_the_clips_own_recording_is_never_answered(
    recommender: Recommender, pool: FakePool
) -> None:
    await serve(recommender, *(near(i) for i in range(1, 8)))
    pool.answer = analysis(toward(0), seed=1)  # the fingerprint of track 1
    assert await titles(recommender) == [f"Song {i}" for i in range(2, 7)]


async def test_a_second_version_and_a_second_track_of_an_artist_are_left_out(
    recommender: Recommender,
) -> None:
    await serve(
        recommender,
        near(1, artist="The Beatles", title="Help!"),
        near(2, artist="Beatles", title="Help! (Remastered 2009)"),
        near(3, artist="Beatles", title="Yesterday"),
        near(4),
    )
    assert await titles(recommender) == ["Help!", "Song 4"]
    assert await titles(recommender, per_artist=2) == ["Help!", "Yesterday", "Song 4"]


async def test_far_tracks_are_not_answered_and_that_is_said(recommender: Recommender) -> None:
    await serve(recommender, near(1), track(2, toward(5)), track(3, -toward(0)))
    answer = await recommender.recommend(CLIP, scopes=SCOPES)
    assert [neighbour.track.title for neighbour in answer.tracks] == ["Song 1"]
    assert answer.note.startswith("Only 1 of 5:")


async def test_an_empty_catalogue_still_says_the_genre(recommender: Recommender) -> None:
    answer = await recommender.recommend(CLIP)
    assert answer.tracks == ()
    assert answer.genre == PRESET.labels[0]
    assert answer.note.startswith("No tracks")


async def test_unsure_is_said_and_the_likeliest_genre_still_named(
    recommender: Recommender, pool: FakePool
) -> None:
    pool.answer = analysis(toward(0), sure=0.4)
    answer = await recommender.genre(CLIP)
    assert answer.unsure
    assert answer.genre == PRESET.labels[0]


async def test_genre_and_scope_filter(recommender: Recommender) -> None:
    await serve(recommender, near(1), near(2, label="rock"))
    await serve(recommender, near(3), scope="guild:7")
    assert await titles(recommender) == ["Song 1", "Song 2"]
    assert await titles(recommender, genre="rock") == ["Song 2"]
    assert await titles(recommender, scopes=("guild:7",)) == ["Song 3"]


async def test_more_is_fetched_where_the_first_look_is_used_up(recommender: Recommender) -> None:
    crowd = [near(i, artist="One Artist") for i in range(1, 120)]
    await serve(recommender, *crowd, near(121), near(122))
    assert await titles(recommender) == ["Song 1", "Song 121", "Song 122"]


async def test_the_same_bytes_are_heard_once(recommender: Recommender, pool: FakePool) -> None:
    await serve(recommender, near(1))
    first = await recommender.recommend(CLIP, scopes=SCOPES)
    again = await recommender.recommend(CLIP, scopes=SCOPES)
    assert len(pool.heard) == 1
    assert [n.track.id for n in again.tracks] == [n.track.id for n in first.tracks]
    assert again.scores == first.scores
    assert "decode" in first.timings_ms
    assert "decode" not in again.timings_ms


async def test_what_is_added_or_removed_counts_at_once(recommender: Recommender) -> None:
    (first,) = await serve(recommender, near(1))
    assert await titles(recommender) == ["Song 1"]
    await serve(recommender, near(2))
    await recommender.catalogue.remove("library", [first])
    assert await titles(recommender) == ["Song 2"]


async def test_more_like_this_leaves_the_track_itself_out(recommender: Recommender) -> None:
    first, *_ = await serve(recommender, near(1), near(2), near(3, artist="Artist 1"))
    answer = await recommender.like(first, scopes=SCOPES)
    assert answer.genre == "jazz"
    assert [n.track.title for n in answer.tracks] == ["Song 2", "Song 3"]


async def test_more_like_a_track_that_is_gone_is_a_sentence(recommender: Recommender) -> None:
    with pytest.raises(CatalogueError, match="not in the catalogue any more"):
        await recommender.like(12345)
