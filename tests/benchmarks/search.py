"""Exact search in a library of vectors: genrec, NumPy and the libraries made for it.

python -m tests.benchmarks.search WAY TRACKS DIMENSION ROUNDS  prints JSON: seconds, recall, found.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from genrec.similarity import NeighbourIndex
from tests.benchmarks.peer import import_peer, python, run_peer

Float = NDArray[np.float32]
Search = Callable[[Float], NDArray[np.int64]]

QUERIES = 20
K = 5
TIE = 1e-6
"""A row whose cosine is this near to the k-th counts as found: float32 sums depend on order."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds of each search, recall over all queries, distinct rows in the last result."""

    seconds: list[float]
    recall: float
    found: int


@cache
def library(tracks: int, dimension: int) -> Float:
    """Return unit vectors (tracks, dimension) in clusters of many sizes and widths, like music."""
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
    """Return queries: rows of the library with a little noise, length one."""
    rng = np.random.default_rng(1)
    rows = matrix[rng.choice(len(matrix), QUERIES, replace=False)]
    rows = rows + 0.3 * rng.standard_normal(rows.shape, dtype=np.float32) / rows.shape[1] ** 0.5
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def genrec(matrix: Float) -> Search:
    """Return genrec's search over all rows."""
    index = NeighbourIndex(np.arange(len(matrix), dtype=np.int64), matrix)
    return lambda query: index.search(query, K)[0]


def genrec_one_genre(matrix: Float) -> Search:
    """Return genrec's search over every tenth row."""
    index = NeighbourIndex(np.arange(len(matrix), dtype=np.int64), matrix)
    allowed = np.arange(len(matrix)) % 10 == 7
    return lambda query: index.search(query, K, allowed=allowed)[0]


def plain_numpy(matrix: Float) -> Search:
    """Return one product and ``argpartition``."""
    return lambda query: _sorted_best(matrix, query)


def faiss_flat(matrix: Float) -> Search:
    """Return faiss' exact index."""
    index = import_peer("faiss").IndexFlatIP(matrix.shape[1])
    index.add(matrix)
    return lambda query: index.search(query[np.newaxis], K)[1][0]


def usearch_exact(matrix: Float) -> Search:
    """Return usearch's exact search."""
    index = import_peer("usearch.index")
    metric = index.MetricKind.IP
    return lambda query: np.asarray(
        index.search(matrix, query[np.newaxis], K, metric, exact=True).keys
    ).reshape(-1)


def sqlite_vec(matrix: Float) -> Search:
    """Return sqlite-vec in memory, loaded by apsw: not every Python's own loads extensions."""
    extension = import_peer("sqlite_vec")
    connection = import_peer("apsw").Connection(":memory:")
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


WAYS: dict[str, Callable[[Float], Search]] = {
    way.__name__: way
    for way in (genrec, genrec_one_genre, plain_numpy, faiss_flat, usearch_exact, sqlite_vec)
}
PEERS = {"faiss_flat": "faiss", "usearch_exact": "usearch", "sqlite_vec": "sqlite_vec"}
"""Way to search: the package that it needs and genrec does not."""


def measure(way: str, tracks: int, dimension: int, rounds: int) -> Measured:
    """Search a library with one query a round, after one query that is not timed."""
    matrix = library(tracks, dimension)
    search = WAYS[way](matrix)
    clips = queries(matrix)
    found, seconds = search(clips[0]), []
    for number in range(rounds):
        clip = clips[number % len(clips)]
        start = time.perf_counter()
        found = search(clip)
        seconds.append(time.perf_counter() - start)
    rows = np.arange(7, tracks, 10) if way == "genrec_one_genre" else None
    return Measured(seconds, recall(matrix, search, rows=rows), len(np.unique(found)))


def measure_in_process(way: str, tracks: int, dimension: int, rounds: int) -> Measured:
    """Return the same, measured in a process of its own; raise LeftOutError if that fails."""
    command = python("-m", "tests.benchmarks.search", way, tracks, dimension, rounds)
    return Measured(**json.loads(run_peer(PEERS.get(way, way), command)))


def recall(matrix: Float, search: Search, *, rows: NDArray[np.intp] | None = None) -> float:
    """Return the share of the true nearest rows that a search finds, over all queries."""
    hits = 0
    for query in queries(matrix):
        least = float((matrix @ query)[_sorted_best(matrix, query, rows)].min())
        found = np.unique(np.asarray(search(query)))
        hits += int((matrix[found] @ query >= least - TIE).sum())
    return hits / (K * QUERIES)


def _sorted_best(matrix: Float, query: Float, rows: NDArray[np.intp] | None = None) -> NDArray:
    cosines = matrix @ query
    best = np.argpartition(-cosines, K)[:K] if rows is None else rows
    return best[np.argsort(-cosines[best], kind="stable")][:K]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(measure(sys.argv[1], *map(int, sys.argv[2:])))))
