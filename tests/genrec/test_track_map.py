"""Places on a map: landmarks, placing among neighbours, turning, and the process of the layout."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from genrec.errors import MapFailed, MapLibraryMissing
from genrec.map_layout import lay_out
from genrec.track_map import aligned, landmarks, neighbour_agreement, normalised, place


def groups(each: int = 20, dimension: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Return unit vectors of three well separated groups, and the group of each."""
    rng = np.random.default_rng(5)
    centres = rng.normal(size=(3, dimension))
    labels = np.repeat(np.arange(3), each)
    vectors = centres[labels] + 0.3 * rng.normal(size=(3 * each, dimension))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), labels


def test_landmarks_of_a_small_library_are_all_its_tracks() -> None:
    assert landmarks(np.arange(5, dtype=np.int64), 5).tolist() == [0, 1, 2, 3, 4]


def test_landmarks_of_a_library_that_grew_are_mostly_the_same() -> None:
    before = np.arange(1, 10_001, dtype=np.int64)
    after = np.arange(1, 11_001, dtype=np.int64)
    old, new = set(before[landmarks(before, 500)]), set(after[landmarks(after, 500)])
    assert len(old) == len(new) == 500
    assert len(old & new) > 430
    assert max(old) > 9_000  # of the whole library, not its oldest part
    assert min(old) < 1_000


def test_place_of_a_known_track_is_its_own() -> None:
    vectors, labels = groups()
    positions = np.stack([10.0 * labels, np.zeros(len(labels))], axis=1).astype(np.float32)
    placed = place(vectors[:3], vectors, positions)
    assert np.allclose(placed, positions[:3], atol=0.5)


def test_place_of_a_new_track_is_among_its_group() -> None:
    vectors, labels = groups()
    positions = np.stack([10.0 * labels, -5.0 * labels], axis=1).astype(np.float32)
    new = np.arange(0, len(vectors), 7)
    known = np.setdiff1d(np.arange(len(vectors)), new)
    placed = place(vectors[new], vectors[known], positions[known])
    assert np.abs(placed - positions[new]).max() < 1


def test_place_needs_a_place_for_each_known_track() -> None:
    with pytest.raises(ValueError, match="positions: 2 for 3 tracks"):
        place(np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32), np.zeros((2, 2), "f4"))
    with pytest.raises(ValueError, match="one each is needed"):
        place(np.eye(3, dtype=np.float32), np.zeros((0, 3), "f4"), np.zeros((0, 2), "f4"))


def test_normalised_places_fill_the_square_with_one_scale() -> None:
    placed = normalised(np.array([[0, 0], [10, 2], [5, 1]], dtype=np.float32))
    assert placed.tolist() == [[-1, pytest.approx(-0.2)], [1, pytest.approx(0.2)], [0, 0]]
    assert normalised(np.ones((4, 2), np.float32)).tolist() == [[0, 0]] * 4


def test_aligned_undoes_a_turn_and_a_mirror() -> None:
    old = np.random.default_rng(1).normal(size=(30, 2)).astype(np.float32)
    turned = old @ np.array([[0, 1], [1, 0]], dtype=np.float32)
    assert np.allclose(turned @ aligned(turned, old), old, atol=1e-5)


def test_neighbour_agreement_counts_labels_of_neighbours() -> None:
    line = np.arange(8, dtype=np.float32)[:, np.newaxis]
    halves = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    assert neighbour_agreement(line, halves, 1) > 0.8
    assert neighbour_agreement(line, np.arange(8), 1) == 0


async def test_layout_keeps_groups_together_and_is_the_same_again() -> None:
    vectors, labels = groups()
    ids = np.arange(1, len(vectors) + 1)
    positions = await lay_out(ids, vectors)
    assert positions.shape == (60, 2)
    assert neighbour_agreement(positions, labels, 10) > 0.95
    assert np.array_equal(positions, await lay_out(ids, vectors))


async def test_layout_that_starts_from_old_places_stays_near_them() -> None:
    vectors, labels = groups()
    ids = np.arange(1, len(vectors) + 1)
    old = normalised(await lay_out(ids, vectors))
    new = await lay_out(ids, vectors, old)
    turned = normalised(new @ aligned(new, old))
    means = [
        np.array([positions[labels == label].mean(axis=0) for label in range(3)])
        for positions in (old, turned)
    ]
    assert np.abs(means[0] - means[1]).max() < 0.3


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("import sys; sys.exit(3)", "exit code 3"),
        ("print('no array')", "without a map"),
        ("import time; time.sleep(60)", "longer than 1 s"),
    ],
)
async def test_layout_process_that_fails_is_told(code: str, sentence: str) -> None:
    vectors, _ = groups()
    with pytest.raises(MapFailed, match=sentence):
        await lay_out(np.arange(60), vectors, timeout_s=1, command=(sys.executable, "-c", code))


async def test_layout_without_scikit_learn_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("genrec.map_layout.LIBRARY", "no_such_library")
    with pytest.raises(MapLibraryMissing, match=r"genrec\[map\]"):
        await lay_out(np.arange(60), groups()[0])


async def test_layout_process_gets_no_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GENREC_TOKEN", "secret")
    seen = tmp_path / "environment"
    code = f"import os; open({str(seen)!r}, 'w').write(str(dict(os.environ)))"
    with pytest.raises(MapFailed):
        await lay_out(np.arange(60), groups()[0], command=(sys.executable, "-c", code))
    assert "OMP_NUM_THREADS" in seen.read_text()
    assert "secret" not in seen.read_text()
