"""Mix the channels of a sound to one, without losing music to cancellation.

The mean of the channels is the usual mono mix. Where the right channel is the left one upside down,
the mean is silent although each channel has music. `ChannelStats` compares the mean's energy with
the channels', and `MonoMix` then takes the channels' first principal component instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

# Energy of the mean, relative to that of uncorrelated channels. Equal channels have 2 (stereo), a
# stereo recording 1 to 2, a single live channel 1, inverted channels 0. Below 0.5 the side of a
# stereo sound, (left - right) / 2, has more than three times the energy of the mean.
CANCELLED = 0.5
# Every so many samples are compared: a prime number, so that few tones are in step with it.
STRIDE = 31


@dataclass(frozen=True, slots=True)
class MonoMix:
    """Weights of the channels in the mono mix.

    Attributes
    ----------
    weights
        One factor for each channel; None for the mean of all channels.
    """

    weights: tuple[float, ...] | None = None

    def apply(self, planes: NDArray[Any], *, out: Samples) -> Samples:
        """Write the mix of ``planes`` (channels, n) to ``out`` (n,); return it.

        Weights of another number of channels are ignored, as after a change in mid-stream.
        """
        weights = self.weights
        # ``planes.mean(axis=0)`` takes 40 times as long.
        # An overflow becomes inf without a warning; `decode` checks the samples at the end.
        with np.errstate(over="ignore", invalid="ignore"):
            if weights is not None and len(weights) == len(planes):
                out[:] = planes[0] * np.float32(weights[0])
                for plane, weight in zip(planes[1:], weights[1:], strict=True):
                    out += plane * np.float32(weight)
                return out
            out[:] = planes[0]
            for plane in planes[1:]:
                out += plane
            if len(planes) > 1:
                out *= np.float32(1 / len(planes))
        return out


MEAN = MonoMix()


class ChannelStats:
    """Covariance of the channels, summed over blocks of samples."""

    def __init__(self) -> None:
        self._gram = np.zeros((0, 0))
        self._sum = np.zeros(0)
        self._count = 0

    def add(self, planes: NDArray[Any]) -> None:
        """Count every `STRIDE`-th sample of ``planes`` (channels, n).

        Blocks with another number of channels than the first are ignored.
        """
        channels = len(planes)
        if channels < 2:
            return
        if not self._count:
            self._gram, self._sum = np.zeros((channels, channels)), np.zeros(channels)
        if len(self._sum) != channels:
            return
        part = np.ascontiguousarray(planes[:, ::STRIDE], np.float32)
        with np.errstate(over="ignore", invalid="ignore"):
            self._gram += part @ part.T
            self._sum += part.sum(axis=1, dtype=np.float64)
        self._count += part.shape[1]

    def mix(self) -> MonoMix:
        """Return the mix for these channels: their mean, unless they cancel each other in it.

        The weights of the principal component (Pearson 1901) are scaled to a sum of magnitudes of
        1, and the largest is positive. So two inverted channels give the left one.
        """
        if not self._count:
            return MEAN
        with np.errstate(over="ignore", invalid="ignore"):
            mean = self._sum / self._count
            covariance = self._gram / self._count - np.outer(mean, mean)
        total = float(np.trace(covariance))
        if not np.isfinite(covariance).all() or float(covariance.sum()) >= CANCELLED * total:
            return MEAN
        weights = np.linalg.eigh(covariance)[1][:, -1]
        weights = weights * np.sign(
            weights[np.argmax(np.abs(weights) > 0.99 * np.abs(weights).max())]
        )
        weights /= np.abs(weights).sum()
        return MonoMix(tuple(float(weight) for weight in weights))
