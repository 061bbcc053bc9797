"""What a server may send: huge, slow, lying and compressed bodies, and those that are no sound."""

from __future__ import annotations

import asyncio
import dataclasses
import errno
import gzip
import time

import pytest

from bot.sources import fetch
from genrec.errors import Busy, ClipTooLarge, LinkRefused, UnsupportedFormat, UnsupportedSource
from tests.bot.sources.hostile import Names, refused, response, until, wav

HERE = "http://music.test"


async def test_a_body_that_says_it_is_huge(origin, policy, names):
    async def answer(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" + wav())

    origin.routes["/x.wav"] = answer
    await refused(f"{HERE}/x.wav", policy, names, ClipTooLarge)


@pytest.mark.parametrize("header", ["", "Transfer-Encoding: chunked\r\n"])
async def test_a_body_without_an_end(header, origin, policy, names):
    sent = 0

    async def answer(_, writer):
        nonlocal sent
        writer.write(f"HTTP/1.1 200 OK\r\n{header}\r\n".encode())
        block = wav() * 4
        if header:
            block = b"%x\r\n%b\r\n" % (len(block), block)
        while True:
            writer.write(block)
            await writer.drain()
            sent += len(block)

    origin.routes["/x.wav"] = answer
    await refused(f"{HERE}/x.wav", policy, names, ClipTooLarge)
    await asyncio.sleep(0.1)
    assert sent < 50 * policy.max_bytes  # what the kernel's buffers swallow, and no more


async def test_a_length_that_promises_more(origin, policy, names):
    origin.serve("/x.wav", wav(), f"Content-Length: {len(wav()) + 5000}")
    assert "cut off" in await refused(f"{HERE}/x.wav", policy, names)


async def test_a_length_that_promises_less(origin, policy, names):
    origin.serve("/x.wav", wav(), "Content-Length: 4000")
    assert "no valid HTTP" in await refused(f"{HERE}/x.wav", policy, names)


async def test_exactly_the_limit_passes_and_one_more_does_not(origin, policy, names):
    body = wav().ljust(policy.max_bytes, b"\1")
    origin.serve("/fits.wav", body)
    origin.serve("/over.wav", body + b"\1")
    async with fetch(f"{HERE}/fits.wav", policy=policy, resolve=names) as clip:
        assert clip.path.stat().st_size == policy.max_bytes
    await refused(f"{HERE}/over.wav", policy, names, ClipTooLarge)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, gzip"])
async def test_compressed_bodies(coding, origin, policy, names):
    bomb = gzip.compress(gzip.compress(b"\0" * 50_000_000))
    origin.serve("/x.wav", bomb, f"Content-Encoding: {coding}")
    assert "compressed" in await refused(f"{HERE}/x.wav", policy, names)


async def test_a_bomb_that_does_not_say_so(origin, policy, names):
    origin.serve("/x.wav", gzip.compress(b"\0" * 5_000_000))
    assert "archive" in await refused(f"{HERE}/x.wav", policy, names, UnsupportedFormat)


async def _drip(writer, block: bytes, pause_s: float) -> None:
    while True:
        writer.write(block)
        await writer.drain()
        await asyncio.sleep(pause_s)


async def test_a_body_that_drips(origin, policy, names):
    async def answer(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + wav()[:600])
        await _drip(writer, b"\1", 0.05)

    origin.routes["/x.wav"] = answer
    assert "too slowly" in await refused(f"{HERE}/x.wav", policy, names)


async def test_a_body_that_stalls(origin, policy, names):
    async def answer(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n" + wav()[:600])
        await asyncio.sleep(30)

    origin.routes["/x.wav"] = answer
    assert "too long" in await refused(f"{HERE}/x.wav", policy, names)


async def test_a_server_that_never_answers(origin, policy, names):
    async def answer(*_):
        await asyncio.sleep(30)

    origin.routes["/x.wav"] = answer
    started = time.monotonic()
    assert "too long" in await refused(f"{HERE}/x.wav", policy, names)
    assert time.monotonic() - started < 20


async def test_headers_that_drip_end_at_the_total(origin, policy, names):
    async def answer(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nX-A: ")
        await _drip(writer, b"a", 0.05)

    origin.routes["/x.wav"] = answer
    started = time.monotonic()
    assert "too long" in await refused(f"{HERE}/x.wav", policy, names)
    assert time.monotonic() - started < 20


async def test_headers_without_an_end(origin, policy, names):
    async def answer(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 500_000)

    origin.routes["/x.wav"] = answer
    await refused(f"{HERE}/x.wav", policy, names)


async def test_what_is_no_http(origin, policy, names):
    async def answer(_, writer):
        writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")

    origin.routes["/x.wav"] = answer
    await refused(f"{HERE}/x.wav", policy, names)


async def test_a_connection_cut_at_once(origin, policy, names):
    async def answer(_, writer):
        writer.transport.abort()

    origin.routes["/x.wav"] = answer
    assert "cut off" in await refused(f"{HERE}/x.wav", policy, names)


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        (b"#EXTM3U\n#EXTINF:9,\nhttp://inside.test/secret\n", UnsupportedFormat, "playlist"),
        (b"\xef\xbb\xbf#EXTM3U\nfile:///etc/passwd\n", UnsupportedFormat, "playlist"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", UnsupportedFormat, "playlist"),
        (b"[playlist]\nFile1=http://inside.test/\n", UnsupportedFormat, "playlist"),
        (b'<?xml version="1.0"?><MPD><BaseURL>http://inside.test/', UnsupportedFormat, "playlist"),
        (b"<!doctype html><title>x</title>", UnsupportedSource, "page"),
        (b"PK\x03\x04" + b"\0" * 600, UnsupportedFormat, "archive"),
        (b"MZ" + b"\0" * 600, UnsupportedFormat, "sound file"),
        (b"plain words", UnsupportedFormat, "sound file"),
        (b"RIFF\0\0\0\0AVI " + b"\0" * 600, UnsupportedFormat, "sound file"),
        (b"", LinkRefused, "empty"),
    ],
)
async def test_bodies_that_are_no_sound(body, kind, words, origin, policy, names):
    origin.serve("/x.wav", body, "Content-Type: audio/wav")
    assert words in await refused(f"{HERE}/x.wav", policy, names, kind)


async def test_no_sound_is_given_up_at_its_first_bytes(origin, policy, names):
    async def answer(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n<html>" + b" " * 600)
        await asyncio.sleep(30)  # waiting for more would end as "too long"

    origin.routes["/x.wav"] = answer
    await refused(f"{HERE}/x.wav", policy, names, UnsupportedSource)


async def test_internet_radio(origin, policy, names):
    origin.serve("/live", wav(), "icy-name: Endless FM")
    assert "live stream" in await refused(f"{HERE}/live", policy, names)


@pytest.mark.parametrize("status", ["401", "403", "404", "410", "429", "451", "500", "503", "206"])
async def test_every_other_status_is_a_sentence(status, origin, policy, names):
    origin.serve("/x.wav", wav(), status=f"{status} Whatever")
    await refused(f"{HERE}/x.wav", policy, names)


async def test_names_and_servers_that_are_not_there(policy, names):
    names.set("closed.test", [("127.0.0.1", 1)])
    opened = dataclasses.replace(policy, open_endpoints=frozenset({("127.0.0.1", 1)}))
    assert "could not be found" in await refused("http://nowhere.test/x.wav", policy, names)
    assert "does not respond" in await refused("http://closed.test/x.wav", opened, names)


async def test_a_name_server_that_hangs(policy):
    async def hang(*_):
        await asyncio.sleep(30)
        return []

    quick = dataclasses.replace(policy, connect_s=0.2)
    assert "could not be found" in await refused("http://slow.test/x.wav", quick, hang)


async def test_cancelling_leaves_nothing(origin, policy, names, root):
    async def answer(_, writer):
        writer.write(response(b"", "Content-Length: 100000")[:-1] + b"\n" + wav()[:3000])
        await asyncio.sleep(30)

    origin.routes["/x.wav"] = answer

    async def job():
        async with fetch(f"{HERE}/x.wav", policy=policy, resolve=names):
            pass

    task = asyncio.create_task(job())
    await until(lambda: any(root.iterdir()))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not any(root.iterdir())


def test_names_knows_nothing_by_itself():
    with pytest.raises(OSError, match="no such name"):
        asyncio.run(Names()("music.test", 80))


async def test_a_full_disk_is_not_the_links_fault(origin, policy, names, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    origin.serve("/x.wav", wav())
    monkeypatch.setattr("bot.sources.download._receive", full)
    with pytest.raises(Busy, match="no disk space"):
        async with fetch(f"{HERE}/x.wav", policy=policy, resolve=names):
            pytest.fail("there was room")
