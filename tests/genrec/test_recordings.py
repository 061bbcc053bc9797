"""Figures of fingerprints on real music: the same recording known, different ones kept apart.

docs/experiments.md has the tables. The excerpts with audio that are not the first three of their
genre were used to choose the parameters; these tests use the first three.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from genrec.audio.decode import decode
from genrec.fingerprint import SAME_RECORDING, RecordingMatcher, fingerprint
from genrec.spectrogram import SpectrogramConfig, log_mel
from genrec.training.data.artist_folds import duplicate_pairs
from genrec.training.data.dataset import Dataset, load_archive
from genrec.training.filterbank import mel_basis
from tests.synth import mux_sound

log = logging.getLogger(__name__)
CONFIG = SpectrogramConfig()
SR = CONFIG.sr
BASIS = mel_basis(CONFIG)
MATCHER = RecordingMatcher(CONFIG)
Float = NDArray[np.float32]
Change = Callable[[Float, Path], Float]

pytestmark = [pytest.mark.shared, pytest.mark.slow, pytest.mark.timeout(3600)]


def late(ms: float) -> Change:
    """Return a change that cuts the beginning."""
    return lambda y, path: y[round(SR * ms / 1000) :]


def cut(start_s: float, seconds: float) -> Change:
    """Return a change that keeps an excerpt."""
    return lambda y, path: y[round(SR * start_s) : round(SR * (start_s + seconds))]


def speed(factor: float) -> Change:
    """Return a change that plays faster and higher."""
    return lambda y, path: np.asarray(soxr.resample(y, SR * factor, SR), dtype=np.float32)


def coded(container: str, codec: str, kbit_s: int, sr: int = SR) -> Change:
    """Return a change that codes and decodes a file."""

    def change(y: Float, path: Path) -> Float:
        resampled = np.asarray(soxr.resample(y, SR, sr), dtype=np.float32)
        with av.open(path, "w", format=container) as output:
            stream = output.add_stream(codec, rate=sr, layout="mono")
            assert isinstance(stream, av.AudioStream)
            stream.codec_context.bit_rate = 1000 * kbit_s
            mux_sound(output, stream, resampled, sr)
        return decode(path, sr=SR).y

    return change


def telephone(y: Float, path: Path) -> Float:
    """Return samples in telephone quality: 300..3,400 Hz at 8 kHz in 8-bit mu law."""
    band = sosfilt(butter(4, (300, 3400), "bandpass", fs=SR, output="sos"), y)
    soundfile.write(path, soxr.resample(band, SR, 8000), 8000, format="WAV", subtype="ULAW")
    return decode(path, sr=SR).y


def noisy(y: Float, path: Path) -> Float:
    """Return samples plus white noise at a signal-to-noise ratio of 20 dB."""
    noise = np.random.default_rng(0).normal(0, 0.1, len(y)) * np.sqrt(np.mean(y**2))
    return np.asarray(y + noise, dtype=np.float32)


# At least 29 of 30 are asked of each.
WANTED: dict[str, Change] = {
    "none": lambda y, path: y,
    "25 ms late": late(25),
    "50 ms late": late(50),
    "100 ms late": late(100),
    "1 s late": late(1000),
    "speed 0.94": speed(0.94),
    "speed 0.98": speed(0.98),
    "speed 1.02": speed(1.02),
    "speed 1.06": speed(1.06),
    "MP3, 64 kbit/s": coded("mp3", "libmp3lame", 64),
    "Opus, 96 kbit/s": coded("webm", "libopus", 96, 48_000),
    "AAC, 128 kbit/s": coded("mp4", "aac", 128),
    "telephone": telephone,
    "noise at 20 dB": noisy,
    "5 s": cut(4.037, 5),
    "8 s": cut(4.037, 8),
}


@pytest.fixture(scope="module")
def data(shared: Path) -> Dataset:
    return load_archive(shared / "gtzan")


@pytest.fixture(scope="module")
def prints(data: Dataset) -> list[NDArray[np.int8]]:
    return [fingerprint(data.spectrogram(i)) for i in range(len(data))]


@pytest.fixture(scope="module")
def clips(data: Dataset) -> dict[int, Float]:
    """Return the samples of the first three excerpts with audio of each genre, by place."""
    names: dict[str, list[str]] = {}
    for name in sorted(data.audio):
        names.setdefault(name.partition(".")[0], []).append(name)
    place = {name: i for i, name in enumerate(data.names)}
    chosen = [name for each in names.values() for name in each[:3]]
    return {place[name]: decode(data.audio[name], sr=SR).y for name in chosen}


@pytest.mark.parametrize("change", WANTED)
def test_changed_clips_are_known_and_no_other_recording_is(
    change: str, data: Dataset, prints: list[NDArray[np.int8]], clips: dict[int, Float],
    tmp_path: Path,
) -> None:  # fmt: skip
    known, lowest, others = 0, 1.0, -1.0
    for place, y in clips.items():
        query = fingerprint(log_mel(WANTED[change](y, tmp_path / "clip"), CONFIG, BASIS))
        found = MATCHER.match(query, prints)
        known += bool(found[place] >= SAME_RECORDING)
        lowest = min(lowest, float(found[place]))
        other = [i for i in range(len(data)) if _song(data, i) != _song(data, place)]
        others = max(others, float(found[other].max()))
    log.info("%s: %d known, lowest %.2f, highest other %.2f", change, known, lowest, others)
    assert len(clips) == 30
    assert known >= 29
    assert others < SAME_RECORDING


def test_all_pairs_of_the_archive(
    data: Dataset, prints: list[NDArray[np.int8]], shared: Path
) -> None:
    place = {name: i for i, name in enumerate(data.names)}
    listed = {(place[a], place[b]) for a, b in duplicate_pairs(shared / "gtzan")}
    joined, highest = set(), -1.0
    for i in range(len(prints) - 1):
        for j, found in enumerate(MATCHER.match(prints[i], prints[i + 1 :]), i + 1):
            if found >= SAME_RECORDING:
                joined.add((i, j))
            elif _song(data, i) != _song(data, j):
                highest = max(highest, float(found))
    new = joined - listed
    log.info(
        "%d of %d listed pairs, highest other %.2f", len(joined & listed), len(listed), highest
    )
    for i, j in sorted(new):
        log.info("not listed: %s %s %s", data.names[i], data.names[j], _song(data, i))
    assert listed <= joined
    assert all(_song(data, i) == _song(data, j) for i, j in new)
    assert len(new) <= 7  # further excerpts of listed songs, at one clear shift


def _song(data: Dataset, i: int) -> tuple[str, str]:
    """Return artist and title; the excerpt's own name where they are unknown."""
    return (data.artists[i], data.titles[i]) if data.titles[i] else ("", data.names[i])
