"""The plane of a way: start on the left, distances kept, tracks around it in place."""

from __future__ import annotations

import numpy as np
import pytest

from genrec.local_map import local_plane, nearest_around
from genrec.paths import arc_points


def test_way_on_a_plane_keeps_its_distances_and_starts_on_the_left() -> None:
    start, goal = np.eye(8, dtype=np.float32)[[3, 5]]
    way = np.vstack([start, arc_points(start, goal, 3), goal])
    around = np.vstack([way[2], -way[2]])
    songs, others = local_plane(way, around)
    assert np.linalg.norm(songs[0] - songs[-1]) == pytest.approx(np.sqrt(2), abs=1e-4)
    assert (np.diff(songs[:, 0]) > 0).all()
    assert songs[2, 1] > songs[[0, -1], 1].max()
    assert others[0] == pytest.approx(songs[2], abs=1e-5)


def test_two_songs_are_placed_by_the_tracks_around_them() -> None:
    way = np.eye(4, dtype=np.float32)[:2]
    songs, others = local_plane(way, np.eye(4, dtype=np.float32)[2:3])
    assert songs[0, 0] < songs[1, 0]
    assert abs(others[0, 1] - songs[0, 1]) > 0.3
    alone, none = local_plane(way, np.zeros((0, 4), dtype=np.float32))
    assert np.isfinite(alone).all()
    assert none.shape == (0, 2)


def test_nearest_tracks_around_a_way_are_kept() -> None:
    rows = np.random.default_rng(1).normal(size=(500, 6)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    kept = nearest_around(rows[:3], rows, 40)
    assert len(kept) == 40
    assert {0, 1, 2} <= set(kept.tolist())
    nearness = (rows @ rows[:3].T).max(axis=1)
    assert nearness[kept].min() >= np.delete(nearness, kept).max()
    assert nearest_around(rows[:3], rows[:5], 40).tolist() == [0, 1, 2, 3, 4]
