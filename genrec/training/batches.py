"""Network inputs: augmented training batches, and all windows of a track."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
from numpy.typing import NDArray

from genrec.images import images, windows
from genrec.training.data.augment import NONE, augment_window, mixup, random_crop
from genrec.training.data.dataset import Dataset, ExcerptTable, PictureDataset
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
        data: ExcerptTable,
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
        x = np.concatenate([self._image(int(self.indices[i]), rng) for i in rows])
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

    def _image(self, index: int, rng: np.random.Generator) -> Float:
        """Return the image of an excerpt's random, augmented window; of a picture, the whole.

        float32 (1, height, width, 3)
        """
        s = self.settings
        if isinstance(self.data, PictureDataset):
            return self.data.image(index, s.image)
        window = self._window(_spectrograms(self.data).spectrogram(index), rng)
        return images(window[np.newaxis], s.image, top_db=s.spectrogram.top_db)

    def _window(self, S_db: Float, rng: np.random.Generator) -> Float:
        """Return a random window of a spectrogram, augmented, float32 (n_mels, columns)."""
        s = self.settings
        if s.augment == NONE:
            S_windows = windows(S_db, s.image)
            return np.asarray(S_windows[int(rng.integers(len(S_windows)))])
        window = random_crop(S_db, s.image.columns, s.augment, rng)
        return augment_window(window, self.band_hz, s.spectrogram.top_db, s.augment, rng)


def excerpt_images(data: ExcerptTable, index: int, settings: TrainingSettings) -> Float:
    """Return all images of an excerpt, float32 (windows, height, width, 3); of a picture, one."""
    if isinstance(data, PictureDataset):
        return data.image(index, settings.image)
    S_windows = windows(_spectrograms(data).spectrogram(index), settings.image)
    return images(S_windows, settings.image, top_db=settings.spectrogram.top_db)


def one_hot(data: ExcerptTable, indices: NDArray[np.int64], labels: list[str]) -> Float:
    """Return the one-hot targets of excerpts, float32 (excerpts, labels)."""
    number = {label: i for i, label in enumerate(labels)}
    return np.eye(len(labels), dtype=np.float32)[[number[data.genres[i]] for i in indices]]


def all_windows(
    data: ExcerptTable, indices: NDArray[np.int64], settings: TrainingSettings
) -> tuple[Float, NDArray[np.int64]]:
    """Return the images of all windows of the excerpts, and the position of each image's excerpt.

    Returns
    -------
    float32 (windows, height, width, 3), and int (windows,): positions in ``indices``
    """
    x = [excerpt_images(data, int(index), settings) for index in indices]
    return np.concatenate(x), np.repeat(np.arange(len(x)), [len(each) for each in x])


class WholeExcerpts(keras.utils.PyDataset):  # type: ignore[misc]
    """Images of excerpts that have one each, in order, made for each batch when it is needed.

    Parameters
    ----------
    data, indices, settings
        The data set, its excerpts, and the settings of a run whose images are whole excerpts.
    batch
        Largest number of images in a batch.
    """

    def __init__(
        self,
        data: ExcerptTable,
        indices: NDArray[np.int64],
        settings: TrainingSettings,
        batch: int = 16,
    ) -> None:
        super().__init__(workers=1)
        self.data, self.settings = data, settings
        self.batches = np.array_split(indices, max(1, -(-len(indices) // batch)))

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, number: int) -> tuple[Float]:
        return (all_windows(self.data, self.batches[number], self.settings)[0],)


def _spectrograms(data: ExcerptTable) -> Dataset:
    """Return a data set as one of spectrograms; ``train`` has checked that it is none of pictures.

    Raises
    ------
    TypeError
        It has no spectrograms.
    """
    if not isinstance(data, Dataset):
        raise TypeError(f"{type(data).__name__} has no spectrograms")
    return data
