"""Endpoints of OpenSubsonic over HTTP: the specification's schemas, contents and refusals."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest

from tests.bot.http_api.conftest import OpenServer
from tests.bot.subsonic.conftest import RECORDING, RELEASE, Client, token
from tests.bot.subsonic.specification import every_call, validator

SPACE = "{http://subsonic.org/restapi}"


@pytest.mark.shared
async def test_every_answer_fits_the_specification(client: Client, shared: Path) -> None:
    folder, checked = shared / "opensubsonic" / "openapi", set()
    async for endpoint, given in every_call(client):
        response = await client.ok(endpoint, **given)
        validator(folder, endpoint).validate({"subsonic-response": response})
        checked.add(endpoint)
    assert len(checked) == 41


@pytest.mark.shared
async def test_errors_fit_the_specification(client: Client, shared: Path) -> None:
    check = validator(shared / "opensubsonic" / "openapi", "getSong")
    response = await client.call("getSong")
    check.validate({"subsonic-response": response})
    with pytest.raises(jsonschema.ValidationError):
        check.validate({"subsonic-response": response | {"status": "ok"}})


# What the answers hold


async def test_artists_are_grouped_by_letter_without_the(client: Client) -> None:
    index = (await client.ok("getArtists"))["artists"]["index"]
    names = {group["name"]: [artist["name"] for artist in group["artist"]] for group in index}
    assert names == {
        "#": ["3 Kings"], "A": ["Anna"], "B": ["The Beat"], "C": ["Çelik"],
        "U": ["[Unknown Artist]"],
    }  # fmt: skip


async def test_songs_and_paths_of_others_are_never_listed(client: Client) -> None:
    texts = [
        json.dumps(await client.ok(name, **given), ensure_ascii=False)
        async for name, given in every_call(client)
    ]
    assert any("Anna" in text for text in texts)
    for text in texts:
        assert not [name for name in ("Private", "Members", "/nowhere") if name in text]


async def test_album_has_songs_up_to_a_limit(client: Client, monkeypatch) -> None:
    monkeypatch.setattr("bot.subsonic.library.MOST_OF_ALBUM", 2)
    id = (await client.song("Anna Two"))["albumId"]
    album = (await client.ok("getAlbum", id=id))["album"]
    assert [song["title"] for song in album["song"]] == ["One", "Two"]
    assert album["songCount"] == 4
    folder = (await client.ok("getMusicDirectory", id=id))["directory"]
    assert len(folder["child"]) == 2


async def test_release_of_two_artists_is_one_album(client: Client) -> None:
    four, five = await client.song("Four"), await client.song("Five")
    assert four["albumId"] == five["albumId"]
    album = (await client.ok("getAlbum", id=four["albumId"]))["album"]
    assert album["artist"] == "Various Artists"
    assert album["musicBrainzId"] == RELEASE
    assert [one["title"] for one in album["song"]] == ["Four", "Five"]


async def test_equal_album_titles_of_two_artists_are_two_albums(client: Client) -> None:
    albums = (await client.ok("search3", query="first"))["searchResult3"]["album"]
    counts = {(album["artist"], album["songCount"]) for album in albums}
    assert counts == {("Anna", 4), ("3 Kings", 1)}


async def test_song_has_album_length_year_and_published_ids(client: Client) -> None:
    one = await client.song("Anna One")
    assert (one["title"], one["album"], one["year"], one["duration"]) == ("One", "First", 1999, 200)
    assert (one["suffix"], one["isrc"]) == ("flac", ["DEA621500123"])
    assert (one["musicBrainzId"], one["genres"]) == (RECORDING, [{"name": "Rock"}])


async def test_empty_query_pages_through_all_songs(client: Client) -> None:
    pages = []
    for offset in (0, 4, 8, 12):
        found = await client.ok("search3", query="", songCount=4, songOffset=offset, albumCount=0)
        assert found["searchResult3"]["album"] == []
        pages.append([one["id"] for one in found["searchResult3"]["song"]])
    assert [len(ids) for ids in pages] == [4, 4, 2, 0]
    assert len({id for ids in pages for id in ids}) == 10


async def test_genres_of_one_tag_are_counted_apart(client: Client) -> None:
    genres = (await client.ok("getGenres"))["genres"]["genre"]
    counts = {genre["value"]: (genre["songCount"], genre["albumCount"]) for genre in genres}
    assert counts["Rock"] == (5, 2)
    assert counts["Indie"] == (1, 1)
    found = await client.ok("getSongsByGenre", genre="ROCK", count=2, offset=1)
    assert len(found["songsByGenre"]["song"]) == 2


@pytest.mark.parametrize(
    ("first", "last", "years"),
    [(1990, 2010, [1999, 2005, 2010]), (2010, 1990, [2010, 2005, 1999]), (1, 2, [])],
)
async def test_albums_by_year_come_in_the_order_of_the_years(
    client: Client, first: int, last: int, years: list[int]
) -> None:
    found = await client.ok("getAlbumList2", type="byYear", fromYear=first, toYear=last)
    assert [album["year"] for album in found["albumList2"]["album"]] == years


async def test_newest_album_leads_with_the_last_track(client: Client) -> None:
    albums = (await client.ok("getAlbumList2", type="newest"))["albumList2"]["album"]
    assert (albums[0]["name"], albums[0]["artist"]) == ("First", "Anna")
    assert albums[0]["created"] == "2023-11-14T22:13:29Z"


async def test_random_songs_keep_to_genre_and_years(client: Client) -> None:
    found = await client.ok("getRandomSongs", genre="rock", fromYear=2000, toYear=2009)
    assert [one["title"] for one in found["randomSongs"]["song"]] == ["Three"]


async def test_sonic_similar_tracks_are_sorted_and_leave_out_the_song(client: Client) -> None:
    one = await client.song("Anna One")
    found = (await client.ok("getSonicSimilarTracks", id=one["id"], count=500))["sonicMatch"]
    similarities = [match["similarity"] for match in found]
    assert similarities == sorted(similarities, reverse=True)
    assert all(0 <= each <= 1 for each in similarities)
    assert len(found) == 8  # of ten songs: itself, and a version of another
    assert one["id"] not in [match["entry"]["id"] for match in found]


async def test_sonic_similar_tracks_hold_no_version_of_the_song(client: Client) -> None:
    six = await client.song("Six")
    found = (await client.ok("getSonicSimilarTracks", id=six["id"], count=20))["sonicMatch"]
    titles = [match["entry"]["title"] for match in found]
    assert "Six (2011 Remaster)" not in titles
    assert "One" in titles
    one = await client.song("Anna One")
    found = (await client.ok("getSonicSimilarTracks", id=one["id"], count=20))["sonicMatch"]
    titles = [match["entry"]["title"] for match in found]
    assert len([title for title in titles if title.startswith("Six")]) == 1


@pytest.mark.parametrize("count", [2, 3, 4, 500])
async def test_sonic_path_leads_from_the_start_to_the_end(client: Client, count: int) -> None:
    start, end = await client.song("Anna One"), await client.song("Five")
    given = {"startSongId": start["id"], "endSongId": end["id"], "count": count}
    found = (await client.ok("findSonicPath", **given))["sonicMatch"]
    ids = [match["entry"]["id"] for match in found]
    assert (ids[0], ids[-1]) == (start["id"], end["id"])
    assert 2 <= len(ids) == len(set(ids)) <= count
    assert len(ids) > 2 or count == 2
    assert found[0]["similarity"] == 1


async def test_sonic_path_without_count_has_at_most_twenty_songs(client: Client) -> None:
    start, end = await client.song("Anna One"), await client.song("Four")
    given = {"startSongId": start["id"], "endSongId": end["id"]}
    assert 3 <= len((await client.ok("findSonicPath", **given))["sonicMatch"]) <= 20


async def test_sonic_path_from_a_song_to_itself_is_that_song(client: Client) -> None:
    song = await client.song("Anna One")
    found = await client.ok("findSonicPath", startSongId=song["id"], endSongId=song["id"])
    assert [match["entry"]["id"] for match in found["sonicMatch"]] == [song["id"]]


async def test_similar_artists_are_others(client: Client) -> None:
    one = await client.song("Anna One")
    info = await client.ok("getArtistInfo2", id=one["artistId"], count=2)
    similar = [artist["name"] for artist in info["artistInfo2"]["similarArtist"]]
    assert len(similar) == 2
    assert "Anna" not in similar


async def test_starter_catalogue_is_a_folder_of_its_own(serving: OpenServer) -> None:
    access = {"subsonic_user": "listener", "subsonic_password": "long-password-&=+%"}
    async with serving(**access, subsonic_starter=True) as running:
        client = Client(running, token())
        folders = (await client.ok("getMusicFolders"))["musicFolders"]["musicFolder"]
        assert [folder["id"] for folder in folders] == [0, 1]
        song = await client.song("Artist 3")
        found = await client.ok("getRandomSongs", musicFolderId=0)
    assert song["title"] == "Song 3"
    assert found["randomSongs"]["song"] == []


# XML


async def test_xml_is_the_default_and_holds_any_title(client: Client) -> None:
    reply = await client.without("f").reply("search3", query="Evil")
    assert reply.headers["Content-Type"].startswith("application/xml")
    root = ET.fromstring(reply.body)
    assert root.tag == f"{SPACE}subsonic-response"
    assert root.get("openSubsonic") == "true"
    found = root.find(f"{SPACE}searchResult3/{SPACE}song")
    assert found is not None
    assert found.get("title") == 'Evil "<&>" \ufffd\ufffd'
    assert found.get("isDir") == "false"


async def test_xml_of_a_genre_has_its_name_as_text(client: Client) -> None:
    reply = await client.without("f").reply("getGenres")
    assert b'<genre songCount="5" albumCount="2">Rock</genre>' in reply.body


# Refusals


@pytest.mark.parametrize(
    ("endpoint", "given", "code"),
    [
        ("getSong", {}, 10),
        ("getSong", {"id": "tr-999999"}, 70),
        ("getSong", {"id": "al-1"}, 70),
        ("getSong", {"id": "tr-" + "9" * 400}, 70),
        ("getAlbum", {"id": "al-../../etc"}, 70),
        ("getArtist", {"id": "x' OR 1=1"}, 70),
        ("getMusicDirectory", {"id": "tr-1"}, 70),
        ("getAlbumList2", {}, 10),
        ("getAlbumList2", {"type": "none"}, 0),
        ("getAlbumList2", {"type": "byYear"}, 10),
        ("search3", {"query": "a" * 501}, 0),
        ("search3", {"query": "a", "songCount": "-1"}, 0),
        ("search3", {"query": "a", "songOffset": "1e9"}, 0),
        ("getRandomSongs", {"musicFolderId": "5"}, 0),
        ("getRandomSongs", {"musicFolderId": "1"}, 0),
        ("getSonicSimilarTracks", {"id": "tr-1", "count": "many"}, 0),
        ("findSonicPath", {"startSongId": "tr-1"}, 10),
        ("findSonicPath", {"startSongId": "tr-1", "endSongId": "tr-999999"}, 70),
        ("getUser", {"username": "root"}, 70),
        ("stream", {"id": "tr-1"}, 50),
        ("getCoverArt", {"id": "al-1"}, 70),
        ("createPlaylist", {"name": "x"}, 50),
    ],
)
async def test_refusal_has_the_code_of_the_protocol(
    client: Client, endpoint: str, given: dict[str, str], code: int
) -> None:
    assert await client.code(endpoint, **given) == code


async def test_unknown_endpoint_is_404_with_an_error_of_the_protocol(client: Client) -> None:
    reply = await client.reply("getEverything")
    assert reply.status == 404
    assert reply.json["subsonic-response"]["error"]["code"] == 0


async def test_counts_above_the_limit_are_cut(client: Client) -> None:
    found = await client.ok("getRandomSongs", size=10**9 - 1)
    assert len(found["randomSongs"]["song"]) == 10


async def test_jsonp_is_refused(client: Client) -> None:
    reply = await client.reply("ping", f="jsonp", callback="alert")
    assert b'code="0"' in reply.body
    assert b"alert" not in reply.body


@pytest.mark.parametrize("charset", ["none", "utf-7", "\x00"])
async def test_form_in_a_strange_charset_is_no_server_error(client: Client, charset: str) -> None:
    kind = f"application/x-www-form-urlencoded; charset={charset!r}"
    reply = await asyncio.to_thread(
        lambda: client.interface.send("POST", "/rest/ping", b"u=%ff", Content_Type=kind)
    )
    assert reply.status < 500


async def test_without_password_and_key_nothing_is_served(serving: OpenServer) -> None:
    async with serving() as running:
        reply: Any = await Client(running, token()).reply("ping")
    assert reply.status == 404
