"""Errors of PostgreSQL and of the connection to it as sentences."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from genrec.errors import CatalogueError, WrongDatabaseAddress

_GONE = "cannot be reached: check that the server runs, and its host and port in GENREC_DATABASE"
_LOGIN = (
    "refuses the user or the password: correct both in GENREC_DATABASE, or the server's pg_hba.conf"
)
_NO_TLS = (
    "has a server without TLS: set up a certificate there, or set sslmode=disable for a server on"
    " this machine"
)
_BUSY = "is being written to by another program: try again in a moment"
_DAMAGED = "is damaged: restore a backup (pg_restore)"
# By SQLSTATE, https://www.postgresql.org/docs/current/errcodes-appendix.html; the longest fits.
_SENTENCES = {
    "08": _GONE,
    "22": "cannot store a value that is out of range or of another type: correct the value",
    "22021": "cannot store a text with a NUL character or a broken code point: correct the text",
    "25006": "is read-only: name the primary server in GENREC_DATABASE, not a replica of it",
    "28": _LOGIN,
    "3D000": "does not exist: create it (createdb), or correct the name in GENREC_DATABASE",
    "40001": _BUSY,
    "40P01": _BUSY,
    "42501": "does not allow its user to do this: make the user the owner of the database",
    "53100": "could not be written, because the server's disk is full: free disk space there",
    "53200": "needs more memory than the server has: stop other programs there",
    "53300": (
        "has too many connections: raise max_connections of the server, or stop other programs"
    ),
    "53": "needs more than the server has: see the server's log",
    "54": "has a value that is too large for the server: see the server's log",
    "55P03": _BUSY,
    "57014": "took too long for a statement: try again, or see what else the server is doing",
    "57P": _GONE,
    "58": "could not be read or written by the server: see the server's log",
    "XX001": _DAMAGED,
    "XX002": _DAMAGED,
}
# Codes of a wrong address: another try fails too.
_WRONG = ("28", "3D000")
# Errors after which a statement that ran alone may run again: the server undid it.
UNDONE = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
# Errors of a connection that is gone, after which a read may run again on a new one.
GONE = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the state of a connection that broke in a statement
    ConnectionError,
)


@contextmanager
def translate_postgres_errors(name: str) -> Iterator[None]:
    """Raise errors about the server as CatalogueError; errors in our SQL pass unchanged."""
    try:
        yield
    except asyncpg.PostgresError as error:
        code = error.sqlstate or ""
        sentence = _sentence(code)
        if sentence is None:
            raise
        kind = WrongDatabaseAddress if code.startswith(_WRONG) else CatalogueError
        raise kind(f"The catalogue {name} {sentence}.") from error
    except ssl.SSLError as error:
        wrong = isinstance(error, ssl.SSLCertVerificationError)
        raise (WrongDatabaseAddress if wrong else CatalogueError)(
            f"The catalogue {name} cannot be reached by TLS ({error.reason}): correct sslmode and"
            " sslrootcert in GENREC_DATABASE, or the server's certificate."
        ) from error
    except TimeoutError as error:
        raise CatalogueError(
            f"The catalogue {name} did not respond in time: check the server and the network."
        ) from error
    except (OSError, asyncpg.InternalClientError) as error:
        # asyncpg has no class and no code for this one.
        plain = "rejected SSL upgrade" in str(error)
        kind = WrongDatabaseAddress if plain else CatalogueError
        raise kind(f"The catalogue {name} {_NO_TLS if plain else _GONE}.") from error
    except asyncpg.InterfaceError as error:
        # asyncpg reports calls of a closed connection as errors of its interface.
        if "clos" not in str(error):
            raise
        raise CatalogueError(f"The catalogue {name} {_GONE}.") from error


def _sentence(sqlstate: str) -> str | None:
    fitting = [code for code in _SENTENCES if sqlstate.startswith(code)]
    return _SENTENCES[max(fitting, key=len)] if fitting else None
