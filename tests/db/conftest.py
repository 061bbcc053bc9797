"""Databases for the tests of db."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from db.connection import MEMORY, Database, open_db
from db.tracks import Catalogue


@pytest.fixture(params=["memory", "file", "postgres"])
async def db(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """Open an empty database, in memory, in a file and on PostgreSQL."""
    if request.param == "postgres":
        location: Path | str = request.getfixturevalue("postgres_address")
    else:
        location = MEMORY if request.param == "memory" else tmp_path / "catalogue.db"
    async with open_db(location) as database:
        yield database


@pytest.fixture
def catalogue(db: Database) -> Catalogue:
    """Return the catalogue of an empty database."""
    return Catalogue(db)
