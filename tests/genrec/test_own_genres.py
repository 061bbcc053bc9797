"""Genres of a library's own: learned, calibrated, and refused where they mean nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from genrec.own_genres import MIN_OTHERS, GenreExamples, OwnGenres, fit_genres

D = 16


def cloud(rng: np.random.Generator, axis: int, count: int, spread: float = 0.12) -> np.ndarray:
    """Return unit vectors around an axis."""
    x = spread * rng.standard_normal((count, D))
    x[:, axis] += 1
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def anywhere(rng: np.random.Generator, count: int) -> np.ndarray:
    x = rng.standard_normal((count, D))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def library(
    *sizes: int,
    seed: int = 0,
    others: int = 200,
    taught: bool = False,
    per_artist: int = 1,
    spread: float = 0.12,
) -> GenreExamples:
    """Make a genre around each axis, of so many tracks; artists have ``per_artist`` of them."""
    rng = np.random.default_rng(seed)
    count = sum(sizes)
    return GenreExamples(
        names=[f"genre {g}" for g in range(len(sizes))],
        matrix=np.concatenate([cloud(rng, g, size, spread) for g, size in enumerate(sizes)]),
        members=np.eye(len(sizes), dtype=bool)[np.repeat(np.arange(len(sizes)), sizes)],
        artists=np.arange(count) // per_artist,
        taught=np.full(len(sizes), taught),
        others=anywhere(rng, others),
    )


def refusals(learned: OwnGenres) -> list[str]:
    return [check.refusal for check in learned.checks]


def test_genres_are_recognised_on_new_tracks() -> None:
    learned = fit_genres(library(5, 8, 5))
    assert learned.names == ("genre 0", "genre 1", "genre 2")
    rng = np.random.default_rng(9)
    for genre in range(3):
        found = learned.probabilities(cloud(rng, genre, 40))
        assert (found.argmax(axis=1) == genre).all()
        assert found[:, genre].mean() > 0.8


def test_music_of_no_genre_has_low_probabilities_that_leave_room_for_none() -> None:
    learned = fit_genres(library(5, 8, 5))
    found = learned.probabilities(anywhere(np.random.default_rng(9), 200))
    assert found.sum(axis=1).max() < 1
    assert np.median(found.max(axis=1)) < 0.1


def test_scores_are_sorted_and_equal_the_probabilities() -> None:
    learned = fit_genres(library(5, 8))
    x = cloud(np.random.default_rng(3), 1, 1)[0]
    scores = learned.scores(x)
    assert [score.label for score in scores] == ["genre 1", "genre 0"]
    assert [score.probability for score in scores] == sorted(
        learned.probabilities(x[None])[0].tolist(), reverse=True
    )


@pytest.mark.parametrize(
    ("examples", "refusal"),
    [
        (library(4, 8), "few_tracks"),
        (library(2, 8, taught=True), "few_tracks"),
        (library(5, 8, per_artist=5), "one_artist"),
        (library(5, 5, others=MIN_OTHERS - 6), "few_others"),
    ],
    ids=["tags", "taught", "artist", "others"],
)
def test_genre_that_cannot_be_checked_is_refused(examples: GenreExamples, refusal: str) -> None:
    learned = fit_genres(examples)
    assert refusals(learned)[0] == refusal
    assert "genre 0" not in learned.names


def test_three_taught_clips_are_enough() -> None:
    learned = fit_genres(library(3, taught=True))
    assert learned.names == ("genre 0",)
    assert learned.checks[0].taught
    near = learned.probabilities(cloud(np.random.default_rng(5), 0, 20))
    far = learned.probabilities(cloud(np.random.default_rng(5), 9, 20))
    assert near.min() > far.max()


def test_tags_at_random_are_refused() -> None:
    rng = np.random.default_rng(2)
    examples = library(20, 20, 20)
    mixed = replace(examples, members=examples.members[rng.permutation(60)])
    learned = fit_genres(mixed)
    assert refusals(learned) == ["not_told_apart"] * 3
    assert learned.probabilities(examples.matrix).shape == (60, 0)
    assert learned.scores(examples.matrix[0]) == ()


def test_genre_of_two_unlike_artists_is_refused_although_each_is_alike() -> None:
    rng = np.random.default_rng(0)
    examples = library(6, 6)
    two = np.concatenate([cloud(rng, 3, 3, 0.05), cloud(rng, 4, 3, 0.05), examples.matrix[6:]])
    artists = np.array([0, 0, 0, 1, 1, 1, *range(2, 8)])
    learned = fit_genres(replace(examples, matrix=two, artists=artists))
    assert refusals(learned) == ["not_told_apart", ""]
    alone = fit_genres(replace(examples, matrix=two, artists=np.arange(12)))
    assert refusals(alone)[0] == ""


def test_area_is_that_of_the_cross_validation() -> None:
    """Count pairs one by one: each track of the genre against each other, without its artist."""
    examples = library(6, 7, others=20, per_artist=2, spread=0.5)
    check = fit_genres(examples).checks[0]
    X, member = examples.matrix.astype(float), examples.members[:, 0]

    def cosine(place: int) -> float:
        kept = member & (examples.artists != examples.artists[place])
        mean = X[kept].sum(axis=0)
        return float(X[place] @ mean / np.linalg.norm(mean))

    mean = X[member].sum(axis=0)
    own = [cosine(i) for i in np.flatnonzero(~member)]
    others = (examples.others @ (mean / np.linalg.norm(mean))).tolist()
    areas = []
    for outside in (own, others):
        of_artists = []
        for artist in np.unique(examples.artists[member]):
            inside = [cosine(i) for i in np.flatnonzero(member & (examples.artists == artist))]
            of_artists.append(np.mean([a > b for a in inside for b in outside]))
        areas.append(np.mean(of_artists))
    assert areas[0] != areas[1]
    assert check.auc == pytest.approx(min(areas))
    assert (check.tracks, check.artists) == (6, 3)


def test_track_with_two_genres_counts_for_both() -> None:
    examples = library(6, 6)
    both = examples.members.copy()
    both[:6, 1] = True  # the second genre includes the first
    learned = fit_genres(replace(examples, members=both))
    assert [check.tracks for check in learned.checks] == [6, 12]
    found = learned.probabilities(examples.matrix)
    assert (found.sum(axis=1) < 1 + 1e-9).all()
    assert found[6:, 1].mean() > found[:6, 1].mean()


def test_larger_genre_has_the_larger_share() -> None:
    few, many = fit_genres(library(5, 5)), fit_genres(library(5, 50))
    assert few.prior[0] == pytest.approx(np.log(5 / 20))
    assert many.prior[0] == pytest.approx(np.log(5 / 110))
    assert np.exp(many.prior).sum() == pytest.approx(1)


def test_probabilities_are_calibrated_on_new_tracks_of_overlapping_genres() -> None:
    rng = np.random.default_rng(1)
    examples = library(40, 40, 40, others=400)
    blurred = np.concatenate([cloud(rng, g, 40, 0.3) for g in range(3)])
    learned = fit_genres(replace(examples, matrix=blurred))
    assert len(learned.names) == 3
    tested = np.concatenate([cloud(rng, g, 300, 0.3) for g in range(3)])
    tested = np.concatenate([tested, anywhere(rng, 900)])
    truth = np.repeat([0, 1, 2, -1], [300, 300, 300, 900])
    found = learned.probabilities(tested)
    confidence, right = found.max(axis=1), found.argmax(axis=1) == truth
    bins = np.minimum((confidence * 10).astype(int), 9)
    gaps = np.bincount(bins, right - confidence)
    assert np.abs(gaps).sum() / len(truth) < 0.08


def test_empty_library_has_no_genres() -> None:
    nothing = GenreExamples(
        [], np.zeros((0, D), np.float32), np.zeros((0, 0), bool), np.zeros(0, np.int64),
        np.zeros(0, bool), anywhere(np.random.default_rng(0), 50),
    )  # fmt: skip
    learned = fit_genres(nothing)
    assert learned.names == ()
    assert learned.scores(np.eye(D, dtype=np.float32)[0]) == ()
