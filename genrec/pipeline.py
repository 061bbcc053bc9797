"""The pipeline from a sound file to embedding and genre scores. Read this module first.

    file -> y -> log-mel spectrogram -> windows -> images -> network -> embedding, genre scores

Each stage can be called alone: :meth:`PresetAnalyzer.analyze` takes a file,
:meth:`PresetAnalyzer.predict` takes samples, :meth:`PresetAnalyzer.predict_spectrogram` takes a
log-mel spectrogram.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from genrec.audio.decode import decode
from genrec.audio.limits import DecodeLimits
from genrec.embedder import Embedder
from genrec.fingerprint import fingerprint
from genrec.images import images, tta_variants, windows
from genrec.preset import Preset
from genrec.spectrogram import log_mel, preview
from genrec.types import Analysis, GenreScore, Section

Float = NDArray[np.float32]
T = TypeVar("T")

# Clips of at most so many windows get test-time augmentation: up to 14.9 s with the shipped
# presets. docs/experiments.md has the effect.
FEW_WINDOWS = 2


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """Network outputs for one spectrogram.

    Attributes
    ----------
    features
        float32 (d,), the input of the classification layer, as mean over the windows.
    logits
        float32 (labels,), the mean over the windows; with test-time augmentation also over the
        windows of the variants.
    """

    features: Float
    logits: Float


class PresetAnalyzer:
    """Analyzer of one preset: returns embedding, genre scores, fingerprint and preview of a clip.

    Parameters
    ----------
    preset
        A loaded preset.
    threads
        CPU threads the network may use.
    limits
        Limits of accepted files and of the decoded part; None for the defaults.
    """

    def __init__(
        self, preset: Preset, *, threads: int = 1, limits: DecodeLimits | None = None
    ) -> None:
        self.preset = preset
        self.limits = limits or DecodeLimits()
        self.embedder = Embedder(preset.network, threads=threads)

    @property
    def model_id(self) -> str:
        """Model id of the preset: its name, ``@`` and 12 hex digits of its content hash."""
        return self.preset.model_id

    def analyze(self, path: Path, section: Section | None = None) -> Analysis:
        """Return the analysis of one file.

        Parameters
        ----------
        path
            A sound file on this machine.
        section
            Section of the file that is analysed; None for the whole file.

        Raises
        ------
        InputRefused
            The file cannot be decoded, or is outside the limits.
        """
        preset, timed = self.preset, Stopwatch()
        limits = replace(self.limits, section=section)
        audio = timed("decode", lambda: decode(path, sr=preset.spectrogram.sr, limits=limits))
        S_db = timed("spectrogram", lambda: self.spectrogram(audio.y))
        prediction = timed("network", lambda: self.predict_spectrogram(S_db))
        return Analysis(
            model_id=preset.model_id,
            embedding=self.embedding(prediction.features),
            scores=self.scores(prediction.logits),
            fingerprint=fingerprint(S_db),
            duration_s=audio.duration_s,
            analyzed_s=len(audio.y) / audio.sr,
            timings_ms=timed.ms,
            preview=preview(S_db, preset.spectrogram.top_db),
        )

    def spectrogram(self, y: Float) -> Float:
        """Return the log-mel spectrogram in dB, float32 (n_mels, columns), of samples (n,)."""
        return log_mel(y, self.preset.spectrogram, self.preset.mel_basis)

    def predict(self, y: Float) -> Prediction:
        """Return the prediction for samples, float32 (n,), mono at the preset's rate."""
        return self.predict_spectrogram(self.spectrogram(y))

    def predict_spectrogram(self, S_db: Float) -> Prediction:
        """Return the prediction for a log-mel spectrogram.

        A clip of at most `FEW_WINDOWS` windows gets test-time augmentation: its logits are the mean
        over the spectrogram and its `tta_variants`. With the shipped presets that costs at most as
        much as a clip of 30 s. The features are those of the spectrogram alone. A preset with
        ``columns=0``, where the whole spectrogram is one window, gets no augmentation.

        Parameters
        ----------
        S_db
            float32 (n_mels, columns), in dB relative to its maximum.
        """
        preset = self.preset
        S_windows = windows(S_db, preset.image)
        count = len(S_windows)
        if preset.image.columns and count <= FEW_WINDOWS:
            variants = [windows(variant, preset.image) for variant in tta_variants(S_db)]
            S_windows = np.concatenate([S_windows, *variants])
        features, logits = self.embedder(
            images(S_windows, preset.image, top_db=preset.spectrogram.top_db)
        )
        return Prediction(features[:count].mean(axis=0), logits.mean(axis=0))

    def embedding(self, features: Float) -> Float:
        """Return the embedding of features: centred, projected and of length 1.

        The features of a rectified layer are all positive. Without centring, the mean cosine of
        unrelated tracks is 0.999 before training; the paper reports 1.000. The projection keeps
        directions in which tracks differ and drops those that coding a clip changes.

        Parameters
        ----------
        features
            float32 (features,), as in `Prediction`.

        Returns
        -------
        float32 (d,)
        """
        projected = (features - self.preset.centre) @ self.preset.projection
        length = max(float(np.linalg.norm(projected)), 1e-12)
        return np.asarray(projected / length, dtype=np.float32)

    def scores(self, logits: Float) -> tuple[GenreScore, ...]:
        """Return every genre with its calibrated probability, most probable first.

        The probabilities are the softmax of logits / temperature (Guo et al. 2017).

        Parameters
        ----------
        logits
            float32 (labels,), as in `Prediction`.
        """
        scaled = logits.astype(np.float64) / self.preset.calibration.temperature
        p = np.exp(scaled - scaled.max())
        p /= p.sum()
        return tuple(GenreScore(self.preset.labels[i], float(p[i])) for i in np.argsort(-p))


class Stopwatch:
    """Durations of named stages in milliseconds, in ``ms``."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = {}

    def __call__(self, stage: str, call: Callable[[], T]) -> T:
        """Run ``call``, store its duration under ``stage`` and return its result."""
        start = time.perf_counter()
        result = call()
        self.ms[stage] = round(1000 * (time.perf_counter() - start), 3)
        return result


def load_analyzer(folder: str, max_analyzed_s: float) -> PresetAnalyzer:
    """Return the analyzer of a preset, run once so that the first clip takes no longer than others.

    Parameters
    ----------
    folder
        A models/NAME folder.
    max_analyzed_s
        Number of seconds that are analysed of a longer file, from its middle.
    """
    limits = DecodeLimits(max_seconds=max_analyzed_s)
    analyzer = PresetAnalyzer(Preset.load(Path(folder)), limits=limits)
    sr = analyzer.preset.spectrogram.sr
    noise = np.random.default_rng(0).normal(0, 0.1, round(max_analyzed_s * sr)).astype(np.float32)
    analyzer.predict(noise)
    return analyzer
