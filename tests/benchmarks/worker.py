"""genrec's own answer to a clip, as a worker computes it, in a process of its own.

python -m tests.benchmarks.worker PRESET TRACKS RUNTIME  reads a path a line, writes the seconds
it took.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import cast

import numpy as np

from genrec.pipeline import PresetAnalyzer
from genrec.preset import Preset
from genrec.similarity import NeighbourIndex
from genrec.types import Runtime
from tests.benchmarks.peer import answer_clips


def main() -> None:
    """Answer the clips on standard input."""
    folder, tracks, runtime = Path(sys.argv[1]), int(sys.argv[2]), cast("Runtime", sys.argv[3])
    analyzer = PresetAnalyzer(Preset.load(folder), threads=1, runtime=runtime)
    matrix = np.random.default_rng(1).normal(size=(tracks, analyzer.preset.dimension))
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    index = NeighbourIndex(np.arange(tracks), matrix.astype(np.float32))

    def answer(path: Path) -> None:
        assert len(index.search(analyzer.analyze(path).embedding, 5)[0]) == 5

    answer_clips(answer)


if __name__ == "__main__":
    main()
