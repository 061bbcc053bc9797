"""A PostgreSQL server with TLS: who is believed to be it, and the sentence for who is not."""

from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme

from db.connection import open_db
from genrec.errors import WrongDatabaseAddress
from tests.bot.cli.conftest import Run, run_command
from tests.db.postgres_server import PostgresServer
from tests.db.tls_front import TlsFront, tls_front

__all__ = ["run_command"]  # a fixture

PAST = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
REFUSED = r"cannot be reached by TLS \(CERTIFICATE_VERIFY_FAILED\): correct sslmode and sslrootcert"


class Authority:
    """An authority, and the file of its certificate."""

    def __init__(self, folder: Path, name: str) -> None:
        self.signer = trustme.CA()
        self.file = folder / f"{name}.pem"
        self.signer.cert_pem.write_to_path(str(self.file))

    def server_context(self, host: str, **options: dt.datetime) -> ssl.SSLContext:
        """Return the TLS settings of a server with that name."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.signer.issue_cert(host, **options).configure_cert(context)
        return context


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "ca")


Front = Callable[..., TlsFront]


@pytest.fixture
def front(postgres_server: PostgresServer, authority: Authority) -> Iterator[Front]:
    """Return a function that starts TLS in front of the server, for the name of a certificate."""
    with ExitStack() as stack:
        yield lambda host="127.0.0.1", **options: stack.enter_context(
            tls_front(postgres_server.port, authority.server_context(host, **options))
        )


def through(address: str, tls: TlsFront, options: str) -> str:
    """Return an address of the server as one of its front."""
    before, _, rest = address.partition("@127.0.0.1:")
    return f"{before}@127.0.0.1:{tls.port}/{rest.partition('/')[2]}".replace(
        "sslmode=disable", options
    )


async def test_server_that_proves_its_name_is_used_for_queries_and_leases(
    postgres_address: str, front: Front, authority: Authority
) -> None:
    tls = front()
    address = through(postgres_address, tls, f"sslmode=verify-full&sslrootcert={authority.file}")
    async with open_db(address) as db:
        assert await db.number("SELECT count(*) FROM schema_migration") > 0
        lease = await db.leases.take("run:1")
        assert lease is not None
        assert tls.encrypted >= 2, "one for queries, one for leases"
        await lease.release()
    assert tls.plain == 0


@pytest.mark.parametrize("mode", ["verify-full", "verify-ca"])
async def test_server_of_another_authority_is_refused(
    postgres_address: str, front: Front, tmp_path: Path, mode: str
) -> None:
    other = Authority(tmp_path, "other")
    address = through(postgres_address, front(), f"sslmode={mode}&sslrootcert={other.file}")
    with pytest.raises(WrongDatabaseAddress, match=REFUSED):
        async with open_db(address):
            pass


async def test_name_of_another_server_is_refused_where_names_are_checked(
    postgres_address: str, front: Front, authority: Authority
) -> None:
    tls, file = front("db.example.org"), authority.file
    with pytest.raises(WrongDatabaseAddress, match=REFUSED):
        async with open_db(
            through(postgres_address, tls, f"sslmode=verify-full&sslrootcert={file}")
        ):
            pass
    for options in (f"sslmode=verify-ca&sslrootcert={file}", "sslmode=require"):
        async with open_db(through(postgres_address, tls, options)) as db:
            assert await db.number("SELECT 1") == 1


async def test_expired_certificate_is_refused(
    postgres_address: str, front: Front, authority: Authority
) -> None:
    tls = front(not_after=PAST)
    address = through(postgres_address, tls, f"sslmode=verify-full&sslrootcert={authority.file}")
    with pytest.raises(WrongDatabaseAddress, match=REFUSED):
        async with open_db(address):
            pass


def test_command_names_the_certificate_and_exits_with_2(
    run_command: Run, postgres_address: str, front: Front, tmp_path: Path, monkeypatch
) -> None:
    other = Authority(tmp_path, "other")
    address = through(postgres_address, front(), f"sslmode=verify-full&sslrootcert={other.file}")
    monkeypatch.setenv("GENREC_DATABASE", address)
    code, out, error = run_command("library", "stats")
    assert (code, out) == (2, "")
    assert "cannot be reached by TLS (CERTIFICATE_VERIFY_FAILED)" in error
    assert error.count("\n") == 1
