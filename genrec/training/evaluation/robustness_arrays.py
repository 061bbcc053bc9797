"""Robustness to band limits, coding, noise, length and level, measured on spectrograms.

``robustness`` is more exact, because it changes audio files. But most tracks of an archive have no
audio, and this module measures all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.pipeline import PresetAnalyzer
from genrec.spectrogram import SpectrogramConfig, add_noise_floor
from genrec.training.data.dataset import Dataset, Progress, no_progress
from genrec.training.evaluation.predict import truth_of
from genrec.training.filterbank import band_centres

Float = NDArray[np.float32]
Ints = NDArray[np.int64]
Change = Callable[[Float, Float, SpectrogramConfig], Float]


def robustness_arrays(
    analyzer: PresetAnalyzer, data: Dataset, indices: Ints, progress: Progress = no_progress
) -> list[dict[str, Any]]:
    """Return a table of the accuracy on spectrograms, unchanged and after each `ARRAY_CHANGES`.

    Parameters
    ----------
    analyzer
        The preset.
    data, indices
        The data set and the excerpts.
    progress
        Called with (done, total) after each excerpt.

    Returns
    -------
    One row per change, the first is ``none``: ``change``, ``tracks``, ``accuracy``, ``difference``
    (to the accuracy on unchanged tracks) and ``genre_kept`` (share of tracks with the genre of the
    unchanged track). Empty without tracks.
    """
    config = analyzer.preset.spectrogram
    band_hz = band_centres(config)
    predicted: dict[str, list[int]] = {name: [] for name in ARRAY_CHANGES}
    for done, index in enumerate(indices, start=1):
        S_db = data.spectrogram(int(index))
        for name in ARRAY_CHANGES:
            result = analyzer.predict_spectrogram(apply_change(S_db, name, band_hz, config))
            predicted[name].append(int(result.logits.argmax()))
        progress(done, len(indices))
    if not len(indices):
        return []
    truth, unchanged = truth_of(data, indices, analyzer.preset.labels), predicted[UNCHANGED]
    accuracy = {name: float(np.mean(truth == labels)) for name, labels in predicted.items()}
    return [
        {
            "change": name,
            "tracks": len(indices),
            "accuracy": accuracy[name],
            "difference": accuracy[name] - accuracy[UNCHANGED],
            "genre_kept": float(np.mean(np.equal(labels, unchanged))),
        }
        for name, labels in predicted.items()
    ]


def apply_change(S_db: Float, name: str, band_hz: Float, config: SpectrogramConfig) -> Float:
    """Return a spectrogram after one of `ARRAY_CHANGES`.

    Parameters
    ----------
    S_db
        float32 (n_mels, columns) in dB, -top_db..0.
    name
        A key of `ARRAY_CHANGES`.
    band_hz
        float32 (n_mels,), centre frequencies of the mel bands.
    config
        The front end.

    Returns
    -------
    float32 (n_mels, any), with the same maximum; all at the floor if nothing is left
    """
    x = ARRAY_CHANGES[name](S_db.copy(), band_hz, config)
    floor, before, top = S_db.min(), S_db.max(), x.max()
    if not np.isfinite(top):
        return np.full_like(x, floor)
    # An archive's maximum is slightly below 0 dB; keep it, so that "none" changes nothing.
    return np.asarray(np.clip(x - (top - before), floor, before), dtype=np.float32)


def _band(low_hz: float, high_hz: float) -> Change:
    def limit(x: Float, band_hz: Float, config: SpectrogramConfig) -> Float:  # noqa: ARG001
        x[(band_hz < low_hz) | (band_hz > high_hz)] = -np.inf
        return x

    return limit


def _mp3(x: Float, band_hz: Float, config: SpectrogramConfig) -> Float:  # noqa: ARG001
    """Return a spectrogram with the losses of MP3 at 64 kbit/s, approximately.

    On eight GTZAN excerpts coded by LAME, bands above 10 kHz lost 19 to 29 dB. The median change of
    the other bands was below 0.5 dB. Cells 60 dB below the maximum of their column are emptied
    too, as a guess at coarser encoders that was not measured.
    """
    x[x < x.max(axis=0) - 60] = -np.inf
    x[band_hz > 10_000] -= 25
    return x


def _middle(seconds: float) -> Change:
    def cut(x: Float, band_hz: Float, config: SpectrogramConfig) -> Float:  # noqa: ARG001
        wanted = min(x.shape[1], round(seconds / config.column_s))
        start = (x.shape[1] - wanted) // 2
        return x[:, start : start + wanted]

    return cut


UNCHANGED = "none"
ARRAY_CHANGES: dict[str, Change] = {
    UNCHANGED: lambda x, band_hz, config: x,
    "up to 8 kHz": _band(0, 8_000),
    "like MP3, 64 kbit/s": _mp3,
    "10 s": _middle(10),
    "5 s": _middle(5),
    "300 to 3,400 Hz": _band(300, 3_400),
    "even noise, -20 dB": lambda x, band_hz, config: add_noise_floor(x, -20.0),
    # Spectrograms are relative to their maximum, so this must change nothing.
    "20 dB quieter": lambda x, band_hz, config: x - np.float32(20),
}
