"""Files that every player opens: sound behind other bytes, joined files, lengths that are wrong."""

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
from genrec.audio.limits import DecodeLimits
from genrec.errors import InputRefused, UnsupportedFormat
from tests.genrec.audio.mp3_files import (
    ape_tag,
    free_format,
    mp3,
    picture,
    tagged,
    with_stated,
)
from tests.hostile_files import encoded, id3, with_av
from tests.synth import Samples, music, silence, write

SR = 32000
SONG = music(3, 6, SR)
OTHER = music(8, 6, SR)
NOISE = random.Random(5).randbytes(300_000).replace(b"\xff", b"\x7f")


@pytest.fixture(scope="module")
def song() -> bytes:
    return mp3(np.stack([SONG, SONG], axis=1), SR)


def likeness(y: Samples, original: Samples) -> float:
    """Return the correlation of a sound with the part of another that is most like it."""
    n = 2 ** (y.size + original.size).bit_length()
    found = np.fft.irfft(np.fft.rfft(y, n) * np.fft.rfft(original, n).conj(), n)
    shift = int(np.argmax(found))
    shift -= n if shift > n // 2 else 0
    a, b = y[max(0, shift) :], original[max(0, -shift) :]
    count = min(a.size, b.size)
    return float(found.max() / (np.linalg.norm(a[:count]) * np.linalg.norm(b[:count])))


def assert_decodes(
    data: bytes, folder: Path, *, seconds: float = 6, original: Samples = SONG
) -> Samples:
    """Decode a file, compare it with its music and return the samples."""
    path = folder / "clip"
    path.write_bytes(data)
    y = decode(path, sr=SR).y
    assert y.size / SR == pytest.approx(seconds, abs=0.2)
    assert likeness(y, original) > 0.94
    return y


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
@pytest.mark.parametrize("kind", ["flac", "ogg", "aac"])
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


# Joined files, and changes in mid-stream


def test_mono_jingle_before_stereo_song_is_followed(song: bytes, tmp_path: Path) -> None:
    t = np.arange(SR // 2)
    jingle = np.asarray(0.3 * np.sin(t / 8), np.float32)
    assert_decodes(mp3(jingle, SR) + song, tmp_path, seconds=6.5)


@pytest.mark.parametrize("rate", [22050, 32000, 48000])
@pytest.mark.parametrize("info", [False, True], ids=["bare", "with-info"])
def test_change_of_rate_is_followed(rate: int, info: bool, song: bytes, tmp_path: Path) -> None:
    jingle = mp3(music(1, 1, rate), rate, info=info)
    assert_decodes(jingle + song, tmp_path, seconds=7)
    assert_decodes(song + jingle, tmp_path, seconds=7)


@pytest.mark.parametrize("between", [b"", id3(20_000), ape_tag(3_000), b"TAG" + bytes(125)])
def test_joined_mp3s_are_decoded_to_the_end(between: bytes, tmp_path: Path) -> None:
    first, second = (mp3(music(seed, 5, SR), SR, info=True) for seed in (1, 2))
    y = assert_decodes(first + between + second, tmp_path, seconds=10, original=music(2, 5, SR))
    assert likeness(y[: 5 * SR], music(1, 5, SR)) > 0.9


@pytest.mark.parametrize("size", [0.0, 1.0, 0.3, 3.0])
@pytest.mark.parametrize("frames", [0.02, 0.5, 2.0, 50.0])
def test_wrong_number_of_frames_is_ignored(frames: float, size: float, tmp_path: Path) -> None:
    content = with_stated(mp3(SONG, SR, info=True), frames=frames, size=size)
    assert_decodes(content, tmp_path)


@pytest.mark.parametrize("vbr", [False, True])
def test_middle_of_a_long_mp3_with_a_wrong_length_is_decoded(vbr: bool, tmp_path: Path) -> None:
    long = np.concatenate([silence(20, SR), OTHER, SONG, OTHER, silence(20, SR)])
    content = mp3(long, SR, info=True, vbr=vbr)
    for data in (content, with_stated(content, frames=0.1), with_stated(content, frames=9)):
        (tmp_path / "clip").write_bytes(data)
        decoded = decode(tmp_path / "clip", sr=SR, limits=DecodeLimits(max_seconds=18))
        assert decoded.y.size == 18 * SR
        assert decoded.duration_s == pytest.approx(58, rel=0.15)
        assert likeness(decoded.y, SONG) > 0.5


def test_right_info_frames_are_believed() -> None:
    for content in (mp3(SONG, SR, info=True), mp3(SONG, SR, info=True, vbr=True)):
        for data in (content, content + b"TAG" + bytes(125), content + ape_tag(9_000)):
            found = sniff(io.BytesIO(data))
            assert found is not None
            assert containers.estimated_length(io.BytesIO(data), found) is None


def test_length_without_an_info_frame_is_estimated() -> None:
    for vbr in (False, True):
        data = io.BytesIO(mp3(SONG, SR, vbr=vbr))
        found = sniff(data)
        assert found is not None
        length = containers.estimated_length(data, found)
        assert length is not None
        assert length.seconds == pytest.approx(6, abs=0.1)


@pytest.mark.parametrize("kind", ["ogg", "opus"])
@pytest.mark.parametrize("jingle_first", [True, False])
def test_chained_ogg_is_decoded_to_the_end(kind: str, jingle_first: bool, tmp_path: Path) -> None:
    jingle = write(tmp_path / f"a.{kind}", music(1, 2, SR), SR).read_bytes()
    song = write(tmp_path / f"b.{kind}", SONG, SR).read_bytes()
    assert_decodes(jingle + song if jingle_first else song + jingle, tmp_path, seconds=8)


def test_middle_of_a_chained_ogg_is_decoded(tmp_path: Path) -> None:
    links = [
        write(tmp_path / f"{seed}.ogg", music(seed, 5, sr), sr).read_bytes()
        for seed, sr in ((1, SR), (2, 32000), (3, SR))
    ]
    path = tmp_path / "chain.ogg"
    path.write_bytes(b"".join(links))
    decoded = decode(path, sr=SR, limits=DecodeLimits(max_seconds=4))
    assert decoded.duration_s == pytest.approx(15, abs=0.1)
    assert likeness(decoded.y, music(2, 5, SR)) > 0.8
    path.write_bytes(b"".join(links)[:-3000])
    assert decode(path, sr=SR).y.size > 12 * SR


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


# Kinds that few others read


@pytest.mark.parametrize(
    ("container", "codec", "kind"),
    [
        ("asf", "wmav1", "WMA"),
        ("asf", "wmav2", "WMA"),
        ("wv", "wavpack", "WavPack"),
        ("caf", "alac", "CAF"),
        ("caf", "pcm_s16be", "CAF"),
        ("caf", "pcm_mulaw", "CAF"),
        ("au", "pcm_s16be", "AU"),
        ("au", "pcm_mulaw", "AU"),
    ],
)
def test_further_kinds_are_decoded(container: str, codec: str, kind: str, tmp_path: Path) -> None:
    data = with_av(container, codec, SONG, SR)
    found = sniff(io.BytesIO(data))
    assert found is not None
    assert found.container.kind.name == kind
    assert_decodes(data, tmp_path)


def test_little_endian_au_is_decoded(tmp_path: Path) -> None:
    head = b"dns." + b"".join(n.to_bytes(4, "little") for n in (24, 0xFFFFFFFF, 3, SR, 1))
    assert_decodes(head + (SONG * 32767).astype("<i2").tobytes(), tmp_path)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"MAC \x96\x0f", "a Monkey's Audio file"),
        (b"TTA1\1\0", "a True Audio (TTA) file"),
        (b"DSD \x1c\0", "a DSD file"),
        (b"FRM8\0\0", "a DSD file"),
        (b"\x0b\x77\xcd\x95", "a Dolby Digital (AC-3) file"),
        (b"\x7f\xfe\x80\x01", "a DTS file"),
        (b"MPCKSH", "a Musepack file"),
        (b"MP+\x07", "a Musepack file"),
        (b"#!AMR\n", "an AMR file"),
        (b"MThd\0\0", "a MIDI file"),
        (b".RMF\0\0", "a RealAudio file"),
        (b"OFR \x0c", "an OptimFROG file"),
        (b"tBaK", "a TAK file"),
        (b"RIFF\0\0\0\0AVI LIST", "an AVI file"),
        (b"\0\0\1\xba\x44", "an MPEG video file"),
        (b"Extended Module: x", "a tracker module file"),
        (b"PK\x03\x04", "a ZIP archive"),
        (b"\x1f\x8b\x08", "a compressed archive"),
    ],
)
def test_kind_that_is_not_read_is_named(
    head: bytes, name: str, song: bytes, tmp_path: Path
) -> None:
    """Also where MP3 frames follow a signature of three bytes or more, as in an archive."""
    short = head[:2] in (b"\x0b\x77", b"\x1f\x8b")
    for rest in (bytes(9000), bytes(300) + (bytes(9) if short else song)):
        path = tmp_path / "clip.mp3"
        path.write_bytes(head + rest)
        with pytest.raises(UnsupportedFormat, match=r"^This file is ") as caught:
            decode(path, sr=SR)
        assert name in str(caught.value)


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
