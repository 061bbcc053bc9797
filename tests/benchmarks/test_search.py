"""How long one query takes, beside the libraries made for it: a thousand to a million tracks."""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Callable
from functools import cache
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

from genrec.similarity import NeighbourIndex
from tests.benchmarks.figures import Reached

Float = NDArray[np.float32]
Search = Callable[[Float], NDArray[np.int64]]

SIZES = [1_000, 10_000, 100_000, 1_000_000]
DIMENSIONS = [64, 512]  # the presets', and what many others have
QUERIES = 20
K = 5


@cache
def library(tracks: int, dimension: int) -> Float:
    """Make tracks in clusters of all sizes and widths, as music is: genres, artists, albums."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((max(10, tracks // 200), dimension), dtype=np.float32)
    matrix = np.empty((tracks, dimension), dtype=np.float32)
    for start in range(0, tracks, 50_000):
        part = matrix[start : start + 50_000]
        rng.standard_normal(out=part, dtype=np.float32)
        part *= rng.uniform(0.1, 1.0, (len(part), 1)).astype(np.float32)
        part += centres[(len(centres) * rng.random(len(part)) ** 2).astype(np.intp)]
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return matrix


def queries(matrix: Float) -> Float:
    """Return clips: tracks of the library, heard a little differently."""
    rng = np.random.default_rng(1)
    heard = matrix[rng.choice(len(matrix), QUERIES, replace=False)]
    heard = heard + 0.3 * rng.standard_normal(heard.shape, dtype=np.float32) / heard.shape[1] ** 0.5
    return heard / np.linalg.norm(heard, axis=1, keepdims=True)


def genrec(matrix: Float) -> Search:
    index = NeighbourIndex(np.arange(len(matrix), dtype=np.int64), matrix)
    return lambda query: index.search(query, K)[0]


def genrec_one_genre(matrix: Float) -> Search:
    index = NeighbourIndex(np.arange(len(matrix), dtype=np.int64), matrix)
    allowed = np.arange(len(matrix)) % 10 == 7
    return lambda query: index.search(query, K, allowed=allowed)[0]


def plain_numpy(matrix: Float) -> Search:
    return lambda query: _sorted_best(matrix, query)


def faiss_flat(matrix: Float) -> Search:
    index = module("faiss").IndexFlatIP(matrix.shape[1])
    index.add(matrix)
    return lambda query: index.search(query[np.newaxis], K)[1][0]


def usearch_exact(matrix: Float) -> Search:
    index = module("usearch.index")
    metric = index.MetricKind.IP
    return lambda query: np.asarray(
        index.search(matrix, query[np.newaxis], K, metric, exact=True).keys
    ).reshape(-1)


def sqlite_vec(matrix: Float) -> Search:
    extension = module("sqlite_vec")
    connection = module("apsw").Connection(":memory:")  # not every Python's own loads extensions
    connection.enable_load_extension(True)
    connection.load_extension(extension.loadable_path())
    connection.execute(f"CREATE VIRTUAL TABLE v USING vec0(embedding float[{matrix.shape[1]}])")
    connection.executemany(
        "INSERT INTO v(rowid, embedding) VALUES (?, ?)",
        ((i, row.tobytes()) for i, row in enumerate(matrix)),
    )
    statement = "SELECT rowid FROM v WHERE embedding MATCH ? AND k = ? ORDER BY distance"
    return lambda query: np.array(
        [row[0] for row in connection.execute(statement, (query.tobytes(), K))]
    )


def module(name: str) -> ModuleType:
    """Import what genrec does not depend on, or skip."""
    try:
        return importlib.import_module(name)
    except ImportError:
        pytest.skip(f"{name.partition('.')[0]} is not installed: it is only compared with")


def _sorted_best(matrix: Float, query: Float, rows: NDArray[np.intp] | None = None) -> NDArray:
    cosines = matrix @ query
    best = np.argpartition(-cosines, K)[:K] if rows is None else rows
    return best[np.argsort(-cosines[best], kind="stable")][:K]


def recall(matrix: Float, search: Search, *, rows: NDArray[np.intp] | None = None) -> float:
    """Return how many of the truly nearest are found, over all queries."""
    hits = 0
    for query in queries(matrix):
        # A tie in float32 is broken by the order of the sums: what is as near counts as found.
        least = float((matrix @ query)[_sorted_best(matrix, query, rows)].min())
        found = np.unique(np.asarray(search(query)))
        hits += int((matrix[found] @ query >= least - 1e-6).sum())
    return hits / (K * QUERIES)


def index_bytes(matrix: Float) -> int:
    """Return what our index holds."""
    index = NeighbourIndex(np.arange(len(matrix), dtype=np.int64), matrix)
    return index.ids.nbytes + index.matrix.nbytes


def require_room(tracks: int, dimension: int, *, timed: bool) -> None:
    """Skip what takes long where nobody looks at the time, and what does not fit twice."""
    if not timed and tracks * dimension > 100_000 * DIMENSIONS[0]:
        pytest.skip("large libraries are only searched where times are taken")
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    needed = 2 * tracks * dimension * 4 + 2**30
    if free < needed:
        pytest.skip(f"{needed / 2**30:.1f} GiB of free memory are needed, {free / 2**30:.1f} are")


@pytest.fixture(autouse=True)
def one_library_at_a_time(tracks: int, dimension: int) -> None:
    """Forget the library of the test before, unless this one takes the same."""
    if last.get("of") != (tracks, dimension):
        library.cache_clear()
    last["of"] = (tracks, dimension)


last: dict[str, tuple[int, int]] = {}
medians: dict[tuple[int, int], dict[str, float]] = {}
"""Seconds a query of each way to search, by tracks and dimension; where times are taken."""


@pytest.mark.parametrize("dimension", DIMENSIONS)
@pytest.mark.parametrize("tracks", SIZES)
@pytest.mark.parametrize(
    "build",
    [genrec, genrec_one_genre, plain_numpy, faiss_flat, usearch_exact, sqlite_vec],
    ids=lambda build: build.__name__,
)
@pytest.mark.timeout(600)  # a million rows into another's index take minutes
def test_search(
    benchmark: BenchmarkFixture, build: Callable[[Float], Search], tracks: int, dimension: int,
    timed: bool, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    require_room(tracks, dimension, timed=timed)
    matrix = library(tracks, dimension)
    search = build(matrix)
    benchmark.group = f"7 search, {tracks:,} tracks of {dimension} dimensions"
    clips = iter(np.tile(queries(matrix), (10_000, 1)))

    found = benchmark.pedantic(
        lambda: search(next(clips)), rounds=QUERIES if timed else 1, warmup_rounds=int(timed)
    )

    rows = np.arange(7, tracks, 10) if build is genrec_one_genre else None
    found_of_nearest = recall(matrix, search, rows=rows)
    benchmark.extra_info["recall at 5"] = found_of_nearest
    if timed:
        medians.setdefault((tracks, dimension), {})[build.__name__] = benchmark.stats.stats.median
    said = f"{build.__name__}, {tracks:,} x {dimension}: recall at {K} {found_of_nearest:.4f}"
    with capsys.disabled():
        sys.stdout.write(f"\n{said}\n" if timed else "")
    assert len(np.unique(found)) == K
    assert found_of_nearest >= 0.999


@pytest.mark.parametrize("dimension", DIMENSIONS)
@pytest.mark.parametrize("tracks", [SIZES[-1]])
def test_beside_the_best(tracks: int, dimension: int, reached: Reached) -> None:
    """Put the largest library's figures into the table: this run's times, no new ones."""
    taken = medians.get((tracks, dimension), {})
    if "genrec" not in taken or "plain_numpy" not in taken:
        pytest.skip("a million tracks were not searched in this run")
    others = {name: s for name, s in taken.items() if not name.startswith("genrec")}
    best = min(others, key=others.__getitem__)
    ratio, ms = taken["genrec"] / others[best], 1000 * taken["genrec"]
    said = f"{ms:.1f} ms, {ratio:.2f} times {best} (of {len(others)})"
    reached(f"top 5 of 1M x {dimension}, against the best", "1.3 times", said, ratio <= 1.3)
    matrix = library(tracks, dimension)
    clip, alone = queries(matrix)[0], []
    for _ in range(QUERIES):
        start = time.perf_counter()
        matrix @ clip
        alone.append(time.perf_counter() - start)
    product = float(np.median(alone))
    said = f"{1000 * product:.1f} ms, {matrix.nbytes / product / 1e9:.0f} GB/s"
    reached(f"the product alone, 1M x {dimension}", "the roof: memory", said, None)
    each = index_bytes(matrix) / tracks
    limit = 4 * dimension + 64
    reached(f"bytes a track, {dimension} dimensions", f"{limit}", f"{each:.0f}", each <= limit)
