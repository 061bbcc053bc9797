"""The backup of docs/scale.md, run as the owner of the database, with PostgreSQL's own programs."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import subprocess
from pathlib import Path

from db.connection import open_db
from db.key_values import get_value, set_value
from tests.db.postgres_server import PostgresServer

PAGE = Path(__file__).parents[2] / "docs" / "scale.md"


def documented(program: str) -> list[str]:
    """Return the words of the page's line that runs a program."""
    line = re.search(rf"^{program} .*$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert line is not None
    return shlex.split(line[0])


async def test_documented_dump_is_restored_by_the_owner(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    postgres_server.execute("CREATE ROLE genrec LOGIN", "CREATE DATABASE genrec OWNER genrec")
    environment = {**os.environ, "PGHOST": "127.0.0.1", "PGPORT": str(postgres_server.port)}

    def run(program: str, *arguments: str, user: str = "genrec") -> None:
        done = subprocess.run(
            [postgres_server.programs / program, *arguments],
            env={**environment, "PGUSER": user}, cwd=tmp_path, capture_output=True, text=True,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")

    address = f"postgresql://genrec@127.0.0.1:{postgres_server.port}/genrec?sslmode=disable"
    try:
        await asyncio.to_thread(
            run, "psql", "genrec", "--quiet", "-c", "CREATE EXTENSION vector", user="postgres"
        )
        async with open_db(address) as db:
            await set_value(db, "kept", "1")
            await asyncio.to_thread(run, *documented("pg_dump"))
            await set_value(db, "kept", "2")
        await asyncio.to_thread(run, *documented("pg_restore"))
        async with open_db(address) as db:
            assert await get_value(db, "kept") == "1"
            assert await db.number("SELECT count(*) FROM pg_extension WHERE extname = 'vector'")
    finally:
        postgres_server.execute("DROP DATABASE genrec WITH (FORCE)", "DROP ROLE genrec")
