"""Foreign clients against the server: py-opensonic, curl, and the calls of other programs.

AudioMuse-AI, an engine for music servers, logs in with a hexadecimal password and reads the whole
library by ``search3`` and ``getAlbumList2``. A plugin of Navidrome looks a song up by its names,
and asks for songs like it.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from libopensonic import AsyncConnection, Extensions
from libopensonic.errors import CredentialError, DataNotFoundError

from tests.bot.http_api.conftest import Interface, OpenServer
from tests.bot.subsonic.conftest import KEY, PASSWORD, USER, Client
from tests.site.subsonic_picture import page_program

PROGRAM = page_program()


@pytest.fixture(params=["token", "password", "key"])
async def connection(server: Interface, request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    """Connect py-opensonic with each way to log in; it posts forms to paths with ``.view``."""
    base, port = server.address.rsplit(":", 1)
    if request.param == "key":
        opened = AsyncConnection(base, port=int(port), api_key=KEY)
    else:
        legacy = request.param == "password"
        opened = AsyncConnection(
            base, USER, PASSWORD, port=int(port), legacy_auth=legacy, use_get=legacy
        )
    yield opened
    await opened.cleanup()


async def test_py_opensonic_browses_and_searches(connection: Any) -> None:
    assert await connection.ping()
    names = {each.name for each in await connection.get_open_subsonic_extensions()}
    assert {Extensions.FORM_POST, Extensions.SONIC_SIMILARITY} <= names
    artists = [
        artist for index in (await connection.get_artists()).index for artist in index.artist
    ]
    anna = next(artist for artist in artists if artist.name == "Anna")
    albums = (await connection.get_artist(anna.id)).album
    assert [album.name for album in albums] == ["First", "Second"]
    album = await connection.get_album(albums[0].id)
    assert [song.title for song in album.song] == [
        "One",
        "Two",
        "Six (Live)",
        "Six (2011 Remaster)",
    ]
    found = await connection.search3("音楽")
    assert [song.artist for song in found.song] == ["Çelik"]
    assert (await connection.get_song(found.song[0].id)).title == "音楽"
    genres = {genre.value: genre.song_count for genre in await connection.get_genres()}
    assert (genres["Rock"], genres["Jazz"]) == (5, 3)
    assert len(await connection.get_random_songs(size=3)) == 3


async def test_py_opensonic_finds_similar_songs(connection: Any) -> None:
    song = (await connection.search3("Anna One")).song[0]
    matches = await connection.get_sonic_similar_tracks(song.id, count=5)
    assert len(matches) == 5
    assert all(0 <= match.similarity <= 1 for match in matches)
    goal = (await connection.search3("Five")).song[0]
    way = await connection.find_sonic_path(song.id, goal.id, count=4)
    assert (way[0].entry.id, way[-1].entry.id) == (song.id, goal.id)
    similar = await connection.get_similar_songs(song.id, count=5)
    assert song.id not in [each.id for each in similar]
    assert similar


async def test_py_opensonic_gets_the_errors_of_the_protocol(connection: Any) -> None:
    with pytest.raises(DataNotFoundError):
        await connection.get_song("tr-999999")


async def test_py_opensonic_with_a_wrong_password_is_refused(server: Interface) -> None:
    base, port = server.address.rsplit(":", 1)
    wrong = AsyncConnection(base, USER, "another-password", port=int(port))
    with pytest.raises(CredentialError):
        await wrong.get_artists()
    await wrong.cleanup()


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on this machine")
async def test_curl_gets_similar_songs_as_xml(client: Client) -> None:
    song = await client.song("Anna One")
    arguments = {"apiKey": KEY, "v": "1.16.1", "c": "curl", "id": song["id"], "count": "2"}
    given = [part for item in arguments.items() for part in ("--data-urlencode", "=".join(item))]
    done = await asyncio.create_subprocess_exec(
        "curl", "-sS", "-G", *given, f"{client.interface.address}/rest/getSonicSimilarTracks",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await done.communicate()
    assert done.returncode == 0
    assert out.count(b"<sonicMatch similarity=") == 2


async def test_calls_of_audiomuse_read_the_whole_library(server: Interface) -> None:
    common = {"u": USER, "p": f"enc:{PASSWORD.encode().hex()}", "v": "1.16.1", "f": "json"}
    client = Client(server, common | {"c": "AudioMuse-AI"})
    folders = (await client.ok("getMusicFolders.view"))["musicFolders"]["musicFolder"]
    assert [(folder["id"], folder["name"]) for folder in folders] == [(0, "Library")]
    given = {"query": "", "songCount": 500, "songOffset": 0}
    found = (await client.ok("search3.view", **given))["searchResult3"]["song"]
    assert len(found) == 10
    given = {"type": "newest", "size": 500, "offset": 0, "musicFolderId": 0}
    albums = (await client.ok("getAlbumList2.view", **given))["albumList2"]["album"]
    songs = [
        song["id"]
        for album in albums
        for song in (await client.ok("getAlbum.view", id=album["id"]))["album"]["song"]
    ]
    assert sorted(songs) == sorted(song["id"] for song in found)


async def test_calls_of_a_navidrome_plugin_lead_to_names(client: Client) -> None:
    given = {"query": "Anna One", "songCount": 1, "artistCount": 0, "albumCount": 0}
    found = (await client.ok("search3", **given))["searchResult3"]
    assert found["artist"] == found["album"] == []
    response = await client.ok("getSonicSimilarTracks", id=found["song"][0]["id"], count=3)
    for match in response["sonicMatch"]:
        entry = match["entry"]
        assert json.dumps(entry)
        assert {"id", "title", "artist", "album", "duration"} <= entry.keys()


async def test_program_of_the_page_prints_similar_songs(serving: OpenServer) -> None:
    given = {"subsonic_password": "0123456789abcdef", "subsonic_starter": True}
    async with serving(**given) as running:
        port = int(running.address.rpartition(":")[2])
        program = PROGRAM.replace("gymnopedies", "Artist 3").replace("8090", str(port))
        program = program.replace("PASSWORD", given["subsonic_password"])
        done = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await done.communicate()
    lines = out.decode().splitlines()
    assert lines[0] == "like Artist 3 - Song 3:"
    assert len(lines) == 6
    assert all(re.fullmatch(r"[01]\.\d\d  Artist \d+ - Song \d+", line) for line in lines[1:])
