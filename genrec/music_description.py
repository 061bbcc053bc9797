"""Music description of a clip: tempo, key, loudness, brightness and more, from its spectrogram.

    log-mel spectrogram -> readings of tempi -> tempo, confidence
                        -> chroma            -> key, confidence
                        -> power of bands    -> loudness, dynamics, brightness, bass, density

The models of tempo and key are tables of weights that ``genrec fit-description`` fits.
They do not depend on a preset's network, so one file serves every preset.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genrec import sound_measures as measures
from genrec.bounds import check_array, load_arrays
from genrec.musical_key import KeyEstimate, chroma, estimate_key, key_features
from genrec.tempo import CANDIDATES, MIN_COLUMNS, TempoEstimate, estimate_tempo, tempo_features
from genrec.types import MusicDescription

Float = NDArray[np.float32]

BANDS, COLUMN_S = 128, 1708 / 22050  # of the default front end, which the models were fitted on
MODEL_FILE = Path(__file__).with_name("music_description.npz")
_MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class DescriptionModel:
    """Weights of the models of tempo and key.

    Attributes
    ----------
    tempo_weights, tempo_prior
        float32 (d,) and (candidates,), see `genrec.tempo.estimate_tempo`.
    key_weights, key_bias
        float32 (2, d) and (2,), see `genrec.musical_key.estimate_key`.
    """

    tempo_weights: Float
    tempo_prior: Float
    key_weights: Float
    key_bias: Float

    def __post_init__(self) -> None:
        check_array("tempo_weights", self.tempo_weights, (self.tempo_weights.size,))
        check_array("tempo_prior", self.tempo_prior, (CANDIDATES.size,))
        check_array("key_weights", self.key_weights, (2, *self.key_weights.shape[1:2]))
        check_array("key_bias", self.key_bias, (2,))

    @classmethod
    def load(cls, path: Path = MODEL_FILE) -> DescriptionModel:
        """Return the model in an npz file.

        Raises
        ------
        OSError
            The file cannot be read.
        KeyError, ValueError
            It is not an npz file, is too large, or holds no valid model.
        """
        arrays = load_arrays(path, max_bytes=_MAX_BYTES)
        names = ("tempo_weights", "tempo_prior", "key_weights", "key_bias")
        return cls(*(np.asarray(arrays[name], dtype=np.float32) for name in names))

    def tempo(self, S_db: Float) -> TempoEstimate:
        """Return the tempo of a log-mel spectrogram; confidence 0 for one of less than 3 s."""
        if S_db.shape[1] < MIN_COLUMNS:
            return TempoEstimate(0.0, 0.0)
        features = tempo_features(S_db, COLUMN_S)
        return estimate_tempo(features, self.tempo_weights, self.tempo_prior)

    def key(self, S_db: Float) -> KeyEstimate:
        """Return the key of a log-mel spectrogram."""
        centres = measures.mel_edges()[1:-1].astype(np.float32)
        features = key_features(chroma(S_db, centres), S_db.shape[1] * COLUMN_S)
        return estimate_key(features, self.key_weights, self.key_bias)

    def describe(self, S_db: Float, mean_square: float) -> MusicDescription:
        """Return the music description of a clip.

        Parameters
        ----------
        S_db
            float32 (128, columns) in dB relative to its maximum, from the default front end.
        mean_square
            Mean square of the samples, full scale 1.

        Raises
        ------
        ValueError
            The spectrogram does not have 128 bands, or has no column.
        """
        if S_db.ndim != 2 or S_db.shape[0] != BANDS or S_db.shape[1] == 0:
            raise ValueError(f"S_db: shape {S_db.shape}, expected ({BANDS}, 1 or more)")
        edges = measures.mel_edges()
        power = measures.power_of_bands(S_db, edges)
        tempo, key = self.tempo(S_db), self.key(S_db)
        lufs, dynamics = measures.loudness(power, edges, mean_square, COLUMN_S)
        return MusicDescription(
            bpm=tempo.bpm,
            bpm_confidence=tempo.confidence,
            key=key.key,
            key_confidence=key.confidence,
            loudness_lufs=lufs,
            dynamics_lu=dynamics,
            brightness_hz=measures.brightness(S_db, edges),
            bass=measures.bass_share(power, edges),
            onsets_per_s=measures.onset_density(S_db, COLUMN_S),
        )
