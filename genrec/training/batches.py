"""Network inputs: augmented training batches, and all windows of a track."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
from numpy.typing import NDArray

from genrec.images import images, windows
from genrec.training.data.augment import NONE, augment_window, mixup, random_crop
from genrec.training.data.dataset import Dataset
from genrec.training.filterbank import band_centres
from genrec.training.settings import TrainingSettings

Float = NDArray[np.float32]


class TrainingBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Training batches: images of augmented random windows, deterministic in seed and epoch.

    Parameters
    ----------
    data, indices
        The data set and its training tracks.
    settings
        The run's settings.
    soft_targets
        Function from images to the mean probabilities of the teachers; None without teachers.

    Attributes
    ----------
    epoch
        Number of the epoch. With ``settings.seed`` it seeds the order and the augmentation.
    """

    def __init__(
        self,
        data: Dataset,
        indices: NDArray[np.int64],
        settings: TrainingSettings,
        soft_targets: Callable[[Float], Float] | None = None,
    ) -> None:
        super().__init__(workers=1)
        self.data, self.indices, self.settings = data, indices, settings
        self.soft_targets = soft_targets
        self.targets = one_hot(data, indices, data.labels)
        self.band_hz = band_centres(settings.spectrogram)
        self.epoch = 0

    def __len__(self) -> int:
        return max(1, len(self.indices) * self.settings.crops // self.settings.batch)

    def __getitem__(self, number: int) -> tuple[Float, Float]:
        s = self.settings
        rows = self.rows(number)
        rng = np.random.default_rng((s.seed, self.epoch, number))
        # One by one: whole excerpts (columns 0) have different lengths until they are images.
        crops = [self._window(int(self.indices[i]), rng)[np.newaxis] for i in rows]
        x = np.concatenate([images(crop, s.image, top_db=s.spectrogram.top_db) for crop in crops])
        x, y = mixup(x, self.targets[rows], s.augment, rng)
        if self.soft_targets is not None:
            y = s.distill_weight * self.soft_targets(x) + (1 - s.distill_weight) * y
        return x, y

    def rows(self, number: int) -> NDArray[np.int64]:
        """Return the positions in ``indices`` of batch ``number`` in the current epoch."""
        s = self.settings
        order = np.random.default_rng((s.seed, self.epoch)).permutation(
            np.tile(np.arange(len(self.indices)), s.crops)
        )
        return order[number * s.batch : (number + 1) * s.batch]

    def _window(self, index: int, rng: np.random.Generator) -> Float:
        """Return a random window of an excerpt, augmented, float32 (n_mels, columns)."""
        s = self.settings
        S_db = self.data.spectrogram(index)
        if s.augment == NONE:
            S_windows = windows(S_db, s.image)
            return np.asarray(S_windows[int(rng.integers(len(S_windows)))])
        window = random_crop(S_db, s.image.columns, s.augment, rng)
        return augment_window(window, self.band_hz, s.spectrogram.top_db, s.augment, rng)


def one_hot(data: Dataset, indices: NDArray[np.int64], labels: list[str]) -> Float:
    """Return the one-hot targets of excerpts, float32 (excerpts, labels)."""
    number = {label: i for i, label in enumerate(labels)}
    return np.eye(len(labels), dtype=np.float32)[[number[data.genres[i]] for i in indices]]


def all_windows(
    data: Dataset, indices: NDArray[np.int64], settings: TrainingSettings
) -> tuple[Float, NDArray[np.int64]]:
    """Return the images of all windows of the excerpts, and the position of each image's excerpt.

    Returns
    -------
    float32 (windows, height, width, 3), and int (windows,): positions in ``indices``
    """
    x, owner = [], []
    for position, index in enumerate(indices):
        S_windows = windows(data.spectrogram(int(index)), settings.image)
        x.append(images(S_windows, settings.image, top_db=settings.spectrogram.top_db))
        owner += [position] * len(S_windows)
    return np.concatenate(x), np.array(owner)
