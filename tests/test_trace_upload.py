"""Limits of the files, calls and moves that one request runs through."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.repository import ROOT
from tests.trace_upload import Trace

# At 5d81f07 an upload entered 50 files with 368 moves. Since then it has further steps: scopes of
# the starter policy, descriptions and reasons, links and Listen button, own genres, the compact
# layout, the user's turn. With them it was 67 files and 549 moves, until repeated steps were
# removed. Then it was 63 and 395. The question with its rules and seeds, which all commands share,
# brought five files and thirty moves. What a user does not want again is read in one file, with
# seven moves. The answer is kept for a map to mark, in one file with two moves. Thumbs keep the
# reasons of the tracks, in one file with three moves. The cause of an empty catalogue is found in
# one file with three moves. Then it was 72 and 440. Searches go
# through a protocol, behind which the matrix or PostgreSQL answers, in two files with 34 moves. Now
# it is 74 and 474, and two more moves are allowed. Sound tags are read in one file with six moves.
# Since then an empty catalogue is found without a file of its own, and genres are named at once.
# The answer to the traced clip has had a sound tag since the networks learned from a tagger: it is
# shown in four moves. A slow answer, as the first one may be, has seven more: its progress.
FILES, MOVES = 74, 485


@pytest.mark.slow
def test_request_stays_within_the_counted_moves() -> None:
    # In a process of its own: pytest's plugins use the profile hook too.
    done = subprocess.run(
        [sys.executable, "-m", "tests.trace_upload"],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [line.replace(",", "").split() for line in done.stdout.splitlines()]
    assert [line[0] for line in lines] == ["upload:", "/recommend:"]
    for name, files, _, _, _, _, _, moves, _ in lines:
        assert 30 < int(files) <= FILES, name
        assert 200 < int(moves) <= MOVES, name


def test_trace_counts_entries_and_moves_of_our_code_only() -> None:
    from bot.ui.custom_ids import response_key
    from bot.ui.markdown import escape

    counts = Trace()
    sys.setprofile(counts.event)
    try:
        escape("a", 5)
        response_key([1])
        "".join(sorted("ab"))
    finally:
        sys.setprofile(None)
    assert len(counts.files) == 2
    assert counts.moves == 1
    assert counts.calls >= len(counts.functions) >= 3
