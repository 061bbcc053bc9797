"""Describe clips with bliss-audio in a process of its own.

python -m tests.benchmarks.bliss  reads a path a line, writes the seconds it took.
"""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.peer import answer_clips, import_peer


def main() -> None:
    """Answer the clips on standard input."""
    bliss = import_peer("bliss_audio")

    def describe(path: Path) -> None:
        assert len(bliss.Song(str(path)).analysis) >= 20

    answer_clips(describe)


if __name__ == "__main__":
    main()
