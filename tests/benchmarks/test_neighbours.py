"""Recall and CPU time of pgvector beside the matrix; a million tracks with GENREC_MILLION=1."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest

from db.neighbours import Neighbours, TrackFilter
from genrec.seed_scores import SeedScores
from tests.benchmarks.figures import RecordFigure
from tests.benchmarks.served_world import GUILD, Made, measure, opened
from tests.db.postgres_server import running_server

K, QUERIES = 48, 100
SHARED = ("library", GUILD)
OPTIONS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=1GB")


def questions(made: Made) -> list[SeedScores]:
    """Return single seeds: rows of the library with a little noise."""
    rng = np.random.default_rng(1)
    n, dimension = made.matrix.shape
    rows = made.matrix[rng.choice(n, QUERIES, replace=False)]
    rows = rows + 0.3 * rng.standard_normal(rows.shape).astype(np.float32) / dimension**0.5
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    none = np.zeros((0, dimension), dtype=np.float32)
    return [SeedScores(row[np.newaxis], none) for row in rows]


@pytest.mark.timeout(3_600)  # a million rows are written and their graph is built
@pytest.mark.parametrize("tracks", [100_000, 1_000_000])
async def test_pgvector_beside_the_matrix(
    tracks: int, timed: bool, record_figure: RecordFigure, capsys: pytest.CaptureFixture[str]
) -> None:
    if not timed:
        pytest.skip("only measured by `make bench`")
    if tracks > 100_000 and not os.environ.get("GENREC_MILLION"):
        pytest.skip("takes half an hour: set GENREC_MILLION=1")
    made = Made.of(tracks)
    matrix, asked = made.in_memory(), questions(made)
    with running_server(OPTIONS) as server:
        async with opened(server, made) as pgvector:
            for name, among, least in (
                ("library and a server", TrackFilter(SHARED), 0.99),
                ("one genre", TrackFilter(SHARED, "jazz"), 0.97),
            ):

                async def found(
                    index: Neighbours, scores: SeedScores, among: TrackFilter
                ) -> np.ndarray:
                    return (await index.search(scores, among, K)).ids

                exact, exact_ms = await measure(
                    lambda s, f: found(matrix, s, f), asked, among, None
                )
                near, near_ms = await measure(
                    lambda s, f: found(pgvector, s, f), asked, among, server
                )
                shares = [
                    len({*a[:5].tolist()} & {*b[:5].tolist()}) / 5
                    for a, b in zip(exact, near, strict=True)
                ]
                recall = float(np.mean(shares))
                text = (
                    f"recall@5 {recall:.3f}, CPU {near_ms:.1f} ms, the matrix {exact_ms:.1f} ms,"
                    f" ratio {near_ms / exact_ms:.2f}"
                )
                record_figure(
                    f"pgvector, {tracks:,} tracks, {name}", f"{least}", text, recall >= least
                )
                with capsys.disabled():
                    sys.stdout.write(f"\n{tracks:,} tracks, {name}: {text}\n")
                assert recall >= least
