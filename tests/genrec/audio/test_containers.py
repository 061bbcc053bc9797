"""Containers are detected by their bytes."""

from __future__ import annotations

import io
import time
from pathlib import Path

import numpy as np
import pytest

from genrec.audio import containers
from genrec.audio.containers import Container, Sniffed, describe, sniff
from genrec.audio.decode import decode
from genrec.errors import UnreadableAudio
from tests.hostile_files import id3


def mp3_frame(head: bytes, size: int) -> bytes:
    """Return an MPEG frame of ``size`` bytes: the header ``head``, then zeros."""
    return head + bytes(size - len(head))


# Header and length in bytes, from the standards.
MPEG_FRAMES = {
    "mpeg1-layer3-128k-44100": (b"\xff\xfb\x90\x00", 417),
    "mpeg1-layer3-padded": (b"\xff\xfb\x92\x00", 418),
    "mpeg1-layer3-320k-48000": (b"\xff\xfb\xe4\x00", 960),
    "mpeg1-layer2-192k-48000": (b"\xff\xfd\xa4\x00", 576),
    "mpeg1-layer1-32k-32000": (b"\xff\xff\x18\x00", 48),
    "mpeg2-layer3-64k-22050": (b"\xff\xf3\x80\x00", 208),
    "mpeg2.5-layer3-8k-8000": (b"\xff\xe3\x18\x00", 72),
}
ADTS_FRAME = b"\xff\xf1\x50\x80\x02\x9f\xfc" + bytes(13)  # 20 bytes


def sniffed(data: bytes) -> Container | None:
    """Return the container that `sniff` detects in ``data``."""
    found = sniff(io.BytesIO(data))
    return found and found.container


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"RIFF\x24\0\0\0WAVEfmt ", containers.WAV),
        (b"RIFX\0\0\0\x24WAVEfmt ", containers.WAV),
        (b"RF64\xff\xff\xff\xffWAVEds64", containers.WAV),
        (b"FORM\0\0\0\x24AIFFCOMM", containers.AIFF),
        (b"FORM\0\0\0\x24AIFCFVER", containers.AIFF),
        (b"fLaC\0\0\0\x22", containers.FLAC),
        (b"OggS\0\2" + bytes(20) + b"\1\x1e\x01vorbis", containers.OGG),
        (b"OggS\0\2" + bytes(20) + b"\1\x13OpusHead", containers.OGG),
        (b"\0\0\0\x20ftypM4A ", containers.MP4),
        (b"\x1a\x45\xdf\xa3\x9f\x42\x86", containers.MATROSKA),
        (b"RIFF\x24\0\0\0AVI LIST", None),
        (b"FORM\0\0\0\x24ILBM", None),
        (b"", None),
        (b"RIFF", None),
    ],
)
@pytest.mark.parametrize("tag", [b"", id3(3000)], ids=["bare", "tagged"])
def test_sniff_detects_magic_bytes_also_after_a_tag(
    head: bytes, expected: Container | None, tag: bytes
) -> None:
    if expected is containers.OGG and b"OpusHead" in head:
        expected = containers.OPUS
    assert sniffed(tag + head) == expected


@pytest.mark.parametrize("name", MPEG_FRAMES)
def test_sniff_needs_two_mpeg_audio_frames(name: str) -> None:
    frame = mp3_frame(*MPEG_FRAMES[name])
    assert sniffed(frame * 2) == containers.MP3
    assert sniffed(b"rubbish" + frame * 2) == containers.MP3
    assert sniffed(id3(1000) + bytes(2000) + frame * 2) == containers.MP3
    assert sniffed(b"rubbish" + frame) is None
    assert sniffed(frame[:-1] + frame + b"rubbish") is None


def test_sniff_accepts_a_file_of_one_frame() -> None:
    assert sniffed(mp3_frame(*MPEG_FRAMES["mpeg1-layer3-128k-44100"])) == containers.MP3


def test_sniff_needs_two_adts_frames() -> None:
    assert sniffed(ADTS_FRAME * 3) == containers.AAC
    assert sniffed(b"rubbish" + ADTS_FRAME * 2) == containers.AAC
    assert sniffed(b"rubbish" + ADTS_FRAME) is None


def test_sniff_skips_a_limited_number_of_tags_by_their_size() -> None:
    """Behind more tags, sound is searched for in the first bytes only."""
    flac = b"fLaC\0\0\0\x22"
    assert sniff(io.BytesIO(id3(0) * 8 + flac)) == Sniffed(containers.FLAC)
    assert sniff(io.BytesIO(id3(0) * 1000 + flac)) == Sniffed(containers.FLAC, 10_000)
    assert sniffed(id3(0) * 500_000 + flac) is None


def test_sniff_finds_no_container_in_noise() -> None:
    rng = np.random.default_rng(0)
    assert [sniffed(rng.bytes(12_000)) for _ in range(20)] == [None] * 20


@pytest.mark.parametrize(
    ("data", "description"),
    [
        (b"#EXTM3U\n", "a playlist"),
        (b"\xef\xbb\xbf#EXTM3U\n", "a playlist"),
        (b"\nffconcat version 1.0\n", "a playlist"),
        (b"[playlist]\n", "a playlist"),
        (b"PK\x03\x04", "a ZIP archive"),
        (b"\x89PNG\r\n", "a picture"),
        ("Grüße\r\n\t".encode(), "text and not audio"),
        (b"\x00\x01", "in no audio format"),
        (b"", "in no audio format"),
    ],
)
def test_describe_names_other_files(data: bytes, description: str) -> None:
    assert describe(io.BytesIO(data)).startswith(description)


def _chunked(container: Container, count: int) -> bytes:
    """Return a file with ``count`` empty chunks."""
    if container is containers.MP4:
        return b"\0\0\0\x10ftypM4A \0\0\0\0" + b"\0\0\0\x08free" * (count - 1)
    head = b"RIFF\0\0\0\0WAVE" if container is containers.WAV else b"FORM\0\0\0\0AIFF"
    return head + b"junk\0\0\0\0" * count


@pytest.mark.parametrize("container", [containers.WAV, containers.AIFF, containers.MP4])
def test_file_of_too_many_chunks_is_found(container: Container) -> None:
    most = containers.MAX_CHUNKS
    for count, too_many in ((1, False), (most - 1, False), (most + 1, True)):
        data = io.BytesIO(_chunked(container, count))
        assert containers.has_too_many_chunks(data, container) is too_many


def test_chunks_of_both_byte_orders_and_odd_sizes_are_skipped() -> None:
    for magic, order in ((b"RIFF", "little"), (b"RIFX", "big")):
        chunk = b"LIST" + (5).to_bytes(4, order) + b"abcde\0"
        data = magic + bytes(4) + b"WAVE" + chunk * 30_000
        assert containers.has_too_many_chunks(io.BytesIO(data), containers.WAV)
        huge = magic + bytes(4) + b"WAVE" + b"data" + b"\xff" * 4 + bytes(200_000)
        assert not containers.has_too_many_chunks(io.BytesIO(huge), containers.WAV)


@pytest.mark.parametrize("size", [2**62, 2**63 - 1, 2**64 - 1])
def test_box_that_claims_more_than_any_file_ends_the_count(size: int) -> None:
    data = b"\0\0\0\x10ftypM4A \0\0\0\0" + b"\0\0\0\x01free" + size.to_bytes(8, "big")
    assert not containers.has_too_many_chunks(io.BytesIO(data + bytes(100)), containers.MP4)


def test_wav_of_a_million_chunks_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(_chunked(containers.WAV, 1_000_000))
    started = time.process_time()
    with pytest.raises(UnreadableAudio, match="20,000 parts"):
        decode(path, sr=22050)
    assert time.process_time() - started < 1
