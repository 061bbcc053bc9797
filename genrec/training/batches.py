"""Network inputs: augmented training batches, and all windows of a track."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
from numpy.typing import NDArray

from genrec.images import images, windows
from genrec.training.data.augment import NONE, augment_pair, mixup, random_crop_and_span
from genrec.training.data.dataset import Dataset, ExcerptTable, PictureDataset
from genrec.training.filterbank import band_centres
from genrec.training.further_outputs import Batch, join
from genrec.training.settings import TrainingSettings
from genrec.training.unlabelled import FurtherTargets, Span, WindowAnswers

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
    further
        A tagger's answers and unlabelled music; None without both. With it, targets and sample
        weights of a batch are dictionaries by output.

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
        further: FurtherTargets | None = None,
    ) -> None:
        super().__init__(workers=1)
        self.data, self.indices, self.settings = data, indices, settings
        self.soft_targets, self.further = soft_targets, further
        self.targets = one_hot(data, indices, data.labels)
        self.band_hz = band_centres(settings.spectrogram)
        self.epoch = 0

    def __len__(self) -> int:
        return max(1, len(self.indices) * self.settings.crops // self.settings.batch)

    def __getitem__(self, number: int) -> tuple[Float, Float] | Batch:
        s = self.settings
        rows = self.rows(number)
        rng = np.random.default_rng((s.seed, self.epoch, number))
        # One by one: whole excerpts (columns 0) have different lengths until they are images.
        drawn = [
            self._image(self.data, int(self.indices[i]), rng, undegraded=s.noisy_student)
            for i in rows
        ]
        x, y = np.concatenate([image for image, _ in drawn]), self.targets[rows]
        if self.further is None:
            x, y = mixup(x, y, s.augment, rng)
            return _student(x, s), self._taught(x, y)
        names = [self.data.names[self.indices[i]] for i in rows]
        answers = self.further.labelled_answers(names, [span for _, span in drawn])
        x, y, answers = mixup_with_answers(x, y, answers, lambda a, b: mixup(a, b, s.augment, rng))
        more = self.further.draw(rng, self._image) if self.further.songs else None
        return join((_student(x, s), self._taught(x, y), answers), more, self.further.outputs)

    def _taught(self, x: Float, y: Float) -> Float:
        """Return the targets of images, blended with the teachers' soft targets.

        The teachers get the last three channels: the undegraded images, if there are any.
        """
        if self.soft_targets is None:
            return y
        weight = self.settings.distill_weight
        seen = np.ascontiguousarray(x[..., -self.settings.image.shape[-1] :])
        return weight * self.soft_targets(seen) + (1 - weight) * y

    def rows(self, number: int) -> NDArray[np.int64]:
        """Return the positions in ``indices`` of batch ``number`` in the current epoch."""
        s = self.settings
        order = np.random.default_rng((s.seed, self.epoch)).permutation(
            np.tile(np.arange(len(self.indices)), s.crops)
        )
        return order[number * s.batch : (number + 1) * s.batch]

    def _image(
        self,
        data: ExcerptTable,
        index: int,
        rng: np.random.Generator,
        *,
        undegraded: bool = False,
    ) -> tuple[Float, Span]:
        """Return the image of an excerpt's random, augmented window, and the window's span.

        Of a picture, the whole. float32 (1, height, width, 3); with ``undegraded`` three more
        channels have the image of the window before its degradation.
        """
        s = self.settings
        if isinstance(data, PictureDataset):
            return data.image(index, s.image), (0.0, 0.0)
        pair, (first, end) = self._window(_spectrograms(data).spectrogram(index), rng)
        column_s = s.spectrogram.hop_length / s.spectrogram.sr
        wanted = np.stack(pair if undegraded else pair[:1])
        x = images(wanted, s.image, top_db=s.spectrogram.top_db)
        return np.concatenate(x, axis=-1)[np.newaxis], (first * column_s, end * column_s)

    def _window(
        self, S_db: Float, rng: np.random.Generator
    ) -> tuple[tuple[Float, Float], tuple[int, int]]:
        """Return a random window of a spectrogram, and the columns that it was cut from.

        The window is float32 (n_mels, columns), twice: augmented, and before its degradation.
        """
        s = self.settings
        if s.augment == NONE:
            S_windows = windows(S_db, s.image)
            chosen = np.asarray(S_windows[int(rng.integers(len(S_windows)))])
            return (chosen, chosen), (0, S_db.shape[1])
        window, span = random_crop_and_span(S_db, s.image.columns, s.augment, rng)
        pair = augment_pair(window, self.band_hz, s.spectrogram.top_db, s.augment, rng)
        return pair, span


def _student(x: Float, settings: TrainingSettings) -> Float:
    """Return the first three channels of images: those that the student gets."""
    return np.ascontiguousarray(x[..., : settings.image.shape[-1]])


def mixup_with_answers(
    x: Float,
    y: Float,
    answers: WindowAnswers,
    blend: Callable[[Float, Float], tuple[Float, Float]],
) -> tuple[Float, Float, WindowAnswers]:
    """Return images, targets and a teacher's answers, blended in the same proportions.

    A blend has answers if both of its windows have them.
    """
    has = np.stack([answers.has_tags, answers.has_layer], axis=1)
    x, every = blend(x, np.concatenate([y, answers.tags, answers.layer, has], axis=1))
    ends = np.cumsum([y.shape[1], answers.tags.shape[1], answers.layer.shape[1]])
    y, tags, layer, has = np.split(every, ends, axis=1)
    known = (has > 1 - 1e-4).astype(np.float32)
    return x, y, WindowAnswers(tags, layer, known[:, 0], known[:, 1])


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
