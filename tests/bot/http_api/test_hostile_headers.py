"""Hostile heads of requests and names of form fields: none is an error of genrec."""

from __future__ import annotations

import asyncio
import random

import pytest

from tests.bot.http_api.conftest import TOKEN, Interface

HEADERS = (
    "Host", "Origin", "Sec-Fetch-Site", "Authorization", "Content-Type", "Content-Encoding",
    "Content-Disposition", "Accept", "Cookie", "Expect", "Range", "X-Forwarded-For", "Forwarded",
    "If-None-Match", "Transfer-Encoding",
)  # fmt: skip
VALUES = (
    b"", b" ", b"http://[", b"[", b"]", b"::1", b"[::1", b"null", b"\xff\xfe", b"\xed\xa0\x80",
    b"Bearer", b"Bearer \xff", b"a" * 3000, b"multipart/form-data; boundary=", b"multipart/",
    b"multipart/form-data; boundary=" + b"x" * 100, b"application/json; charset=none",
    b"application/json;;=", b"audio/", b"/", b"gzip", b"deflate, br", b"chunked", b"-1", b"%00",
    b"100-continue", b"bytes=9-1", b'form-data; name="', b"127.0.0.1", b"localhost:99999",
)  # fmt: skip
TARGETS = (
    b"GET /v1", b"GET /v1/tracks?query=%ff%00&limit=1", b"GET /v1/tracks?after=%ed%a0%80",
    b"GET /v1/tracks?scopes=%ff", b"GET /v1/tracks/%30", b"GET /v1/tracks/" + b"9" * 400,
    b"GET //[", b"GET http://[/v1", b"GET *", b"GET /v1/%2e%2e/%ff", b"POST /v1/recommend",
    b"POST /v1/genre?track=1&track=%ff", b"POST /v1/path", b"POST /v1/mix?seeds=1", b"PUT /v1",
    b"OPTIONS *", b"HEAD /v1",
)  # fmt: skip
NAMES = (
    b"from", b"to", b"from_track", b"to_name", b"less_", b"less_track", b"track", b"seeds",
    b"scopes", b"clip", b"less", b"", b"a\xff\xfe", b"\xed\xa0\x80", b"count", b"title", b"shown",
)  # fmt: skip


async def sent(interface: Interface, request: bytes) -> bytes:
    """Return the first line of the answer to the bytes of a request."""
    port = int(interface.address.rsplit(":", 1)[1])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        return (await asyncio.wait_for(reader.read(), 10)).partition(b"\r\n")[0]
    finally:
        writer.close()


@pytest.mark.parametrize("token", [None, TOKEN])
async def test_strange_headers_are_no_error_of_genrec(serving, caplog, token: str | None) -> None:
    dice = random.Random(19)
    async with serving(**({"http_api_token": token} if token else {})) as interface:
        for _ in range(400):
            head = [dice.choice(TARGETS) + b" HTTP/1.1"]
            given = {"Host": b"localhost", "Authorization": f"Bearer {token}".encode()}
            given |= {name: dice.choice(VALUES) for name in dice.sample(HEADERS, 3)}
            if not given.get("Expect", b"").isascii():
                del given["Expect"]  # aiohttp itself fails, before any code of genrec
            head += [name.encode() + b": " + value for name, value in given.items()]
            head += [b"Connection: close", b"Content-Length: 4"]
            line = await sent(interface, b"\r\n".join(head) + b"\r\n\r\n{}\r\n")
            assert b" 500 " not in line, head
    assert "unhandled error" not in caplog.text


async def test_strange_fields_of_forms_are_no_error_of_genrec(interface, caplog) -> None:
    dice = random.Random(20)
    routes = (b"recommend", b"mix", b"genre", b"path", b"radio")
    for _ in range(300):
        body = b""
        for name in dice.choices(NAMES, k=3):
            file = dice.choice((b"", b"", b'; filename="\xff/../a.wav"'))
            body += b'--x\r\nContent-Disposition: form-data; name="' + name + b'"' + file
            body += b"\r\n\r\n" + dice.choice(VALUES) + b"\r\n"
        body += b"--x--\r\n"
        head = b"POST /v1/" + dice.choice(routes) + b" HTTP/1.1\r\nHost: localhost\r\n"
        head += b"Connection: close\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        line = await sent(interface, head + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        assert line.startswith(b"HTTP/1.1 4"), (line, body)
    assert "unhandled error" not in caplog.text


async def test_client_that_leaves_in_the_middle_of_a_form_is_no_error(interface, caplog) -> None:
    port = int(interface.address.rsplit(":", 1)[1])
    head = b"POST /v1/genre HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
    head += b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
    for _ in range(20):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head)
        writer.write_eof()
        writer.close()
    await asyncio.sleep(0.3)
    assert (await asyncio.to_thread(interface.send, "GET", "/v1")).status == 200
    assert "unhandled error" not in caplog.text
