"""Robustness to coding, band limits, noise, length and level, measured on audio files.

genrec evaluate --preset models/vgg16 --data DIR --split all --robustness
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from genrec.audio.decode import decode
from genrec.pipeline import PresetAnalyzer
from genrec.preset import StarterCatalogue
from genrec.training.data.dataset import Dataset, Progress, no_progress

Float = NDArray[np.float32]
Ints = NDArray[np.int64]

K = 5
BLOCK = 4096  # samples per write: libsndfile's Vorbis encoder crashes on long ones


@dataclass(frozen=True, slots=True)
class QueryResult:
    """Predicted genre, embedding (d,) and indices of the five nearest tracks of a clip."""

    genre: str
    embedding: Float
    nearest: frozenset[int]


def robustness(
    analyzer: PresetAnalyzer, data: Dataset, indices: Ints, progress: Progress = no_progress
) -> list[dict[str, Any]]:
    """Return a table of a preset's results on audio files, unchanged and after each of `CHANGES`.

    Parameters
    ----------
    analyzer
        The preset. Neighbours come from its starter catalogue, without the excerpt itself.
    data, indices
        The data set and the excerpts. Excerpts without audio are skipped.
    progress
        Called with (done, total) after each changed clip.

    Returns
    -------
    One row per change, the first is ``none``; empty if no excerpt has audio. Each row has
    ``change``, ``clips`` and ``accuracy``. ``genre_kept`` is the share of clips with the genre of
    the unchanged clip. ``cosine_median`` and ``cosine_min`` are cosines with the embedding of the
    unchanged clip. ``four_of_five`` is the share of clips that keep four of the five nearest
    tracks; it is null without a starter catalogue.
    """
    with_audio = [int(i) for i in indices if data.names[int(i)] in data.audio]
    if not with_audio:
        return []
    catalogue = analyzer.preset.starter()
    results: dict[str, list[QueryResult]] = {name: [] for name in CHANGES}
    clips = changed_clips(analyzer, data, [data.names[i] for i in with_audio], CHANGES)
    for done, (name, change, path) in enumerate(clips, start=1):
        results[change].append(_query(analyzer, path, catalogue, name))
        progress(done, len(with_audio) * len(CHANGES))
    truth = [data.genres[i] for i in with_audio]
    unchanged = results[UNCHANGED]
    return [_row(change, found, unchanged, truth) for change, found in results.items()]


def changed_clips(
    analyzer: PresetAnalyzer, data: Dataset, names: Iterable[str], changes: Iterable[str]
) -> Iterator[tuple[str, str, Path]]:
    """Write each excerpt's audio after each change to a temporary file, and yield its path.

    Parameters
    ----------
    analyzer
        Gives the sample rate and the limits of decoding.
    data, names
        The data set and the names of the excerpts. Excerpts without audio are skipped.
    changes
        Keys of `CHANGES`.

    Yields
    ------
    (excerpt's name, change, path), with all changes of an excerpt in a row; the next iteration
    overwrites the file
    """
    sr, changes = analyzer.preset.spectrogram.sr, tuple(changes)
    with tempfile.TemporaryDirectory(prefix="genrec-changed-") as folder:
        path = Path(folder) / "clip"
        for name in names:
            if name not in data.audio:
                continue
            y = decode(data.audio[name], sr=sr, limits=analyzer.limits).y
            for change in changes:
                CHANGES[change](path, y, sr)
                yield name, change, path


def _query(
    analyzer: PresetAnalyzer, path: Path, catalogue: StarterCatalogue | None, name: str
) -> QueryResult:
    analysis = analyzer.analyze(path)
    nearest: list[int] = []
    if catalogue is not None:
        order = np.argsort(-(catalogue.embeddings @ analysis.embedding), kind="stable")
        nearest = [int(i) for i in order if catalogue.names[i] != name][:K]
    return QueryResult(analysis.scores[0].label, analysis.embedding, frozenset(nearest))


def _row(
    change: str, found: list[QueryResult], unchanged: list[QueryResult], truth: list[str]
) -> dict[str, Any]:
    pairs = list(zip(found, unchanged, strict=True))
    cosines = [float(a.embedding @ b.embedding) for a, b in pairs]
    four_of_five = [len(a.nearest & b.nearest) >= K - 1 for a, b in pairs]
    return {
        "change": change,
        "clips": len(found),
        "accuracy": float(np.mean([a.genre == t for a, t in zip(found, truth, strict=True)])),
        "genre_kept": float(np.mean([a.genre == b.genre for a, b in pairs])),
        "cosine_median": float(np.median(cosines)),
        "cosine_min": float(np.min(cosines)),
        "four_of_five": float(np.mean(four_of_five)) if unchanged[0].nearest else None,
    }


WriteClip = Callable[[Path, Float, int], None]
"""Function (path, samples (n,), sample rate) that writes changed samples to a file."""


def _with_libsndfile(
    container: str, subtype: str, change: Callable[[Float, int], Float] = lambda y, sr: y
) -> WriteClip:
    """Return a function that writes samples with libsndfile, after ``change``."""

    def write(path: Path, y: Float, sr: int) -> None:
        with soundfile.SoundFile(path, "w", sr, 1, format=container, subtype=subtype) as file:
            changed = change(y, sr)
            for start in range(0, len(changed), BLOCK):
                file.write(changed[start : start + BLOCK])

    return write


def _with_ffmpeg(container: str, codec: str, kbit_s: int, rate: int | None = None) -> WriteClip:
    """Return a function that writes samples with FFmpeg, resampled to ``rate`` if given."""

    def write(path: Path, y: Float, sr: int) -> None:
        if rate is not None:
            y, sr = np.asarray(soxr.resample(y, sr, rate), dtype=np.float32), rate
        with av.open(path, "w", format=container) as output:
            stream = output.add_stream(codec, rate=sr, layout="mono")
            assert isinstance(stream, av.AudioStream)
            stream.codec_context.bit_rate = 1000 * kbit_s
            for start in range(0, len(y), BLOCK):
                part = np.ascontiguousarray(y[np.newaxis, start : start + BLOCK])
                frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
                frame.sample_rate, frame.pts = sr, start
                output.mux(stream.encode(frame))
            output.mux(stream.encode(None))

    return write


def _at_16_khz(path: Path, y: Float, sr: int) -> None:
    _with_libsndfile("WAV", "PCM_16")(path, np.asarray(soxr.resample(y, sr, 16_000)), 16_000)


def _telephone(path: Path, y: Float, sr: int) -> None:
    """Write samples in telephone quality: 300..3,400 Hz at 8 kHz in 8-bit mu law (ITU-T G.711)."""
    filtered = sosfilt(butter(4, (300, 3400), "bandpass", fs=sr, output="sos"), y)
    _with_libsndfile("WAV", "ULAW")(path, np.asarray(soxr.resample(filtered, sr, 8_000)), 8_000)


def _noisy(y: Float, sr: int) -> Float:  # noqa: ARG001
    """Return samples plus white noise at a signal-to-noise ratio of 20 dB."""
    noise = np.random.default_rng(0).normal(0, 1, len(y))
    return np.asarray(y + noise * np.sqrt(np.mean(y**2)) / 10, dtype=np.float32)


def _middle(seconds: float) -> Callable[[Float, int], Float]:
    def cut(y: Float, sr: int) -> Float:
        wanted = min(len(y), round(seconds * sr))
        start = (len(y) - wanted) // 2
        return y[start : start + wanted]

    return cut


UNCHANGED = "none"
COMMON_CHANGES = (
    "MP3",
    "MP3, 64 kbit/s",
    "Vorbis",
    "AAC, 128 kbit/s",
    "Opus, 96 kbit/s",
    "16 kHz",
    "noise at 20 dB",
)
"""Common changes of a clip's audio, which should not change its result."""
CHANGES: dict[str, WriteClip] = {
    UNCHANGED: _with_libsndfile("WAV", "FLOAT"),
    "FLAC": _with_libsndfile("FLAC", "PCM_16"),
    "MP3": _with_libsndfile("MP3", "MPEG_LAYER_III"),
    "MP3, 64 kbit/s": _with_ffmpeg("mp3", "libmp3lame", 64),
    "Vorbis": _with_libsndfile("OGG", "VORBIS"),
    "AAC, 128 kbit/s": _with_ffmpeg("mp4", "aac", 128),
    "Opus, 96 kbit/s": _with_ffmpeg("webm", "libopus", 96, 48_000),
    "16 kHz": _at_16_khz,
    "telephone": _telephone,
    "noise at 20 dB": _with_libsndfile("WAV", "FLOAT", _noisy),
    "20 dB quieter": _with_libsndfile("WAV", "FLOAT", lambda y, sr: y * np.float32(0.1)),
    "10 s": _with_libsndfile("WAV", "FLOAT", _middle(10)),
    "5 s": _with_libsndfile("WAV", "FLOAT", _middle(5)),
}
