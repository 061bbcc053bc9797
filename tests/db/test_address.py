"""Tests of addresses of PostgreSQL: what they name, and that they hide their password."""

from __future__ import annotations

import pytest

from db.address import PostgresAddress, is_address
from db.connection import open_db
from genrec.errors import CatalogueError, WrongDatabaseAddress

SECRET = "s%3Acret-w%40rd"
FULL = f"postgresql://bot:{SECRET}@db.example.org:5433/genrec?sslmode=verify-full"


def test_shown_address_has_no_password_and_no_options() -> None:
    address = PostgresAddress(FULL)
    assert str(address) == "postgresql://bot@db.example.org:5433/genrec"
    for shown in (f"{address}", f"{address!r}", f"{[address]}", address.name):
        assert "cret-w" not in shown
    assert address.secret() == FULL


def test_secrets_are_the_password_in_each_form() -> None:
    assert set(PostgresAddress(FULL).secrets) == {SECRET, "s:cret-w@rd"}
    option = "postgresql://db/genrec?user=bot&password=hidden-word"
    assert PostgresAddress(option).secrets == ("hidden-word",)
    assert "hidden-word" not in str(PostgresAddress(option))
    assert PostgresAddress("postgresql://db/genrec").secrets == ()
    key = "postgresql://bot:one@db/genrec?sslkey=a.key&sslpassword=hidden%20word"
    assert set(PostgresAddress(key).secrets) == {"one", "hidden word"}


@pytest.mark.parametrize(
    ("text", "is_local", "may_be_plain"),
    [
        ("postgresql://db.example.org/genrec", False, True),
        ("postgresql://db.example.org/genrec?sslmode=require", False, False),
        ("postgresql://db.example.org/genrec?sslmode=disable", False, True),
        ("postgresql://postgres/genrec?sslmode=disable", False, False),
        ("postgresql://postgres/genrec?sslmode=prefer", False, True),
        ("postgresql://postgres/genrec", False, True),
        ("postgresql://10.0.0.2/genrec?sslmode=disable", False, True),
        ("postgresql://[fd00::2]/genrec?sslmode=disable", False, True),
        ("postgresql://127.0.0.1/genrec", True, False),
        ("postgresql://[::1]:5432/genrec", True, False),
        ("postgresql://localhost/genrec", True, False),
        ("postgresql:///genrec?host=/run/postgresql", True, False),
        ("postgresql://192.168.1.5/genrec", False, True),
    ],
)
def test_network_without_tls_is_found(text: str, is_local: bool, may_be_plain: bool) -> None:
    address = PostgresAddress(text)
    assert (address.is_local, address.may_be_plain) == (is_local, may_be_plain)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("postgresql://bot:hidden-word@host", "is not postgresql://"),
        ("postgresql://bot:hidden-word@host:port/genrec", "is not postgresql://"),
        ("postgresql://bot:hidden-word@[host/genrec", "is not postgresql://"),
        ("postgresql:/bot:hidden-word@host/genrec", "is not postgresql://"),
        ("mysql://bot:hidden-word@host/genrec", "must start with postgresql://"),
    ],
)
def test_wrong_address_is_refused_without_its_password(text: str, sentence: str) -> None:
    with pytest.raises(WrongDatabaseAddress, match=sentence) as error:
        PostgresAddress(text)
    assert "hidden-word" not in str(error.value)
    assert error.value.__cause__ is None


def test_several_hosts_are_named_as_such() -> None:
    with pytest.raises(CatalogueError, match="several hosts, and one is expected") as error:
        PostgresAddress("postgresql://bot:hidden,word@one:5432,two:5433/genrec")
    assert "hidden" not in str(error.value)
    assert PostgresAddress("postgresql://bot:hidden,word@one/genrec").host == "one"


def test_paths_are_no_addresses() -> None:
    assert not any(map(is_address, ("genrec.db", ":memory:", "/srv/postgresql/genrec.db")))
    assert is_address("POSTGRES://host/genrec")


async def test_unreachable_server_is_a_sentence_without_the_password() -> None:
    with pytest.raises(
        CatalogueError, match=r"postgresql://bot@127.0.0.1:1/genrec cannot be rea"
    ) as error:
        async with open_db("postgresql://bot:hidden-word@127.0.0.1:1/genrec"):
            pass
    assert "hidden-word" not in str(error.value)
