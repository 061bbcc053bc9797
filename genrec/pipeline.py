"""The pipeline from a sound file to embedding and genre scores. Read this module first.

    file -> y -> sounding y -> log-mel spectrogram -> windows -> images -> network
         -> embedding, genre scores
                                    -> tempo, key, loudness and more

Each stage can be called alone: :meth:`PresetAnalyzer.analyze` takes a file,
:func:`genrec.listening.listen` and :meth:`PresetAnalyzer.predict` take samples,
:meth:`PresetAnalyzer.predict_spectrogram` takes a log-mel spectrogram.
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
from genrec.excerpt import cut_excerpt
from genrec.filters import block_length
from genrec.fingerprint import NO_FINGERPRINT, fingerprint
from genrec.images import images, window_choices, window_count, windows
from genrec.listening import levels, listen, parts_in_file
from genrec.music_description import DescriptionModel
from genrec.onsets import onset_strength, strongest_onset, window_starts
from genrec.pictures import lightness, picture_image, prepare_pictures, read_picture
from genrec.preset import Preset
from genrec.spectrogram import SpectrogramConfig, log_mel, preview
from genrec.types import Analysis, GenreScore, MusicDescription, Runtime, Section, SoundExcerpt

Float = NDArray[np.float32]
Ints = NDArray[np.int64]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """Network outputs for one clip.

    Attributes
    ----------
    features
        float32 (d,), the input of the classification layer, as mean over the windows.
    logits
        float32 (labels,), the mean over the windows.
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
    runtime
        Library that runs the network, as in :func:`genrec.runtimes.open_network`.
    """

    def __init__(
        self,
        preset: Preset,
        *,
        threads: int = 1,
        limits: DecodeLimits | None = None,
        runtime: Runtime = "litert",
    ) -> None:
        self.preset = preset
        self.limits = limits or DecodeLimits()
        self.embedder = Embedder(preset.network, threads=threads, runtime=runtime)
        default = preset.spectrogram == SpectrogramConfig()
        self.description_model = DescriptionModel.load() if default else None

    @property
    def model_id(self) -> str:
        """Model id of the preset: its name, ``@`` and 12 hex digits of its content hash."""
        return self.preset.model_id

    @property
    def runtime(self) -> Runtime:
        """Library that runs the network: ``litert`` or ``onnxruntime``."""
        return self.embedder.runtime

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
            The file cannot be decoded, is outside the limits, or holds no sound.
        """
        if self.preset.image.source == "picture":
            return self.analyze_picture(path)
        preset, timed = self.preset, Stopwatch()
        sr, limits = preset.spectrogram.sr, replace(self.limits, section=section)
        audio = timed("decode", lambda: decode(path, sr=sr, limits=limits))
        sounding = timed("listening", lambda: listen(audio.y, sr))
        y = sounding.y
        S_db, starts = timed("spectrogram", lambda: self.spectrogram(y))
        prediction = timed("network", lambda: self.predict_spectrogram(S_db, starts))
        return Analysis(
            model_id=preset.model_id,
            embedding=self.embedding(prediction.features),
            scores=self.scores(prediction.logits),
            fingerprint=fingerprint(S_db),
            duration_s=audio.duration_s,
            analyzed_s=y.size / sr,
            timings_ms=timed.ms,
            preview=preview(S_db, preset.spectrogram.top_db),
            music=self.music(S_db),
            description=timed("description", lambda: self.describe(S_db, y)),
            parts=parts_in_file(audio.parts, sounding.parts, sr),
        )

    def excerpt(self, path: Path, section: Section | None, seconds: float) -> SoundExcerpt:
        """Return an excerpt of the part of a file that `analyze` analyses.

        Parameters
        ----------
        path
            A sound file on this machine.
        section
            Section of the file; None for the whole file.
        seconds
            Longest length of the excerpt.

        Raises
        ------
        InputRefused
            The file cannot be decoded or is outside the limits.
        """
        return cut_excerpt(path, replace(self.limits, section=section), seconds)

    def analyze_picture(self, path: Path) -> Analysis:
        """Return the analysis of a plotted spectrogram, for a preset of pictures.

        A picture has no duration. Its fingerprint is empty, because its axes are unknown, so no
        picture is ever the same recording as another.

        Raises
        ------
        InputRefused
            The file is no PNG or JPEG picture, or is outside the limits.
        """
        image, timed = self.preset.image, Stopwatch()
        pixels = timed("decode", lambda: read_picture(path))
        x = timed("image", lambda: picture_image(pixels, image.height, image.width))
        prediction = timed("network", lambda: self.predict_images(x))
        top_db = self.preset.spectrogram.top_db
        return Analysis(
            model_id=self.preset.model_id,
            embedding=self.embedding(prediction.features),
            scores=self.scores(prediction.logits),
            fingerprint=NO_FINGERPRINT,
            duration_s=0.0,
            analyzed_s=0.0,
            timings_ms=timed.ms,
            preview=preview((lightness(x[0, ::-1]) - 1) * top_db, top_db),
        )

    def spectrogram(self, y: Float) -> tuple[Float, Ints]:
        """Return the log-mel spectrogram of samples, and the columns at which windows begin.

        One column lies on the strongest onset, and each window begins at the column nearest to the
        strongest onset of its share. So neither depends on where the clip begins.

        Parameters
        ----------
        y
            float32 (n,), mono at the preset's rate, from :func:`genrec.listening.listen`.

        Returns
        -------
        float32 (n_mels, columns) in dB relative to its maximum, and int (windows,)
        """
        config, image = self.preset.spectrogram, self.preset.image
        hop, step = config.hop_length, block_length(config.sr)
        strength = onset_strength(levels(y, step), step / config.sr)
        onset = round((strongest_onset(strength) + 0.5) * step)
        first = onset % min(hop, y.size)
        S_db = log_mel(y, config, self.preset.mel_basis, first=first)
        columns = S_db.shape[1]
        if not image.columns:
            return S_db, np.zeros(1, dtype=np.int64)
        choices = window_choices(columns, image)
        blocks = min(strength.size, 1 + (first + (choices - 1) * hop) // step)
        onsets = window_starts(strength, blocks, window_count(columns, image))
        nearest = np.round((onsets * step + step // 2 - first) / hop).astype(np.int64)
        return S_db, np.clip(nearest, 0, choices - 1)

    def music(self, S_db: Float) -> float:
        """Return the probability that a clip holds music, 0..1, from its log-mel spectrogram.

        It is 1 if the preset has no music detector.
        """
        detector = self.preset.music_detector
        return 1.0 if detector is None else detector.probability(S_db)

    def describe(self, S_db: Float, y: Float) -> MusicDescription | None:
        """Return the music description of a log-mel spectrogram and its samples.

        It is None if the preset's front end is not the default, on which its model was fitted.
        """
        model = self.description_model
        return None if model is None else model.describe(S_db, float(np.dot(y, y)) / y.size)

    def predict(self, y: Float) -> Prediction:
        """Return the prediction for samples, float32 (n,), mono at the preset's rate."""
        return self.predict_spectrogram(*self.spectrogram(y))

    def predict_spectrogram(self, S_db: Float, starts: Ints | None = None) -> Prediction:
        """Return the prediction for a log-mel spectrogram: the means over its windows.

        Parameters
        ----------
        S_db
            float32 (n_mels, columns), in dB relative to its maximum.
        starts
            int (windows,), from `spectrogram`. By default the onsets of the spectrogram's own
            columns, for one of an archive.
        """
        preset = self.preset
        S_windows = windows(S_db, preset.image, starts)
        return self.predict_images(
            images(S_windows, preset.image, top_db=preset.spectrogram.top_db)
        )

    def predict_images(self, x: Float) -> Prediction:
        """Return the mean prediction for network images, float32 (images, height, width, 3)."""
        features, logits = self.embedder(x)
        return Prediction(features.mean(axis=0), logits.mean(axis=0))

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


def load_analyzer(
    folder: str, max_analyzed_s: float, runtime: Runtime = "litert"
) -> PresetAnalyzer:
    """Return the analyzer of a preset, run once so that the first clip takes no longer than others.

    Parameters
    ----------
    folder
        A models/NAME folder.
    max_analyzed_s
        Number of seconds that are analysed of a longer file, from its middle.
    runtime
        Library that runs the network, as in :func:`genrec.runtimes.open_network`.
    """
    limits = DecodeLimits(max_seconds=max_analyzed_s)
    analyzer = PresetAnalyzer(Preset.load(Path(folder)), limits=limits, runtime=runtime)
    if analyzer.preset.image.source == "picture":
        prepare_pictures()
        analyzer.predict_images(np.zeros((1, *analyzer.preset.image.shape), dtype=np.float32))
        return analyzer
    sr = analyzer.preset.spectrogram.sr
    noise = np.random.default_rng(0).normal(0, 0.1, round(max_analyzed_s * sr)).astype(np.float32)
    analyzer.predict(noise)
    return analyzer
