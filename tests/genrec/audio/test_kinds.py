"""Every kind of sound file is read or named, and the table of kinds is consistent."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from genrec.audio import containers, kinds
from genrec.audio.containers import Container, sniff
from genrec.audio.decode import decode
from genrec.audio.kinds import SOUND_SUFFIXES, UNHEARD_SUFFIXES
from genrec.errors import UnsupportedFormat
from tests.genrec.audio.decoding import SONG, SR, assert_decodes
from tests.genrec.audio.mp3_files import mp3
from tests.hostile_files import with_av


@pytest.fixture(scope="module")
def song() -> bytes:
    return mp3(np.stack([SONG, SONG], axis=1), SR)


def test_each_suffix_is_of_one_kind() -> None:
    every = [one for kind in (*kinds.SOUND_KINDS, *kinds.UNHEARD_KINDS) for one in kind.suffixes]
    assert len(every) == len(set(every))
    assert not SOUND_SUFFIXES & UNHEARD_SUFFIXES.keys()
    assert all(one.startswith(".") and one == one.lower() for one in every)
    assert UNHEARD_SUFFIXES[".ape"] == "Monkey's Audio"


def test_each_kind_that_is_read_has_a_container_and_codecs() -> None:
    found = [one.kind for one in vars(containers).values() if isinstance(one, Container)]
    assert {kind.name for kind in found} == {kind.name for kind in kinds.SOUND_KINDS}
    assert all(kind.codecs for kind in kinds.SOUND_KINDS)
    assert not any(kind.codecs for kind in kinds.UNHEARD_KINDS)


def test_names_make_a_sentence() -> None:
    assert kinds.format_names("or").endswith(", CAF or AU")
    assert kinds.format_names().startswith("WAV, FLAC, MP3, ")
    assert kinds.format_names().endswith(", CAF, AU")


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
