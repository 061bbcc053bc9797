"""Start-up, memory and time to answer of a bot that shares neither a database nor a cluster."""

from __future__ import annotations

import pytest

from tests.benchmarks.figures import RecordFigure
from tests.benchmarks.one_bot import UNITS, compare, measure, medians
from tests.repository import ROOT


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_one_bot(timed: bool, record_figure: RecordFigure) -> None:
    """Start it some times and ask it; it loads no library of PostgreSQL or of a cluster."""
    rounds = [measure(ROOT, questions=20 if timed else 1) for _ in range(5 if timed else 1)]
    found = medians(rounds)
    for name, unit in UNITS.items():
        record_figure(f"one bot: {name}", "", f"{found[name]:.2f} {unit}", None)
    assert 0 < found["start, CPU"] < 60
    assert 50 < found["memory after the start"] <= found["memory after the answers"] + 20
    assert found["answer, CPU"] > 0


def test_ratios_are_those_of_the_medians(monkeypatch: pytest.MonkeyPatch) -> None:
    values = iter((3.0, 2.0, 9.0, 4.0, 6.0, 2.0))
    monkeypatch.setattr(
        "tests.benchmarks.one_bot.measure",
        lambda root, questions: dict.fromkeys(UNITS, next(values)),
    )
    lines = compare([ROOT, ROOT], rounds=3)
    assert lines[0] == "start, wall: 6.00 s / 2.00 s, ratio 3.00"
    assert len(lines) == len(UNITS)
