"""Download one file over HTTP with every redirect, address and byte count checked."""

from __future__ import annotations

import asyncio
import errno
import functools
import hashlib
import re
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from bot.sources.body import BodyCheck
from bot.sources.media import suffix_of
from bot.sources.policy import SourcePolicy, check_endpoint
from bot.sources.resolver import Resolve, resolve_public
from bot.sources.ytdlp_errors import DISK_FULL
from genrec.errors import Busy, ClipTooLarge, GenrecError, LinkRefused

if TYPE_CHECKING:
    from pathlib import Path

    from bot.sources.budget import BudgetLease
    from bot.sources.sites import Site

CheckHop = Callable[[str], URL]

_CHUNK = 64 * 1024
_MAX_HEADER_BYTES = 8190
_HEADERS = {
    "User-Agent": "genrec (fetches one sound file on a user's request)",
    "Accept": "audio/*, video/*;q=0.5, */*;q=0.1",
    # A compressed body may expand without limit, and audio barely compresses.
    "Accept-Encoding": "identity",
}
_ICY = re.compile(r"icy-(?!metaint$)", re.IGNORECASE)

_SLOW_SITE = (
    "The site sends that file too slowly: less than {rate:.3g} KiB/s over {window:g} s. Try again"
    " later, or upload the file."
)
_STATUS_MESSAGES = {
    401: "That link needs a sign-in, and genrec has no account there. Upload the file instead.",
    403: "The site does not allow genrec to fetch that link. Upload the file instead.",
    404: "That link leads to no file any more. Check it, or upload the file.",
    410: "That link leads to no file any more. Check it, or upload the file.",
    429: "The site limits how often genrec may fetch. Try again later, or upload the file.",
    451: "The site may not offer that file in this country. Upload the file instead.",
}


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A downloaded file: its path, its hash, and its URL after redirects."""

    path: Path
    sha256: str
    url: URL


class LeadsToPageError(Exception):
    """A link or a redirect leads to a supported site's page, which yt-dlp fetches instead."""

    def __init__(self, url: URL, site: Site) -> None:
        super().__init__(url, site)
        self.url, self.site = url, site


class _Resolver(AbstractResolver):
    """Resolve names for aiohttp, to public addresses only."""

    def __init__(self, policy: SourcePolicy, resolve: Resolve) -> None:
        self._policy, self._resolve = policy, resolve

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        del family  # IPv4 and IPv6 both
        found = await resolve_public(host, port, policy=self._policy, resolve=self._resolve)
        return [
            ResolveResult(
                hostname=host,
                host=endpoint.address,
                port=endpoint.port,
                family=endpoint.family,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for endpoint in found
        ]

    async def close(self) -> None:
        """Do nothing: there is nothing to close."""


def guarded_session(policy: SourcePolicy, resolve: Resolve) -> aiohttp.ClientSession:
    """Return a session that connects to public addresses only, checked at connect time.

    ``socket_factory`` is the last step before connect(2) and receives the address in use.
    Redirects, literal addresses and DNS rebinding all pass through it.
    """

    def checked_socket(info: tuple[Any, ...]) -> socket.socket:
        family, kind, proto, _, address = info
        check_endpoint(str(address[0]), int(address[1]), policy)
        sock = socket.socket(family=family, type=kind, proto=proto)
        sock.setblocking(False)
        return sock

    connector = aiohttp.TCPConnector(
        resolver=_Resolver(policy, resolve),
        socket_factory=checked_socket,
        ssl=_tls(policy.ca_file),
        use_dns_cache=False,
        force_close=True,
        happy_eyeballs_delay=None,  # one address at a time, so a refused one ends the attempt
    )
    return aiohttp.ClientSession(
        connector=connector,
        trust_env=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(
            total=None, sock_connect=policy.connect_s, sock_read=policy.stall_s
        ),
        max_line_size=_MAX_HEADER_BYTES,
        max_field_size=_MAX_HEADER_BYTES,
    )


def proxied_session(policy: SourcePolicy) -> aiohttp.ClientSession:
    """Return a session for requests through the operator's proxy, whose callers check addresses."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=_tls(policy.ca_file), force_close=True),
        trust_env=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(
            total=None, sock_connect=policy.connect_s, sock_read=policy.stall_s
        ),
        max_line_size=_MAX_HEADER_BYTES,
        max_field_size=_MAX_HEADER_BYTES,
    )


@functools.cache
def _tls(ca_file: Path | None) -> ssl.SSLContext:
    """Return the TLS settings; loading the certificate authorities for every link is slow."""
    return ssl.create_default_context(cafile=ca_file)


async def download(
    url: URL,
    folder: Path,
    *,
    policy: SourcePolicy,
    resolve: Resolve,
    check_hop: CheckHop,
    disk: BudgetLease,
    sound_only: bool = True,
) -> Downloaded:
    """Download ``url`` into ``folder``; ``check_hop`` checks the target of each redirect.

    ``disk`` grows by the declared length of the body, else by the bytes that arrive. With
    ``sound_only``, a body that is no sound file is refused as early as its bytes show it, and the
    error names its kind.
    """
    try:
        async with asyncio.timeout(policy.download_s), guarded_session(policy, resolve) as session:
            response = await _follow(session, url, policy, check_hop)
            async with response:
                return await _receive(response, folder, policy, disk, sound_only)
    except (GenrecError, LeadsToPageError):
        raise
    except TimeoutError as error:
        raise LinkRefused(
            "The site took too long to send that file. Try again later, or upload the file."
        ) from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Busy(DISK_FULL) from error
        raise LinkRefused(_network_message(error, url)) from error


async def _follow(
    session: aiohttp.ClientSession, url: URL, policy: SourcePolicy, check_hop: CheckHop
) -> aiohttp.ClientResponse:
    for _ in range(policy.max_redirects + 1):
        response = await session.get(url, allow_redirects=False, headers=_HEADERS)
        if response.status not in (301, 302, 303, 307, 308):
            return response
        response.close()
        url = check_hop(str(url.join(URL(response.headers.get("Location", "")))))
    raise LinkRefused(
        f"That link redirects more than {policy.max_redirects} times. Send the link of the file"
        " itself."
    )


async def _receive(
    response: aiohttp.ClientResponse,
    folder: Path,
    policy: SourcePolicy,
    disk: BudgetLease,
    sound_only: bool,
) -> Downloaded:
    _check_head(response, policy)
    await disk.reserve(response.content_length or 0, wait_s=policy.stall_s)
    rate = LeastRate(policy)
    digest, size = hashlib.sha256(), 0
    path = folder / "clip"
    body = BodyCheck(policy) if sound_only else None
    with path.open("xb") as file:
        async for chunk in response.content.iter_chunked(_CHUNK):
            size += len(chunk)
            if size > policy.max_bytes:
                raise _too_large(policy)
            rate.check(size)
            disk.grow(size)
            digest.update(chunk)
            file.write(chunk)
            if body is not None:
                await body.add(chunk)
    suffix = await asyncio.to_thread(file_suffix, path)
    if body is not None and not suffix:
        raise body.error()
    return Downloaded(path.rename(path.with_suffix(suffix)), digest.hexdigest(), response.url)


def file_suffix(path: Path) -> str:
    """Return the suffix of a file by its first bytes; "" if it is no sound file."""
    with path.open("rb") as file:
        return suffix_of(file)


def _check_head(response: aiohttp.ClientResponse, policy: SourcePolicy) -> None:
    """Refuse a response by its headers; the body is still checked against the same limits."""
    if response.status != 200:
        fallback = (
            f"The site returned an error (HTTP {response.status}). Try again later, or upload the"
            " file."
        )
        raise LinkRefused(_STATUS_MESSAGES.get(response.status, fallback))
    if any(_ICY.match(name) for name in response.headers):
        raise LinkRefused("That link is a live stream. Send a recording instead.")
    if response.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        raise LinkRefused(
            "The site sends that file compressed, and genrec unpacks nothing. Upload the file."
        )
    if (response.content_length or 0) > policy.max_bytes:
        raise _too_large(policy)


class LeastRate:
    """Refuses a body below the least rate in any window, so a fast beginning earns no slow rest."""

    def __init__(
        self,
        policy: SourcePolicy,
        sentence: str = _SLOW_SITE,
        error: type[GenrecError] = LinkRefused,
    ) -> None:
        self._policy, self._sentence, self._error = policy, sentence, error
        self._size, self._since = 0, time.monotonic()

    def check(self, size: int) -> None:
        """Raise the error if the window is over and brought too few bytes of ``size``."""
        elapsed_s = time.monotonic() - self._since
        if elapsed_s < self._policy.rate_window_s:
            return
        if size - self._size < self._policy.min_rate * elapsed_s:
            policy = self._policy
            raise self._error(
                self._sentence.format(rate=policy.min_rate / 1024, window=policy.rate_window_s)
            )
        self._size, self._since = size, self._since + elapsed_s


def _too_large(policy: SourcePolicy) -> ClipTooLarge:
    return ClipTooLarge(
        f"That file is larger than {policy.max_bytes / (1 << 20):.0f} MB. Send a smaller or"
        " shorter file."
    )


def _network_message(error: Exception, url: URL) -> str:
    """Return the message for a network failure of ``url``."""
    host = (url.raw_host or "")[:100]
    if isinstance(
        error, (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError)
    ):
        return f"The site {host} has no valid certificate. Send another link, or upload the file."
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"The site {host} could not be found. Check the link, or upload the file."
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"The site {host} does not respond. Try again later, or upload the file."
    if isinstance(error, aiohttp.ClientPayloadError | aiohttp.ServerDisconnectedError):
        return "The download was cut off. Try again, or upload the file."
    return f"The site {host} sends no valid HTTP. Upload the file instead."
