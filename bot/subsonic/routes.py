"""Routes of the protocol: /rest/ENDPOINT and /rest/ENDPOINT.view, with GET and POST."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from aiohttp import web

from bot.http_api.gate import Gate
from bot.http_api.problems import problem_of
from bot.http_api.worker_share import WorkerShare
from bot.subsonic.authentication import Credentials, log_in
from bot.subsonic.browsing import Browsing
from bot.subsonic.library import SubsonicLibrary
from bot.subsonic.parameters import Parameters
from bot.subsonic.similar_music import SimilarMusic
from bot.subsonic.subsonic_responses import (
    GENERIC,
    WRONG_API_KEY,
    WRONG_PASSWORD,
    Body,
    Format,
    SubsonicError,
    envelope,
    write,
)
from bot.subsonic.system import EMPTY, NOT_SERVED, ServerFacts
from genrec.errors import GenrecError

log = logging.getLogger(__name__)

Endpoint = Callable[[Parameters], Awaitable[Body]]

WITHOUT_LOGIN = frozenset({"getOpenSubsonicExtensions"})
_MOST_PARAMETERS = 200
_MAX_FORM_BYTES = 1 << 16
_FORM_S = 10.0  # it arrives before the login, so anybody can send one
_FORM = "application/x-www-form-urlencoded"


class SubsonicRoutes:
    """The application below /rest: it reads parameters, logs in, and writes JSON or XML.

    Errors of the protocol have the HTTP status 200, except for an unknown endpoint (404) and an
    address that sent too many wrong passwords (429).
    """

    def __init__(
        self,
        *,
        library: SubsonicLibrary,
        share: WorkerShare,
        credentials: Credentials,
        gate: Gate,
        version: str,
    ) -> None:
        self._credentials = credentials
        self._gate = gate
        self._version = version
        self._endpoints = endpoints(library, share, credentials.user or "genrec")

    def application(self) -> web.Application:
        """Return the application with a route for every endpoint."""
        app = web.Application(client_max_size=_MAX_FORM_BYTES)
        for name in self._endpoints:
            for path in (f"/{name}", f"/{name}.view"):
                app.router.add_route("GET", path, self._handler(name))
                app.router.add_route("POST", path, self._handler(name))
        app.router.add_route("*", "/{endpoint:.*}", self._unknown)
        return app

    def _handler(self, name: str) -> Callable[[web.Request], Awaitable[web.Response]]:
        endpoint = self._endpoints[name]

        async def handle(request: web.Request) -> web.Response:
            form: Format = "xml"
            body: Body | SubsonicError
            try:
                given = await _parameters(request)
                form = _format(given)
                if name not in WITHOUT_LOGIN:
                    self._log_in(request, given)
                body = await endpoint(given)
            except SubsonicError as error:
                body = error
            except GenrecError as error:
                # The log has the operator's own sentences, such as those with a path.
                log.info("subsonic request not answered: %s: %s: %s", name, error.code, error)
                body = SubsonicError(GENERIC, problem_of(error).sentence)
            return await self._response(body, form)

        return handle

    async def _unknown(self, request: web.Request) -> web.Response:
        form: Format = "json" if request.query.get("f") == "json" else "xml"
        name = request.match_info["endpoint"][:60]
        error = SubsonicError(
            GENERIC, f"genrec has no endpoint {name!r}: see docs/opensubsonic.md."
        )
        return await self._response(error, form, status=404)

    def _log_in(self, request: web.Request, given: Parameters) -> None:
        try:
            log_in(given, self._credentials)
        except SubsonicError as error:
            if error.code in (WRONG_PASSWORD, WRONG_API_KEY):
                self._gate.count_wrong_login(request)
            raise

    async def _response(
        self, body: Body | SubsonicError, form: Format, *, status: int = 200
    ) -> web.Response:
        # A long list takes some tenths of a second, in which other requests go on.
        content, kind = await asyncio.to_thread(write, envelope(self._version, body), form)
        return web.Response(
            body=content,
            status=status,
            content_type=kind,
            charset="utf-8",
            headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"},
        )


def endpoints(library: SubsonicLibrary, share: WorkerShare, user: str) -> Mapping[str, Endpoint]:
    """Return the endpoints by name; those that search by sound wait for a turn of the share."""
    facts, browsing = ServerFacts(library, user), Browsing(library)
    similar = SimilarMusic(library)
    served: dict[str, Endpoint] = {
        "ping": facts.ping,
        "getLicense": facts.license,
        "getOpenSubsonicExtensions": facts.extensions,
        "tokenInfo": facts.token_info,
        "getUser": facts.user,
        "getScanStatus": facts.scan_status,
        "getMusicFolders": browsing.music_folders,
        "getIndexes": browsing.indexes,
        "getMusicDirectory": browsing.directory,
        "getArtists": browsing.artists,
        "getArtist": browsing.artist,
        "getAlbum": browsing.album,
        "getSong": browsing.song,
        "getGenres": browsing.genres,
        "getSongsByGenre": browsing.songs_by_genre,
        "getRandomSongs": browsing.random_songs,
        "getAlbumList": browsing.album_list,
        "getAlbumList2": browsing.album_list2,
        "search2": browsing.search2,
        "search3": browsing.search3,
        "getTopSongs": browsing.top_songs,
        "getAlbumInfo": similar.album_info,
        "getAlbumInfo2": similar.album_info,
    }
    searching: dict[str, Endpoint] = {
        "getSimilarSongs": similar.similar_songs,
        "getSimilarSongs2": similar.similar_songs2,
        "getArtistInfo": similar.artist_info,
        "getArtistInfo2": similar.artist_info2,
        "getSonicSimilarTracks": similar.sonic_similar,
        "findSonicPath": similar.sonic_path,
    }
    served |= {name: _in_turn(share, endpoint) for name, endpoint in searching.items()}
    served |= {name: _constant(body) for name, body in EMPTY.items()}
    return served | {name: _refusal(*error) for name, error in NOT_SERVED.items()}


def _in_turn(share: WorkerShare, endpoint: Endpoint) -> Endpoint:
    async def answer(given: Parameters) -> Body:
        async with share.turn():
            return await endpoint(given)

    return answer


def _constant(body: Body) -> Endpoint:
    async def answer(_: Parameters) -> Body:
        return body

    return answer


def _refusal(code: int, message: str) -> Endpoint:
    async def refuse(_: Parameters) -> Body:
        raise SubsonicError(code, message)

    return refuse


async def _parameters(request: web.Request) -> Parameters:
    """Return the parameters of the address, and then those of a form."""
    given = dict(_first(request.query))
    if request.method == "POST" and request.content_type == _FORM:
        try:
            async with asyncio.timeout(_FORM_S):
                form = cast("Mapping[str, Any]", await request.post())
        except TimeoutError:
            raise SubsonicError(GENERIC, "The form arrives too slowly: send it again.") from None
        except (LookupError, ValueError):
            raise SubsonicError(GENERIC, "The form cannot be read: send it as UTF-8.") from None
        given = {**_first(form), **given}
    if len(given) > _MOST_PARAMETERS:
        raise SubsonicError(
            GENERIC, f"{len(given)} parameters were sent; send at most {_MOST_PARAMETERS}."
        )
    return Parameters(given)


def _first(given: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in given.items():
        if isinstance(value, str):
            found.setdefault(name, value)
    return found


def _format(given: Parameters) -> Format:
    """Return the wanted format; another one than JSON and XML is refused in XML."""
    wanted = given.text("f") or "xml"
    if wanted not in ("json", "xml"):
        raise SubsonicError(
            GENERIC,
            f"f is {wanted[:40]!r}; send f=json or f=xml. JSONP would let any page read it.",
        )
    return cast("Format", wanted)
