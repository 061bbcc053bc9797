"""Fetch one file over HTTP: every hop judged, every byte counted, nothing believed."""

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

from bot.sources.media import HEAD_BYTES, refusal, suffix_of
from bot.sources.policy import SourcePolicy, check_endpoint, known_sites
from bot.sources.resolver import Resolve, resolve_public
from bot.sources.ytdlp_errors import NO_ROOM
from genrec.errors import Busy, ClipTooLarge, GenrecError, LinkRefused

if TYPE_CHECKING:
    from pathlib import Path

    from bot.sources.sites import Site

CheckHop = Callable[[str], URL]

_CHUNK = 64 * 1024
_LONGEST_HEADER = 8190
_HEADERS = {
    "User-Agent": "genrec (fetches one sound file for a person who asked)",
    "Accept": "audio/*, video/*;q=0.5, */*;q=0.1",
    # A compressed body is a bomb waiting, and sound does not compress.
    "Accept-Encoding": "identity",
}
_ICY = re.compile(r"icy-(?!metaint$)", re.IGNORECASE)

_STATUS_SENTENCES = {
    401: "That link wants a sign-in, and genrec has no account there. Upload the file instead.",
    403: "The site does not let genrec fetch that link. Upload the file instead.",
    404: "There is nothing behind that link any more. Check it, or upload the file.",
    410: "There is nothing behind that link any more. Check it, or upload the file.",
    429: "The site is asked too often just now. Try again later, or upload the file.",
    451: "The site may not give that file out here. Upload the file instead.",
}


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A file that was fetched: where it lies, what it holds, and where it came from at last."""

    path: Path
    sha256: str
    url: URL


class LeadsToPageError(Exception):
    """A link, or a redirect of it, is a site's page: not for this downloader to read."""

    def __init__(self, url: URL, site: Site) -> None:
        super().__init__(url, site)
        self.url, self.site = url, site


class _Resolver(AbstractResolver):
    """Hand aiohttp the addresses that were judged."""

    def __init__(self, policy: SourcePolicy, resolve: Resolve) -> None:
        self._policy, self._resolve = policy, resolve

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        del family  # both, whatever aiohttp prefers
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
        """Have nothing to close."""


def guarded_session(policy: SourcePolicy, resolve: Resolve) -> aiohttp.ClientSession:
    """Return a session that can only reach public addresses, decided at connect time.

    ``socket_factory`` is the last step before connect(2) and sees the address really used: a
    redirect, a literal address and a name that changed its mind all pass through it.
    """

    def judged_socket(info: tuple[Any, ...]) -> socket.socket:
        family, kind, proto, _, where = info
        check_endpoint(str(where[0]), int(where[1]), policy)
        sock = socket.socket(family=family, type=kind, proto=proto)
        sock.setblocking(False)
        return sock

    connector = aiohttp.TCPConnector(
        resolver=_Resolver(policy, resolve),
        socket_factory=judged_socket,
        ssl=_tls(policy.ca_file),
        use_dns_cache=False,
        force_close=True,
        happy_eyeballs_delay=None,  # one address after the other: a refusal ends it
    )
    return aiohttp.ClientSession(
        connector=connector,
        trust_env=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(
            total=None, sock_connect=policy.connect_s, sock_read=policy.stall_s
        ),
        max_line_size=_LONGEST_HEADER,
        max_field_size=_LONGEST_HEADER,
    )


@functools.cache
def _tls(ca_file: Path | None) -> ssl.SSLContext:
    """Return the TLS settings; reading the authorities takes too long to do for every link."""
    return ssl.create_default_context(cafile=ca_file)


async def download(
    url: URL,
    folder: Path,
    *,
    policy: SourcePolicy,
    resolve: Resolve,
    check_hop: CheckHop,
    sound_only: bool = True,
) -> Downloaded:
    """Fetch ``url`` into ``folder``; ``check_hop`` judges where each redirect wants to lead.

    With ``sound_only`` a body that does not start like a sound file is given up at once, and the
    error says what it is instead.
    """
    try:
        async with asyncio.timeout(policy.download_s), guarded_session(policy, resolve) as session:
            response = await _follow(session, url, policy, check_hop)
            async with response:
                return await _receive(response, folder, policy, sound_only)
    except (GenrecError, LeadsToPageError):
        raise
    except TimeoutError as error:
        raise LinkRefused(
            "The site takes too long to send that file. Try again later, or upload the file."
        ) from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Busy(NO_ROOM) from error
        raise LinkRefused(_transport_sentence(error, url)) from error


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
        f"That link sends genrec on more than {policy.max_redirects} times. Send the link it"
        " finally leads to."
    )


async def _receive(
    response: aiohttp.ClientResponse, folder: Path, policy: SourcePolicy, sound_only: bool
) -> Downloaded:
    _check_head(response, policy)
    started = time.monotonic()
    digest, size, head = hashlib.sha256(), 0, b""
    path = folder / "clip"
    with path.open("xb") as file:
        async for chunk in response.content.iter_chunked(_CHUNK):
            size += len(chunk)
            if size > policy.max_bytes:
                raise _too_large(policy)
            _check_rate(size, time.monotonic() - started, policy)
            if len(head) < HEAD_BYTES:
                head += chunk[: HEAD_BYTES - len(head)]
                if sound_only and len(head) == HEAD_BYTES and not suffix_of(head):
                    raise refusal(head, known_sites(policy))
            digest.update(chunk)
            file.write(chunk)
    suffix = suffix_of(head)
    if sound_only and not suffix:
        raise refusal(head, known_sites(policy))
    return Downloaded(path.rename(path.with_suffix(suffix)), digest.hexdigest(), response.url)


def _check_head(response: aiohttp.ClientResponse, policy: SourcePolicy) -> None:
    """Refuse by the header what need not be read; what the header promises is not believed."""
    if response.status != 200:
        fallback = (
            f"The site answered with an error ({response.status}). Try again later, or upload the"
            " file."
        )
        raise LinkRefused(_STATUS_SENTENCES.get(response.status, fallback))
    if any(_ICY.match(name) for name in response.headers):
        raise LinkRefused("That link is a live stream without an end. Send a recording instead.")
    if response.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        raise LinkRefused(
            "The site sends that file compressed, which genrec does not unpack. Upload the file."
        )
    if (response.content_length or 0) > policy.max_bytes:
        raise _too_large(policy)


def _check_rate(size: int, elapsed_s: float, policy: SourcePolicy) -> None:
    if elapsed_s > policy.grace_s and size < policy.min_rate * elapsed_s:
        raise LinkRefused(
            "The site sends that file too slowly. Try again later, or upload the file."
        )


def _too_large(policy: SourcePolicy) -> ClipTooLarge:
    return ClipTooLarge(
        f"That file is larger than {policy.max_bytes / (1 << 20):.0f} MB. Send a smaller or a"
        " shorter one."
    )


def _transport_sentence(error: Exception, url: URL) -> str:
    """Put a failure of the network into words for somebody who only has the link."""
    host = (url.raw_host or "")[:100]
    if isinstance(
        error, (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError)
    ):
        return f"The site {host} has no valid certificate. Send another link, or upload the file."
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"The site {host} could not be found. Check the link, or upload the file."
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"The site {host} does not answer. Try again later, or upload the file."
    if isinstance(error, aiohttp.ClientPayloadError | aiohttp.ServerDisconnectedError):
        return "The transfer broke off. Try again, or upload the file."
    return f"The site {host} does not answer as a web server should. Upload the file instead."
