"""Describe clips with bliss-audio in a process of its own.

python -m tests.benchmarks.bliss  reads a path a line, writes the seconds it took.
"""

from __future__ import annotations

import time
from pathlib import Path

from tests.benchmarks.peer import answer_clips, import_peer


def main() -> None:
    """Answer the clips on standard input."""
    bliss = import_peer("bliss_audio")

    def describe(path: Path) -> float:
        start = time.perf_counter()
        assert len(bliss.Song(str(path)).analysis) >= 20
        return time.perf_counter() - start

    answer_clips(describe)


if __name__ == "__main__":
    main()
