"""CPU time of a way of songs in a million tracks: the pass over the matrix and the search."""

from __future__ import annotations

import sys
import time

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from genrec.paths import find_way, near_arc
from tests.benchmarks.figures import RecordFigure
from tests.benchmarks.search import library

DIMENSION, ROUNDS = 64, 15
LIMIT_MS = 150


@pytest.mark.parametrize("songs", [8, 20])
@pytest.mark.benchmark(timer=time.process_time)
def test_path_in_a_million_tracks(
    benchmark: BenchmarkFixture, songs: int, timed: bool,
    capsys: pytest.CaptureFixture[str], record_figure: RecordFigure,
) -> None:  # fmt: skip
    tracks = 1_000_000 if timed else 10_000
    matrix = library(tracks, DIMENSION)
    rng = np.random.default_rng(songs)
    artists = rng.integers(0, tracks // 10, tracks)
    allowed = np.ones(tracks, dtype=np.bool_)
    benchmark.group = f"7 path of {songs} songs, {tracks:,} tracks of {DIMENSION} dimensions"

    def ends() -> tuple[tuple[int, int], dict[str, int]]:
        start, goal = rng.choice(tracks, size=2, replace=False).tolist()
        return (start, goal), {}

    def way(start: int, goal: int) -> list[int]:
        allowed[[start, goal]] = False
        near = near_arc(matrix, matrix[start], matrix[goal], allowed)
        allowed[[start, goal]] = True
        rows = np.concatenate([[start], near, [goal]])
        return [int(rows[i]) for i in find_way(matrix[rows], artists[rows], songs)]

    found = benchmark.pedantic(way, setup=ends, rounds=ROUNDS if timed else 1)
    assert 2 <= len(found) == len(set(found)) <= songs
    if timed:
        ms = 1000 * float(np.median(benchmark.stats.stats.data))
        with capsys.disabled():
            sys.stdout.write(f"\npath of {songs} songs: {ms:.0f} ms of CPU\n")
        name = f"path of {songs} songs in 1M x {DIMENSION}, CPU"
        record_figure(name, f"{LIMIT_MS} ms", f"{ms:.0f} ms", ms <= LIMIT_MS)
