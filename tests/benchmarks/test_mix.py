"""Time of a mix of five seeds beside one plain search, in one run over one library."""

from __future__ import annotations

import time

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from genrec.questions import Question, Seed
from genrec.seed_scores import SeedScores
from genrec.similarity import NeighbourIndex
from tests.benchmarks.figures import RecordFigure
from tests.benchmarks.search import library, queries

DIMENSION = 64
SEEDS, CANDIDATES = 5, 48
ROUNDS = 15
REACH = 1.5


@pytest.mark.parametrize("less", [0, 1])
@pytest.mark.parametrize("filtered", [False, True])
@pytest.mark.benchmark(group="7 search, mix of five seeds")
@pytest.mark.timeout(600)
def test_mix_of_five_seeds_beside_one_search(
    benchmark: BenchmarkFixture, timed: bool, filtered: bool, less: int, record_figure: RecordFigure
) -> None:
    """Alternate both searches, so that both meet the same load; compare their medians."""
    tracks = 1_000_000 if timed else 40_000
    matrix = library(tracks, DIMENSION)
    index = NeighbourIndex(np.arange(tracks, dtype=np.int64), matrix)
    allowed = np.arange(tracks) % 10 != 7 if filtered else None
    rng, clips = np.random.default_rng(2), queries(matrix)
    taken: dict[str, list[float]] = {"plain": [], "mix": []}

    def both() -> None:
        chosen = clips[rng.choice(len(clips), SEEDS, replace=False)]
        seeds = [Seed(row, liked=i >= less) for i, row in enumerate(chosen)]
        for name, used in (("plain", seeds[-1:]), ("mix", seeds)):
            start = time.perf_counter()
            scores = SeedScores.of(Question(tuple(used)), 0.25)
            places, _ = scores.search(index, CANDIDATES, allowed=allowed)
            taken[name].append(time.perf_counter() - start)
            assert len(places) == CANDIDATES

    benchmark.pedantic(both, rounds=ROUNDS if timed else 1, warmup_rounds=1)
    plain, mix = (1000 * float(np.median(taken[name])) for name in ("plain", "mix"))
    if timed:
        kind = f"{SEEDS - less} liked, {less} less, {'one filter' if filtered else 'no filter'}"
        text = f"{mix:.1f} ms, {mix / plain:.2f} times one search of {plain:.1f} ms"
        name = f"mix of 1M x {DIMENSION}, {kind}"
        record_figure(name, f"{REACH} times", text, mix <= REACH * plain)
