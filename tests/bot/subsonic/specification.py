"""The schemas of the OpenSubsonic specification in the shared folder, and a call of each endpoint.

The description is OpenAPI 3.0 of many files; its schemas use nothing that JSON Schema lacks.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jsonschema
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from bot.subsonic.system import EMPTY
from tests.bot.subsonic.conftest import USER, Client

JSON = "#/content/application~1json/schema"


def validator(folder: Path, endpoint: str) -> jsonschema.Draft202012Validator:
    """Return the validator of an endpoint's JSON response."""
    path = json.loads((folder / "endpoints" / f"{endpoint}.json").read_text())
    answer = path["get"]["responses"]["200"]
    if "$ref" in answer:
        schema = _uri(folder, answer["$ref"]) + JSON
    else:
        schema = _uri(folder, answer["content"]["application/json"]["schema"]["$ref"])
    registry: Registry[Any] = Registry(retrieve=_read)  # type: ignore[call-arg]
    return jsonschema.Draft202012Validator({"$ref": schema}, registry=registry)


def _uri(folder: Path, reference: str) -> str:
    return (folder / "endpoints" / reference).resolve().as_uri()


def _read(uri: str) -> Resource[Any]:
    content = json.loads(Path(uri.removeprefix("file://")).read_text())
    return Resource.from_contents(content, default_specification=DRAFT202012)


async def every_call(client: Client) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Yield calls of every endpoint that answers with data."""
    one, other = await client.song("Anna One"), await client.song("Five")
    for name in (
        "ping", "getLicense", "getOpenSubsonicExtensions", "tokenInfo", "getScanStatus",
        "getMusicFolders", "getIndexes", "getArtists", "getGenres", "getRandomSongs",
        *EMPTY,
    ):  # fmt: skip
        yield name, {}
    yield "getUser", {"username": USER}
    yield "getMusicDirectory", {"id": one["artistId"]}
    yield "getMusicDirectory", {"id": one["albumId"]}
    yield "getArtist", {"id": one["artistId"]}
    yield "getAlbum", {"id": one["albumId"]}
    yield "getSong", {"id": one["id"]}
    yield "getSongsByGenre", {"genre": "rock"}
    for order in ("random", "newest", "alphabeticalByName", "alphabeticalByArtist", "frequent"):
        yield "getAlbumList", {"type": order}
        yield "getAlbumList2", {"type": order}
    yield "getAlbumList2", {"type": "byYear", "fromYear": 2010, "toYear": 1990}
    yield "getAlbumList2", {"type": "byGenre", "genre": "Jazz"}
    yield "search2", {"query": "a"}
    yield "search3", {"query": '""'}
    yield "getTopSongs", {"artist": "anna"}
    for id in (one["id"], one["albumId"], one["artistId"]):
        for name in ("getSimilarSongs", "getSimilarSongs2", "getArtistInfo", "getArtistInfo2"):
            yield name, {"id": id}
    yield "getAlbumInfo", {"id": other["albumId"]}
    yield "getAlbumInfo2", {"id": one["albumId"]}
    yield "getSonicSimilarTracks", {"id": one["id"], "count": 4}
    yield "findSonicPath", {"startSongId": one["id"], "endSongId": other["id"], "count": 4}
