"""Files that every player opens: sound behind other bytes, and MP4s of any beginning."""

from __future__ import annotations

import contextlib
import io
import random
import time
from pathlib import Path

import av
import numpy as np
import pytest

from genrec.audio import containers, mpeg
from genrec.audio.containers import sniff
from genrec.audio.decode import decode
from genrec.errors import InputRefused, UnsupportedFormat
from tests.genrec.audio.decoding import SONG, SR, assert_decodes
from tests.genrec.audio.mp3_files import (
    ape_tag,
    free_format,
    mp3,
    picture,
    tagged,
)
from tests.hostile_files import encoded, id3, with_av
from tests.synth import write

NOISE = random.Random(5).randbytes(300_000).replace(b"\xff", b"\x7f")


@pytest.fixture(scope="module")
def song() -> bytes:
    return mp3(np.stack([SONG, SONG], axis=1), SR)


@pytest.mark.parametrize(
    "before",
    [
        bytes(1000),
        bytes(255_000),
        NOISE[:5_000],
        NOISE[:250_000],
        random.Random(6).randbytes(250_000),
        b"\xff" * 1000,
        b"\xff\xfb\x90" * 1000,
        id3(100) * 20,
        id3(70_000) + bytes(9000),
        id3(70_000) + NOISE[:200_000],
        ape_tag(5_000),
        ape_tag(400_000),
        ape_tag(2_000) + id3(3_000),
        ape_tag(3_000, header=False),
    ],
    ids=lambda data: f"{data[:4]!r}-{len(data)}",
)
def test_mp3_behind_other_bytes_is_decoded(before: bytes, song: bytes, tmp_path: Path) -> None:
    assert_decodes(before + song, tmp_path)


@pytest.mark.parametrize("size", [60_000, 700_000])
@pytest.mark.parametrize("stated", ["right", "small", "zero", "plain", "large", "not syncsafe"])
def test_mp3_behind_a_tag_of_any_size_is_decoded(
    size: int, stated: str, song: bytes, tmp_path: Path
) -> None:
    content = picture(size)
    n = {"right": len(content), "small": 1000, "zero": 0, "large": 2**27}.get(stated, len(content))
    assert_decodes(
        tagged(content, n, song, syncsafe=stated not in ("plain", "not syncsafe")), tmp_path
    )


@pytest.mark.parametrize("at", [1, 7, 123, 50_123])
def test_mp3_that_was_cut_in_a_frame_is_decoded(at: int, song: bytes, tmp_path: Path) -> None:
    assert_decodes(song[at:], tmp_path, seconds=6 - at / 16_000)


def test_mp3_that_begins_too_late_is_refused(song: bytes, tmp_path: Path) -> None:
    path = tmp_path / "clip"
    path.write_bytes(NOISE[: containers.SEARCH_BYTES + 10_000] + song)
    with pytest.raises(UnsupportedFormat):
        decode(path, sr=SR)


@pytest.mark.parametrize("before", [bytes(999), NOISE[:20_000], id3(10) + NOISE[:999]])
@pytest.mark.parametrize("kind", ["flac", "ogg", "aac", "wav", "aiff", "m4a", "webm", "mkv"])
def test_other_formats_behind_other_bytes_are_decoded(
    kind: str, before: bytes, tmp_path: Path
) -> None:
    content = write(tmp_path / f"song.{kind}", SONG, SR).read_bytes()
    assert_decodes(before + content, tmp_path)


@pytest.mark.parametrize("before", [b"", bytes(1000), NOISE[:5000], id3(3000)])
def test_free_format_is_decoded(before: bytes, tmp_path: Path) -> None:
    assert_decodes(before + free_format(mp3(SONG, SR)), tmp_path)


def test_layer_two_is_decoded(tmp_path: Path) -> None:
    assert_decodes(with_av("mp2", "mp2", SONG, SR), tmp_path)


# MP4 and QuickTime


def boxes(data: bytes) -> list[bytes]:
    """Return the boxes of an MP4."""
    found, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        found.append(data[at : at + size])
        at += size
    return found


@pytest.mark.parametrize("container", ["mov", "ipod", "mp4"])
@pytest.mark.parametrize("instead", [b"", b"\0\0\0\x08wide", b"\0\0\0\x0cfree" + bytes(4)])
def test_mp4_without_ftyp_is_decoded(container: str, instead: bytes, tmp_path: Path) -> None:
    ftyp, *others = boxes(with_av(container, "aac", SONG, SR))
    assert ftyp[4:8] == b"ftyp"
    # Other bytes of the same length, because the index holds offsets.
    fill = len(ftyp) - len(instead)
    padding = fill.to_bytes(4, "big") + b"skip" + bytes(fill - 8) if fill else b""
    assert_decodes(instead + padding + b"".join(others), tmp_path)


def test_fragmented_mp4_is_decoded(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    options = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "frag_duration": "500000"}
    with (
        av.open(io.BytesIO(with_av("ipod", "aac", SONG, SR))) as source,
        av.open(buffer, "w", format="mp4", options=options) as target,
    ):
        stream = target.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            packet.stream = stream
            target.mux(packet)
    data = buffer.getvalue()
    assert data.count(b"moof") > 5
    assert_decodes(data, tmp_path)


# Cost and safety


@pytest.mark.parametrize(
    "pattern",
    [
        b"\xff",
        b"\xff\xfb\x90",
        b"\xff\xfb\x90\x00" + bytes(413) + b"\x00",
        b"\xff\xfb\x00\x00",
        b"\xff\xf1\x50\x80\x02\x9f\xfc",
        b"ID3\3\0\0\0\0\0\0",
        b"APETAGEX" + bytes(24),
        b"OggS\0\2" + bytes(21),
        b"fLaC\0\0\0\x22",
    ],
    ids=lambda data: f"{data[:4]!r}",
)
def test_search_takes_bounded_time(pattern: bytes, tmp_path: Path) -> None:
    path = tmp_path / "clip"
    path.write_bytes(b"ID3\3\0\0\0\0\0\1" + pattern * (8_000_000 // len(pattern)))
    started = time.process_time()
    with contextlib.suppress(InputRefused):
        decode(path, sr=SR)
    assert time.process_time() - started < 3


def test_frames_by_chance_are_no_sound() -> None:
    for seed in range(10):
        data = random.Random(seed).randbytes(600_000)
        assert mpeg.find_frames(data) is None
    assert sniff(io.BytesIO(b"ID3\3\0\0\0\0\0\0" + picture(3_000_000))) is None


def test_soundfile_mp3_is_believed(tmp_path: Path) -> None:
    assert_decodes(encoded("MP3", SONG, SR), tmp_path)
