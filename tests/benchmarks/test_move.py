"""Tracks a second that ``genrec move`` takes to PostgreSQL and back, with all checks."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from db.address import PostgresAddress
from db.connection import open_db
from db.move import move
from tests.benchmarks.figures import RecordFigure
from tests.db.costs import fill_catalogue


@pytest.mark.parametrize(
    "count",
    [
        pytest.param(10_000, id="ten-thousand"),
        pytest.param(1_000_000, id="million"),  # make bench ARGS="-k million"
    ],
)
@pytest.mark.timeout(3600)
def test_move_to_postgresql_and_back(
    timed: bool, count: int, tmp_path: Path, postgres_address: str, record_figure: RecordFigure,
    request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    if count > 10_000 and "million" not in request.config.getoption("keyword"):
        pytest.skip('a million tracks take minutes: make bench ARGS="-k million"')
    count = count if timed else 300

    async def filled() -> Path:
        async with open_db(tmp_path / "genrec.db") as db:
            await fill_catalogue(db, count)
        return tmp_path / "genrec.db"

    source, address = asyncio.run(filled()), PostgresAddress(postgres_address)
    there = asyncio.run(move(source, address))
    back = asyncio.run(move(address, tmp_path / "back.db"))
    assert there.tables == back.tables
    if timed:
        for way, report in (("to PostgreSQL", there), ("back to SQLite", back)):
            speed = f"{report.tracks / report.seconds:,.0f} tracks/s"
            record_figure(f"move of {count:,} tracks {way}", "", speed, None)
