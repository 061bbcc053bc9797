"""Time of one search in a thousand to a million tracks, against libraries made for it."""

from __future__ import annotations

import os
import sys
import time
from importlib.util import find_spec

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from db.catalogue_rows import CatalogueRows, LabelColumn
from genrec.description_codec import FIELDS
from tests.benchmarks.figures import LeaveOut, RecordFigure
from tests.benchmarks.peer import LeftOutError
from tests.benchmarks.search import (
    PEERS,
    QUERIES,
    WAYS,
    Float,
    K,
    library,
    measure,
    measure_in_process,
    queries,
)  # fmt: skip

SIZES = [1_000, 10_000, 100_000, 1_000_000]
DIMENSIONS = [64, 512]  # the presets', and a common one of other models


class ReportedClock:
    """A clock that advances by the seconds a process reported: a timer for pytest-benchmark."""

    def __init__(self) -> None:
        self._now = 0.0

    def __call__(self) -> float:
        """Return the sum of all seconds reported until now."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Add the seconds of one search."""
        self._now += seconds


CLOCK = ReportedClock()
medians: dict[tuple[int, int], dict[str, float]] = {}
"""Median seconds of a search by way, for each number of tracks and dimension; timed runs only."""


def index_bytes(matrix: Float) -> int:
    """Return the bytes of genrec's index, as the metric genrec_index_bytes counts them."""
    n, names = len(matrix), ("",)
    labels = [LabelColumn(np.zeros(n, dtype=np.int32), names) for _ in range(3)]
    descriptions = np.full((n, len(FIELDS)), np.nan, dtype=np.float32)
    ids = np.arange(1, n + 1, dtype=np.int64)
    return CatalogueRows(1, "model", ids, matrix, *labels, descriptions).size_bytes


def require_memory(tracks: int, dimension: int, *, timed: bool) -> None:
    """Skip large libraries in an untimed run, and those that do not fit into memory twice."""
    if not timed and tracks * dimension > 100_000 * DIMENSIONS[0]:
        pytest.skip("large libraries are only searched by `make bench`")
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    needed = 2 * tracks * dimension * 4 + 2**30
    if free < needed:
        pytest.skip(f"needs {needed / 2**30:.1f} GiB of free memory, has {free / 2**30:.1f}")


@pytest.fixture(autouse=True)
def one_library_in_memory() -> None:
    """Drop the library of the previous test: its memory is needed."""
    library.cache_clear()


@pytest.mark.benchmark(timer=CLOCK)
@pytest.mark.parametrize("dimension", DIMENSIONS)
@pytest.mark.parametrize("tracks", SIZES)
@pytest.mark.parametrize("way", list(WAYS))
@pytest.mark.timeout(600)  # inserting a million rows into another index takes minutes
def test_search(
    benchmark: BenchmarkFixture, way: str, tracks: int, dimension: int,
    timed: bool, capsys: pytest.CaptureFixture[str], leave_out: LeaveOut,
) -> None:  # fmt: skip
    require_memory(tracks, dimension, timed=timed)
    if not timed and way in PEERS and find_spec(PEERS[way]) is None:
        pytest.skip(f"{PEERS[way]} is not installed: see `make peers`")
    benchmark.group = f"7 search, {tracks:,} tracks of {dimension} dimensions"
    run = measure_in_process if timed or way in PEERS else measure
    rounds = QUERIES if timed else 1
    try:
        measured = run(way, tracks, dimension, rounds)
    except LeftOutError as error:
        leave_out(error)
        pytest.skip(str(error))
    seconds = iter(measured.seconds)
    benchmark.pedantic(lambda: CLOCK.advance(next(seconds)), rounds=rounds)
    benchmark.extra_info["recall at 5"] = measured.recall
    if timed:
        medians.setdefault((tracks, dimension), {})[way] = float(np.median(measured.seconds))
        with capsys.disabled():
            line = f"{way}, {tracks:,} x {dimension}: recall at {K} {measured.recall:.4f}"
            sys.stdout.write(f"\n{line}\n")
    assert measured.found == K
    assert measured.recall >= 0.999


@pytest.mark.parametrize("dimension", DIMENSIONS)
@pytest.mark.parametrize("tracks", [SIZES[-1]])
def test_search_largest_library_against_fastest_peer(
    tracks: int, dimension: int, record_figure: RecordFigure
) -> None:
    """Compare the medians of this run; nothing is timed again but the plain product."""
    taken = medians.get((tracks, dimension), {})
    if "genrec" not in taken or "plain_numpy" not in taken:
        pytest.skip("a million tracks were not searched in this run")
    others = {name: s for name, s in taken.items() if not name.startswith("genrec")}
    best = min(others, key=others.__getitem__)
    ratio, ms = taken["genrec"] / others[best], 1000 * taken["genrec"]
    text = f"{ms:.1f} ms, {ratio:.2f} times {best} (fastest of {len(others)})"
    record_figure(
        f"top 5 of 1M x {dimension}, against the fastest", "1.3 times", text, ratio <= 1.3
    )
    matrix = library(tracks, dimension)
    clip, alone = queries(matrix)[0], []
    for _ in range(QUERIES):
        start = time.perf_counter()
        matrix @ clip
        alone.append(time.perf_counter() - start)
    product = float(np.median(alone))
    text = f"{1000 * product:.1f} ms, {matrix.nbytes / product / 1e9:.0f} GB/s"
    record_figure(f"the product alone, 1M x {dimension}", "lower bound", text, None)
    each = index_bytes(matrix) / tracks
    limit = 4 * dimension + 64
    record_figure(
        f"bytes a track, {dimension} dimensions", f"{limit}", f"{each:.0f}", each <= limit
    )
    assert set(others) <= set(WAYS)
