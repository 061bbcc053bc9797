"""Selection rules: what is taken, what is left out and why, and how far afield it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from genrec.selection import (
    SPREADS,
    Candidate,
    Checks,
    Selection,
    SelectionRules,
    select_neighbours,
    select_spread,
)
from genrec.types import Track


def candidate(
    number: int, cosine: float, artist: str = "", song: str = "", vector: np.ndarray | None = None
) -> Candidate:
    """Return a candidate whose track id and fingerprint are ``number``."""
    track = Track(number, song or f"song {number}", artist, "jazz", f"/{number}.mp3")
    fingerprint = np.full((15, 1), number, np.int8)
    vector = np.zeros(4, np.float32) if vector is None else vector
    return Candidate(track, cosine, artist, song, fingerprint, vector)


def same_tens(a: np.ndarray, others: Sequence[np.ndarray]) -> bool:
    """Return whether a fingerprint has the tens digit of one of the others."""
    return any(a[0, 0] // 10 == other[0, 0] // 10 for other in others)


CHECKS = Checks(same_recording=same_tens)


def selected(near: Sequence[Candidate], checks: Checks = CHECKS, **rules: object) -> list[int]:
    """Return the numbers that the rules select of the nearest candidates."""
    return numbers(select_neighbours(near, SelectionRules(**rules), checks))


def numbers(selection: Selection) -> list[int]:
    return [candidate.track.id for candidate in selection.chosen]


def test_select_skips_the_clips_recording_and_other_versions_of_its_song() -> None:
    near = [
        candidate(10, 0.99, "abba", "waterloo"),
        candidate(20, 0.95, "abba", "waterloo"),
        candidate(30, 0.9, "abba", "chiquitita"),
    ]
    own = replace(CHECKS, is_clip=lambda candidate: candidate.track.id == 10)
    assert selected(near, own) == [30]
    assert selected(near, replace(CHECKS, copies=frozenset({10}))) == [30]


def test_select_returns_a_recording_once() -> None:
    near = [candidate(40, 0.9), candidate(41, 0.8), candidate(50, 0.7)]
    assert selected(near) == [40, 50]


def test_select_returns_a_song_of_an_artist_once() -> None:
    near = [
        candidate(10, 0.9, "a", "x"),
        candidate(20, 0.8, "a", "x"),
        candidate(30, 0.7, "b", "x"),
    ]
    assert selected(near, per_artist=5) == [
        10,
        30,
    ]


def test_select_limits_tracks_per_artist() -> None:
    near = [candidate(10 * i, 1 - i / 20, "a" if i < 4 else "b", f"s{i}") for i in range(1, 7)]
    assert selected(near) == [10, 40]
    assert selected(near, per_artist=2) == [
        10,
        20,
        40,
        50,
    ]


def test_select_counts_tracks_without_artist_alone() -> None:
    near = [candidate(10 * i, 0.9) for i in range(1, 5)]
    assert len(selected(near)) == 4


def test_select_skips_the_song_named_by_the_clips_tags() -> None:
    near = [candidate(10, 0.9, "a", "x"), candidate(20, 0.8, "b", "y")]
    assert selected(near, replace(CHECKS, songs=[("a", "x")])) == [20]


def test_select_rejects_negative_cosines_by_default() -> None:
    near = [candidate(10, 0.0), candidate(20, -0.1)]
    assert selected(near) == [10]


def test_select_stops_at_the_cosine_floor_and_at_the_count() -> None:
    near = [candidate(10 * i, 1 - i / 10) for i in range(1, 9)]
    assert selected(near, floor=0.65) == [
        10,
        20,
        30,
    ]
    assert selected(near, count=2) == [
        10,
        20,
    ]


def test_selection_tells_which_rules_left_candidates_out() -> None:
    near = [
        candidate(10, 0.9, "a", "x"),
        candidate(20, 0.9, "seed", "y"),
        candidate(30, 0.8, "a", "z"),
        candidate(40, 0.8, "b"),
        candidate(50, 0.8, "c"),
        candidate(60, 0.7, "d"),
    ]
    rules = SelectionRules(
        artists=frozenset({"seed"}),
        shown=frozenset({40}),
        without_tracks=frozenset({50}),
        without_artists=frozenset({"d"}),
    )
    selection = select_neighbours(near, rules, CHECKS)
    assert numbers(selection) == [10]
    assert selection.left_out == {"artist", "per_artist", "shown", "unwanted"}


def test_a_copy_of_the_clip_is_no_other_track_of_its_artist() -> None:
    near = [candidate(10, 0.99, "seed", "x")]
    rules = SelectionRules(artists=frozenset({"seed"}))
    selection = select_neighbours(near, rules, replace(CHECKS, copies=frozenset({10})))
    assert selection.left_out == {"own"}


def test_a_guest_counts_as_an_artist() -> None:
    guest = candidate(10, 0.9, "a feat. seed")
    assert selected([guest, candidate(20, 0.8, "b")], artists=frozenset({"seed"})) == [20]


def crowd(n: int = 60) -> list[Candidate]:
    """Return candidates about a seed, the nearest ones all alike."""
    rng = np.random.default_rng(0)
    seed = np.eye(1, 8, dtype=np.float32)[0]
    vectors = seed + 0.5 * rng.standard_normal((n, 8)).astype(np.float32)
    vectors[: n // 4] = seed + 0.02 * rng.standard_normal((n // 4, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = vectors @ seed
    return [
        candidate(i + 1, float(cosines[place]), f"artist {i}", f"song {i}", vectors[place])
        for i, place in enumerate(np.argsort(-cosines))
    ]


def likeness(selection: Selection) -> float:
    """Return the mean cosine between the chosen candidates."""
    vectors = np.array([each.vector for each in selection.chosen])
    cosines = vectors @ vectors.T
    return float(cosines[np.triu_indices(len(vectors), 1)].mean())


NEVER = Checks(same_recording=lambda one, others: False)


def test_a_farther_reach_selects_farther_tracks_that_differ_more() -> None:
    near = crowd()
    rules = SelectionRules(floor=0.2)
    chosen = [select_spread(near, rules, NEVER, SPREADS[reach]) for reach in SPREADS]
    nearest = select_neighbours(near, rules, NEVER)
    assert numbers(chosen[0]) == numbers(nearest)
    means = [np.mean([each.cosine for each in one.chosen]) for one in chosen]
    assert means[0] > means[1] > means[2]
    likenesses = [likeness(one) for one in chosen]
    assert likenesses[0] > likenesses[1] > likenesses[2]


@pytest.mark.parametrize("reach", ["balanced", "adventurous"])
def test_a_farther_reach_keeps_the_rules_and_the_order(reach: str) -> None:
    near = [replace(each, artist_key=f"a{i // 3}") for i, each in enumerate(crowd())]
    rules = SelectionRules(count=8, floor=0.2, shown=frozenset({near[3].track.id}))
    selection = select_spread(near, rules, NEVER, SPREADS[reach])
    chosen = selection.chosen
    assert len(chosen) == 8
    assert len({each.artist_key for each in chosen}) == 8
    assert all(each.cosine >= 0.2 and each.track.id != near[3].track.id for each in chosen)
    assert [each.cosine for each in chosen] == sorted(
        (each.cosine for each in chosen), reverse=True
    )


@pytest.mark.parametrize("reach", ["balanced", "adventurous"])
def test_a_farther_reach_falls_back_on_the_nearest_tracks(reach: str) -> None:
    near = crowd(8)
    selection = select_spread(near, SelectionRules(count=8, floor=-1), NEVER, SPREADS[reach])
    assert numbers(selection) == numbers(
        select_neighbours(near, SelectionRules(count=8, floor=-1), NEVER)
    )


@pytest.mark.parametrize("reach", ["balanced", "adventurous"])
def test_a_farther_reach_keeps_the_floor(reach: str) -> None:
    near = crowd()
    floor = near[6].cosine
    selection = select_spread(near, SelectionRules(count=10, floor=floor), NEVER, SPREADS[reach])
    assert sorted(numbers(selection)) == numbers(
        select_neighbours(near, SelectionRules(count=10, floor=floor), NEVER)
    )
    assert len(selection.chosen) == 7


def test_a_candidate_that_is_left_out_does_not_push_others_away() -> None:
    axes = np.eye(3, dtype=np.float32)
    near = [
        candidate(10, 0.9, vector=axes[0]),  # shown already
        candidate(20, 0.8, vector=axes[0]),
        candidate(30, 0.7, vector=axes[1]),
    ]
    rules = SelectionRules(count=1, shown=frozenset({10}))
    assert numbers(select_spread(near, rules, NEVER, SPREADS["balanced"])) == [20]
