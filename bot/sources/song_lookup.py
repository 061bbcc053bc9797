"""Look up the name of a linked song in its site's public metadata; no sound is fetched."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Self

import aiohttp
from yarl import URL

from bot.sources.download import guarded_session, proxied_session
from bot.sources.page_metadata import MAX_JSON_BYTES, read_json, read_page
from bot.sources.policy import check_url
from bot.sources.resolver import resolve_public
from bot.sources.song_metadata import PageSong, says_removed, song_of_json, song_of_page
from bot.sources.song_sites import TRACK, Form, SongLink, SongSite, song_link
from genrec.errors import LinkRefused

if TYPE_CHECKING:
    from bot.sources.policy import SourcePolicy
    from bot.sources.resolver import Resolve

_log = logging.getLogger(__name__)

MAX_PAGE_BYTES = 1 << 20
_CHUNK = 16 * 1024
_HEADERS = {
    # Sites send the tags for previews to programs that say "compatible", as Discord's does.
    "User-Agent": "Mozilla/5.0 (compatible; genrec; looks up a song's title on a user's request)",
    "Accept": "text/html, application/json;q=0.9, */*;q=0.1",
    "Accept-Language": "en",
    "Accept-Encoding": "identity",
}
_BY_STATUS = {401: "private", 403: "private", 404: "removed", 410: "removed", 429: "limit",
              451: "region"}  # fmt: skip
REASONS = ("album", "playlist", "artist", "episode", "removed", "private", "region", "limit",
           "slow", "changed")  # fmt: skip
"""Why a link names no song: its kind of page, or what its site answered."""


class SongLookupError(Exception):
    """A song's name could not be looked up; ``reason`` is one of ``REASONS``."""

    def __init__(self, reason: str, site: SongSite) -> None:
        super().__init__(reason, site.name)
        self.reason, self.site = reason, site


async def look_up(link: SongLink, *, policy: SourcePolicy, resolve: Resolve) -> PageSong:
    """Return the song that a link leads to, as its site names it.

    Raises SongLookupError if the link leads to no song, or the site names none.
    """
    try:
        async with asyncio.timeout(policy.lookup_s), _Client(link.site, policy, resolve) as client:
            return await _song(link, client)
    except TimeoutError as error:
        raise SongLookupError("slow", link.site) from error


async def _song(link: SongLink, client: _Client) -> PageSong:
    if link.kind != TRACK and link.may_be_song:
        link = await _followed(link, client)
    if link.kind != TRACK:
        raise SongLookupError(link.kind, link.site)
    found: PageSong | None = None
    reasons: list[str] = []
    for request in link.site.requests:
        try:
            answer = await client.get(URL(link.address(request), encoded=True), request.form)
            song, removed = await asyncio.to_thread(_read, answer.body, request.form, link.site)
        except SongLookupError as error:
            reasons.append(error.reason)
            continue
        if song is not None and song.author:
            return song
        found = found or song
        reasons.append("removed" if removed else "changed")
    if found is not None:
        return found
    _log.info("song not found: site=%s reasons=%s", link.site.name, ",".join(reasons))
    reason = next((reason for reason in reasons if reason != "changed"), "changed")
    raise SongLookupError(reason, link.site)


def _read(body: bytes, form: Form, site: SongSite) -> tuple[PageSong | None, bool]:
    """Return the song of a response, and whether the response says that there is none."""
    if form is Form.JSON:
        value = read_json(body)
        return song_of_json(value, site), says_removed(value)
    return song_of_page(read_page(body), site), False


async def _followed(link: SongLink, client: _Client) -> SongLink:
    """Return the link that a short link leads to."""
    answer = await client.get(link.url, Form.PAGE, stop_at_pages=True)
    target = answer.url
    if target == link.url:  # a page that forwards with a script names its target
        page = await asyncio.to_thread(read_page, answer.body)
        named = page.first("og:url", "al:web:url", "twitter:url")
        target = client.checked(named) if named else target
    found = song_link(target)
    if found is None or found.site is not link.site or (found.may_be_song and found.kind != TRACK):
        raise SongLookupError("changed", link.site)
    return found


class _Answer:
    """Final address and body of a request."""

    def __init__(self, url: URL, body: bytes) -> None:
        self.url, self.body = url, body


class _Client:
    """Makes requests to one site: https, known hosts, public addresses, limited bytes."""

    def __init__(self, site: SongSite, policy: SourcePolicy, resolve: Resolve) -> None:
        self._site, self._policy, self._resolve = site, policy, resolve

    async def __aenter__(self) -> Self:
        proxied = bool(self._policy.upstream_proxy)
        self._session = (
            proxied_session(self._policy)
            if proxied
            else guarded_session(self._policy, self._resolve)
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def get(self, url: URL, form: Form, *, stop_at_pages: bool = False) -> _Answer:
        """Return the response to a GET request; raise SongLookupError.

        With ``stop_at_pages``, a redirect to a page of a song site is not followed.
        """
        try:
            for _ in range(self._policy.max_redirects + 1):
                url = self.checked(str(url))
                async with await self._request(url) as response:
                    if response.status not in (301, 302, 303, 307, 308):
                        return _Answer(url, await self._body(response, form))
                    target = URL(response.headers.get("Location", ""), encoded=True)
                    url = self.checked(str(url.join(target)))
                link = song_link(url)
                if (
                    stop_at_pages
                    and link is not None
                    and (link.kind == TRACK or not link.may_be_song)
                ):
                    return _Answer(url, b"")
        except LinkRefused as error:  # the site's name has no public address, or no server answers
            raise SongLookupError("slow", self._site) from error
        except TimeoutError:
            raise
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise SongLookupError("slow", self._site) from error
        raise SongLookupError("changed", self._site)

    def checked(self, address: str) -> URL:
        """Return an address as a URL; raise SongLookupError unless it is one of the site's."""
        try:
            url = check_url(address, self._policy)
        except LinkRefused as error:
            raise SongLookupError("changed", self._site) from error
        host = (url.raw_host or "").lower()
        if url.scheme != "https" or not (self._site.reaches(host) or self._site.has_host(host)):
            _log.info("song lookup left its site: site=%s host=%s", self._site.name, host[:253])
            raise SongLookupError("changed", self._site)
        return url

    async def _request(self, url: URL) -> aiohttp.ClientResponse:
        if not self._policy.upstream_proxy:
            return await self._session.get(url, allow_redirects=False, headers=_HEADERS)
        # The operator's proxy receives the checked address, never the name.
        host = url.raw_host or ""
        (endpoint, *_) = await resolve_public(
            host, url.port or 443, policy=self._policy, resolve=self._resolve
        )
        return await self._session.get(
            url.with_host(endpoint.address).with_port(endpoint.port),
            allow_redirects=False,
            headers={**_HEADERS, "Host": host},
            proxy=self._policy.upstream_proxy,
            server_hostname=host,
        )

    async def _body(self, response: aiohttp.ClientResponse, form: Form) -> bytes:
        """Return the body of a response: JSON within its limit, a page up to its head's end."""
        if response.status != 200:
            reason = _BY_STATUS.get(response.status)
            raise SongLookupError(
                reason or ("slow" if response.status >= 500 else "changed"), self._site
            )
        coding = response.headers.get("Content-Encoding", "identity").strip().lower()
        if coding not in ("", "identity"):
            raise SongLookupError("changed", self._site)
        body = bytearray()
        limit = MAX_PAGE_BYTES if form is Form.PAGE else MAX_JSON_BYTES
        async for chunk in response.content.iter_chunked(_CHUNK):
            body += chunk
            ended = form is Form.PAGE and b"</head" in body[-len(chunk) - 8 :].lower()
            if ended or len(body) > limit:
                break
        return bytes(body[: limit + 1])
