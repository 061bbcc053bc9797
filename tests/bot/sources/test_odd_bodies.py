"""The same bytes are judged alike behind a link and as an upload."""

from __future__ import annotations

import asyncio
import dataclasses
import random

import pytest

from bot.sources import fetch
from genrec.audio.decode import decode
from genrec.errors import UnsupportedFormat
from tests.bot.sources.hostile import fetch_error
from tests.genrec.audio.mp3_files import ape_tag, free_format, mp3, picture, tagged
from tests.hostile_files import id3, with_av
from tests.synth import music

LINK = "http://music.test/x"
SR = 32000
MUSIC = music(3, 4, SR)
SONG = mp3(MUSIC, SR)
NOISE = random.Random(3).randbytes(200_000)
BODIES = {
    "zeros": bytes(200_000) + SONG,
    "rubbish": NOISE + SONG,
    "cut in a frame": SONG[5_123:],
    "tag of size zero": tagged(picture(60_000), 0, SONG),
    "tag of a picture": tagged(picture(400_000), 0, SONG),
    "tags": id3(9000) * 3 + SONG,
    "APE tag": ape_tag(300_000) + SONG,
    "free format": free_format(SONG),
    "quicktime": with_av("mov", "aac", MUSIC, SR).replace(b"ftyp", b"free", 1),
    "WMA": with_av("asf", "wmav2", MUSIC, SR),
    "WavPack": with_av("wv", "wavpack", MUSIC, SR),
}


@pytest.fixture
def policy(policy):
    return dataclasses.replace(policy, max_bytes=1 << 20)


@pytest.mark.parametrize("name", BODIES)
async def test_link_is_read_like_an_upload(name, origin, policy, dns, tmp_path):
    upload = tmp_path / "upload"
    upload.write_bytes(BODIES[name])
    origin.serve("/x", BODIES[name])
    async with fetch(LINK, policy=policy, resolve=dns) as clip:
        behind_link = decode(clip.path, sr=SR).y
    assert behind_link.size / SR == pytest.approx(4, abs=0.5)
    assert (behind_link == decode(upload, sr=SR).y).all()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"MAC \x96\x0f" + bytes(900), "leads to a Monkey's Audio file"),
        (b"DSD " + bytes(900), "leads to a DSD file"),
        (b"#!AMR\n" + bytes(900), "leads to an AMR file"),
        (b"\x0b\x77" + bytes(900), "leads to a Dolby Digital (AC-3) file"),
        (b"MThd" + bytes(900), "leads to a MIDI file"),
        (NOISE, "no sound file|does not lead to a sound file"),
        (NOISE + bytes(70_000) + SONG, "does not lead to a sound file"),
    ],
)
async def test_body_that_is_not_read_is_named(body, words, origin, policy, dns):
    origin.serve("/x", body)
    sentence = await fetch_error(LINK, policy, dns, UnsupportedFormat)
    assert any(word in sentence for word in words.split("|"))
    assert "WavPack" in sentence


async def test_body_without_sound_ends_at_the_searched_bytes(origin, policy, dns):
    async def answer(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + NOISE + NOISE)
        await asyncio.sleep(30)  # waiting for more would end as "too long"

    origin.routes["/x"] = answer
    assert "does not lead" in await fetch_error(LINK, policy, dns, UnsupportedFormat)
