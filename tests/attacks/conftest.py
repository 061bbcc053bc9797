"""Fixture of the attacks: a time budget."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest


class Budget:
    """Rounds of an attack until its time is over; the first round always runs."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.count = 0

    def rounds(self) -> Iterator[int]:
        """Yield 0, 1, 2, ... until the time is over."""
        end = time.monotonic() + self.seconds
        while self.count == 0 or time.monotonic() < end:
            yield self.count
            self.count += 1


@pytest.fixture
def budget(request: pytest.FixtureRequest) -> Budget:
    return Budget(60 * request.config.getoption("--minutes"))
