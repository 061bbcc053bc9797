"""Authentication of the Subsonic protocol.

A client sends ``u`` with a token (``t`` = md5 of password and salt ``s``) or with a password
(``p``, plain or ``enc:`` in hexadecimal), or only ``apiKey``. Codes of errors are those of
https://opensubsonic.netlify.app/docs/extensions/apikeyauth/.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass

from bot.subsonic.parameters import Parameters
from bot.subsonic.subsonic_responses import (
    CLIENT_TOO_NEW,
    CLIENT_TOO_OLD,
    CONFLICTING_MECHANISMS,
    GENERIC,
    MECHANISM_NOT_SUPPORTED,
    NO_TOKENS,
    PARAMETER_MISSING,
    VERSION,
    WRONG_API_KEY,
    WRONG_PASSWORD,
    SubsonicError,
)

_VERSION = re.compile(r"(\d{1,4})\.\d{1,4}(?:\.\d{1,4})?")
_WRONG = "The user name or password is wrong: check both in the client's settings."


@dataclass(frozen=True, slots=True)
class Credentials:
    """User name, password and API key of the operator; an empty one does not log in."""

    user: str = ""
    password: str = ""
    api_key: str = ""

    def __bool__(self) -> bool:
        return bool((self.user and self.password) or self.api_key)

    def __repr__(self) -> str:
        return f"Credentials(user={self.user!r})"


def log_in(given: Parameters, known: Credentials) -> str:
    """Return the user name of a request's credentials.

    Raises
    ------
    SubsonicError
        With the code 10 for missing parameters, 20 and 30 for another protocol, 40 for a wrong
        password, 41 and 42 for a mechanism that is not set up, 43 for several, 44 for a wrong key.
    """
    for name in ("v", "c"):
        given.required(name)
    _check_version(given.text("v"))
    user, password, api_key = given.text("u"), given.text("p"), given.text("apiKey")
    token, salt = given.text("t"), given.text("s")
    if sum((bool(api_key), bool(password), bool(token or salt))) > 1 or (api_key and user):
        raise SubsonicError(
            CONFLICTING_MECHANISMS,
            "Several ways to log in were sent: send apiKey alone, or u with p, or u with t and s.",
        )
    if api_key:
        return _by_key(api_key, known)
    given.required("u")
    if not password and not (token and salt):
        missing = "t" if salt else "s" if token else "p, or t and s"
        raise SubsonicError(PARAMETER_MISSING, f"To log in, send also {missing}.")
    if not known.password:
        code = NO_TOKENS if token else MECHANISM_NOT_SUPPORTED
        raise SubsonicError(code, "This server has no password: log in with its apiKey.")
    if password:
        right = _equal(_plain(password), known.password)
    else:
        digest = hashlib.md5(_bytes(known.password + salt), usedforsecurity=False)
        right = _equal(token.casefold(), digest.hexdigest())
    # Both are compared, so the time does not tell which of them is wrong.
    if not (_equal(user, known.user) & right):
        raise SubsonicError(WRONG_PASSWORD, _WRONG)
    return known.user


def _by_key(api_key: str, known: Credentials) -> str:
    if not known.api_key:
        raise SubsonicError(
            MECHANISM_NOT_SUPPORTED, "This server has no API key: log in with user and password."
        )
    if not _equal(api_key, known.api_key):
        raise SubsonicError(
            WRONG_API_KEY, "The API key is wrong: copy it from the server's settings."
        )
    return known.user or "genrec"


def _check_version(sent: str) -> None:
    found = _VERSION.fullmatch(sent)
    if found is None:
        raise SubsonicError(GENERIC, f"v is {sent[:40]!r}; send a version such as {VERSION}.")
    mine, theirs = int(VERSION.partition(".")[0]), int(found[1])
    if theirs != mine:
        code = CLIENT_TOO_OLD if theirs < mine else CLIENT_TOO_NEW
        raise SubsonicError(code, f"v is {sent}; this server speaks {VERSION}.")


def _plain(password: str) -> str:
    """Return a password without its hexadecimal coding; one that cannot be decoded is wrong."""
    if not password.startswith("enc:"):
        return password
    try:
        return bytes.fromhex(password[4:]).decode()
    except ValueError:
        return ""


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(_bytes(one), _bytes(other))


def _bytes(text: str) -> bytes:
    """Return a text as bytes, also what is no text: half of a letter in an address."""
    return text.encode("utf-8", errors="surrogatepass")
