"""Joined and chained files are decoded to their end, and wrong lengths are ignored."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from genrec.audio import containers
from genrec.audio.containers import sniff
from genrec.audio.decode import decode
from genrec.audio.limits import DecodeLimits
from tests.genrec.audio.decoding import SONG, SR, assert_decodes, likeness
from tests.genrec.audio.mp3_files import ape_tag, mp3, with_stated
from tests.hostile_files import id3
from tests.synth import music, silence, write

OTHER = music(8, 6, SR)


@pytest.fixture(scope="module")
def song() -> bytes:
    return mp3(np.stack([SONG, SONG], axis=1), SR)


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
