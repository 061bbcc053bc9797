"""Questions by several seeds, and rules of an answer, with the real recommender."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.recommender import Recommender
from db.connection import Database
from genrec.errors import KeyUnclear, NoMusic
from genrec.music_filter import COMPATIBLE, MusicWish
from genrec.questions import Question, Rules, Seed
from genrec.types import Clip, Recommendation
from tests.bot.test_recommender import (
    CLIP,
    PRESET,
    FakePool,
    analysis,
    db,
    near,
    pool,
    recommender,
    serve,
    toward,
    track,
    with_detector,
)
from tests.bot.test_recommender_music import FAR, FAST, MAJOR, PLAIN

__all__ = ["db", "pool", "recommender"]


def blend(*weights: float) -> np.ndarray:
    return toward(*weights, 0.0)


async def ask(recommender: Recommender, *seeds: Seed, **rules: Any) -> Recommendation:
    return await recommender.answer(Question(seeds, Rules(**rules)))


def titles(rec: Recommendation) -> list[str]:
    return [neighbour.track.title for neighbour in rec.tracks]


async def seeds_of(recommender: Recommender, *ids: int, less: int = 0) -> list[Seed]:
    tracks = await recommender.tracks(ids)
    return [
        await recommender.track_seed(one, liked=place < len(tracks) - less)
        for place, one in enumerate(tracks)
    ]


async def test_mix_takes_tracks_between_its_seeds_first(recommender: Recommender) -> None:
    ids = await serve(
        recommender,
        track(1, toward(0)),
        track(2, toward(1)),
        track(3, blend(1, 0.02)),
        track(4, blend(0.02, 1)),
        track(5, blend(1, 1)),
        track(6, blend(1, 0.8)),
    )
    rec = await ask(recommender, *await seeds_of(recommender, *ids[:2]))
    assert titles(rec)[:2] == ["Song 5", "Song 6"]
    cosine = float(blend(1, 0.8) @ toward(1))
    assert rec.tracks[1].similarity == pytest.approx(PRESET.calibration.similarity(cosine))


async def test_mix_never_names_a_seed_its_artist_or_its_recording(recommender: Recommender) -> None:
    ids = await serve(
        recommender,
        track(1, toward(0)),
        track(2, blend(1, 0.5)),
        track(3, blend(1, 0.2), artist="Artist 1"),
        track(4, blend(1, 0.3), artist="Someone feat. Artist 2"),
        replace(track(1, blend(1, 0.4), artist="Cover"), title="Other name", source="/copy.mp3"),
        track(6, blend(1, 0.1)),
    )
    rec = await ask(recommender, *await seeds_of(recommender, *ids[:2]))
    assert titles(rec) == ["Song 6"]
    assert "artist" in rec.left_out
    rec = await ask(recommender, *await seeds_of(recommender, *ids[:2]), new_artists=False)
    assert sorted(titles(rec)) == ["Song 3", "Song 4", "Song 6"]


async def test_less_of_this_moves_tracks_like_it_away(recommender: Recommender) -> None:
    ids = await serve(
        recommender,
        track(1, toward(0)),
        track(2, blend(0.3, 1)),
        track(3, toward(0.9, 0.43)),
        track(4, toward(0.9, 0, 0.44)),
    )
    liked, less = await seeds_of(recommender, ids[0], ids[1], less=1)
    assert titles(await ask(recommender, liked, without_tracks=frozenset(ids[1:2]))) == [
        "Song 3",
        "Song 4",
    ]
    rec = await ask(recommender, liked, less)
    assert titles(rec)[0] == "Song 4"
    # The similarity is that to the liked seed, without what was subtracted.
    cosine = float(toward(0.9, 0, 0.44)[0])
    assert rec.tracks[0].similarity == pytest.approx(PRESET.calibration.similarity(cosine))


async def test_reasons_of_a_mix_are_shared_by_all_liked_seeds(recommender: Recommender) -> None:
    described = [
        replace(track(n, blend(1, n / 100)), description=each)
        for n, each in enumerate((PLAIN, FAST, MAJOR, FAR, PLAIN), 1)
    ]
    ids = await serve(recommender, *described)
    rec = await ask(recommender, *await seeds_of(recommender, *ids[:2]))
    reasons = {each.track.title: {why.kind for why in each.reasons} for each in rec.tracks}
    # The seeds share genre and key; their tempi are 120 and 150.
    assert "key" in reasons["Song 5"]
    assert not any("tempo" in kinds for kinds in reasons.values())
    assert (rec.genre, rec.description) == ("jazz", None)
    one = await seeds_of(recommender, ids[0])
    assert "tempo" in {why.kind for why in (await ask(recommender, *one)).tracks[-1].reasons}


async def test_mix_of_two_genres_has_none(recommender: Recommender) -> None:
    ids = await serve(recommender, near(1), near(2, label="rock"), near(3))
    rec = await ask(recommender, *await seeds_of(recommender, *ids[:2]))
    assert (rec.genre, rec.scores, rec.known) == (None, (), None)
    assert rec.music


async def test_compatible_keys_of_a_mix_mix_with_all_seeds(recommender: Recommender) -> None:
    keys = [PLAIN, MAJOR, PLAIN, FAR]
    ids = await serve(
        recommender, *(replace(near(n), description=each) for n, each in enumerate(keys, 1))
    )
    seeds = await seeds_of(recommender, *ids[:2])
    wish = MusicWish(key=COMPATIBLE)
    assert titles(await ask(recommender, *seeds, music=wish)) == ["Song 3"]
    unclear = replace(seeds[1], description=None)
    with pytest.raises(KeyUnclear):
        await ask(recommender, seeds[0], unclear, music=wish)


async def test_a_clip_without_music_is_no_seed_of_a_mix(
    recommender: Recommender, pool: FakePool
) -> None:
    ids = await serve(recommender, near(1), near(2))
    (seed,) = await seeds_of(with_detector(recommender), ids[0])
    speech = recommender.clip_seed(replace(pool.analysis, music=0.1), CLIP)
    with pytest.raises(NoMusic):
        await ask(recommender, seed, speech)


def clip_seed(recommender: Recommender, artist: str = "", seed: int = 999) -> Seed:
    named = replace(CLIP, artist=artist)
    return recommender.clip_seed(analysis(toward(0), seed=seed), named)


@pytest.mark.parametrize("artist", ["Artist 1", "ARTIST 1 feat. Guest", "Guest & Artist 1"])
async def test_tracks_by_the_artist_of_a_clips_tag_are_left_out(
    recommender: Recommender, artist: str
) -> None:
    await serve(recommender, near(1), near(2))
    assert titles(await ask(recommender, clip_seed(recommender, artist))) == ["Song 2"]


async def test_tracks_by_the_artist_of_the_recognised_recording_are_left_out(
    recommender: Recommender,
) -> None:
    await serve(recommender, near(1), near(2, artist="Artist 1"), near(3))
    clip = clip_seed(recommender, seed=1)
    rec = await ask(recommender, clip)
    assert rec.known is not None
    assert titles(rec) == ["Song 3"]
    assert titles(await ask(recommender, clip, new_artists=False)) == ["Song 2", "Song 3"]
    # Also as one seed of several.
    other = clip_seed(recommender, "Somebody")
    assert titles(await ask(recommender, clip, other)) == ["Song 3"]


async def test_search_goes_on_beyond_a_crowd_of_the_seeds_artist(recommender: Recommender) -> None:
    crowd = [near(i, artist="One Artist") for i in range(1, 300)]
    await serve(recommender, *crowd, *(near(300 + i) for i in range(1, 6)))
    rec = await ask(recommender, clip_seed(recommender, "One Artist"))
    assert titles(rec) == [f"Song {300 + i}" for i in range(1, 6)]
    assert (rec.note, rec.left_out) == ("", ())


async def test_shown_and_unwanted_tracks_are_left_out_and_told(recommender: Recommender) -> None:
    ids = await serve(recommender, *(near(i) for i in range(1, 5)))
    clip = clip_seed(recommender)
    rec = await ask(
        recommender, clip, shown=frozenset(ids[:1]), without_tracks=frozenset(ids[1:2]),
        without_artists=frozenset({"artist 3"}),
    )  # fmt: skip
    assert titles(rec) == ["Song 4"]
    assert rec.left_out == ("shown", "unwanted")
    rec = await ask(recommender, clip, shown=frozenset(ids))
    assert rec.note == (
        "No other track in the library is similar enough: the similar ones are already shown."
    )


async def test_a_note_without_a_broken_rule_names_similarity_alone(
    recommender: Recommender,
) -> None:
    await serve(recommender, near(1), near(1), track(2, toward(3), artist="Artist 1"))
    rec = await ask(recommender, clip_seed(recommender))
    assert rec.note == "Only 1 of 5: no other track in the library is similar enough."


async def test_the_clips_own_recording_is_no_track_left_out_by_its_artist(
    recommender: Recommender,
) -> None:
    await serve(recommender, near(1), near(2))
    rec = await ask(recommender, clip_seed(recommender, "Artist 1", seed=1))
    assert titles(rec) == ["Song 2"]
    assert rec.left_out == ()


@pytest.mark.parametrize("reach", ["balanced", "adventurous"])
async def test_a_farther_reach_has_other_tracks_above_the_floor(
    recommender: Recommender, reach: str
) -> None:
    rng = np.random.default_rng(5)
    crowd = []
    for number in range(1, 100):
        vector = toward(0) + 0.12 * rng.standard_normal(PRESET.dimension).astype(np.float32)
        crowd.append(track(number, vector / np.linalg.norm(vector)))
    await serve(recommender, *crowd)
    clip = clip_seed(recommender)
    nearest = await ask(recommender, clip)
    farther = await ask(recommender, clip, reach=reach)
    assert len(farther.tracks) == 5
    assert set(titles(farther)) != set(titles(nearest))
    similarities = [each.similarity for each in farther.tracks]
    assert similarities == sorted(similarities, reverse=True)
    floor = PRESET.calibration.similarity(PRESET.calibration.cosine_floor)
    assert min(similarities) >= floor
    assert sum(similarities) < sum(each.similarity for each in nearest.tracks)


async def test_nearest_keeps_versions_and_leaves_out_what_the_rules_exclude(
    recommender: Recommender,
) -> None:
    ids = await serve(
        recommender,
        near(1),
        near(2, artist="A", title="X"),
        near(3, artist="A", title="X (Live)"),
        near(4, artist="Artist 1"),
        near(5),
        track(6, -toward(0)),
    )
    (seed,) = await seeds_of(recommender, ids[0])
    rules = Rules(shown=frozenset(ids[4:5]))
    found = await recommender.nearest(Question((seed,), rules), 10)
    assert [each.track.id for each in found] == [ids[1], ids[2], ids[5]]
    assert [each.cosine for each in found] == sorted((c.cosine for c in found), reverse=True)
    np.testing.assert_allclose(found[0].vector, near(2).embedding)
    assert len(await recommender.nearest(Question((seed,), rules), 2)) == 2


async def test_one_liked_seed_is_what_it_was_before_questions(
    recommender: Recommender, db: Database
) -> None:
    """Compare with a plain sort, one per artist and without the recording itself."""
    await recommender.open()
    starter = PRESET.starter()
    assert starter is not None
    for row in (0, 200, 431, 700):
        seed = replace(analysis(starter.embeddings[row]), fingerprint=starter.fingerprints[row])
        clip = Clip(Path("clip.wav"), "ab" * 32, starter.titles[row], starter.artists[row])
        question = Question((recommender.clip_seed(seed, clip),), Rules(new_artists=False))
        rec = await recommender.answer(question)
        order, artists, expected = np.argsort(-(starter.embeddings @ seed.embedding)), set(), []
        for place in order:
            artist = starter.artists[place].removeprefix("The ").casefold()
            if place == row or artist in artists or len(expected) == 5:
                continue
            if starter.titles[place] == starter.titles[row]:
                continue
            artists.add(artist)
            expected.append(starter.titles[place])
        assert titles(rec) == expected


async def test_nearest_searches_on_until_it_has_enough(recommender: Recommender) -> None:
    ids = await serve(recommender, *(near(i) for i in range(1, 31)))
    question = Question((clip_seed(recommender),), Rules(shown=frozenset(ids[:10])))
    found = await recommender.nearest(question, 3)
    assert [each.track.id for each in found] == ids[10:13]
