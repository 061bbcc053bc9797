"""Tests of leases: held once among all processes, free after a kill, lost with the connection."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from db.connection import Database, open_db
from tests.repository import ROOT

HOLDER = """
import asyncio, sys
from db.connection import open_db

async def hold():
    async with open_db(sys.argv[1]) as db:
        assert await db.leases.take("run:1")
        print("held", flush=True)
        await asyncio.sleep(60)

asyncio.run(hold())
"""


@pytest.fixture(params=["file", "postgres"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return where several processes may open one database."""
    if request.param == "file":
        return str(tmp_path / "genrec.db")
    return request.getfixturevalue("postgres_address")


@pytest.fixture
async def two(location: str) -> AsyncIterator[tuple[Database, Database]]:
    """Open one database twice, as two processes do."""
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(open_db(location))
        yield one, await stack.enter_async_context(open_db(location))


async def test_lease_is_held_once_and_free_after_release(two: tuple[Database, Database]) -> None:
    one, other = two
    lease = await one.leases.take("shard:0/2")
    assert lease is not None
    assert lease.name == "shard:0/2"
    assert await one.leases.take("shard:0/2") is None
    assert await other.leases.take("shard:0/2") is None
    assert await other.leases.is_held("shard:0/2")
    assert not await other.leases.is_held("shard:1/2")
    assert await other.leases.take("shard:1/2") is not None
    await lease.release()
    await lease.release()
    assert not await one.leases.is_held("shard:0/2")
    taken = await other.leases.take("shard:0/2")
    assert taken is not None
    await lease.release()  # of a lease that another holds by now: nothing
    assert await one.leases.is_held("shard:0/2")
    assert not taken.lost.is_set()


async def test_lease_in_memory_is_held_once(db: Database) -> None:
    lease = await db.leases.take("sync")
    assert lease is not None
    assert await db.leases.take("sync") is None
    await lease.release()
    assert await db.leases.take("sync") is not None


async def test_lease_of_a_killed_process_is_free_at_once(location: str) -> None:
    async with open_db(location) as db:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, location], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        try:
            assert process.stdout is not None
            assert await asyncio.to_thread(process.stdout.readline) == "held\n"
            assert await db.leases.take("run:1") is None
            process.send_signal(signal.SIGKILL)
            process.wait()
            async with asyncio.timeout(5):
                while await db.leases.is_held("run:1"):  # noqa: ASYNC110 - nothing sets an event
                    await asyncio.sleep(0.02)
            assert await db.leases.take("run:1") is not None
        finally:
            process.kill()
            process.communicate()


async def test_closing_the_database_frees_its_leases(postgres_address: str) -> None:
    async with open_db(postgres_address) as db:
        async with open_db(postgres_address) as other:
            assert await other.leases.take("run:1") is not None
        assert not await db.leases.is_held("run:1")


async def test_leases_of_two_schemas_are_apart(postgres_server) -> None:
    addresses = postgres_server.new_schema(), postgres_server.new_schema()
    async with open_db(addresses[0]) as one, open_db(addresses[1]) as other:
        assert await one.leases.take("sync") is not None
        assert await other.leases.take("sync") is not None


async def test_no_lock_file_remains_after_release(tmp_path: Path) -> None:
    async with open_db(tmp_path / "genrec.db") as db:
        lease = await db.leases.take("run:1")
        assert lease is not None
        assert (tmp_path / "genrec.db.run-1.lock").stat().st_mode & 0o777 == 0o600
        await lease.release()
    assert not list(tmp_path.glob("*.lock"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    async with open_db(tmp_path / "genrec.db") as db:
        tmp_path.chmod(0o500)
        try:
            with pytest.raises(Exception, match="check that its folder is writable"):
                await db.leases.take("sync")
        finally:
            tmp_path.chmod(0o700)
