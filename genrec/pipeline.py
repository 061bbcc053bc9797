"""From a clip to its embedding and genres, as the paper has it. Read this first.

    file -> y -> log-mel spectrogram -> windows -> images -> network -> embedding, genre scores

Each stage can be called alone: :meth:`PresetAnalyzer.analyze` takes a file,
:meth:`PresetAnalyzer.predict` takes samples, :meth:`PresetAnalyzer.predict_spectrogram` takes a
log-mel spectrogram.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from genrec.audio.decode import AudioLimits, decode
from genrec.embedder import Embedder
from genrec.fingerprint import fingerprint
from genrec.images import images, tta_variants, windows
from genrec.preset import Preset
from genrec.spectrogram import log_mel, preview
from genrec.types import Analysis, GenreScore

Float = NDArray[np.float32]
T = TypeVar("T")

# Up to 14.9 s with the shipped presets. docs/experiments.md has what three ways to hear bring.
FEW_WINDOWS = 2


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What the network says of one spectrogram.

    Attributes
    ----------
    features
        float32 (d,), the mean over the windows of what lies before the classification layer.
    logits
        float32 (labels,), the mean over the windows, and over variants of them in a short clip.
    """

    features: Float
    logits: Float


class PresetAnalyzer:
    """A preset, ready to hear clips.

    Parameters
    ----------
    preset
        What to hear with.
    threads
        CPU threads the network may use.
    limits
        What is accepted, and which seconds are heard.
    """

    def __init__(
        self, preset: Preset, *, threads: int = 1, limits: AudioLimits | None = None
    ) -> None:
        self.preset = preset
        self.limits = limits or AudioLimits()
        self.embedder = Embedder(preset.network, threads=threads)

    @property
    def model_id(self) -> str:
        """The preset's name and content hash."""
        return self.preset.model_id

    def analyze(self, path: Path) -> Analysis:
        """Hear one file.

        Raises
        ------
        InputRefused
            The file is not a clip; the sentence says why.
        """
        preset, clock = self.preset, Stopwatch()
        sound = clock("decode", lambda: decode(path, sr=preset.spectrogram.sr, limits=self.limits))
        S_db = clock("spectrogram", lambda: self.spectrogram(sound.y))
        heard = clock("network", lambda: self.predict_spectrogram(S_db))
        return Analysis(
            model_id=preset.model_id,
            embedding=self.embedding(heard.features),
            scores=self.scores(heard.logits),
            fingerprint=fingerprint(S_db),
            duration_s=sound.duration_s,
            analyzed_s=len(sound.y) / sound.sr,
            timings_ms=clock.ms,
            preview=preview(S_db, preset.spectrogram.top_db),
        )

    def spectrogram(self, y: Float) -> Float:
        """Return the log-mel spectrogram (n_mels, columns) in dB of samples (n,)."""
        return log_mel(y, self.preset.spectrogram, self.preset.mel_basis)

    def predict(self, y: Float) -> Prediction:
        """Hear samples, float32 (n,) mono at the preset's rate."""
        return self.predict_spectrogram(self.spectrogram(y))

    def predict_spectrogram(self, S_db: Float) -> Prediction:
        """Look at a log-mel spectrogram (n_mels, columns), dB below its maximum.

        A clip of few windows gets test-time augmentation: its logits are the mean over the clip and
        its `tta_variants`. With the shipped presets that costs at most as much as a clip of 30 s.
        The features are those of the unchanged clip. A preset whose window is a whole excerpt uses
        no augmentation.
        """
        preset = self.preset
        patches = windows(S_db, preset.image)
        plain = len(patches)
        if preset.image.columns and plain <= FEW_WINDOWS:
            patches = np.concatenate(
                [windows(each, preset.image) for each in (S_db, *tta_variants(S_db))]
            )
        pictures = images(patches, preset.image, top_db=preset.spectrogram.top_db)
        features, logits = self.embedder(pictures)
        return Prediction(features[:plain].mean(axis=0), logits.mean(axis=0))

    def embedding(self, features: Float) -> Float:
        """Centre features on the training tracks' mean, project them, bring them to length 1.

        Uncentred, the features of a rectified layer point the same way for all music: the mean
        cosine of unrelated tracks is 0.999 before training, the paper's "Similarity: 1.000". The
        projection keeps what tells tracks apart and drops what coding a clip changes.
        """
        kept = (features - self.preset.centre) @ self.preset.projection
        return np.asarray(kept / max(float(np.linalg.norm(kept)), 1e-12), dtype=np.float32)

    def scores(self, logits: Float) -> tuple[GenreScore, ...]:
        """Return every genre with its calibrated probability, most probable first."""
        scaled = logits.astype(np.float64) / self.preset.calibration.temperature
        p = np.exp(scaled - scaled.max())
        p /= p.sum()
        return tuple(GenreScore(self.preset.labels[i], float(p[i])) for i in np.argsort(-p))


class Stopwatch:
    """Time named stages in milliseconds."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = {}

    def __call__(self, stage: str, work: Callable[[], T]) -> T:
        """Do the work and keep how long it took."""
        start = time.perf_counter()
        result = work()
        self.ms[stage] = round(1000 * (time.perf_counter() - start), 3)
        return result


def load_analyzer(folder: str, heard_s: float) -> PresetAnalyzer:
    """Load a preset and warm everything that its first clip would pay for.

    ``heard_s`` is how many seconds of a longer file are heard, from its middle.
    """
    analyzer = PresetAnalyzer(Preset.load(Path(folder)), limits=AudioLimits(max_seconds=heard_s))
    sr = analyzer.preset.spectrogram.sr
    noise = np.random.default_rng(0).normal(0, 0.1, round(heard_s * sr)).astype(np.float32)
    analyzer.predict(noise)
    return analyzer
