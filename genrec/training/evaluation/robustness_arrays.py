"""Play everyday damage on spectrograms: rougher than real files, but for every track of a part.

``robustness`` changes audio and is the truth where there is some; most tracks of an archive have
none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.pipeline import PresetAnalyzer
from genrec.spectrogram import SpectrogramConfig, add_noise_floor
from genrec.training.data.dataset import Dataset, Progress, silent
from genrec.training.evaluation.predict import truth_of
from genrec.training.front_end import band_centres

Float = NDArray[np.float32]
Ints = NDArray[np.int64]
Change = Callable[[Float, Float, SpectrogramConfig], Float]


def robustness_arrays(
    analyzer: PresetAnalyzer, data: Dataset, indices: Ints, progress: Progress = silent
) -> list[dict[str, Any]]:
    """Compare the accuracy on spectrograms as they are and after each of `ARRAY_CHANGES`.

    Parameters
    ----------
    analyzer
        The preset.
    data, indices
        The data set, and which excerpts.
    progress
        Told (done, of) after each excerpt.

    Returns
    -------
    One row a change, the first is none: ``change``, ``tracks``, ``accuracy``, ``difference`` (to
    the accuracy on unchanged tracks) and ``genre_kept`` (share of tracks that keep the genre heard
    in the unchanged one). Empty where there are no tracks.
    """
    config = analyzer.preset.spectrogram
    band_hz = band_centres(config)
    answers: dict[str, list[int]] = {name: [] for name in ARRAY_CHANGES}
    for done, index in enumerate(indices, start=1):
        S_db = data.spectrogram(int(index))
        for name in ARRAY_CHANGES:
            heard = analyzer.predict_spectrogram(changed(S_db, name, band_hz, config))
            answers[name].append(int(heard.logits.argmax()))
        progress(done, len(indices))
    if not len(indices):
        return []
    truth, unchanged = truth_of(data, indices, analyzer.preset.labels), answers[UNCHANGED]
    accuracy = {name: float(np.mean(truth == answer)) for name, answer in answers.items()}
    return [
        {
            "change": name,
            "tracks": len(indices),
            "accuracy": accuracy[name],
            "difference": accuracy[name] - accuracy[UNCHANGED],
            "genre_kept": float(np.mean(np.equal(answer, unchanged))),
        }
        for name, answer in answers.items()
    ]


def changed(S_db: Float, name: str, band_hz: Float, config: SpectrogramConfig) -> Float:
    """Return a spectrogram after one of `ARRAY_CHANGES`, again in dB below its maximum.

    Parameters
    ----------
    S_db
        float32 (n_mels, columns) in dB, -top_db..0.
    name
        A key of `ARRAY_CHANGES`.
    band_hz
        float32 (n_mels,), centre frequency of each mel band.
    config
        The front end.

    Returns
    -------
    float32 (n_mels, any), with the maximum it had; all at the floor where nothing is left
    """
    x = ARRAY_CHANGES[name](S_db.copy(), band_hz, config)
    floor, before, top = S_db.min(), S_db.max(), x.max()
    if not np.isfinite(top):
        return np.full_like(x, floor)
    # An archive's levels end a little under 0 dB: no change must stay none at all.
    return np.asarray(np.clip(x - (top - before), floor, before), dtype=np.float32)


def _band(low_hz: float, high_hz: float) -> Change:
    def limit(x: Float, band_hz: Float, config: SpectrogramConfig) -> Float:  # noqa: ARG001
        x[(band_hz < low_hz) | (band_hz > high_hz)] = -np.inf
        return x

    return limit


def _mp3(x: Float, band_hz: Float, config: SpectrogramConfig) -> Float:  # noqa: ARG001
    """Take away what 64 kbit/s have no bits for.

    Of eight GTZAN excerpts coded by LAME, bands above 10 kHz lost 19 to 29 dB and the rest changed
    by less than half a decibel in the median. What lies 60 dB below the loudest of its moment goes
    as well: a guess at coarser coders, not measured.
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
    # Levels are below the excerpt's own maximum, so this must change nothing.
    "20 dB quieter": lambda x, band_hz, config: x - np.float32(20),
}
