"""The routes under /v1: clips, tracks, names, rules, pages, and every kind of bad input."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from typing import Any
from unittest import mock

import aiohttp
import pytest
from aiohttp import StreamReader, web
from aiohttp.test_utils import make_mocked_request

from bot.http_api.posted_clips import posted_question
from bot.http_api.problems import HttpProblem
from bot.http_api.worker_share import MAX_WAITING
from bot.sources import SourcePolicy, Sources
from genrec.errors import AnalysisTimeout, Busy, CatalogueError, SilentAudio, WorkerCrashed
from tests.bot.end_to_end.fakes import make_tagged_preset
from tests.bot.http_api.conftest import WAV, Interface, Reply
from tests.bot.http_api.tracks import add_tracks

CLI_KEYS = {
    "model_id", "music", "music_probability", "genre", "unsure", "scores", "description", "words",
    "tags", "known", "tracks", "note", "timings_ms",
}  # fmt: skip


async def ask(interface: Interface, path: str, question: object) -> Reply:
    return await asyncio.to_thread(interface.ask, path, question)


async def get(interface: Interface, path: str) -> Reply:
    return await asyncio.to_thread(interface.send, "GET", path)


async def post(interface: Interface, path: str, body: bytes, kind: str) -> Reply:
    return await asyncio.to_thread(interface.send, "POST", path, body, Content_Type=kind)


def form(*parts: tuple[str, str | None, bytes]) -> tuple[bytes, str]:
    """Return the body and type of a form of (name, file name or None, content)."""
    body = b""
    for name, file_name, content in parts:
        file = f'; filename="{file_name}"' if file_name is not None else ""
        head = f'--edge\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
        body += head.encode() + content + b"\r\n"
    return body + b"--edge--\r\n", "multipart/form-data; boundary=edge"


async def track_ids(interface: Interface) -> list[int]:
    return [track["id"] for track in (await get(interface, "/v1/tracks")).json["tracks"]]


def assert_problem(reply: Reply, status: int, code: str, *words: str) -> None:
    assert (reply.status, reply.json["code"]) == (status, code), reply.body
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.json["status"] == status
    for word in words:
        assert word in reply.json["detail"]
    assert reply.json["detail"].endswith(".")


async def test_bytes_of_a_clip_get_the_answer_of_the_command_line(interface) -> None:
    reply = await post(interface, "/v1/recommend?count=3&artist=Me", WAV, "audio/wav")
    assert reply.status == 200
    assert reply.json.keys() == CLI_KEYS
    assert reply.json["genre"] == "jazz"
    assert len(reply.json["tracks"]) == 3
    assert {track["scope"] for track in reply.json["tracks"]} == {"starter"}
    similar = [track["similarity"] for track in reply.json["tracks"]]
    assert similar == sorted(similar, reverse=True)


async def test_form_with_clip_and_rules_answers_by_the_rules(interface) -> None:
    body, kind = form(
        ("clip", "my_song.wav", WAV), ("genre", None, b"Blues"), ("count", None, b"2")
    )
    reply = await post(interface, "/v1/recommend", body, kind)
    assert reply.status == 200
    assert [track["genre"] for track in reply.json["tracks"]] == ["blues", "blues"]


async def test_track_by_id_and_by_name_get_one_answer_without_the_seed(interface) -> None:
    listed = (await get(interface, "/v1/tracks?query=song+3")).json["tracks"]
    assert [track["title"] for track in listed] == ["Song 3"]
    by_id = await ask(interface, "/v1/recommend", {"track": listed[0]["id"]})
    by_name = await ask(interface, "/v1/recommend", {"name": "artist 3 song 3"})
    assert by_id.status == by_name.status == 200
    assert by_id.json["tracks"] == by_name.json["tracks"]
    assert listed[0]["id"] not in [track["id"] for track in by_id.json["tracks"]]
    assert by_id.json["scores"] == {}


async def test_shown_and_unwanted_tracks_and_artists_are_left_out(interface) -> None:
    ids = await track_ids(interface)
    first = (await ask(interface, "/v1/recommend", {"track": ids[0], "count": 3})).json["tracks"]
    rules = {
        "shown": [first[0]["id"]],
        "without_tracks": [first[1]["id"]],
        "without_artists": [first[2]["artist"].upper()],
        "count": 12,
    }
    rest = (await ask(interface, "/v1/recommend", {"track": ids[0], **rules})).json["tracks"]
    assert len(rest) == 8
    assert not {track["id"] for track in first} & {track["id"] for track in rest}


async def test_mix_of_tracks_and_clip_answers_without_its_seeds(interface) -> None:
    ids = await track_ids(interface)
    seeds = [{"track": ids[0]}, {"track": ids[1]}, {"track": ids[2], "liked": False}]
    reply = await ask(interface, "/v1/mix", {"seeds": seeds})
    assert reply.status == 200
    assert reply.json["tracks"]
    assert not set(ids[:3]) & {track["id"] for track in reply.json["tracks"]}
    body, kind = form(("clip", "a.wav", WAV), ("less_track", None, str(ids[1]).encode()))
    mixed = await post(interface, "/v1/mix", body, kind)
    assert mixed.status == 200
    assert mixed.json["tracks"]


@pytest.mark.parametrize(
    ("question", "status", "code", "word"),
    [
        ({}, 422, "wrong_value", "seeds: 0 are given"),
        ({"seeds": [{"track": 1}]}, 422, "wrong_value", "expected 2 to 5"),
        ({"seeds": [{"track": 1}] * 6}, 422, "wrong_value", "seeds"),
        ({"seeds": [{"track": 1, "liked": False}] * 2}, 422, "wrong_value", "none is liked"),
        ({"seeds": [{"track": 1}, {"track": 999_999}]}, 404, "no_track", "999999"),
        ({"seeds": [{}]}, 422, "wrong_value", "seeds.0: give one of track, name and url"),
        ({"seeds": [{"track": 1, "name": "a"}]}, 422, "wrong_value", "give one of"),
    ],
)
async def test_wrong_numbers_of_seeds_have_their_sentence(
    interface, question, status, code, word
) -> None:
    assert_problem(await ask(interface, "/v1/mix", question), status, code, word)


@pytest.mark.parametrize(
    ("rules", "word"),
    [
        ({"count": 0}, "count: expected at least 1"),
        ({"count": 51}, "count: expected at most 50"),
        ({"count": "many"}, "count: expected a whole number"),
        ({"genre": "polka"}, "genre: there is no 'polka'; choose from blues, jazz, metal"),
        ({"tempo": "fast"}, "tempo: 'fast' is no tempo"),
        ({"key": "H flat"}, "key: 'H flat' is no key"),
        ({"reach": "far"}, "reach: expected 'near', 'balanced' or 'adventurous'"),
        ({"scopes": ["guild:1"]}, "scopes: names 'guild:1'; choose from starter, library"),
        ({"scopes": []}, "scopes: is empty"),
        ({"tracks": 5}, "tracks: there is no such key"),
        ({"shown": [0]}, "shown.0: expected at least 1"),
        ({"without_tracks": list(range(1, 1002))}, "without_tracks"),
        ({"new_artists": "perhaps"}, "new_artists: expected on or off"),
        ({"without_artists": ["Me", "Unknown Artist"]}, "without_artists: 'Unknown Artist' is no"),
    ],
)
async def test_wrong_rule_has_its_sentence(interface, rules: dict[str, Any], word: str) -> None:
    reply = await ask(interface, "/v1/recommend", {"track": 1, **rules})
    assert_problem(reply, 422, "wrong_value", word)


async def test_sound_tags_are_answered_listed_and_filter(serving, tmp_path) -> None:
    make_tagged_preset(tmp_path / "preset")
    async with serving() as interface:
        root = await get(interface, "/v1")
        assert sorted(root.json["tags"]) == ["acoustic", "female vocalists", "mellow"]
        clip = await post(interface, "/v1/genre", WAV, "audio/wav")
        assert clip.json["tags"] == ["mellow", "female vocalists"]
        two = {"seeds": [{"name": "Song 1"}, {"name": "Song 2"}]}
        assert (await ask(interface, "/v1/mix", two)).json["tags"] == []
        for tag in ("Acoustic", "mellow, acoustic", "acoustic,female vocals"):
            body, kind = form(("clip", "a.wav", WAV), ("tag", None, tag.encode()))
            answer = (await post(interface, "/v1/recommend", body, kind)).json
            assert {song_number(track) % 2 for track in answer["tracks"]} == {0}
        question = {"name": "Song 1", "tag": "acoustic", "count": 10}
        radio = (await ask(interface, "/v1/radio", question)).json
        assert sorted(map(song_number, radio["songs"])) == [0, 2, 4, 6, 8, 10]
        wrong = await ask(interface, "/v1/recommend", {"name": "Song 1", "tag": "acustic"})
        assert_problem(
            wrong,
            422,
            "wrong_value",
            "tag: there is no 'acustic'; similar names: acoustic; GET /v1 ",
        )


async def test_tag_of_a_preset_without_tags_is_refused(interface) -> None:
    assert (await get(interface, "/v1")).json["tags"] == []
    assert (await post(interface, "/v1/genre", WAV, "audio/wav")).json["tags"] == []
    reply = await ask(interface, "/v1/recommend", {"track": 1, "tag": "mellow"})
    assert_problem(reply, 422, "wrong_value", "tag: the model has no sound tags")


def song_number(track: dict[str, Any]) -> int:
    return int(track["title"].removeprefix("Song "))


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b"{", "application/json", 400, "json"),
        (b"[]", "application/json", 400, "json"),
        (b"[" * 50_000, "application/json", 400, "json"),
        (b"\xff\xfe", "application/json", 400, "json"),
        (b'{"name": "' + b"a" * 70_000, "application/json", 413, "too_large"),
        (b"clip", "application/x-www-form-urlencoded", 415, "content_type"),
        (b"clip", "text/plain", 415, "content_type"),
        (b"", "audio/wav", 422, "unreadable_audio"),
        (b"x" * 100_001, "audio/wav", 413, "clip_too_large"),
        (b"x" * 600_000, "audio/wav", 413, "clip_too_large"),
        (b"garbage", "multipart/form-data; boundary=edge", 400, "form"),
        (b"garbage", "multipart/form-data", 400, "form"),
    ],
)
async def test_malformed_body_has_its_status(interface, body, kind, status, code) -> None:
    assert_problem(await post(interface, "/v1/recommend", body, kind), status, code)


async def test_form_with_hostile_parts_is_refused(interface) -> None:
    many = form(*[("genre", None, b"x")] * 70)
    assert_problem(await post(interface, "/v1/recommend", *many), 400, "form", "64")
    long = form(("genre", None, b"x" * 5000))
    assert_problem(await post(interface, "/v1/recommend", *long), 413, "too_large")
    file = form(("genre", "../../etc/passwd", b"x"))
    assert_problem(await post(interface, "/v1/recommend", *file), 422, "wrong_value", "'genre'")
    clips = form(*[("clip", "a.wav", WAV)] * 6)
    assert_problem(await post(interface, "/v1/recommend", *clips), 422, "wrong_value", "5 clips")
    twice = form(("clip", "a.wav", WAV), ("count", None, b"1"), ("count", None, b"2"))
    assert_problem(await post(interface, "/v1/recommend", *twice), 422, "wrong_value", "twice")


@pytest.mark.parametrize(
    "body",
    [
        b"--edge\r\n[]--edge--\r\n",
        b'--edge\r\nContent-Disposition: form-data; name="\xf3\xbd\x00"\r\n\r\nx\r\n--edge--\r\n',
        b"--edge\r\n" + b"A: b\r\n" * 500 + b"\r\nx\r\n--edge--\r\n",
        b"--edge\r\nContent-Length: -1\r\n\r\nx\r\n--edge--\r\n",
        b"--edge\r\nContent-Transfer-Encoding: none\r\nContent-Length: 5\r\n\r\nx\r\n--edge--\r\n",
        b"--edge",
    ],
)
async def test_form_with_malformed_parts_is_refused(interface, body: bytes) -> None:
    reply = await post(interface, "/v1/genre", body, "multipart/form-data; boundary=edge")
    assert reply.status in (400, 422)
    assert reply.json["code"] in ("form", "wrong_value")


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ([("from", "x"), ("from_track", "1")], "from: a text is no end; use from_track"),
        ([("to", "x")], "to: a text is no end; use to_track"),
        ([("from_track", "1"), ("from_track", "2")], "from_track: given twice; give it once"),
        ([("to_name", "a"), ("to_url", "b")], "to: give one of track, name and url"),
    ],
)
async def test_ends_in_a_form_have_their_sentence(interface, fields, word) -> None:
    body = form(*((name, None, value.encode()) for name, value in fields))
    assert_problem(await post(interface, "/v1/path", *body), 422, "wrong_value", word)


async def test_name_that_is_no_text_is_refused_in_a_sentence(interface) -> None:
    part = b'--edge\r\nContent-Disposition: form-data; name="a\xff\xfe"\r\n\r\nx\r\n'
    body = part * 2 + b"--edge--\r\n"
    reply = await post(interface, "/v1/recommend", body, "multipart/form-data; boundary=edge")
    assert_problem(reply, 422, "wrong_value", "twice")


@pytest.mark.parametrize("coding", ["deflate", "gzip", "br", "x"])
@pytest.mark.parametrize(
    "kind", ["application/json", "audio/wav", "multipart/form-data; boundary=edge"]
)
async def test_compressed_body_is_refused(interface, caplog, coding: str, kind: str) -> None:
    reply = await asyncio.to_thread(
        interface.send, "POST", "/v1/recommend", b"garbage", Content_Type=kind,
        Content_Encoding=coding,
    )  # fmt: skip
    assert_problem(reply, 415, "content_encoding", repr(coding))
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("kind", ["application/json", "audio/wav"])
async def test_body_that_breaks_http_is_refused(interface, kind: str) -> None:
    # What the parser of aiohttp without its C extension raises while a body is read.
    body = StreamReader(mock.Mock(_reading_paused=False), 2**16, loop=asyncio.get_running_loop())
    body.set_exception(web.RequestPayloadError("chunk without its size"))
    request = make_mocked_request("POST", "/", headers={"Content-Type": kind}, payload=body)
    policy = SourcePolicy(temp_root=interface.folder / "clips")
    async with Sources(policy) as sources:
        with pytest.raises(HttpProblem, match="malformed or was cut off") as caught:
            async with posted_question(request, sources):
                pass
    assert caught.value.status == 400


async def test_song_twice_among_the_seeds_is_refused(interface) -> None:
    first, second, *_ = await track_ids(interface)
    twice = [{"track": first}, {"track": second}, {"track": first, "liked": False}]
    for seeds in (twice, [twice[0], twice[0]]):
        reply = await ask(interface, "/v1/mix", {"seeds": seeds})
        assert_problem(reply, 422, "wrong_value", f"seeds: track {first} is given twice")


async def test_file_name_leaves_the_temporary_folder_alone(interface) -> None:
    body, kind = form(("clip", "../../../outside.wav", WAV))
    assert (await post(interface, "/v1/genre", body, kind)).status == 200
    (analyzed,) = interface.pool.analyzed
    assert analyzed.parent.parent == interface.folder / "clips"
    assert not analyzed.exists()
    assert not list(interface.folder.rglob("outside*"))


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (SilentAudio("The clip is silent. Send another."), 422, "silent_audio"),
        (AnalysisTimeout("It took too long. Send a shorter clip."), 422, "analysis_timeout"),
        (WorkerCrashed("It failed. Send another one."), 422, "worker_crashed"),
        (Busy("Too many clips are waiting. Try again in a minute."), 503, "busy"),
        (CatalogueError("The database /srv/private/x.db is locked."), 503, "catalogue"),
        (RuntimeError("secret /srv/private"), 500, "failed"),
    ],
)
async def test_failure_of_an_analysis_is_a_problem_without_private_words(
    interface, error, status, code
) -> None:
    interface.pool.error = error
    reply = await post(interface, "/v1/recommend", WAV, "audio/wav")
    assert_problem(reply, status, code)
    assert "/srv/private" not in reply.body.decode()
    assert ("Retry-After" in reply.headers) == (status == 503)


async def test_clip_without_music_has_no_tracks_alone_and_is_refused_in_a_mix(interface) -> None:
    interface.pool.music = 0.0
    alone = await post(interface, "/v1/recommend", WAV, "audio/wav")
    assert alone.status == 200
    assert (alone.json["music"], alone.json["tracks"]) == (False, [])
    assert "no music" in alone.json["note"]
    body, kind = form(("clip", "a.wav", WAV), ("track", None, b"1"))
    assert_problem(await post(interface, "/v1/mix", body, kind), 422, "no_music")


async def test_genre_of_a_clip_and_of_a_track(interface) -> None:
    clip = await post(interface, "/v1/genre", WAV, "application/octet-stream")
    assert clip.json.keys() == CLI_KEYS - {"known", "tracks"}
    assert clip.json["scores"] == {"jazz": 0.7, "blues": 0.2, "metal": 0.1}
    track = await ask(interface, "/v1/genre", {"name": "Song 4"})
    assert (track.json["genre"], track.json["scores"]) == ("jazz", {})
    two = await ask(interface, "/v1/genre", {"seeds": [{"track": 1}, {"track": 2}]})
    assert_problem(two, 422, "wrong_value", "expected 1")


async def test_path_leads_from_one_song_to_another_and_repeats_by_its_seed(interface) -> None:
    ids = await track_ids(interface)
    ends = {"from": {"track": ids[0]}, "to": {"track": ids[5]}}
    best = (await ask(interface, "/v1/path", {**ends, "steps": 6})).json
    found = [song["id"] for song in best["songs"]]
    assert (found[0], found[-1]) == (ids[0], ids[5])
    assert len(set(found)) == len(found) == 6
    assert best["songs"][0]["similarity"] is None
    assert best["note"] == ""
    other = {**ends, "steps": 6, "random_seed": 7}
    ways = [(await ask(interface, "/v1/path", other)).json["songs"] for _ in range(2)]
    assert ways[0] == ways[1]
    assert ways[0] != best["songs"]


async def test_radio_lists_each_song_once_and_repeats_by_its_seed(interface) -> None:
    ids = await track_ids(interface)
    question = {"track": ids[0], "count": 10, "random_seed": 5}
    first, again = [(await ask(interface, "/v1/radio", question)).json for _ in range(2)]
    assert first == again
    found = [song["id"] for song in first["songs"]]
    assert len(set(found)) == len(found) == 10
    assert (first["random_seed"], first["note"]) == (5, "")
    many = (await ask(interface, "/v1/radio", {"track": ids[0], "count": 100})).json
    assert f"{len(many['songs'])} of 100 songs" in many["note"]
    body, kind = form(("clip", "a.wav", WAV), ("count", None, b"10"))
    assert len((await post(interface, "/v1/radio", body, kind)).json["songs"]) == 10


@pytest.mark.parametrize("route", ["path", "radio"])
async def test_number_that_discord_does_not_take_is_refused(interface, route: str) -> None:
    reply = await ask(interface, f"/v1/{route}", {"random_seed": 10_000})
    assert_problem(reply, 422, "wrong_value", "random_seed: expected at most 9999")


async def test_path_between_clips_and_its_refusals(interface) -> None:
    body, kind = form(("from", "a.wav", WAV), ("to_name", None, b"Song 4"), ("steps", None, b"4"))
    songs = (await post(interface, "/v1/path", body, kind)).json["songs"]
    assert (songs[0]["id"], songs[0]["title"], songs[-1]["title"]) == (None, "a", "Song 4")
    one = {"track": 1}
    for question, status, code, word in (
        ({"from": one}, 422, "wrong_value", "to: 0 songs"),
        ({"from": one, "to": one}, 422, "same_song", "Both ends"),
        ({"from": one, "to": {"track": 2}, "steps": 21}, 422, "wrong_value", "at most 20"),
        ({"from": one, "to": {"track": 2, "liked": True}}, 422, "wrong_value", "to.liked"),
        ({"from": one, "to": {"track": 99}}, 404, "no_track", "99"),
    ):
        assert_problem(await ask(interface, "/v1/path", question), status, code, word)
    short = (await ask(interface, "/v1/path", {"from": one, "to": {"track": 2}, "steps": 20})).json
    assert len(short["songs"]) < 20
    assert f"{len(short['songs'])} of 20 songs" in short["note"]


async def test_name_of_no_track_lists_the_nearest(interface) -> None:
    reply = await ask(interface, "/v1/recommend", {"name": "Sonk 3 Artizt 3x"})
    assert reply.status in (200, 422)
    reply = await ask(interface, "/v1/recommend", {"name": "qqqqqqqq"})
    assert_problem(reply, 422, "declined", "qqqqqqqq")


async def test_link_is_refused_by_the_source_policy_of_the_bot(interface) -> None:
    for url in ("http://127.0.0.1/x.wav", "https://10.0.0.1/x.wav", "file:///etc/passwd"):
        reply = await ask(interface, "/v1/recommend", {"url": url})
        assert_problem(reply, 422, "link_refused")


async def test_pages_of_tracks_hold_each_track_once(interface) -> None:
    seen: list[int] = []
    path = "/v1/tracks?limit=5"
    while path:
        page = (await get(interface, path)).json
        seen += [track["id"] for track in page["tracks"]]
        path = f"/v1/tracks?limit=5&after={page['next']}" if page["next"] else ""
    assert len(seen) == len(set(seen)) == 12
    one = await get(interface, f"/v1/tracks/{seen[0]}")
    assert one.status == 200
    assert one.json["id"] == seen[0]
    assert_problem(await get(interface, "/v1/tracks?after=nonsense"), 422, "wrong_value", "after")
    assert_problem(await get(interface, "/v1/tracks?limit=201"), 422, "wrong_value", "limit")
    for wrong, shown in (
        ("999999", "999999"), ("0", "0"), ("-1", "'-1'"), ("x", "'x'"), ("9" * 30, "'99999"),
        (str(2**63), str(2**63)),
    ):  # fmt: skip
        reply = await get(interface, f"/v1/tracks/{wrong}")
        assert_problem(reply, 404, "no_track", f"There is no track {shown}")


async def test_tracks_of_a_server_are_seen_only_if_the_operator_names_it(serving, tmp_path) -> None:

    async with serving():
        pass
    await add_tracks(tmp_path / "genrec.db", tmp_path / "preset", "guild:7", "Private Song")
    async with serving() as interface:
        assert "Private" not in (await get(interface, "/v1/tracks")).body.decode()
        asked = await ask(interface, "/v1/recommend", {"track": 1, "count": 50})
        assert "Private" not in asked.body.decode()
        hidden = await ask(interface, "/v1/recommend", {"name": "Private Song"})
        assert_problem(hidden, 422, "declined")
    async with serving(http_api_scopes="starter,guild:7") as interface:
        found = (await get(interface, "/v1/tracks?query=private")).json["tracks"]
        assert [track["scope"] for track in found] == ["guild:7"]
        assert found[0]["source"] == "", "the path of a file is private"


async def test_client_that_leaves_stops_the_analysis_and_its_file_is_removed(interface) -> None:
    interface.pool.gate = asyncio.Event()
    port = int(interface.address.rsplit(":", 1)[1])
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    head = "POST /v1/genre HTTP/1.1\r\nHost: localhost\r\nContent-Type: audio/wav\r\n"
    writer.write(f"{head}Content-Length: {len(WAV)}\r\n\r\n".encode() + WAV)
    async with asyncio.timeout(5):
        while not interface.pool.analyzed:  # noqa: ASYNC110 - the pool has no event for it
            await asyncio.sleep(0.01)
        (clip,) = interface.pool.analyzed
        assert clip.exists()
        writer.close()
        while clip.exists():  # noqa: ASYNC110 - nor has the disk
            await asyncio.sleep(0.01)
    assert list((interface.folder / "clips").iterdir()) == []


async def test_body_that_stalls_is_given_up(interface) -> None:
    port = int(interface.address.rsplit(":", 1)[1])
    for kind in ("audio/wav", "application/json", "multipart/form-data; boundary=edge"):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = f"POST /v1/genre HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n"
        writer.write(f"{head}Content-Length: 1000\r\n\r\n--".encode())
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n"), 10)
        assert b" 408 " in answer
        writer.close()
    assert list((interface.folder / "clips").iterdir()) == []


async def test_requests_beyond_the_share_wait_and_then_are_busy(interface) -> None:
    interface.pool.gate = asyncio.Event()
    places = interface.pool.size + MAX_WAITING

    async def one(session: aiohttp.ClientSession, number: int) -> int:
        options = {"data": WAV + bytes([number]), "headers": {"Content-Type": "audio/wav"}}
        async with session.post(f"{interface.address}/v1/genre", **options) as reply:
            return reply.status

    async with aiohttp.ClientSession() as session:
        asked = [asyncio.create_task(one(session, number)) for number in range(places + 2)]
        async with asyncio.timeout(10):
            while sum(task.done() for task in asked) < 2:  # noqa: ASYNC110 - no event for it
                await asyncio.sleep(0.01)
        assert [task.result() for task in asked if task.done()] == [503, 503]
        interface.pool.gate.set()
        statuses = await asyncio.gather(*asked)
    assert statuses.count(200) == places


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on this machine")
async def test_curl_uploads_a_clip(interface, tmp_path) -> None:
    clip = tmp_path / "song.wav"
    clip.write_bytes(WAV)
    done = await asyncio.to_thread(
        subprocess.run,
        ["curl", "-sSF", f"clip=@{clip}", "-F", "count=2", f"{interface.address}/v1/recommend"],
        capture_output=True, timeout=20, check=True,
    )  # fmt: skip
    assert len(json.loads(done.stdout)["tracks"]) == 2


async def test_empty_catalogue_has_its_sentence(serving) -> None:
    async with serving(songs=0) as interface:
        reply = await post(interface, "/v1/recommend", WAV, "audio/wav")
        assert_problem(reply, 422, "no_tracks", "index a music folder")
        assert (await post(interface, "/v1/genre", WAV, "audio/wav")).status == 200
