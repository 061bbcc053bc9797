"""Measure what everyday damage to a clip changes: coding, narrow bands, noise, length, loudness.

    genrec evaluate --preset models/vgg16 --data DIR --split all --robustness

An answer should be about the music, not about the file it came in.
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
from genrec.training.data.dataset import Dataset, Progress, silent

Float = NDArray[np.float32]
Ints = NDArray[np.int64]

K = 5
BLOCK = 4096


@dataclass(frozen=True, slots=True)
class QueryResult:
    """What a preset says of a clip: genre, embedding (d,), places of the five nearest tracks."""

    genre: str
    embedding: Float
    nearest: frozenset[int]


def robustness(
    analyzer: PresetAnalyzer, data: Dataset, indices: Ints, progress: Progress = silent
) -> list[dict[str, Any]]:
    """Compare what a preset says of excerpts as they are and after each of `CHANGES`.

    Parameters
    ----------
    analyzer
        The preset. Its starter catalogue is looked in, without the excerpt itself.
    data, indices
        The data set, and which excerpts; those without an audio file are left out.
    progress
        Told (done, of) after each changed clip.

    Returns
    -------
    One row a change, the first is none: ``change``, ``clips``, ``accuracy``, ``genre_kept`` (share
    of clips that keep the genre of the unchanged one), ``cosine_median`` and ``cosine_min`` (to the
    unchanged one's embedding) and ``four_of_five`` (share of clips that keep at least four of the
    five nearest tracks; null without a starter catalogue). Empty where no excerpt has audio.
    """
    heard = [int(i) for i in indices if data.names[int(i)] in data.audio]
    catalogue = analyzer.preset.starter()
    answers: dict[str, list[QueryResult]] = {name: [] for name in CHANGES}
    clips = changed_clips(analyzer, data, [data.names[i] for i in heard], CHANGES)
    for done, (name, change, path) in enumerate(clips, start=1):
        answers[change].append(_ask(analyzer, path, catalogue, name))
        progress(done, len(heard) * len(CHANGES))
    truth = [data.genres[i] for i in heard]
    return (
        [_row(change, found, answers[UNCHANGED], truth) for change, found in answers.items()]
        if heard
        else []
    )


def changed_clips(
    analyzer: PresetAnalyzer, data: Dataset, names: Iterable[str], changes: Iterable[str]
) -> Iterator[tuple[str, str, Path]]:
    """Write excerpts down after changes, one file at a time.

    Parameters
    ----------
    analyzer
        Whose rate the excerpts are brought to, and whose limits decide which seconds are taken.
    data, names
        The data set, and which excerpts; those without audio are left out.
    changes
        Keys of `CHANGES`.

    Yields
    ------
    (excerpt, change, file), every change of an excerpt before the next excerpt; the file is there
    until the next is asked for
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


def _ask(
    analyzer: PresetAnalyzer, path: Path, catalogue: StarterCatalogue | None, name: str
) -> QueryResult:
    found = analyzer.analyze(path)
    nearest: list[int] = []
    if catalogue is not None:
        order = np.argsort(-(catalogue.embeddings @ found.embedding), kind="stable")
        nearest = [int(i) for i in order if catalogue.names[i] != name][:K]
    return QueryResult(found.scores[0].label, found.embedding, frozenset(nearest))


def _row(
    change: str, found: list[QueryResult], unchanged: list[QueryResult], truth: list[str]
) -> dict[str, Any]:
    pairs = list(zip(found, unchanged, strict=True))
    cosines = [float(a.embedding @ b.embedding) for a, b in pairs]
    kept = [len(a.nearest & b.nearest) >= K - 1 for a, b in pairs]
    return {
        "change": change,
        "clips": len(found),
        "accuracy": float(np.mean([a.genre == t for a, t in zip(found, truth, strict=True)])),
        "genre_kept": float(np.mean([a.genre == b.genre for a, b in pairs])),
        "cosine_median": float(np.median(cosines)),
        "cosine_min": float(np.min(cosines)),
        "four_of_five": float(np.mean(kept)) if unchanged[0].nearest else None,
    }


Write = Callable[[Path, Float, int], None]


def _file(
    container: str, subtype: str, change: Callable[[Float, int], Float] = lambda y, sr: y
) -> Write:
    """Return what changes samples and writes them with libsndfile, in blocks: Vorbis wants that."""

    def write(path: Path, y: Float, sr: int) -> None:
        with soundfile.SoundFile(path, "w", sr, 1, format=container, subtype=subtype) as file:
            changed = change(y, sr)
            for start in range(0, len(changed), BLOCK):
                file.write(changed[start : start + BLOCK])

    return write


def _coded(container: str, codec: str, kbit_s: int, rate: int | None = None) -> Write:
    """Return what codes samples with FFmpeg, at ``rate`` where the codec knows no other."""

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
    _file("WAV", "PCM_16")(path, np.asarray(soxr.resample(y, sr, 16_000)), 16_000)


def _telephone(path: Path, y: Float, sr: int) -> None:
    """300 to 3,400 Hz at 8 kHz, in 8 bits of the mu law (ITU-T G.711)."""
    band = sosfilt(butter(4, (300, 3400), "bandpass", fs=sr, output="sos"), y)
    _file("WAV", "ULAW")(path, np.asarray(soxr.resample(band, sr, 8_000)), 8_000)


def _noisy(y: Float, sr: int) -> Float:  # noqa: ARG001
    """White noise, 20 dB under the music."""
    noise = np.random.default_rng(0).normal(0, 1, len(y))
    return np.asarray(y + noise * np.sqrt(np.mean(y**2)) / 10, dtype=np.float32)


def _middle(seconds: float) -> Callable[[Float, int], Float]:
    def cut(y: Float, sr: int) -> Float:
        wanted = min(len(y), round(seconds * sr))
        start = (len(y) - wanted) // 2
        return y[start : start + wanted]

    return cut


UNCHANGED = "none"
EVERYDAY = (
    "MP3",
    "MP3, 64 kbit/s",
    "Vorbis",
    "AAC, 128 kbit/s",
    "Opus, 96 kbit/s",
    "16 kHz",
    "noise at 20 dB",
)
"""What may happen to a clip on its way here and should change no answer."""
CHANGES: dict[str, Write] = {
    UNCHANGED: _file("WAV", "FLOAT"),
    "FLAC": _file("FLAC", "PCM_16"),
    "MP3": _file("MP3", "MPEG_LAYER_III"),
    "MP3, 64 kbit/s": _coded("mp3", "libmp3lame", 64),
    "Vorbis": _file("OGG", "VORBIS"),
    "AAC, 128 kbit/s": _coded("mp4", "aac", 128),
    "Opus, 96 kbit/s": _coded("webm", "libopus", 96, 48_000),
    "16 kHz": _at_16_khz,
    "telephone": _telephone,
    "noise at 20 dB": _file("WAV", "FLOAT", _noisy),
    "20 dB quieter": _file("WAV", "FLOAT", lambda y, sr: y * np.float32(0.1)),
    "10 s": _file("WAV", "FLOAT", _middle(10)),
    "5 s": _file("WAV", "FLOAT", _middle(5)),
}
