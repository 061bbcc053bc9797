"""Unlabelled music and a teacher's answers as further targets of a training run.

A network that learns genres from a few hundred excerpts also predicts what a tagger answers to
them, and to music without a genre (Hinton et al. 2015, "Distilling the knowledge in a neural
network"; Romero et al. 2015, "FitNets", for the hidden layer).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.errors import DataError
from genrec.training.data.augment import NONE
from genrec.training.data.dataset import Dataset, ExcerptTable, check_front_end, load_archive
from genrec.training.data.songs import KEPT_FOR_JUDGING, has_changed_songs, read_sources
from genrec.training.settings import TrainingSettings
from genrec.training.teachers.answers import ANSWERS, TeacherAnswers, load_answers

Float = NDArray[np.float32]
Span = tuple[float, float]
"""Start and end of a window in s, in its excerpt."""
DrawImage = Callable[[Dataset, int, np.random.Generator], tuple[Float, Span]]
"""Image, float32 (1, height, width, 3), of a random window of an excerpt, and its span."""
_WRITE_COPIES = "write them from the same music with `genrec archive FOLDER OUT --changed`."


@dataclass(frozen=True, slots=True, eq=False)
class WindowAnswers:
    """A teacher's answers to the windows of a batch.

    Attributes
    ----------
    tags, layer
        float32 (windows, tags) and (windows, units); zeros where they are unknown.
    has_tags, has_layer
        float32 (windows,), 1 where they are known and 0 elsewhere.
    """

    tags: Float
    layer: Float
    has_tags: Float
    has_layer: Float


class FurtherTargets:
    """The teacher's answers to labelled excerpts, and archives of unlabelled music.

    Parameters
    ----------
    settings
        Of the run: ``answers``, ``unlabelled``, ``changed`` and their weights.
    data, judging
        The labelled data set, and the names of its excerpts outside the training part.

    Attributes
    ----------
    tags, units
        Number of tags, and of units of the teacher's hidden layer; 0 without answers.

    Raises
    ------
    DataError
        A file is missing or damaged, has another front end or other tags, or has answers to
        excerpts that judge the network. An archive holds music that is kept for judging. There is
        nothing to learn from an archive: neither answers nor a weight of the contrast. An archive
        has changed songs and should not, or the other way round. A song has no changed copy, two of
        them, or one of another length.
    """

    def __init__(
        self, settings: TrainingSettings, data: ExcerptTable, judging: Sequence[str]
    ) -> None:
        if settings.augment == NONE or settings.trainable != "all":
            raise DataError(
                "--answers and --unlabelled need random windows and --trainable all; use --recipe"
                " genrec."
            )
        self.settings, self.labelled = settings, data
        self.answers: TeacherAnswers | None = None
        if settings.answers:
            self.answers = load_answers(Path(settings.answers))
            self.answers.refuse(judging, Path(settings.answers))
        folders = [Path(folder) for folder in settings.unlabelled]
        self.archives = [(load_archive(f), _archive_answers(f, settings)) for f in folders]
        for folder, (archive, _) in zip(folders, self.archives, strict=True):
            check_front_end(archive, settings.spectrogram, settings.image)
            if kept := [g for g in archive.genres if g.startswith(KEPT_FOR_JUDGING)]:
                raise DataError(f"{folder} has {kept[0]}, whose music only judges networks.")
            if has_changed_songs(folder):
                raise DataError(f"{folder} has changed songs: pass it as --changed.")
        self.changed = _changed_copies(settings, [each for each, _ in self.archives])
        known = [each for _, each in self.archives if each] + (
            [self.answers] if self.answers else []
        )
        if len({tuple(each.tags) for each in known}) > 1:
            raise DataError("The answers of --answers and --unlabelled have different tags.")
        self.teachers = sorted({each.teacher for each in known})
        self.tags = len(known[0].tags) if known else 0
        self.units = max((each.layer.shape[1] for each in known), default=0)
        self.scale_layer = standardiser([each.layer for each in known])
        songs = [
            (a, i) for a, (archive, _) in enumerate(self.archives) for i in range(len(archive))
        ]
        self.songs = songs
        seconds = [float(self.archives[a][0].n_columns[i]) for a, i in songs]
        self.chances = np.array(seconds) / sum(seconds) if songs else np.zeros(0)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the network's outputs that have targets."""
        has = {
            "logits": True,
            "tags": bool(self.tags),
            "layer": bool(self.units),
            "contrast": bool(self.settings.contrast_weight and self.songs),
        }
        return tuple(name for name, there in has.items() if there)

    def labelled_answers(self, names: Sequence[str], spans: Sequence[Span]) -> WindowAnswers:
        """Return the answers to windows of labelled excerpts."""
        pairs = zip(names, spans, strict=True)
        return self._stacked([self._of(self.answers, name, span) for name, span in pairs])

    def draw(
        self, rng: np.random.Generator, image: DrawImage
    ) -> tuple[Float, WindowAnswers, NDArray[np.int64]]:
        """Return two windows of each of some random songs, the second of its changed copy, if any.

        Songs are drawn in proportion to their length.

        Returns
        -------
        Images, float32 (windows, height, width, 3); the teacher's answers; and the number of each
        window's song
        """
        count = max(1, self.settings.unlabelled_batch // 2)
        chosen = np.repeat(rng.choice(len(self.songs), count, p=self.chances), 2)
        images, found = [], []
        for at, number in enumerate(chosen):
            which, index = self.songs[number]
            archive, answers = self.archives[which]
            heard = archive, index
            if at % 2 and self.changed:
                heard = self.changed[archive.names[index]]
            x, span = image(*heard, rng)
            images.append(x)
            found.append(self._of(answers, archive.names[index], span))
        return np.concatenate(images), self._stacked(found), chosen

    @property
    def packages(self) -> list[dict[str, Any]]:
        """The packages of the archives, with songs, hours and licences."""
        return [row for folder in self.settings.unlabelled for row in read_sources(Path(folder))]

    def _of(
        self, answers: TeacherAnswers | None, name: str, span: Span
    ) -> tuple[Float | None, Float | None]:
        found = answers.window(name, *span) if answers else None
        if found is None:
            return None, None
        return found[0], self.scale_layer(found[1]) if len(found[1]) else None

    def _stacked(self, found: Sequence[tuple[Float | None, Float | None]]) -> WindowAnswers:
        tags, layer = (np.zeros((len(found), n), np.float32) for n in (self.tags, self.units))
        for row, (t, u) in enumerate(found):
            if t is not None:
                tags[row] = t
            if u is not None:
                layer[row] = u
        return WindowAnswers(
            tags,
            layer,
            np.array([t is not None for t, _ in found], dtype=np.float32),
            np.array([u is not None for _, u in found], dtype=np.float32),
        )


def standardiser(layers: Sequence[NDArray[np.float16]]) -> Callable[[Float], Float]:
    """Return a function that gives each unit of a hidden layer the mean 0 and the deviation 1.

    The units of musicnn's layer are positive: two patches of free music have a mean cosine of about
    0.6, so unstandardised answers say less about what sets songs apart.

    Parameters
    ----------
    layers
        float16 (patches, units) of each file of answers; files without units are left out.
    """
    known = [each.astype(np.float32) for each in layers if each.shape[1]]
    if not known:
        return lambda layer: layer
    patches = np.concatenate(known)
    mean, deviation = patches.mean(axis=0), patches.std(axis=0) + 1e-3
    return lambda layer: (layer - mean) / deviation


def further_targets(
    settings: TrainingSettings, data: ExcerptTable, judging: Sequence[str]
) -> FurtherTargets | None:
    """Return the further targets of a run; None if its settings name none."""
    if not settings.answers and not settings.unlabelled and not settings.changed:
        return None
    return FurtherTargets(settings, data, judging)


def _changed_copies(
    settings: TrainingSettings, archives: Sequence[Dataset]
) -> dict[str, tuple[Dataset, int]]:
    """Return where each song's changed copy is, by its name: the archive and the index there.

    Raises
    ------
    DataError
        There is no archive to change, an archive of copies does not fit, or a song has no copy.
    """
    if not settings.changed:
        return {}
    if not archives:
        raise DataError("--changed has copies of the songs of --unlabelled; pass both.")
    copies: dict[str, tuple[Dataset, int]] = {}
    for folder in map(Path, settings.changed):
        archive = load_archive(folder)
        check_front_end(archive, settings.spectrogram, settings.image)
        if not has_changed_songs(folder):
            raise DataError(f"{folder} has no changed songs; {_WRITE_COPIES}")
        if twice := copies.keys() & set(archive.names):
            raise DataError(f"Two archives of --changed have {min(twice)}; pass one of them.")
        copies |= {name: (archive, i) for i, name in enumerate(archive.names)}
    for archive in archives:
        for name, columns in zip(archive.names, archive.n_columns, strict=True):
            copy, i = copies.get(name, (None, 0))
            if copy is None or copy.n_columns[i] != columns:
                raise DataError(f"--changed has no copy of {name} with its length; {_WRITE_COPIES}")
    return copies


def _archive_answers(folder: Path, settings: TrainingSettings) -> TeacherAnswers | None:
    """Return the answers beside an archive; None if it has none and the contrast has a weight."""
    if not (folder / ANSWERS).is_file() and settings.contrast_weight:
        return None
    return load_answers(folder)
