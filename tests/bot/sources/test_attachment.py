"""Uploads: only Discord's hosts are allowed, and sizes are counted."""

from __future__ import annotations

import dataclasses
import hashlib

import pytest

from bot.sources import Attachment, SourcePolicy, Sources, check_attachment, fetch
from genrec.errors import ClipTooLarge, LinkRefused
from tests.bot.sources.hostile import fetch_error, wav


@pytest.fixture
def cdn(origin, dns):
    """Return a fake server for Discord's CDN."""
    dns.set("cdn.discordapp.com", [("127.0.0.1", origin.port)])
    return origin


def upload(path: str = "/attachments/1/2/x.wav", *, size: int = 16044, **kw: str) -> Attachment:
    host = kw.get("host", "cdn.discordapp.com")
    return Attachment(
        url=f"http://{host}{path}?ex=6&is=7&hm=8", filename=kw.get("filename", "x.wav"), size=size
    )


async def test_upload_becomes_clip_without_source(cdn, policy, dns):
    cdn.serve("/attachments/1/2/x.wav", wav())
    mine = upload(filename="My_Song\u202e (take 2).wav")
    async with fetch(mine, policy=policy, resolve=dns) as clip:
        assert clip.path.read_bytes() == wav()
        assert clip.sha256 == hashlib.sha256(wav()).hexdigest()
        assert clip.title == "My Song (take 2)"
        assert clip.source == ""  # the signed link expires
    assert cdn.requests[0].path.endswith("?ex=6&is=7&hm=8")


async def test_upload_of_any_content_is_left_to_the_decoder(cdn, policy, dns):
    cdn.serve("/attachments/1/2/x.wav", b"#EXTM3U\nfile:///etc/passwd\n")
    async with fetch(upload(), policy=policy, resolve=dns) as clip:
        assert clip.path.read_bytes().startswith(b"#EXTM3U")


@pytest.mark.parametrize("host", ["music.test", "cdn.discordapp.com.music.test", "inside.test"])
async def test_upload_on_other_host_is_refused(host, policy, dns, cdn):
    dns.set(host, [("127.0.0.1", cdn.port)])
    assert "Discord" in await fetch_error(upload(host=host), policy, dns)
    assert cdn.connections == 0


async def test_upload_redirect_to_other_host_is_refused(cdn, policy, dns, forbidden):
    for where in ("http://music.test/x.wav", f"http://127.0.0.1:{forbidden.port}/secret"):
        cdn.redirect("/attachments/1/2/x.wav", where)
        await fetch_error(upload(), policy, dns)
    assert "/x.wav" not in cdn.hits


async def test_upload_host_with_private_address_is_refused(policy, dns, forbidden):
    dns.set("cdn.discordapp.com", [("127.0.0.1", forbidden.port)])
    assert "private network" in await fetch_error(upload(), policy, dns)


async def test_upload_with_false_size_is_refused_by_its_bytes(cdn, policy, dns):
    cdn.serve("/attachments/1/2/x.wav", wav(30))
    await fetch_error(upload(size=10), policy, dns, ClipTooLarge)


async def test_upload_on_open_endpoint_is_fetched(cdn, policy, dns):
    cdn.serve("/attachments/1/2/x.wav", wav())
    local = upload(host=f"127.0.0.1:{cdn.port}")
    async with fetch(local, policy=policy, resolve=dns) as clip:
        assert clip.path.stat().st_size == len(wav())


def test_check_attachment_refuses_size_and_host_without_io():
    policy = SourcePolicy()
    link = "https://cdn.discordapp.com/attachments/1/2/x.wav"
    check_attachment(Attachment(link, "x.wav", policy.max_bytes), policy)
    with pytest.raises(ClipTooLarge, match="50 MB"):
        check_attachment(Attachment(link, "x.wav", policy.max_bytes + 1), policy)
    with pytest.raises(LinkRefused, match="empty"):
        check_attachment(Attachment(link, "x.wav", 0), policy)
    with pytest.raises(LinkRefused, match="https"):
        check_attachment(Attachment(link.replace("https", "http"), "x.wav", 9), policy)
    narrow = dataclasses.replace(policy, attachment_hosts=frozenset())
    with pytest.raises(LinkRefused, match="Discord"):
        check_attachment(Attachment(link, "x.wav", 9), narrow)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (wav(), True),
        (b"fLaC" + bytes(500_000), True),
        (b"ID3\x03\x00\x00\x00\x7f\x7f\x7f" + bytes(500_000), True),
        (b"\x89PNG\r\n\x1a\n" + bytes(500_000), False),
        (b"a long text " * 50_000, False),
        (b"", False),
    ],
    ids=["wav", "flac", "large tag", "picture", "text", "empty"],
)
async def test_first_bytes_tell_whether_an_upload_is_sound(cdn, policy, dns, body, expected):
    cdn.serve("/attachments/1/2/x.wav", body)
    async with Sources(policy, resolve=dns) as sources:
        assert await sources.sniff(upload(filename="take 2")) is expected
    assert cdn.requests[0].headers["range"] == "bytes=0-262143"


async def test_first_bytes_that_cannot_be_read_tell_nothing(cdn, policy, dns, forbidden):
    cdn.redirect("/attachments/1/2/x.wav", f"http://127.0.0.1:{forbidden.port}/secret")
    async with Sources(policy, resolve=dns) as sources:
        assert await sources.sniff(upload()) is None
        assert await sources.sniff(upload("/attachments/gone")) is None
        assert await sources.sniff(upload(host="music.test")) is None
        assert await sources.sniff(upload(size=10**12)) is None
    assert len(cdn.requests) == 2
