"""The figures that genrec wants to reach, gathered from the benchmarks and printed at their end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import pytest


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table: what, how much is wanted, how much there is."""

    name: str
    wanted: str
    measured: str
    met: bool | None


class Reached(Protocol):
    """Notes a figure for the table at the end."""

    def __call__(self, name: str, wanted: str, measured: str, met: bool | None, /) -> None: ...


FIGURES = pytest.StashKey[list[Figure]]()


def table(figures: list[Figure]) -> list[str]:
    """Return the figures as the lines of a Markdown table."""
    lines = ["| figure | wanted | measured | |", "|---|---|---|---|"]
    said = {True: "met", False: "not met", None: ""}
    lines += [f"| {f.name} | {f.wanted} | {f.measured} | {said[f.met]} |" for f in figures]
    return lines
