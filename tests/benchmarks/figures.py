"""Figures with a target, collected from the benchmarks and printed after them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import pytest

from tests.benchmarks.peer import LeftOutError


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table; ``met`` is None for a figure without a target."""

    name: str
    target: str
    measured: str
    met: bool | None


class RecordFigure(Protocol):
    """Add a figure to the table."""

    def __call__(self, name: str, target: str, measured: str, met: bool | None, /) -> None: ...


class LeaveOut(Protocol):
    """Add a peer to the list of those that do not run on this machine."""

    def __call__(self, error: LeftOutError, /) -> None: ...


FIGURES = pytest.StashKey[list[Figure]]()
LEFT_OUT = pytest.StashKey[list[str]]()


def table(figures: list[Figure]) -> list[str]:
    """Return the figures as the lines of a Markdown table."""
    lines = ["| figure | target | measured | |", "|---|---|---|---|"]
    status = {True: "met", False: "not met", None: ""}
    lines += [f"| {f.name} | {f.target} | {f.measured} | {status[f.met]} |" for f in figures]
    return lines
