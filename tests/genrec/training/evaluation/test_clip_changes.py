"""Changes of audio files for the robustness table."""

from __future__ import annotations

import re
from pathlib import Path

import av
import numpy as np
import pytest

from genrec.audio.decode import decode
from genrec.errors import DataError
from genrec.training.evaluation.clip_changes import (
    CHANGES,
    COMMON_CHANGES,
    SHORT,
    UNCHANGED,
    room_noise,
    select_changes,
)
from tests.synth import Samples, music

SR = 22050
Y = music(3, 12.0, SR)
FFT = 40 * SR
HZ = np.fft.rfftfreq(FFT, 1 / SR)


def written(folder: Path, change: str) -> Path:
    path = folder / re.sub(r"\W", "-", change)
    CHANGES[change].write(path, Y, SR)
    return path


def samples(path: Path) -> Samples:
    """Return every channel as FFmpeg decodes it, float (channels, n), whatever the front end."""
    with av.open(path) as file:
        frames = [frame.to_ndarray() for frame in file.decode(audio=0)]
        channels = file.streams.audio[0].channels
    y = np.concatenate(frames, axis=1)
    if y.dtype == np.int16:
        y = y / np.float32(2**15)
    return np.asarray(y.reshape(-1, channels).T if len(y) != channels else y, np.float32)


def seconds(change: str) -> float:
    """Return the length of the 12 s of music after a change."""
    if late := re.fullmatch(r"begun (\d+) ms later", change):
        return 12 - int(late[1]) / 1000
    if speed := re.fullmatch(r"(\d) % (faster|slower)", change):
        return 12 / (1 + int(speed[1]) / 100 * (1 if speed[2] == "faster" else -1))
    if gap := re.fullmatch(r"10 s with (\d+) s of .*", change):
        return 10 + int(gap[1])
    return {SHORT: 10.0, "5 s": 5.0}.get(change, 12.0)


@pytest.mark.parametrize("change", [name for name in CHANGES if "inverted" not in name])
def test_change_writes_a_file_of_its_length(tmp_path: Path, change: str) -> None:
    assert decode(written(tmp_path, change), sr=SR).duration_s == pytest.approx(
        seconds(change), abs=0.2 if seconds(change) == 12 else 0.01
    )


@pytest.mark.parametrize("change", [name for name in CHANGES if "begun" in name])
def test_a_late_start_drops_the_first_samples(tmp_path: Path, change: str) -> None:
    y = decode(written(tmp_path, change), sr=SR).y
    np.testing.assert_array_equal(y, Y[len(Y) - len(y) :])


def power(path: Path) -> np.ndarray:
    return np.asarray(np.abs(np.fft.rfft(decode(path, sr=SR).y, n=FFT)) ** 2)


@pytest.mark.parametrize("change", ["16 kHz", "telephone"])
def test_a_band_limit_removes_what_lies_outside(tmp_path: Path, change: str) -> None:
    before, after = power(written(tmp_path, UNCHANGED)), power(written(tmp_path, change))
    assert after[HZ > 8_500].sum() < 0.01 * before[HZ > 8_500].sum()
    if change == "telephone":
        assert after[HZ < 150].sum() < 0.05 * before[HZ < 150].sum()


@pytest.mark.parametrize(
    ("change", "ratio"), [("noise at 20 dB", 1.01), ("20 dB quieter", 0.01), ("FLAC", 1)]
)
def test_a_change_of_level_has_its_ratio(tmp_path: Path, change: str, ratio: float) -> None:
    before, after = power(written(tmp_path, UNCHANGED)), power(written(tmp_path, change))
    assert after.sum() / before.sum() == pytest.approx(ratio, rel=0.01)


@pytest.mark.parametrize(
    ("change", "dbfs", "hz"),
    [
        ("room noise", -55, (20, 11_025)),
        ("12 Hz rumble", -26, (11.9, 12.1)),
        ("50 Hz hum", -30, (49.9, 50.1)),
        ("60 Hz hum and harmonics", -30, (59, 301)),
    ],
)
def test_what_is_added_has_its_level_and_frequencies(
    tmp_path: Path, change: str, dbfs: float, hz: tuple[float, float]
) -> None:
    added = samples(written(tmp_path, change))[0] - Y
    assert 10 * np.log10(np.mean(added**2)) == pytest.approx(dbfs, abs=0.1)
    spectrum = np.abs(np.fft.rfft(added)) ** 2
    at = np.fft.rfftfreq(len(added), 1 / SR)
    assert spectrum[(at >= hz[0]) & (at <= hz[1])].sum() > 0.99 * spectrum.sum()


@pytest.mark.parametrize("offset", [0.01, 0.03, 0.1])
def test_an_offset_moves_the_mean(tmp_path: Path, offset: float) -> None:
    moved = samples(written(tmp_path, f"offset {offset}"))[0]
    np.testing.assert_allclose(moved - Y / 2, offset, atol=1e-6)


@pytest.mark.parametrize(
    ("place", "sounding"), [("before", (20, 30)), ("after", (0, 10)), ("inside", (0, 5))]
)
@pytest.mark.parametrize(("gap", "level"), [("silence", 0.0), ("room noise", 10 ** (-55 / 20))])
def test_a_gap_lies_at_its_place(
    tmp_path: Path, place: str, sounding: tuple[int, int], gap: str, level: float
) -> None:
    y = samples(written(tmp_path, f"10 s with 20 s of {gap} {place}"))[0]
    start, end = (round(second * SR) for second in sounding)
    middle = Y[SR : 11 * SR]
    np.testing.assert_array_equal(y[start:end], middle[: end - start])
    quiet = np.ones(len(y), bool)
    quiet[start:end] = False
    if place == "inside":
        np.testing.assert_array_equal(y[25 * SR :], middle[5 * SR :])
        quiet[25 * SR :] = False
    assert np.sqrt(np.mean(y[quiet] ** 2)) == pytest.approx(level, rel=0.01)


@pytest.mark.parametrize("kind", ["WAV", "AAC", "Vorbis"])
def test_inverted_stereo_has_opposite_channels(tmp_path: Path, kind: str) -> None:
    left, right = samples(written(tmp_path, f"inverted stereo {kind}"))
    level = np.sqrt(np.mean(left**2))
    assert level == pytest.approx(float(np.sqrt(np.mean(Y**2))), rel=0.1)
    assert np.corrcoef(left, right)[0, 1] < -0.95  # codecs leave a little noise in the sum


def test_mp3_without_info_frame_has_none(tmp_path: Path) -> None:
    plain = written(tmp_path, "MP3 64 kbit/s").read_bytes()
    bare = written(tmp_path, "MP3 without Info frame").read_bytes()
    assert b"Info" in plain or b"Xing" in plain
    assert b"Info" not in bare[:4096]
    assert b"Xing" not in bare[:4096]
    assert bare[0] == 0xFF


def test_fragmented_aac_has_fragments_and_no_samples_in_moov(tmp_path: Path) -> None:
    data = written(tmp_path, "fragmented AAC").read_bytes()
    assert data.count(b"moof") >= 10
    assert data.index(b"moov") < data.index(b"moof") < data.index(b"mdat")
    assert b"moof" not in written(tmp_path, "AAC 128 kbit/s").read_bytes()


@pytest.mark.parametrize("percent", [2, -6])
def test_speed_moves_tempo_and_pitch_together(tmp_path: Path, percent: int) -> None:
    t = np.arange(12 * SR) / SR
    path, name = tmp_path / "tone", f"{abs(percent)} % {'faster' if percent > 0 else 'slower'}"
    CHANGES[name].write(path, np.float32(0.5) * np.sin(2 * np.pi * 1000 * t).astype("f4"), SR)
    assert HZ[power(path).argmax()] == pytest.approx(1000 * (1 + percent / 100), abs=1)


def test_room_noise_is_pink_and_the_same_each_time() -> None:
    noise = room_noise(20 * SR, SR)
    np.testing.assert_array_equal(noise, room_noise(20 * SR, SR))
    spectrum, at = np.abs(np.fft.rfft(noise)) ** 2, np.fft.rfftfreq(len(noise), 1 / SR)
    octaves = [spectrum[(at >= low) & (at < 2 * low)].sum() for low in (100, 400, 1600)]
    assert max(octaves) < 1.2 * min(octaves)  # equal power per octave


def test_every_reference_is_a_change_that_is_compared_with_the_unchanged_clip() -> None:
    assert set(COMMON_CHANGES) < set(CHANGES)
    for name, change in CHANGES.items():
        assert CHANGES[change.reference].reference == UNCHANGED
        assert change.reference == (SHORT if name.startswith("10 s with") else UNCHANGED)


def test_select_changes_adds_references_and_keeps_the_order() -> None:
    assert select_changes(None) == tuple(CHANGES)
    found = select_changes("10 s with 5 s of silence *, MP3")
    assert found[:3] == (UNCHANGED, "MP3", SHORT)
    assert found[3:] == tuple(
        f"10 s with 5 s of silence {p}" for p in ("before", "after", "inside")
    )


@pytest.mark.parametrize("patterns", ["mp3", "MP3,", "begun 7 ms later"])
def test_select_changes_without_a_match_names_the_changes(patterns: str) -> None:
    with pytest.raises(DataError, match=r"No change is named .* expected some of: none, FLAC"):
        select_changes(patterns)
