"""The mono mix keeps the music of channels that cancel each other, and normal stereo as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from genrec.audio.channels import MEAN, ChannelStats, MonoMix
from genrec.audio.decode import decode
from genrec.errors import SilentAudio
from tests.hostile_files import SR, with_av
from tests.synth import Samples, music, silence, tone, write

SONG = music(2, 4, SR)
OTHER = music(5, 4, SR)


def mix_of(*planes: Samples) -> MonoMix:
    """Return the mix that `ChannelStats` chooses for these channels."""
    stats = ChannelStats()
    stats.add(np.stack(planes))
    return stats.mix()


def similarity(a: Samples, b: Samples) -> float:
    """Return the normalised correlation of two sounds of nearly the same length."""
    n = min(a.size, b.size)
    return float(a[:n] @ b[:n] / (np.linalg.norm(a[:n]) * np.linalg.norm(b[:n])))


@pytest.mark.parametrize("kind", ["wav", "flac", "wav-float", "m4a", "ogg", "aac", "mkv"])
def test_inverted_channel_gives_the_music(kind: str, tmp_path: Path) -> None:
    inverted = write(tmp_path / "inverted", np.stack([SONG, -SONG], axis=1), SR, kind)
    plain = write(tmp_path / "plain", SONG, SR, kind)
    y, expected = decode(inverted, sr=SR).y, decode(plain, sr=SR).y
    assert similarity(y, expected) > 0.98
    assert np.linalg.norm(y) == pytest.approx(np.linalg.norm(expected), rel=0.05)


def test_inverted_stereo_recording_gives_its_middle(tmp_path: Path) -> None:
    """Left and right share most of the music; one of them was connected upside down."""
    left, right = SONG + 0.2 * OTHER, SONG - 0.2 * OTHER
    path = write(tmp_path / "a.wav", np.stack([left, -right], axis=1), SR, "wav-float")
    assert similarity(decode(path, sr=SR).y, SONG) > 0.99


@pytest.mark.parametrize("channels", [3, 6, 8])
def test_inverted_surround_gives_the_strongest_channels(channels: int, tmp_path: Path) -> None:
    planes = np.zeros((channels, SONG.size), np.float32)
    planes[0], planes[-1] = SONG, -SONG
    path = write(tmp_path / "a.wav", planes.T, SR, "wav-float")
    assert similarity(decode(path, sr=SR).y, SONG) > 0.99


def test_quieter_inverted_channel_gives_the_music(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", np.stack([SONG, -0.9 * SONG], axis=1), SR, "wav-float")
    y = decode(path, sr=SR).y
    assert similarity(y, SONG) > 0.99
    assert np.linalg.norm(y) > 0.9 * np.linalg.norm(SONG)


def test_normal_stereo_is_the_mean_of_its_channels(tmp_path: Path) -> None:
    for left, right in ((SONG, SONG), (SONG, OTHER), (SONG, silence(4, SR)), (SONG, 0.5 * SONG)):
        path = write(tmp_path / "a.wav", np.stack([left, right], axis=1), SR, "wav-float")
        y = decode(path, sr=SR).y
        np.testing.assert_array_equal(y, (left + right) * np.float32(0.5))


def test_mix_is_the_mean_unless_channels_cancel() -> None:
    side = 0.5 * OTHER
    assert mix_of(SONG + side, SONG - side) is MEAN
    assert mix_of(SONG) is MEAN
    assert mix_of(SONG, 0 * SONG) is MEAN
    assert mix_of(0 * SONG, 0 * SONG) is MEAN
    assert mix_of(np.full(999, np.nan, np.float32), np.ones(999, np.float32)) is MEAN
    weights = mix_of(SONG, -SONG).weights
    assert weights == pytest.approx((0.5, -0.5), abs=1e-6)


def test_constant_offset_hides_no_cancellation() -> None:
    assert mix_of(SONG + 0.5, 0.5 - SONG).weights == pytest.approx((0.5, -0.5), abs=1e-4)


def test_two_inverted_constants_are_silent(tmp_path: Path) -> None:
    ones = np.full(2 * SR, 0.25, np.float32)
    path = write(tmp_path / "a.wav", np.stack([ones, -ones], axis=1), SR)
    with pytest.raises(SilentAudio):
        decode(path, sr=SR)


def test_integers_of_ffmpeg_are_mixed_like_floats(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    for codec in ("pcm_u8", "pcm_s16le", "pcm_s32le"):
        path.write_bytes(with_av("matroska", codec, np.stack([SONG, -SONG], axis=1), SR))
        assert similarity(decode(path, sr=SR).y, SONG) > 0.99


def test_tone_at_the_stride_is_measured() -> None:
    """Every 31st sample of this tone is zero or nearly so; the others are not."""
    y = tone(1, SR, frequency=SR / 31)
    assert mix_of(y, -y).weights is None or mix_of(y, -y).weights == pytest.approx((0.5, -0.5))
