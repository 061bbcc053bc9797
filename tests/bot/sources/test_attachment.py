"""Discord's uploads: Discord's hosts only, sizes counted and not believed."""

from __future__ import annotations

import dataclasses
import hashlib

import pytest

from bot.sources import Attachment, SourcePolicy, check_attachment, fetch
from genrec.errors import ClipTooLarge, LinkRefused
from tests.bot.sources.hostile import refused, wav


@pytest.fixture
def cdn(origin, names):
    """Play Discord's CDN."""
    names.set("cdn.discordapp.com", [("127.0.0.1", origin.port)])
    return origin


def upload(path: str = "/attachments/1/2/x.wav", *, size: int = 16044, **kw: str) -> Attachment:
    host = kw.get("host", "cdn.discordapp.com")
    return Attachment(
        url=f"http://{host}{path}?ex=6&is=7&hm=8", filename=kw.get("filename", "x.wav"), size=size
    )


async def test_an_upload_becomes_a_clip_without_its_link(cdn, policy, names):
    cdn.serve("/attachments/1/2/x.wav", wav())
    mine = upload(filename="My_Song\u202e (take 2).wav")
    async with fetch(mine, policy=policy, resolve=names) as clip:
        assert clip.path.read_bytes() == wav()
        assert clip.sha256 == hashlib.sha256(wav()).hexdigest()
        assert clip.title == "My Song (take 2)"
        assert clip.source == ""  # it is signed and expires
    assert cdn.requests[0].path.endswith("?ex=6&is=7&hm=8")


async def test_the_decoder_judges_what_an_upload_is(cdn, policy, names):
    cdn.serve("/attachments/1/2/x.wav", b"#EXTM3U\nfile:///etc/passwd\n")
    async with fetch(upload(), policy=policy, resolve=names) as clip:
        assert clip.path.read_bytes().startswith(b"#EXTM3U")


@pytest.mark.parametrize("host", ["music.test", "cdn.discordapp.com.music.test", "inside.test"])
async def test_other_hosts(host, policy, names, cdn):
    names.set(host, [("127.0.0.1", cdn.port)])
    assert "Discord" in await refused(upload(host=host), policy, names)
    assert cdn.connections == 0


async def test_a_cdn_that_redirects(cdn, policy, names, forbidden):
    for where in ("http://music.test/x.wav", f"http://127.0.0.1:{forbidden.port}/secret"):
        cdn.redirect("/attachments/1/2/x.wav", where)
        await refused(upload(), policy, names)
    assert "/x.wav" not in cdn.hits


async def test_a_cdn_that_stands_inside(policy, names, forbidden):
    names.set("cdn.discordapp.com", [("127.0.0.1", forbidden.port)])
    assert "private network" in await refused(upload(), policy, names)


async def test_a_size_that_lies(cdn, policy, names):
    cdn.serve("/attachments/1/2/x.wav", wav(30))
    await refused(upload(size=10), policy, names, ClipTooLarge)


async def test_a_cdn_on_loopback_by_the_operators_word(cdn, policy, names):
    cdn.serve("/attachments/1/2/x.wav", wav())
    local = upload(host=f"127.0.0.1:{cdn.port}")
    async with fetch(local, policy=policy, resolve=names) as clip:
        assert clip.path.stat().st_size == len(wav())


def test_size_and_host_are_judged_without_any_io():
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
