"""Fixtures for all tests: the shared data folder and a browser; tests skip where one is missing."""

from __future__ import annotations

import fcntl
import random
import secrets
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.db.postgres_server import SHARED_SERVER, PostgresServer, running_server
from tests.repository import ROOT

SHARED = ROOT.parent / "shared"
ENGINES = ("sqlite", "postgres")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of `make attack`; without them each attack takes some seconds."""
    parser.addoption("--minutes", type=float, default=0.1, help="time of each attack")
    parser.addoption(
        "--engine", choices=ENGINES, default="",
        help="database of the tests of the running bot; both for those marked `engines` by default",
    )  # fmt: skip
    parser.addoption("--seed", type=int, default=0, help="seed of what is random; 0: a random one")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests marked ``shared`` or ``browser`` where the data folder or browser is missing."""
    reasons = {}
    if not SHARED.is_dir():
        reasons["shared"] = f"no data folder {SHARED.name} beside the repository"
    if browser() is None:
        reasons["browser"] = "no Chromium on this machine"
    for item in items:
        for marker, reason in reasons.items():
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Run a test marked ``alone`` while no other process of ``pytest -n 2`` runs one."""
    if not hasattr(item.config, "workerinput"):  # one process runs all tests
        return (yield)
    folder = item.config.cache.mkdir("alone")
    alone = item.get_closest_marker("alone") is not None
    # The lock `next` keeps other tests back while one waits to be alone.
    with (folder / "next").open("w") as next_one, (folder / "running").open("w") as running:
        fcntl.flock(next_one, fcntl.LOCK_EX)
        fcntl.flock(running, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(next_one, fcntl.LOCK_UN)
        return (yield)


def browser() -> Path | None:
    """Return the path of an installed Chromium, or None."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    return Path(found) if found else None


@pytest.fixture(scope="session")
def chromium() -> Path:
    """Return the browser for tests marked ``browser``."""
    found = browser()
    assert found is not None, "mark this test with pytest.mark.browser"
    return found


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the data folder for tests marked ``shared``."""
    assert SHARED.is_dir(), "mark this test with pytest.mark.shared"
    return SHARED


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Start a PostgreSQL server for all tests of the run; each makes tables in its own schema."""
    with running_server() as server:
        server.keep_public_empty()
        yield server


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """Return a generator; ``--seed`` repeats a test, and a failure prints its seed."""
    seed = request.config.getoption("--seed") or secrets.randbits(32)
    print(f"--seed {seed}")  # noqa: T201 - pytest shows it with a failure
    return random.Random(seed)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests marked ``engines`` on each engine, unless one is chosen."""
    if metafunc.definition.get_closest_marker("engines") and not metafunc.config.option.engine:
        metafunc.parametrize("engine", ENGINES, indirect=True)


@pytest.fixture(autouse=True)
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    """Choose the database that ``database_in`` returns, and return its engine."""
    chosen = getattr(request, "param", "") or request.config.getoption("--engine") or "sqlite"
    if chosen == "postgres":
        SHARED_SERVER.append(request.getfixturevalue("postgres_server"))
    yield chosen
    SHARED_SERVER.clear()


@pytest.fixture
def postgres_address(postgres_server: PostgresServer) -> str:
    """Return the address of an empty schema of its own."""
    return postgres_server.new_schema()
