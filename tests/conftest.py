"""What every test may lean on: the data folder and the browser, or a skip that says why."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.repository import ROOT

SHARED = ROOT.parent / "shared"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs the shared data or a browser where there is none."""
    reasons = {}
    if not SHARED.is_dir():
        reasons["shared"] = f"no data folder {SHARED.name} beside the repository"
    if browser() is None:
        reasons["browser"] = "no Chromium on this machine"
    for item in items:
        for marker, reason in reasons.items():
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


def browser() -> Path | None:
    """Return a Chromium that is installed."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    return Path(found) if found else None


@pytest.fixture(scope="session")
def chromium() -> Path:
    """Return the browser that tests marked ``browser`` drive."""
    found = browser()
    assert found is not None, "mark this test with pytest.mark.browser"
    return found


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the data folder that tests marked ``shared`` read."""
    assert SHARED.is_dir(), "mark this test with pytest.mark.shared"
    return SHARED
