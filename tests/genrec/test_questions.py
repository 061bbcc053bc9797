"""Questions: seeds, rules, and scores of rows for several seeds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from genrec import seed_scores
from genrec.names import credited_artists
from genrec.questions import REACHES, Question, Rules, Seed
from genrec.seed_scores import SeedScores, shortest_mean
from genrec.similarity import NeighbourIndex

RNG = np.random.default_rng(3)


def units(n: int, d: int = 16) -> np.ndarray:
    x = RNG.normal(size=(n, d)).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def scores(liked: np.ndarray, disliked: np.ndarray | None = None, unrelated: float = 0.2):
    seeds = [Seed(row) for row in liked]
    seeds += [Seed(row, liked=False) for row in (() if disliked is None else disliked)]
    return SeedScores.of(Question(tuple(seeds)), unrelated)


def test_question_needs_a_liked_seed() -> None:
    with pytest.raises(ValueError, match="none of 0"):
        Question(())
    with pytest.raises(ValueError, match="none of 1"):
        Question((Seed(units(1)[0], liked=False),))


@pytest.mark.parametrize("wrong", [{"count": 0}, {"per_artist": 0}, {"reach": "far"}])
def test_rules_refuse_what_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Rules(**wrong)


def test_default_rules_want_near_tracks_of_new_artists() -> None:
    assert (Rules().new_artists, Rules().reach, REACHES[0]) == (True, "near", "near")


@pytest.mark.parametrize("n", [0, 1, 1023, 1024, 1025, 5000])
@pytest.mark.parametrize(("liked", "disliked"), [(1, 1), (2, 0), (3, 2), (5, 0)])
def test_scores_in_blocks_equal_the_definition(n: int, liked: int, disliked: int) -> None:
    matrix, wanted, less = units(n) if n else np.zeros((0, 16), np.float32), units(liked), units(2)
    less = less[:disliked]
    expected = (matrix @ wanted.T).min(axis=1)
    if disliked:
        expected = expected - np.maximum((matrix @ less.T).max(axis=1) - 0.2, 0)
    found = scores(wanted, less)(matrix)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_score_of_one_seed_is_its_cosine() -> None:
    matrix, seed = units(500), units(1)
    np.testing.assert_array_equal(scores(seed)(matrix), matrix @ seed[0])


def test_score_does_not_depend_on_the_order_of_the_seeds() -> None:
    matrix, wanted, less = units(300), units(4), units(3)
    found = scores(wanted, less)(matrix)
    np.testing.assert_allclose(scores(wanted[::-1], less[::-1])(matrix), found, atol=1e-6)


@pytest.mark.parametrize("n", [1, 2, 4])
def test_another_seed_never_raises_a_score(n: int) -> None:
    matrix, wanted, less = units(300), units(n + 1), units(2)
    fewer = scores(wanted[:n])(matrix)
    assert (scores(wanted)(matrix) <= fewer + 1e-6).all()
    assert (scores(wanted[:n], less)(matrix) <= fewer + 1e-6).all()


def test_less_of_this_spares_unrelated_tracks() -> None:
    matrix, wanted, less = units(2000), units(1), units(1)
    plain, found = scores(wanted)(matrix), scores(wanted, less)(matrix)
    related = matrix @ less[0] > 0.2
    np.testing.assert_allclose(found[~related], plain[~related], atol=1e-6)
    assert (found[related] < plain[related]).all()
    assert 0 < related.sum() < len(related)


def test_the_mean_of_two_seeds_beats_each_of_them() -> None:
    wanted = units(2)
    mean = wanted.mean(axis=0)
    rows = np.array([*wanted, mean / np.linalg.norm(mean)])
    assert scores(wanted)(rows).argmax() == 2
    np.testing.assert_allclose(scores(wanted).worst(rows), scores(wanted)(rows), atol=1e-6)


def test_floor_falls_from_equal_to_unrelated_seeds() -> None:
    axes = np.eye(3, 16, dtype=np.float32)
    assert scores(axes[:1]).floor(0.3, -0.1) == 0.3
    assert scores(axes[[0, 0]]).floor(0.3, -0.1) == pytest.approx(0.3)
    assert scores(axes[:2]).floor(0.3, -0.1) == pytest.approx(-0.1)
    assert scores(np.array([axes[0], -axes[0]])).floor(0.3, -0.1) == pytest.approx(-0.1)
    between = np.array([axes[0], (axes[0] + axes[1]) / np.sqrt(2)])
    assert -0.1 < scores(between.astype(np.float32)).floor(0.3, -0.1) < 0.3


def test_blocks_have_no_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix, wanted = units(100), units(3)
    whole = scores(wanted)(matrix)
    monkeypatch.setattr(seed_scores, "_BLOCK", 7)
    np.testing.assert_allclose(scores(wanted)(matrix), whole, atol=1e-6)


@pytest.mark.parametrize(
    ("artist", "title", "keys"),
    [
        ("", "", set()),
        ("Unknown Artist", "Song", set()),
        ("The Beatles", "Help!", {"beatles"}),
        ("Santana feat. Rob Thomas", "Smooth", {"santana", "rob thomas"}),
        ("Santana", "Smooth (feat. Rob Thomas)", {"santana", "rob thomas"}),
        ("Gorillaz", "Stylo [ft. Mos Def & Bobby Womack]",
         {"gorillaz", "mos def and bobby womack", "mos def", "bobby womack"}),
        ("Simon & Garfunkel", "America", {"simon and garfunkel", "simon", "garfunkel"}),
        ("Lazer x Snake", "Lean On", {"lazer x snake", "lazer", "snake"}),
        ("The Featherweights", "Craft", {"featherweights"}),
    ],
)  # fmt: skip
def test_credited_artists(artist: str, title: str, keys: set[str]) -> None:
    assert credited_artists(artist, title) == keys


@pytest.mark.parametrize("k", [1, 5, 48, 900, 40_000])
@pytest.mark.parametrize(("liked", "disliked"), [(2, 0), (5, 0), (4, 1), (1, 2)])
def test_bounded_search_equals_a_full_sort(
    k: int, liked: int, disliked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seed_scores, "_SMALL", 1)
    monkeypatch.setattr(seed_scores, "_BOUND_SHARE", 16)
    matrix, wanted = units(40_000, 8), units(liked, 8)
    allowed = RNG.random(len(matrix)) < 0.3
    question = scores(wanted, units(disliked, 8) if disliked else None)
    index = NeighbourIndex(np.arange(len(matrix)), matrix)
    for mask in (None, allowed, np.zeros(len(matrix), dtype=bool)):
        everything = question(matrix)
        if mask is not None:
            everything[~mask] = -np.inf
        expected = np.sort(everything[np.isfinite(everything)])[::-1][:k]
        places, found = question.search(index, k, allowed=mask)
        np.testing.assert_allclose(found, expected, atol=1e-5)
        np.testing.assert_allclose(everything[places], found, atol=1e-5)


def test_bounded_search_keeps_the_order_of_equal_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seed_scores, "_SMALL", 1)
    monkeypatch.setattr(seed_scores, "_BOUND_SHARE", 16)
    matrix = np.repeat(units(1000), 4, axis=0)
    places, _ = scores(units(3)).search(NeighbourIndex(np.arange(4000), matrix), 12)
    np.testing.assert_array_equal(places.reshape(3, 4) % 4, [[0, 1, 2, 3]] * 3)


def test_shortest_mean_is_nearest_to_zero_and_of_the_hull() -> None:
    for n in (1, 2, 5, 40):
        seeds = units(n)
        mean = shortest_mean(seeds)
        weights = RNG.dirichlet(np.ones(n), 500)
        assert np.linalg.norm(mean) <= np.linalg.norm(weights @ seeds, axis=1).min() + 1e-3
    axes = np.eye(2, dtype=np.float32)
    np.testing.assert_allclose(shortest_mean(axes), [0.5, 0.5], atol=1e-4)
    angles = np.radians([0, 20, 40])
    fan = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    # The middle seed is farther from zero than the line between the outer ones.
    np.testing.assert_allclose(shortest_mean(fan), (fan[0] + fan[2]) / 2, atol=1e-3)
