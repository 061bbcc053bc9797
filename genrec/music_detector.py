"""Music detector: the probability that a clip is music and not speech, an effect or noise.

Small networks with one hidden layer work on `music_features`, and their mean decides. They do not
depend on a preset's network, so one detector serves every preset. docs/music-detector.md has data
and figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.bounds import check_array, load_arrays
from genrec.music_features import music_features

Float = NDArray[np.float32]

MUSIC_BELOW = 0.5  # threshold: a clip with a lower probability is no music
PREFIX = "music_"  # of the detector's arrays in an npz file

_FIELDS = ("mean", "scale", "hidden", "hidden_bias", "output", "output_bias")
_MAX_NETWORKS, _MAX_UNITS, _MAX_FEATURES = 64, 1_024, 4_096
_MAX_BYTES = 16 * 2**20
_CLIP = 4.0  # deviations; further values would reach where no training clip was


@dataclass(frozen=True, slots=True, eq=False)
class MusicDetector:
    """Networks with one hidden layer, and the scale of their input.

    Attributes
    ----------
    mean, scale
        float32 (d,): means and deviations of `music_features` over the training clips.
    hidden, hidden_bias
        float32 (networks, d, units) and (networks, units): the rectified layer.
    output, output_bias
        float32 (networks, units) and (networks,): the log odds of music. The biases are such that
        `MUSIC_BELOW` is the threshold.
    """

    mean: Float
    scale: Float
    hidden: Float
    hidden_bias: Float
    output: Float
    output_bias: Float

    def __post_init__(self) -> None:
        if self.hidden.ndim != 3:
            raise ValueError(f"hidden: {self.hidden.ndim} axes, expected 3")
        networks, features, units = self.hidden.shape
        largest = (_MAX_NETWORKS, _MAX_FEATURES, _MAX_UNITS)
        if any(n > most for n, most in zip(self.hidden.shape, largest, strict=True)):
            raise ValueError(f"hidden: shape {self.hidden.shape}, expected at most {largest}")
        check_array("mean", self.mean, (features,))
        check_array("scale", self.scale, (features,))
        check_array("hidden", self.hidden, (networks, features, units))
        check_array("hidden_bias", self.hidden_bias, (networks, units))
        check_array("output", self.output, (networks, units))
        check_array("output_bias", self.output_bias, (networks,))
        if not (self.scale > 0).all():
            raise ValueError("scale: a value is not positive")

    def probability(self, S_db: Float) -> float:
        """Return the probability that a clip is music, 0..1.

        Parameters
        ----------
        S_db
            float32 (128, columns) in dB relative to its maximum, from the default front end; see
            `music_features`.

        Raises
        ------
        ValueError
            The spectrogram does not have 128 bands, has no column, or the detector was made for
            other features.
        """
        return self.probability_of(music_features(S_db))

    def probability_of(self, features: Float) -> float:
        """Return the probability for features (d,) of `music_features`."""
        if features.shape != self.mean.shape:
            raise ValueError(f"features: shape {features.shape}, expected {self.mean.shape}")
        x = np.clip((features - self.mean) / self.scale, -_CLIP, _CLIP)
        units = np.maximum(np.einsum("d,mdu->mu", x, self.hidden) + self.hidden_bias, 0)
        log_odds = float(np.mean((units * self.output).sum(axis=1) + self.output_bias))
        return float(1 / (1 + np.exp(-np.clip(log_odds, -30, 30))))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> MusicDetector:
        """Return the detector in arrays of an npz file; other arrays are ignored.

        Parameters
        ----------
        arrays
            The fields by their names after `PREFIX`, as from `arrays`.

        Raises
        ------
        KeyError
            An array is missing.
        ValueError
            An array has a wrong shape or a value that is not finite.
        """
        return cls(*(np.asarray(arrays[PREFIX + name], dtype=np.float32) for name in _FIELDS))

    def arrays(self) -> dict[str, NDArray[np.float16 | np.float32]]:
        """Return the fields by their names after `PREFIX`; the large one is float16."""
        found: dict[str, NDArray[Any]] = {
            PREFIX + name: getattr(self, name).astype(np.float32) for name in _FIELDS
        }
        found[PREFIX + "hidden"] = self.hidden.astype(np.float16)
        return found

    @classmethod
    def load(cls, path: Path) -> MusicDetector:
        """Return the detector in an npz file, such as ``models/music_detector.npz``.

        Raises
        ------
        OSError
            The file cannot be read.
        KeyError, ValueError
            It is not an npz file, is too large, or holds no valid detector.
        """
        return cls.from_arrays(load_arrays(path, max_bytes=_MAX_BYTES))
