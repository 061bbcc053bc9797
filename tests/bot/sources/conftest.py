"""Every test of the sources checks that the forbidden server received no connection."""

from __future__ import annotations

import pytest

from tests.bot.sources.hostile import FakeServer


@pytest.fixture(autouse=True)
def _forbidden_server_is_checked(forbidden: FakeServer) -> FakeServer:
    return forbidden
