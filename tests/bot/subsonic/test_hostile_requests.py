"""Hostile requests: whatever a client sends, it gets an error of the protocol, and no secret."""

from __future__ import annotations

import asyncio
import logging
import random
import urllib.parse
from unittest import mock

import aiohttp
import pytest

from bot.recommender import Recommender
from genrec.errors import CatalogueError
from tests.bot.http_api.conftest import Interface
from tests.bot.subsonic.conftest import KEY, PASSWORD, Client, token

NAMES = (
    "id", "count", "query", "songCount", "songOffset", "artistOffset", "size", "offset", "type",
    "fromYear", "toYear", "genre", "musicFolderId", "artist", "username", "startSongId",
    "endSongId",
)  # fmt: skip
VALUES = (
    "", "0", "-1", "1e3", "١٢", "9" * 30, "tr-1", "tr-0", "tr-١", "tr-" + "9" * 18, "al-", "ar-",
    "\x00", "\ud800", "%00", "a" * 400, '"; DROP TABLE track; --', "*", '""', "../..", "byYear",
    "byGenre", "random", "NEAR(a b)", "\u202e", "🎵" * 100,
)  # fmt: skip
ENDPOINTS = (
    "getIndexes", "getMusicDirectory", "getArtists", "getArtist", "getAlbum", "getSong",
    "getSongsByGenre", "getRandomSongs", "getAlbumList", "getAlbumList2", "search2", "search3",
    "getTopSongs", "getSimilarSongs", "getSimilarSongs2", "getArtistInfo", "getArtistInfo2",
    "getAlbumInfo", "getSonicSimilarTracks", "findSonicPath", "getUser",
)  # fmt: skip


def coded(values: dict[str, str]) -> str:
    return urllib.parse.urlencode(values, errors="surrogatepass")


async def send(
    server: Interface, method: str, path: str, body: bytes | None = None, **headers: str
):
    return await asyncio.to_thread(lambda: server.send(method, path, body, **headers))


@pytest.mark.parametrize("seed", range(4))
async def test_strange_parameters_are_answered_in_the_protocol(
    server: Interface, seed: int
) -> None:
    dice = random.Random(seed)
    for _ in range(100):
        endpoint = dice.choice(ENDPOINTS)
        given = {name: dice.choice(VALUES) for name in dice.sample(NAMES, 4)}
        reply = await send(server, "GET", f"/rest/{endpoint}?{coded(token() | given)}")
        assert reply.status == 200, (endpoint, given, reply.body)
        response = reply.json["subsonic-response"]
        assert response["status"] in ("ok", "failed"), (endpoint, given)
        if response["status"] == "failed":
            assert response["error"]["message"].endswith("."), (endpoint, given)


@pytest.mark.parametrize("value", ["\x00", "\ud800", "a" * 5000, "é", "%ff", "enc:zz"])
async def test_strange_credentials_are_refused(server: Interface, value: str) -> None:
    for name in ("u", "p", "t", "s", "apiKey", "v", "f"):
        reply = await send(server, "GET", f"/rest/ping?{coded(token() | {name: value})}")
        assert reply.status == 200, name
        assert b"failed" in reply.body, name


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/rest", 404),
        ("GET", "/rest/", 404),
        ("GET", "/rest//ping", 404),
        ("GET", "/rest/ping.view/", 404),
        ("GET", "/rest/PING", 404),
        ("GET", "/rest/%00", 404),
        ("GET", "/rest/../metrics", 404),
        ("PUT", "/rest/ping", 404),
        ("DELETE", "/rest/ping", 404),
        ("OPTIONS", "/rest/ping", 404),
        ("GET", "/rest/ping?u=%ff&t=%fe&s=%00&v=1.16.1&c=x", 200),
        ("GET", "/rest/ping?u=a&u=b&u", 200),
        ("GET", "/rest/ping?" + "&".join(f"x{n}=1" for n in range(201)), 200),
    ],
)
async def test_strange_addresses_are_refused(
    server: Interface, method: str, path: str, status: int
) -> None:
    reply = await send(server, method, path)
    assert reply.status == status
    assert b'status="ok"' not in reply.body


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded", b"u=" + b"a" * (1 << 17)),
        ("application/x-www-form-urlencoded", b"\xff\xfe=%zz&&&=="),
        ("application/json", b'{"u": "listener"}'),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\n"),
        ("application/x-www-form-urlencoded; charset=none", b"u=1"),
    ],
)
async def test_strange_forms_are_refused(server: Interface, kind: str, body: bytes) -> None:
    reply = await send(server, "POST", "/rest/ping", body, Content_Type=kind)
    assert reply.status in (200, 413)
    assert b'status="ok"' not in reply.body


async def test_compressed_form_is_refused(server: Interface, caplog) -> None:
    kind = "application/x-www-form-urlencoded"
    reply = await send(
        server, "POST", "/rest/ping", b"garbage", Content_Type=kind, Content_Encoding="gzip"
    )
    assert reply.status == 415
    assert "Traceback" not in caplog.text


async def test_form_that_stalls_is_given_up(server: Interface, monkeypatch) -> None:
    monkeypatch.setattr("bot.subsonic.routes._FORM_S", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.address.split(":")[2]))
    writer.write(
        b"POST /rest/ping HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n\r\nu=a"
    )
    answer = await asyncio.wait_for(reader.readuntil(b"</subsonic-response>"), 5)
    assert b"too slowly" in answer
    writer.close()


async def test_sentence_of_the_operator_stays_in_the_log(client: Client, caplog) -> None:
    caplog.set_level(logging.INFO)
    song = await client.song("Anna One")
    private = CatalogueError("The database /srv/private/x.db is locked.")
    with mock.patch.object(Recommender, "track_seed", side_effect=private):
        reply = await client.reply("getSonicSimilarTracks", id=song["id"])
    assert reply.json["subsonic-response"]["error"]["code"] == 0
    assert b"/srv" not in reply.body
    assert "/srv/private/x.db" in caplog.text


async def test_searches_by_sound_take_turns_and_lists_do_not(client: Client) -> None:
    song = await client.song("Anna One")
    running, most, searching, waiting = 0, 0, asyncio.Event(), asyncio.Event()
    search = Recommender.nearest

    async def slow(*args, **kwargs):
        nonlocal running, most
        running += 1
        most = max(most, running)
        searching.set()
        await asyncio.wait_for(waiting.wait(), 10)
        running -= 1
        return await search(*args, **kwargs)

    with mock.patch.object(Recommender, "nearest", slow):
        asked = [
            asyncio.create_task(client.call("getSonicSimilarTracks", id=song["id"]))
            for _ in range(4)
        ]
        await asyncio.wait_for(searching.wait(), 10)
        await client.ok("getArtists")
        await asyncio.sleep(0.2)
        waiting.set()
        found = await asyncio.gather(*asked)
    assert {response["status"] for response in found} == {"ok"}
    assert most == client.interface.pool.size


async def test_many_clients_at_once_are_all_answered(server: Interface) -> None:
    # Not with threads: the server would wait for those that wait for it.
    address = f"{server.address}/rest/getArtists?{coded(token())}"

    async def artists(session: aiohttp.ClientSession) -> str:
        async with session.get(address) as reply:
            assert reply.status == 200
            return await reply.text()

    async with aiohttp.ClientSession() as session:
        texts = await asyncio.gather(*(artists(session) for _ in range(60)))
    assert len(set(texts)) == 1
    assert "Anna" in texts[0]


async def test_log_holds_no_password_key_or_token(
    server: Interface, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="aiosqlite")  # a test before may have silenced it
    given = token()
    for login in (given, {"u": "x", "p": PASSWORD}, {"apiKey": KEY}, {"u": "x", "p": "wrong-one"}):
        await Client(server, {"v": "1.16.1", "c": "x", "f": "json"} | login).call("getArtists")
    assert caplog.text
    for secret in (PASSWORD, urllib.parse.quote(PASSWORD), KEY, given["t"], "wrong-one"):
        assert secret not in caplog.text
