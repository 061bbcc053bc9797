"""Commands with a PostgreSQL database that cannot be used: exit code and one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from db.address import PostgresAddress, database_place
from tests.bot.cli.test_library import Run, genrec
from tests.db.postgres_server import PostgresServer

__all__ = ["genrec"]  # a fixture

PASSWORD = "right-word"


@pytest.fixture(scope="module")
def locked(postgres_server: PostgresServer) -> str:
    """Return the address of a role with a password, without that."""
    postgres_server.new_role("locked", PASSWORD)
    return f"@127.0.0.1:{postgres_server.port}"


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "POSTGRES"])
@pytest.mark.parametrize(
    ("password", "database", "options", "code", "words"),
    [
        (PASSWORD, "postgres", "sslmode=disable", 0, ""),
        ("hidden-word", "postgres", "sslmode=disable", 2, "refuses the user or the password"),
        (PASSWORD, "absent", "sslmode=disable", 2, "does not exist: create it (createdb)"),
        (PASSWORD, "postgres", "sslmode=require", 2, "has a server without TLS"),
        (PASSWORD, "postgres", "sslmode=nonsense", 2, "correct the options after the question"),
        (PASSWORD, "postgres", "passfile=/absent", 2, "passfile=/absent in GENREC_DATABASE is no"),
    ],
)
def test_wrong_setting_exits_with_2(
    genrec: Run,
    locked: str,
    monkeypatch: pytest.MonkeyPatch,
    scheme: str,
    password: str,
    database: str,
    options: str,
    code: int,
    words: str,
) -> None:
    address = f"{scheme}://locked:{password}{locked}/{database}?{options}"
    monkeypatch.setenv("GENREC_DATABASE", address)
    found, out, error = genrec("library", "stats")
    assert found == code, error
    assert words in error
    assert error.count("\n") == (code != 0)
    assert password not in out + error


def test_server_that_is_away_exits_with_1_so_that_a_service_is_started_again(
    genrec: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENREC_DATABASE", "postgresql://genrec:hidden-word@127.0.0.1:1/genrec")
    code, _, error = genrec("library", "stats")
    assert code == 1
    assert "cannot be reached: check that the server runs, and its host and port" in error
    assert "hidden-word" not in error


def test_move_names_the_wrong_part_of_its_destination(
    genrec: Run, locked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert genrec("library", "stats")[0] == 0  # creates the database
    address = f"postgres://locked:hidden-word{locked}/postgres?sslmode=disable"
    code, _, error = genrec("move", address)
    assert code == 2
    assert "correct both in the address" in error
    assert "hidden-word" not in error


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "POSTGRES", "PostgreSQL"])
def test_both_schemes_are_the_same_place(scheme: str) -> None:
    place = database_place(f"{scheme}://bot:word@db:5433/genrec?sslmode=require")
    assert isinstance(place, PostgresAddress)
    assert str(place) == "postgresql://bot@db:5433/genrec"


def test_paths_stay_paths() -> None:
    for text in ("genrec.db", ":memory:", "/srv/postgresql/genrec.db", "postgres/genrec.db"):
        assert database_place(text) == Path(text)
