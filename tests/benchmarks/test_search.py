"""How long one query takes in catalogues of a thousand to a hundred thousand tracks."""

from __future__ import annotations

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from genrec.similarity import NeighbourIndex

DIMENSION = 128


@pytest.mark.benchmark(group="7 search")
@pytest.mark.parametrize("tracks", [1_000, 10_000, 100_000])
@pytest.mark.parametrize("filtered", [False, True], ids=["all", "one-genre"])
def test_search(benchmark: BenchmarkFixture, tracks: int, filtered: bool) -> None:
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(tracks, DIMENSION)).astype(np.float32)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    index = NeighbourIndex(np.arange(tracks, dtype=np.int64), matrix)
    allowed = np.arange(tracks) % 10 == 7 if filtered else None

    ids, cosines = benchmark(index.search, matrix[7], 50, allowed=allowed)

    assert ids[0] == 7
    assert cosines[0] == pytest.approx(1, abs=1e-5)
    assert len(ids) == 50
    assert not filtered or (ids % 10 == 7).all()
