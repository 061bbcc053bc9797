"""Judge the music description on annotated audio files, beside librosa on the same files."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import librosa
import numpy as np
from numpy.typing import NDArray

from genrec.audio.decode import decode
from genrec.errors import DataError
from genrec.listening import listen
from genrec.music_description import DescriptionModel
from genrec.pipeline import PresetAnalyzer
from genrec.training.data.dataset import Dataset, Progress, load_archive, no_progress
from genrec.training.description.annotations import read_annotations
from genrec.training.description.scores import key_figures, tempo_figures

Float = NDArray[np.float32]

# Krumhansl and Kessler 1982: key profiles of major and minor from probe tones.
PROFILES = (
    (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
)
CHROMAS: dict[str, Callable[..., Float]] = {
    "chroma_stft": librosa.feature.chroma_stft,
    "chroma_cqt": librosa.feature.chroma_cqt,
    "chroma_cens": librosa.feature.chroma_cens,
}


def judge_description(
    analyzer: PresetAnalyzer, data: Path, progress: Progress = no_progress
) -> dict[str, Any]:
    """Return scores of tempo and key on the audio files, of genrec and of librosa.

    Parameters
    ----------
    analyzer
        An analyzer whose preset has the default front end.
    data
        Folder with ``logmel.npz``, ``annotations.csv`` and ``audio/``.
    progress
        Called with (done, total) files.

    Raises
    ------
    DataError
        The folder has no audio file, or the preset has another front end.
    """
    model = analyzer.description_model
    dataset = load_archive(data)
    if model is None or not dataset.audio:
        raise DataError(
            f"Judging needs a preset with the default front end and files in {data / 'audio'}."
        )
    annotations = read_annotations(data, dataset)
    rows: dict[str, list[Any]] = {name: [] for name in ("genrec", "librosa", *CHROMAS, "key")}
    seconds: list[float] = []
    files = [i for i, name in enumerate(dataset.names) if name in dataset.audio]
    for done, index in enumerate(files):
        progress(done, len(files))
        bpm, key = float(annotations.bpm[index]), int(annotations.key[index])
        y, sr = _samples(analyzer, dataset, index)
        tempo, tonality, took = _described(analyzer, model, y)
        seconds.append(took)
        rows["genrec"].append((*tempo, bpm))
        rows["key"].append((*tonality, key))
        rows["librosa"].append((librosa_tempo(y, sr), 1.0, bpm))
        for name, chroma in CHROMAS.items():
            rows[name].append((template_key(chroma(y=y, sr=sr)), 1.0, key))
    progress(len(files), len(files))
    return {
        "files": len(files),
        "median_ms": round(1000 * float(np.median(seconds)), 2),
        "tempo": {
            "genrec": tempo_figures(rows["genrec"]),
            "librosa beat_track": _whole(tempo_figures(rows["librosa"])),
        },
        "key": {
            "genrec": key_figures(rows["key"]),
            **{f"librosa {name}": _whole(key_figures(rows[name])) for name in CHROMAS},
        },
    }


def _samples(analyzer: PresetAnalyzer, dataset: Dataset, index: int) -> tuple[Float, int]:
    sr = analyzer.preset.spectrogram.sr
    return listen(decode(dataset.audio[dataset.names[index]], sr=sr).y, sr).y, sr


def _described(
    analyzer: PresetAnalyzer, model: DescriptionModel, y: Float
) -> tuple[tuple[float, float], tuple[int, float], float]:
    """Return tempo, key and the seconds that the whole description takes."""
    S_db, _ = analyzer.spectrogram(y)
    start = time.perf_counter()
    found = model.describe(S_db, float(np.mean(y**2)))
    took = time.perf_counter() - start
    return (found.bpm, found.bpm_confidence), (found.key, found.key_confidence), took


def librosa_tempo(y: Float, sr: int) -> float:
    """Return the tempo of ``librosa.beat.beat_track`` in beats a minute, with its defaults."""
    tempo, _ = librosa.beat.beat_track(y=y, sr=sr)
    return float(np.atleast_1d(tempo)[0])


def template_key(chromagram: Float) -> int:
    """Return the key whose profile correlates best with the mean of a chromagram (12, frames)."""
    mean = chromagram.mean(axis=1)
    turned = np.stack([np.roll(profile, tonic) for profile in PROFILES for tonic in range(12)])
    return int(np.argmax([np.corrcoef(mean, profile)[0, 1] for profile in turned]))


def _whole(figures: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of a method without confidence."""
    return {name: value for name, value in figures.items() if name != "shown"}
