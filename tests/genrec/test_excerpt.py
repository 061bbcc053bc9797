"""Tests of excerpts: which part is cut, how loud it is, and that it is an MP3."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from genrec.audio.decode import decode
from genrec.audio.limits import DecodeLimits
from genrec.errors import FileMissing, SilentAudio
from genrec.excerpt import (
    MAX_PEAK,
    SR,
    TARGET_LUFS,
    cut_excerpt,
    encode_mp3,
    level,
    limit,
    loudest_part,
    loudness,
    with_fades,
)
from genrec.types import Section, SoundExcerpt
from tests.synth import Samples, music, silence, tone, write

LIMITS = DecodeLimits()


def decoded(excerpt: SoundExcerpt) -> Samples:
    y, sr = soundfile.read(io.BytesIO(excerpt.mp3), dtype="float32")
    assert (sr, y.ndim) == (SR, 1)
    return y


@pytest.mark.parametrize("sr", [32_000, 44_100, 48_000])
def test_loudness_of_a_full_scale_sine_is_that_of_the_standard(sr: int) -> None:
    # BS.1770-4: a sine of 997 Hz at 0 dB re full scale in one channel has -3.01 LUFS.
    assert loudness(tone(5.0, sr, 997.0, 1.0), sr) == pytest.approx(-3.01, abs=0.05)
    assert loudness(tone(5.0, sr, 997.0, 0.1), sr) == pytest.approx(-23.01, abs=0.05)


def test_loudness_weights_bass_less_and_treble_more() -> None:
    middle, bass, treble = (loudness(tone(3.0, SR, f, 0.5), SR) for f in (997.0, 40.0, 8_000.0))
    assert bass < middle - 4
    assert middle + 3 < treble < middle + 4.5


def test_silence_between_notes_is_gated() -> None:
    notes = np.concatenate([tone(3.0), silence(30.0), tone(3.0)])
    assert loudness(notes, SR) == pytest.approx(loudness(tone(6.0), SR), abs=0.5)
    assert loudness(silence(2.0), SR) == float("-inf")
    assert np.isfinite(loudness(tone(0.1), SR))


@pytest.mark.parametrize("gain", [0.2, 0.5, 1.0])
def test_level_evens_quiet_and_loud_music(gain: float) -> None:
    y = level(gain * music(2, 15.0), SR)
    assert loudness(y, SR) == pytest.approx(TARGET_LUFS, abs=1.0)
    assert np.abs(y).max() <= MAX_PEAK + 1e-6


def test_peaks_stay_below_full_scale() -> None:
    y = 0.001 * tone(15.0)
    y[::SR] = 0.9  # clicks, over almost nothing
    assert np.abs(level(y, SR)).max() <= MAX_PEAK + 1e-6
    assert np.array_equal(level(silence(1.0), SR), silence(1.0))


def test_limiter_leaves_quiet_samples_and_is_smooth() -> None:
    y = 0.5 * tone(2.0)
    assert limit(y, SR) is y
    y[SR : SR + 100] = 2.0
    limited = limit(y, SR)
    assert np.abs(limited).max() <= MAX_PEAK + 1e-6
    far = np.r_[: SR - 5_000, SR + 5_000 : 2 * SR]
    assert np.array_equal(limited[far], y[far])


def test_loudest_part_is_cut() -> None:
    y = np.concatenate([0.1 * tone(10.0), tone(15.0), 0.1 * tone(5.0)])
    part = loudest_part(y, SR, 15.0)
    assert part.size == 15 * SR
    assert np.array_equal(part, y[10 * SR : 25 * SR])
    assert loudest_part(y[:SR], SR, 15.0).size == SR


def test_fades_leave_no_click() -> None:
    y = with_fades(np.ones(SR, np.float32), SR)
    assert (y[0], y[-1], y[SR // 2]) == (0, 0, 1)
    assert with_fades(np.ones(1, np.float32), SR).size == 1


@pytest.mark.parametrize("kind", ["flac", "mp3", "m4a", "opus"])
def test_excerpt_is_an_mp3_of_fifteen_even_seconds(tmp_path: Path, kind: str) -> None:
    y = np.concatenate([silence(5.0), 0.3 * music(3, 40.0)])
    excerpt = cut_excerpt(write(tmp_path / f"a.{kind}", y, 44_100, kind), LIMITS)
    assert excerpt.seconds == 15.0
    assert loudness(decoded(excerpt), SR) == pytest.approx(TARGET_LUFS, abs=1.0)
    assert len(decoded(excerpt)) == pytest.approx(15 * SR, abs=2_000)
    assert len(excerpt.mp3) < 400_000


def test_excerpt_of_a_short_file_is_all_of_it(tmp_path: Path) -> None:
    excerpt = cut_excerpt(write(tmp_path / "a.wav", music(1, 4.0, 22_050), 22_050), LIMITS)
    assert excerpt.seconds == pytest.approx(4.0, abs=0.01)


def test_excerpt_lies_in_the_section_and_in_the_analysed_part(tmp_path: Path) -> None:
    y = np.concatenate([tone(20.0, frequency=300), tone(20.0, frequency=900), tone(20.0)])
    path = write(tmp_path / "a.flac", y, 44_100)
    section = DecodeLimits(section=Section(22.0, 39.0))
    for limits, pitch in ((section, 900), (DecodeLimits(max_seconds=18.0), 900)):
        cut = decoded(cut_excerpt(path, limits))[SR : 2 * SR]
        assert np.argmax(np.abs(np.fft.rfft(cut))) == pitch


def test_silent_or_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SilentAudio):
        cut_excerpt(write(tmp_path / "a.wav", silence(5.0), 44_100), LIMITS)
    with pytest.raises(FileMissing):
        cut_excerpt(tmp_path / "gone.wav", LIMITS)


def test_mp3_of_noise_fits_into_a_frame_of_the_protocol() -> None:
    noise = np.random.default_rng(0).uniform(-1, 1, 15 * SR).astype(np.float32)
    assert len(encode_mp3(noise, SR)) < 500_000


@pytest.mark.shared
def test_excerpts_of_real_music_are_equally_loud(shared: Path) -> None:
    files = sorted((shared / "gtzan" / "audio").rglob("*.flac"))[::8]
    before = [loudness(decode(file, sr=SR).y, SR) for file in files]
    after = [loudness(decoded(cut_excerpt(file, LIMITS)), SR) for file in files]
    assert len(files) > 8
    assert max(before) - min(before) > 8
    assert max(after) - min(after) < 1
