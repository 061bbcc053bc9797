"""Tests of the PostgreSQL engine: parameters, locks, errors as sentences, a killed server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from unittest.mock import AsyncMock, MagicMock

import asyncpg
import pytest

from db import postgres, postgres_errors, postgres_leases
from db.connection import Database, open_db
from db.migrate import Migration
from db.postgres import numbered
from db.postgres_migrate import migrate_postgres
from genrec.errors import CatalogueError
from tests.db.postgres_server import PostgresServer, running_server


@pytest.fixture
async def address(postgres_address: str) -> str:
    """Return the address of an empty schema with one table."""
    async with open_db(postgres_address) as db:
        await db.run("CREATE TABLE number (n bigint PRIMARY KEY, word text)")
    return postgres_address


@pytest.fixture(scope="module")
def own_server(postgres_server: PostgresServer) -> Iterator[PostgresServer]:
    """Start a server that tests may kill; it syncs, so what is committed survives."""
    with running_server(options=()) as server:
        yield server


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition of other tasks holds."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - several tasks change it
            await asyncio.sleep(0.01)


def fill(db: Database, count: int):
    return db.run("INSERT INTO number SELECT i, 'w' FROM generate_series(1, ?::int) AS i", (count,))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("SELECT ?, ?", "SELECT $1, $2"),
        ("SELECT ?2, ?1, ?1", "SELECT $2, $1, $1"),
        ("SELECT ?3, ?", "SELECT $3, $4"),
        ("SELECT '?', 'it''s ?', ?", "SELECT '?', 'it''s ?', $1"),
    ],
)
def test_parameters_are_numbered_outside_of_quotes(ours: str, theirs: str) -> None:
    assert numbered(ours) == theirs


async def test_session_runs_copies_and_counts(address: str) -> None:
    async with open_db(address) as db:
        async with db.transaction() as tx:
            await tx.copy("number", ("n", "word"), [(1, "a"), (2, None)])
            await tx.many("INSERT INTO number VALUES (?, ?)", [(3, "c"), (4, "d")])
            assert await tx.run("UPDATE number SET word = ? WHERE n > ?", ("x", 1)) == 3
            assert await tx.one("SELECT word FROM number WHERE n = ?", (9,)) is None
        assert await db.all("SELECT n, word FROM number ORDER BY n LIMIT 2") == [(1, "a"), (2, "x")]
        assert await db.number("SELECT count(*) FROM number") == 4


async def test_failed_block_leaves_nothing(address: str) -> None:
    async with open_db(address) as db:

        async def fail() -> None:
            async with db.transaction() as tx:
                await tx.run("INSERT INTO number VALUES (1, 'a')")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fail()
        assert await db.number("SELECT count(*) FROM number") == 0


async def test_errors_of_the_block_itself_pass_unchanged(address: str) -> None:
    async with open_db(address) as db:
        with pytest.raises(FileNotFoundError):
            async with db.transaction():
                raise FileNotFoundError
        with pytest.raises(asyncpg.UniqueViolationError):
            async with db.transaction() as tx:
                await tx.many("INSERT INTO number VALUES (?, ?)", [(1, "a"), (1, "b")])


async def test_snapshot_shows_one_state_and_refuses_writes(address: str) -> None:
    async with open_db(address) as db:
        async with db.snapshot() as session:
            assert await session.number("SELECT count(*) FROM number") == 0
            await fill(db, 1)
            assert await session.number("SELECT count(*) FROM number") == 0
        with pytest.raises(CatalogueError, match="is read-only: name the primary"):
            async with db.snapshot() as session:
                await session.run("DELETE FROM number")


async def test_lock_by_name_excludes_across_connections(address: str) -> None:
    order: list[str] = []

    async def write(db: Database, name: str, lock: str, wait: asyncio.Event | None = None) -> None:
        async with db.transaction(lock=lock):
            order.append(f"{name} begins")
            if wait is not None:
                await wait.wait()
            order.append(f"{name} ends")

    async with open_db(address) as one, open_db(address) as other, asyncio.TaskGroup() as group:
        go_on = asyncio.Event()
        group.create_task(write(one, "first", "catalogue:a", go_on))
        await until(lambda: bool(order))
        second = group.create_task(write(other, "second", "catalogue:a"))
        await write(other, "free", "catalogue:b")
        await asyncio.sleep(0.1)
        assert not second.done()
        go_on.set()
    assert order == [
        "first begins", "free begins", "free ends", "first ends", "second begins", "second ends",
    ]  # fmt: skip


async def test_deadlock_of_single_statements_runs_again(address: str) -> None:
    """Two transactions wait for each other; the server undoes one, whose statement runs again."""
    async with open_db(address) as db, open_db(address) as other:
        await fill(db, 2)
        async with db.transaction() as tx:
            await tx.run("SET LOCAL deadlock_timeout = '1h'")  # so the other is the one undone
            await tx.run("UPDATE number SET word = 'tx' WHERE n = 2")
            waiting = asyncio.create_task(other.run("UPDATE number SET word = word || '!'"))
            await asyncio.sleep(0.5)  # it has locked row 1, and waits for row 2
            await tx.run("UPDATE number SET word = 'tx' WHERE n = 1")
        assert await waiting == 2
        assert await db.all("SELECT word FROM number ORDER BY n") == [("tx!",), ("tx!",)]


async def test_slow_read_is_a_sentence_and_the_pool_lives_on(address: str, monkeypatch) -> None:
    monkeypatch.setattr(postgres, "_READ_S", 0.1)
    async with open_db(address) as db:
        with pytest.raises(CatalogueError, match="did not respond in time"):
            await db.all("SELECT pg_sleep(5)")
        assert await db.number("SELECT 1") == 1


async def test_cancelled_transaction_is_undone(address: str) -> None:
    async with open_db(address) as db:

        async def write() -> None:
            async with db.transaction() as tx:
                await tx.run("INSERT INTO number VALUES (1, 'a')")
                await tx.run("SELECT pg_sleep(5)")

        task = asyncio.create_task(write())
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await db.number("SELECT count(*) FROM number") == 0


async def test_nul_character_is_a_sentence(address: str) -> None:
    async with open_db(address) as db:
        with pytest.raises(CatalogueError, match="cannot store a text with a NUL"):
            await db.run("INSERT INTO number VALUES (1, ?)", ("a\0b",))


async def test_backup_names_pg_dump(address: str) -> None:
    async with open_db(address) as db:
        with pytest.raises(CatalogueError, match="back it up with pg_dump"):
            await db.backup()


def changed(address: str, old: str, new: str) -> str:
    assert old in address
    return address.replace(old, new, 1)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("/postgres?", "/absent?", "does not exist: create it"),
        ("postgres@", "stranger@", "refuses the user or the password"),
        ("sslmode=disable", "sslmode=require", "has a server without TLS: set up a certificate"),
        ("sslmode=disable", "sslmode=verify-full", "add &sslrootcert=FILE to GENREC_DATABASE"),
        (
            "sslmode=disable",
            "sslmode=verify-full&sslrootcert=/absent/ca.pem",
            "sslrootcert=/absent/ca.pem in GENREC_DATABASE is no file that genrec can read",
        ),
        ("sslmode=disable", "sslmode=nonsense", "correct the options after the question mark"),
        ("sslmode=disable", "sslmode=disable&no_such_option=1", "cannot be opened"),
    ],
)
async def test_wrong_part_of_the_address_is_a_sentence(
    postgres_address: str,
    old: str,
    new: str,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # without ~/.postgresql/root.crt
    with pytest.raises(CatalogueError, match=sentence):
        async with open_db(changed(postgres_address, old, new)):
            pass


async def test_password_file_that_others_read_is_refused(
    postgres_address: str, tmp_path: Path
) -> None:
    passwords = tmp_path / "pgpass"
    passwords.write_text("*:*:*:*:hidden-word\n")
    address = f"{postgres_address}&passfile={passwords}"
    passwords.chmod(0o644)
    with pytest.raises(CatalogueError, match=f"passfile {passwords}. Run chmod 600 on it"):
        async with open_db(address):
            pass
    passwords.chmod(0o600)
    async with open_db(address):
        pass


async def test_missing_schema_is_a_sentence(postgres_server: PostgresServer) -> None:
    address = changed(postgres_server.address("nowhere"), "%2Cpublic", "")
    with pytest.raises(CatalogueError, match="no schema in its search_path: create it"):
        async with open_db(address):
            pass


async def test_tables_of_another_program_are_refused(postgres_server: PostgresServer) -> None:
    address = postgres_server.new_schema()
    schema = address.partition("search_path=")[2].partition("%2C")[0]
    postgres_server.execute(f"CREATE TABLE {schema}.customer (id int)")
    with pytest.raises(CatalogueError, match="has tables of another program"):
        async with open_db(address):
            pass


async def test_newer_schema_is_refused(address: str) -> None:
    async with open_db(address) as db:
        await db.run("INSERT INTO schema_migration (version, name) VALUES (9999, 'future')")
    with pytest.raises(CatalogueError, match="schema version 9999, and this genrec supports at"):
        async with open_db(address):
            pass


def test_no_test_makes_a_table_that_later_ones_find(postgres_server: PostgresServer) -> None:
    with pytest.raises(asyncpg.RaiseError, match="give it a schema of its own"):
        postgres_server.execute("CREATE TABLE stray (n int)")


async def test_failed_migration_leaves_nothing(postgres_address: str) -> None:
    connection = await asyncpg.connect(postgres_address)
    broken = (Migration(16, "good", "CREATE TABLE a (b int)"), Migration(17, "bad", "CREATE TABLE"))
    tables = "FROM pg_tables WHERE schemaname = current_schema()"
    try:
        with pytest.raises(asyncpg.PostgresSyntaxError):
            await migrate_postgres(connection, "any", broken)
        assert await connection.fetchval(f"SELECT count(*) {tables}") == 0
        assert await migrate_postgres(connection, "any", broken[:1]) == 16
        assert await migrate_postgres(connection, "any", broken[:1]) == 16
        assert await connection.fetchval(f"SELECT count(*) {tables}") == 2
    finally:
        await connection.close()


async def test_two_processes_migrate_a_new_database_at_once(postgres_address: str) -> None:
    async def opened() -> int:
        async with open_db(postgres_address) as db:
            return await db.number("SELECT count(*) FROM schema_migration")

    counts = await asyncio.gather(*(opened() for _ in range(4)))
    assert len(set(counts)) == 1


async def test_too_many_connections_are_a_sentence(own_server: PostgresServer) -> None:
    own_server.execute("DROP ROLE IF EXISTS crowd", "CREATE ROLE crowd LOGIN CONNECTION LIMIT 1")
    own_server.execute("GRANT ALL ON SCHEMA public TO crowd")
    held = await asyncpg.connect(own_server.address(user="crowd"))
    try:
        with pytest.raises(CatalogueError, match="has too many connections: raise"):
            async with open_db(own_server.address(user="crowd")):
                pass
    finally:
        await held.close()


async def test_network_without_tls_is_logged_without_the_password(caplog, monkeypatch) -> None:
    async def refuse(*arguments, **options):
        raise ConnectionRefusedError

    monkeypatch.setattr(asyncpg, "create_pool", refuse)
    caplog.set_level(logging.WARNING)
    with pytest.raises(CatalogueError):
        async with open_db("postgresql://bot:hidden-word@192.0.2.1/genrec"):
            pass
    assert "database without TLS: postgresql://bot@192.0.2.1/genrec" in caplog.text
    assert "hidden-word" not in caplog.text


async def test_killed_server_gives_sentences_and_nothing_committed_is_lost(
    own_server: PostgresServer, monkeypatch
) -> None:
    sentences = await kill_rounds(own_server, monkeypatch, rounds=2)
    assert any("cannot be reached" in one for one in sentences)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_server_killed_many_times_loses_nothing_committed(
    own_server: PostgresServer, monkeypatch
) -> None:
    assert len(await kill_rounds(own_server, monkeypatch, rounds=20)) >= 20


class Writer:
    """Writes pairs of rows until it is stopped; the two of a pair belong to one transaction."""

    def __init__(self, db: Database, first: int) -> None:
        self.committed: set[int] = set()
        self.sentences: list[str] = []
        self._db, self._next = db, first
        self._stop = asyncio.Event()
        self.task = asyncio.create_task(self._write())

    async def stop(self) -> None:
        self._stop.set()
        await self.task

    async def _write(self) -> None:
        while not self._stop.is_set():
            n, self._next = self._next, self._next + 2
            try:
                async with self._db.transaction(lock="catalogue:a") as tx:
                    await tx.run("INSERT INTO number VALUES (?, 'a')", (n,))
                    await tx.run("INSERT INTO number VALUES (?, 'b')", (-n,))
                self.committed.add(n)
            except CatalogueError as error:
                self.sentences.append(str(error))
                await asyncio.sleep(0.05)


async def test_lease_is_lost_at_once_if_its_connection_breaks_in_a_statement(
    own_server: PostgresServer,
) -> None:
    """A bot that learns of it seconds later answers beside the one that took its shards over."""
    address = own_server.new_schema()
    for _ in range(6):
        async with open_db(address) as db:
            lease = await db.leases.take("run:1")
            assert lease is not None
            asking = asyncio.create_task(take_until_killed(db))
            await asyncio.sleep(0.05)
            try:
                await asyncio.to_thread(own_server.kill)
                assert "cannot be reached" in await asking
                async with asyncio.timeout(1):
                    await lease.lost.wait()
            finally:
                await asyncio.to_thread(own_server.start)


async def take_until_killed(db: Database) -> str:
    """Take one lease after the other, and return the sentence that ends this."""
    for number in count():
        try:
            await db.leases.take(f"identify:{number}")
        except CatalogueError as error:
            return str(error)
    raise AssertionError("unreachable")


@pytest.mark.parametrize(
    "error", [*postgres_errors.GONE, TimeoutError, asyncio.CancelledError], ids=lambda e: e.__name__
)
async def test_lease_is_lost_with_each_error_of_its_connection(error: type[BaseException]) -> None:
    connection = MagicMock(is_closed=lambda: False, fetchval=AsyncMock(return_value=True))
    leases = postgres_leases.PostgresLeases(AsyncMock(return_value=connection), "public", "name")
    lease = await leases.take("run:1")
    assert lease is not None
    connection.fetchval.side_effect = error("broken")
    with pytest.raises((CatalogueError, error)):
        await leases.take("run:2")
    assert lease.lost.is_set()
    connection.terminate.assert_called_once()
    connection.close = AsyncMock()
    await leases.close()


async def kill_rounds(server: PostgresServer, monkeypatch, rounds: int) -> list[str]:
    """Kill the server while two writers write; everything that they committed is there after."""
    monkeypatch.setattr(postgres_leases, "HEARTBEAT_S", 0.2)
    address = server.new_schema()
    async with open_db(address) as db, open_db(address) as other:
        await db.run("CREATE TABLE number (n bigint PRIMARY KEY, word text)")
        one, two = Writer(db, 1), Writer(other, 2)
        try:
            for _ in range(rounds):
                lease = await db.leases.take("run:1")
                assert lease is not None
                goal = len(one.committed) + 10
                await until(lambda goal=goal: len(one.committed) > goal)
                await asyncio.to_thread(server.kill)
                async with asyncio.timeout(10):
                    await lease.lost.wait()
                with pytest.raises(CatalogueError, match="cannot be reached"):
                    await other.number("SELECT 1")
                await asyncio.to_thread(server.start)
                assert await other.number("SELECT 1") == 1
        finally:
            if not server.runs:
                await asyncio.to_thread(server.start)
            await asyncio.gather(one.stop(), two.stop())
        rows = {n for (n,) in await db.all("SELECT n FROM number")}
    committed, sentences = one.committed | two.committed, one.sentences + two.sentences
    assert all("cannot be reached" in one or "in time" in one for one in sentences), set(sentences)
    assert committed <= rows
    assert {-n for n in rows} == rows  # each transaction wholly or not at all
    # A commit whose answer was lost may be there: at most one for each writer and round.
    assert len({n for n in rows if n > 0} - committed) <= 2 * rounds
    return sentences


@pytest.mark.parametrize(
    ("sql", "value", "words"),
    [
        ("SELECT CAST(? AS text)", "hidden\ud800", "is out of range or of another type"),
        ("SELECT CAST(? AS bigint)", 2**63, "is out of range or of another type"),
        ("SELECT CAST(? AS text)", "hidden\0", "a NUL character or a broken code point"),
    ],
)
async def test_value_that_cannot_be_sent_is_a_sentence_without_it(
    postgres_address: str, sql: str, value: object, words: str
) -> None:
    async with open_db(postgres_address) as db:
        with pytest.raises(CatalogueError, match=words) as error:
            await db.all(sql, (value,))
        assert "hidden" not in str(error.value)
        assert await db.number("SELECT 1") == 1


async def test_without_an_address_nothing_of_postgres_is_imported(tmp_path: Path) -> None:
    from tests.test_architecture import in_fresh_process

    code = f"""
import asyncio, sys
from pathlib import Path
import bot.runtime.app, bot.cli.main, bot.cli.doctor, bot.cli.move_database
from bot.config import Settings
from bot.runtime.indexing_cluster import cluster_of
from bot.runtime.resources import open_recommender
from db.ingest.run import IngestJob, ingest
from tests.bot.end_to_end.fakes import FakePool, make_preset, opener
from tests.db.fakes import DIMENSION, LABELS, MODEL, FakeAnalyzer, fill

folder = Path({str(tmp_path)!r})

async def use():
    make_preset(folder / "preset")
    settings = Settings(_env_file=None, database=folder / "a.db", preset=folder / "preset")
    music = fill(folder / "music", 3)[0].parent
    job = IngestJob(folder=music, model_id=MODEL, dimension=DIMENSION, labels=LABELS)
    async with open_recommender(settings, open_pool=opener(FakePool())) as resources:
        lease = await resources.db.leases.take("run:1")
        async with cluster_of(settings)() as cluster:
            report = await ingest(resources.db, FakeAnalyzer(), job, cluster=cluster)
        assert report.tracks == 3
        await lease.release()

asyncio.run(use())
print(sorted({{"asyncpg", "pgvector", "distributed", "dask"}} & sys.modules.keys()))
"""
    assert in_fresh_process(code) == "[]\n"
