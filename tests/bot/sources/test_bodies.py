"""Hostile response bodies: huge, slow, mislabelled, compressed, or not audio."""

from __future__ import annotations

import asyncio
import dataclasses
import errno
import gzip
import time

import pytest

from bot.sources import fetch
from genrec.errors import Busy, ClipTooLarge, LinkRefused, UnsupportedFormat, UnsupportedSource
from tests.bot.sources.hostile import FakeDns, fetch_error, response, wait_until, wav

HERE = "http://music.test"


async def test_huge_content_length_is_refused(origin, policy, dns):
    async def answer(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" + wav())

    origin.routes["/x.wav"] = answer
    await fetch_error(f"{HERE}/x.wav", policy, dns, ClipTooLarge)


@pytest.mark.parametrize("header", ["", "Transfer-Encoding: chunked\r\n"])
async def test_endless_body_is_cut_at_the_limit(header, origin, policy, dns):
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
    await fetch_error(f"{HERE}/x.wav", policy, dns, ClipTooLarge)
    await asyncio.sleep(0.1)
    assert sent < 50 * policy.max_bytes  # the kernel's buffers take some more


async def test_body_shorter_than_content_length_is_refused(origin, policy, dns):
    origin.serve("/x.wav", wav(), f"Content-Length: {len(wav()) + 5000}")
    assert "cut off" in await fetch_error(f"{HERE}/x.wav", policy, dns)


async def test_body_longer_than_content_length_is_refused(origin, policy, dns):
    origin.serve("/x.wav", wav(), "Content-Length: 4000")
    assert "no valid HTTP" in await fetch_error(f"{HERE}/x.wav", policy, dns)


async def test_body_of_max_bytes_passes_and_one_more_byte_does_not(origin, policy, dns):
    body = wav().ljust(policy.max_bytes, b"\1")
    origin.serve("/fits.wav", body)
    origin.serve("/over.wav", body + b"\1")
    async with fetch(f"{HERE}/fits.wav", policy=policy, resolve=dns) as clip:
        assert clip.path.stat().st_size == policy.max_bytes
    await fetch_error(f"{HERE}/over.wav", policy, dns, ClipTooLarge)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, gzip"])
async def test_compressed_body_is_refused(coding, origin, policy, dns):
    bomb = gzip.compress(gzip.compress(b"\0" * 50_000_000))
    origin.serve("/x.wav", bomb, f"Content-Encoding: {coding}")
    assert "compressed" in await fetch_error(f"{HERE}/x.wav", policy, dns)


async def test_undeclared_gzip_body_is_refused(origin, policy, dns):
    origin.serve("/x.wav", gzip.compress(b"\0" * 5_000_000))
    assert "archive" in await fetch_error(f"{HERE}/x.wav", policy, dns, UnsupportedFormat)


async def _drip(writer, block: bytes, pause_s: float) -> None:
    while True:
        writer.write(block)
        await writer.drain()
        await asyncio.sleep(pause_s)


async def test_body_below_min_rate_is_refused(origin, policy, dns):
    async def answer(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + wav()[:600])
        await _drip(writer, b"\1", 0.05)

    origin.routes["/x.wav"] = answer
    assert "too slowly" in await fetch_error(f"{HERE}/x.wav", policy, dns)


async def test_fast_beginning_earns_no_slow_rest(origin, policy, dns):
    """An average from the start would accept this body until the time limit."""

    async def answer(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + wav().ljust(150_000, b"\1"))
        await _drip(writer, bytes(50), 0.02)

    origin.routes["/x.wav"] = answer
    text = await fetch_error(f"{HERE}/x.wav", policy, dns)
    assert "less than 19.5 KiB/s over 1 s" in text
    assert "upload the file" in text


async def test_stalled_body_times_out(origin, policy, dns):
    async def answer(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n" + wav()[:600])
        await asyncio.sleep(30)

    origin.routes["/x.wav"] = answer
    assert "too long" in await fetch_error(f"{HERE}/x.wav", policy, dns)


async def test_server_without_response_times_out(origin, policy, dns):
    async def answer(*_):
        await asyncio.sleep(30)

    origin.routes["/x.wav"] = answer
    started = time.monotonic()
    assert "too long" in await fetch_error(f"{HERE}/x.wav", policy, dns)
    assert time.monotonic() - started < 20


async def test_slow_headers_end_at_download_timeout(origin, policy, dns):
    async def answer(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nX-A: ")
        await _drip(writer, b"a", 0.05)

    origin.routes["/x.wav"] = answer
    started = time.monotonic()
    assert "too long" in await fetch_error(f"{HERE}/x.wav", policy, dns)
    assert time.monotonic() - started < 20


async def test_endless_header_is_refused(origin, policy, dns):
    async def answer(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 500_000)

    origin.routes["/x.wav"] = answer
    await fetch_error(f"{HERE}/x.wav", policy, dns)


async def test_response_that_is_not_http_is_refused(origin, policy, dns):
    async def answer(_, writer):
        writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")

    origin.routes["/x.wav"] = answer
    await fetch_error(f"{HERE}/x.wav", policy, dns)


async def test_aborted_connection_is_refused(origin, policy, dns):
    async def answer(_, writer):
        writer.transport.abort()

    origin.routes["/x.wav"] = answer
    assert "cut off" in await fetch_error(f"{HERE}/x.wav", policy, dns)


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
async def test_body_that_is_not_audio_is_explained(body, kind, words, origin, policy, dns):
    origin.serve("/x.wav", body, "Content-Type: audio/wav")
    assert words in await fetch_error(f"{HERE}/x.wav", policy, dns, kind)


async def test_body_that_is_not_audio_ends_at_its_first_bytes(origin, policy, dns):
    async def answer(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n<html>" + b" " * 600)
        await asyncio.sleep(30)  # waiting for more would end as "too long"

    origin.routes["/x.wav"] = answer
    await fetch_error(f"{HERE}/x.wav", policy, dns, UnsupportedSource)


async def test_icy_headers_are_refused_as_live_stream(origin, policy, dns):
    origin.serve("/live", wav(), "icy-name: Endless FM")
    assert "live stream" in await fetch_error(f"{HERE}/live", policy, dns)


@pytest.mark.parametrize("status", ["401", "403", "404", "410", "429", "451", "500", "503", "206"])
async def test_http_status_other_than_200_is_explained(status, origin, policy, dns):
    origin.serve("/x.wav", wav(), status=f"{status} Whatever")
    await fetch_error(f"{HERE}/x.wav", policy, dns)


async def test_unknown_host_and_closed_port_are_explained(policy, dns):
    dns.set("closed.test", [("127.0.0.1", 1)])
    opened = dataclasses.replace(policy, open_endpoints=frozenset({("127.0.0.1", 1)}))
    assert "could not be found" in await fetch_error("http://nowhere.test/x.wav", policy, dns)
    assert "does not respond" in await fetch_error("http://closed.test/x.wav", opened, dns)


async def test_hanging_dns_times_out(policy):
    async def hang(*_):
        await asyncio.sleep(30)
        return []

    quick = dataclasses.replace(policy, connect_s=0.2)
    assert "could not be found" in await fetch_error("http://slow.test/x.wav", quick, hang)


async def test_cancelled_download_leaves_no_file(origin, policy, dns, root):
    async def answer(_, writer):
        writer.write(response(b"", "Content-Length: 100000")[:-1] + b"\n" + wav()[:3000])
        await asyncio.sleep(30)

    origin.routes["/x.wav"] = answer

    async def job():
        async with fetch(f"{HERE}/x.wav", policy=policy, resolve=dns):
            pass

    task = asyncio.create_task(job())
    await wait_until(lambda: any(root.iterdir()))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not any(root.iterdir())


def test_fake_dns_without_answers_raises():
    with pytest.raises(OSError, match="no such name"):
        asyncio.run(FakeDns()("music.test", 80))


async def test_full_disk_raises_busy(origin, policy, dns, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    origin.serve("/x.wav", wav())
    monkeypatch.setattr("bot.sources.download._receive", full)
    with pytest.raises(Busy, match="no disk space"):
        async with fetch(f"{HERE}/x.wav", policy=policy, resolve=dns):
            pytest.fail("the fetch succeeded")
