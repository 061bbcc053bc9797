"""Address of a PostgreSQL database, which never shows its password."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from genrec.errors import CatalogueError, DestinationRefused, WrongDatabaseAddress

_SCHEMES = ("postgresql", "postgres")
# Values of libpq's sslmode with which the connection may be plain text.
_PLAIN = ("disable", "allow", "prefer")
_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl", "passfile")
_SECRETS = ("password", "sslpassword")


def is_address(text: str) -> bool:
    """Return whether a text is meant as an address and not as a path; it may be a wrong one."""
    return "://" in text or text.lower().startswith(tuple(f"{scheme}:/" for scheme in _SCHEMES))


def database_place(text: str) -> Path | PostgresAddress:
    """Return the file or the server that a text names.

    Settings, arguments and `open_db` share this rule: ``postgresql://`` and ``postgres://``, in
    large or small letters, are the same, and another ``scheme://`` is no path.

    Raises
    ------
    WrongDatabaseAddress
        If the text is an address that is broken or of another kind of server.
    """
    return PostgresAddress(text) if is_address(text) else Path(text)


class PostgresAddress:
    """A libpq address, ``postgresql://user:password@host:port/database?sslmode=verify-full``.

    Its string and its repr name user, host, port and database alone. ``secret`` is the whole text;
    it goes to the connection and nowhere else.

    Raises
    ------
    WrongDatabaseAddress
        If the text is no such address.
    """

    def __init__(self, text: str) -> None:
        try:
            parts = urlsplit(text)
            if "," in parts.netloc.rpartition("@")[2]:
                raise _several_hosts()
            port = f":{parts.port}" if parts.port else ""
        except ValueError:
            raise _broken() from None  # its words may repeat the password
        self._query = dict(parse_qsl(parts.query))
        self.database = unquote(parts.path.lstrip("/")) or self._query.get("dbname", "")
        if parts.scheme.lower() not in _SCHEMES:
            raise WrongDatabaseAddress(
                "The address of the database must start with postgresql:// or postgres://: correct"
                " GENREC_DATABASE, or name a file."
            )
        if not self.database or "://" not in text:
            raise _broken()
        self._text = text
        self.host = parts.hostname or self._query.get("host", "")
        user = f"{parts.username}@" if parts.username else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        self.name = f"postgresql://{user}{host}{port}/{self.database}"

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"PostgresAddress({self.name!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PostgresAddress) and self._text == other.secret()

    def __hash__(self) -> int:
        return hash(self._text)

    def secret(self) -> str:
        """Return the whole address, which may have a password."""
        return self._text

    @property
    def secrets(self) -> tuple[str, ...]:
        """The passwords, as they stand in the address and as they are sent; empty without any."""
        parts = urlsplit(self._text)
        found = (parts.password or "", *(self._query.get(name, "") for name in _SECRETS))
        return tuple({form for one in found if one for form in (one, unquote(one))})

    @property
    def files(self) -> dict[str, str]:
        """The files that its options name, by option."""
        return {option: self._query[option] for option in _FILES if self._query.get(option)}

    @property
    def is_local(self) -> bool:
        """Whether the server is on this machine: a socket or a loopback address."""
        if not self.host or self.host.startswith("/") or self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def may_be_plain(self) -> bool:
        """Whether the connection may cross a network without TLS.

        ``sslmode=disable`` with a name without a dot is deliberate: a container's neighbour.
        """
        mode = self._query.get("sslmode", "prefer")
        neighbour = mode == "disable" and not set(self.host) & set(".:")
        return mode in _PLAIN and not self.is_local and not neighbour


@contextmanager
def given_as_argument() -> Iterator[None]:
    """Raise errors of the block with sentences for an address that is an argument, no setting."""
    try:
        yield
    except CatalogueError as error:
        text = str(error).replace("GENREC_DATABASE", "the address")
        wrong = isinstance(error, WrongDatabaseAddress)
        raise (WrongDatabaseAddress if wrong else DestinationRefused)(text) from error.__cause__


def _several_hosts() -> WrongDatabaseAddress:
    return WrongDatabaseAddress(
        "The address of the database has several hosts, and one is expected: name in"
        " GENREC_DATABASE a host name that follows the primary server."
    )


def _broken() -> WrongDatabaseAddress:
    return WrongDatabaseAddress(
        "The address of the database is not postgresql://user:password@host:port/database: correct"
        " GENREC_DATABASE, and write special characters of the password as %XX."
    )
