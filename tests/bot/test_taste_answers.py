"""Tracks for a listener: from clusters of likes, away from dislikes, none twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bot.question_figures.starter_world import NoAnalyzer
from bot.recommender import Recommender
from bot.taste_answers import ForYou, answer_votes, interleave
from db.connection import open_db
from db.feedback import RankedTrack, Vote, vote, vote_for_tracks
from db.generations import NewTrack
from genrec.names import artist_key
from genrec.preset import Preset
from genrec.questions import Rules
from genrec.types import Neighbour, Track
from tests.bot.end_to_end.fakes import make_preset

ANN = 41
RULES = Rules(count=4, scopes=("library",))
GROUPS, EACH = 3, 8


def directions(dimension: int) -> np.ndarray:
    rng = np.random.default_rng(5)
    rows = np.repeat(np.eye(dimension)[:GROUPS], EACH, axis=0)
    rows = rows + 0.08 * rng.standard_normal(rows.shape)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[tuple[Recommender, list[int]]]:
    """Yield a recommender with three groups of eight tracks, and their ids."""
    make_preset(tmp_path / "preset", songs=0, floor=0.2)
    preset = Preset.load(tmp_path / "preset")
    async with open_db(tmp_path / "genrec.db") as db:
        recommender = Recommender(pool=NoAnalyzer(), database=db, preset=preset)
        await recommender.open()
        rows = directions(preset.dimension)
        tracks = [
            NewTrack(
                title=f"Tune {i}", artist=f"Band {i}", genre="jazz", embedding=row,
                source=f"/music/{i}.flac",
            )
            for i, row in enumerate(rows)
        ]  # fmt: skip
        ids = await recommender.catalogue.add("library", preset.model_id, tracks)
        await recommender.reload()
        yield recommender, ids


def group_of(ids: list[int], track: Track) -> int:
    return ids.index(track.id) // EACH


async def test_each_cluster_of_likes_has_its_part(world: tuple[Recommender, list[int]]) -> None:
    recommender, ids = world
    votes = dict.fromkeys([ids[0], ids[1], ids[2], ids[8], ids[9]], 1.0)
    found = await answer_votes(recommender, votes, RULES)
    assert found.recommendation is not None
    tracks = [each.track for each in found.recommendation.tracks]
    assert found.groups == 2
    assert sorted(group_of(ids, track) for track in tracks) == [0, 0, 1, 1]
    assert {track.id for track in tracks}.isdisjoint(votes)
    for track in tracks:
        liked = (found.because or {})[track.id]
        assert group_of(ids, liked) == group_of(ids, track)


async def test_unwanted_tracks_and_artists_are_not_liked(
    world: tuple[Recommender, list[int]],
) -> None:
    recommender, ids = world
    votes = dict.fromkeys([ids[0], ids[1], ids[2], ids[8], ids[16]], 1.0)
    unwanted = replace(
        RULES,
        without_tracks=frozenset({ids[8]}),
        without_artists=frozenset({artist_key("Band 16")}),
    )
    found = await answer_votes(recommender, votes, unwanted)
    assert (found.likes, found.groups) == (3.0, 1)
    because = (found.because or {}).values()
    assert {group_of(ids, track) for track in because} == {0}


async def test_too_few_likes_give_no_recommendation(world: tuple[Recommender, list[int]]) -> None:
    recommender, ids = world
    votes = {ids[0]: 1.0, ids[1]: 1.0, ids[2]: 0.8, ids[3]: -1.0}
    found = await answer_votes(recommender, votes, RULES)
    assert found.recommendation is None
    assert found.likes == pytest.approx(2.8)
    votes[ids[4]] = 0.2
    assert (await answer_votes(recommender, votes, RULES)).recommendation is not None


async def test_dislikes_put_tracks_last_and_leave_the_answer_full(
    world: tuple[Recommender, list[int]],
) -> None:
    recommender, ids = world
    votes = {ids[0]: 1.0, ids[1]: 1.0, ids[2]: 1.0, ids[3]: -1.0}
    found = await answer_votes(recommender, votes, RULES)
    assert found.recommendation is not None
    shown = [each.track.id for each in found.recommendation.tracks]
    assert set(shown) <= set(ids[4:8])
    assert len(shown) == 4


async def test_votes_for_removed_tracks_count_for_nothing(
    world: tuple[Recommender, list[int]],
) -> None:
    recommender, ids = world
    votes = dict.fromkeys(ids[:3], 1.0) | {10**6: 1.0}
    await recommender.catalogue.remove("library", [ids[0]])
    found = await answer_votes(recommender, votes, RULES)
    assert found.recommendation is None
    assert found.likes == pytest.approx(2.0)


async def test_user_is_not_shown_the_same_tracks_soon_again(
    world: tuple[Recommender, list[int]],
) -> None:
    recommender, ids = world
    db = recommender.catalogue.db
    tracks = tuple(RankedTrack(track_id, rank) for rank, track_id in enumerate(ids[:3], 1))
    cast = Vote(message_id=1, user_id=ANN, guild_id=None, model_id="m", verdict=1, tracks=tracks)
    await vote(db, cast)
    await vote_for_tracks(db, cast, set(ids[:3]))
    for_you = ForYou(recommender=recommender, db=db)
    await for_you.opt_in(ANN)
    rules = replace(RULES, count=2)
    seen: set[int] = set()
    for _ in range(2):
        found = (await for_you.answer(ANN, rules)).recommendation
        assert found is not None
        shown = {each.track.id for each in found.tracks}
        assert len(shown) == 2
        assert shown.isdisjoint(seen)
        again = (await for_you.answer(ANN, rules)).recommendation
        assert again is not None
        assert {each.track.id for each in again.tracks} == shown  # until it is shown
        await for_you.record_shown(ANN, [each.track for each in found.tracks])
        seen |= shown
    left = (await for_you.answer(ANN, rules)).recommendation
    assert left is not None
    assert {each.track.id for each in left.tracks} <= {ids[7]}


def neighbour(number: int, artist: str = "") -> Neighbour:
    track = Track(number, f"Tune {number}", artist or f"Band {number}", "jazz", "library", "")
    return Neighbour(track, 0.5)


def test_interleaving_follows_the_weights_from_the_beginning() -> None:
    answers = [[neighbour(i) for i in range(1, 6)], [neighbour(i) for i in range(11, 16)]]
    found = interleave(answers, [2.0, 1.0], 3)
    assert [(turn, each.track.id) for turn, each in found] == [(0, 1), (1, 11), (0, 2)]


def test_interleaving_skips_repeated_artists_and_fills_up() -> None:
    answers = [[neighbour(1, "Ann"), neighbour(2, "Ann")], [neighbour(1, "Ann"), neighbour(3)]]
    found = interleave(answers, [1.0, 1.0], 4)
    assert [each.track.id for _, each in found] == [1, 3]
