"""Answers of a music tagger to a data set: a file beside its archive, and targets of windows."""

from __future__ import annotations

import itertools
import zipfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genrec.errors import DataError
from genrec.files import atomic_write

Float = NDArray[np.float32]
Half = NDArray[np.float16]

ANSWERS = "teacher.npz"


@dataclass(frozen=True, eq=False, kw_only=True)
class TeacherAnswers:
    """Answers of a tagger to patches of excerpts; one row a patch.

    Attributes
    ----------
    teacher
        Name and licence of the tagger.
    tags
        Names of the tags.
    excerpts
        str (patches,), the excerpt of each patch; the patches of an excerpt are neighbours.
    start_s
        float32 (patches,), start of each patch.
    patch_s
        Length of a patch in s.
    probabilities
        float16 (patches, tags), 0..1.
    layer
        float16 (patches, units), the tagger's last hidden layer; no units if it is unknown.
    """

    teacher: str
    tags: Sequence[str]
    excerpts: NDArray[np.str_]
    start_s: Float
    patch_s: float
    probabilities: Half
    layer: Half

    @cached_property
    def rows(self) -> Mapping[str, slice]:
        """The patches of each excerpt."""
        changes = np.flatnonzero(self.excerpts[1:] != self.excerpts[:-1]) + 1
        ends = [0, *changes.tolist(), len(self.excerpts)]
        pairs = itertools.pairwise(ends)
        return {str(self.excerpts[a]): slice(a, b) for a, b in pairs if b > a}

    def window(self, excerpt: str, start_s: float, end_s: float) -> tuple[Float, Float] | None:
        """Return the mean answers to a window: probabilities (tags,) and layer (units,).

        The mean is over the patches whose middle lies in the window, or the patch with the middle
        nearest to that of the window. None if the excerpt has no answers.
        """
        rows = self.rows.get(excerpt)
        if rows is None:
            return None
        middles = self.start_s[rows] + self.patch_s / 2
        inside = (middles >= start_s) & (middles < end_s)
        if not inside.any():
            inside[np.abs(middles - (start_s + end_s) / 2).argmin()] = True
        chosen = self.probabilities[rows][inside], self.layer[rows][inside]
        return chosen[0].mean(axis=0, dtype=np.float32), chosen[1].mean(axis=0, dtype=np.float32)

    def excerpt_means(self, names: Sequence[str]) -> Float:
        """Return the mean tag probabilities of excerpts, float32 (names, tags); NaN without one."""
        return self._means(self.probabilities, names)

    def layer_means(self, names: Sequence[str]) -> Float:
        """Return the mean hidden layer of excerpts, float32 (names, units); NaN without one."""
        return self._means(self.layer, names)

    def _means(self, patches: Half, names: Sequence[str]) -> Float:
        out = np.full((len(names), patches.shape[1]), np.nan, dtype=np.float32)
        for i, name in enumerate(names):
            if name in self.rows:
                out[i] = patches[self.rows[name]].mean(axis=0, dtype=np.float32)
        return out

    def only(self, names: Collection[str]) -> TeacherAnswers:
        """Return the answers to the named excerpts."""
        kept = np.isin(self.excerpts, list(names))
        return TeacherAnswers(
            teacher=self.teacher,
            tags=self.tags,
            excerpts=self.excerpts[kept],
            start_s=self.start_s[kept],
            patch_s=self.patch_s,
            probabilities=self.probabilities[kept],
            layer=self.layer[kept],
        )

    def refuse(self, names: Collection[str], path: Path) -> None:
        """Raise DataError if there are answers to one of the named excerpts.

        Parameters
        ----------
        names
            Excerpts that judge a network: those of the parts ``valid`` and ``test``.
        path
            The file of the answers, for the message.
        """
        if held_out := sorted(set(self.rows) & set(names)):
            raise DataError(
                f"{path} has answers to {len(held_out)} excerpts that this split does not train on,"
                f" such as {held_out[0]}. They may only judge a network; write the file for the"
                " training part with `genrec excerpt-answers` or `genrec published-answers`, both"
                " with --split SPLIT."
            )

    def save(self, path: Path) -> None:
        """Write the answers as an npz file."""
        with atomic_write(path) as part, part.open("wb") as file:
            np.savez_compressed(
                file,
                teacher=np.array(self.teacher),
                tags=np.array(list(self.tags)),
                excerpts=self.excerpts,
                start_s=self.start_s.astype(np.float32),
                patch_s=np.float32(self.patch_s),
                probabilities=self.probabilities.astype(np.float16),
                layer=self.layer.astype(np.float16),
            )


def load_answers(path: Path) -> TeacherAnswers:
    """Return the answers in a file of ``genrec teacher-answers``, or in the folder that has one.

    Raises
    ------
    DataError
        The file is missing or damaged, or its arrays have different numbers of rows.
    """
    path = path / ANSWERS if path.is_dir() else path
    try:
        with path.open("rb") as file, np.load(file) as stored:
            found = TeacherAnswers(
                teacher=str(stored["teacher"]),
                tags=[str(tag) for tag in stored["tags"]],
                excerpts=stored["excerpts"],
                start_s=stored["start_s"],
                patch_s=float(stored["patch_s"]),
                probabilities=stored["probabilities"],
                layer=stored["layer"],
            )
    except (OSError, EOFError, LookupError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path} cannot be read as a teacher's answers: {error}. Write it with"
            " `genrec teacher-answers`."
        ) from error
    rows = len(found.excerpts)
    shapes = [each.shape for each in (found.probabilities, found.layer)]
    if found.probabilities.shape != (rows, len(found.tags)) or any(
        len(each) != rows for each in (found.start_s, found.layer)
    ):
        raise DataError(
            f"{path} has {rows} patches of {len(found.tags)} tags, and arrays of {shapes}. Write it"
            " again with `genrec teacher-answers`."
        )
    return found


def published_answers(path: Path) -> TeacherAnswers:
    """Return published answers: a file with ``excerpt``, ``likelihood`` and ``tags``.

    One row a patch, one patch a second: ``likelihood`` is float16 (patches, tags). There is no
    hidden layer.

    Raises
    ------
    DataError
        The file is missing or damaged.
    """
    try:
        with path.open("rb") as file, np.load(file) as stored:
            names, probabilities = stored["excerpt"], stored["likelihood"].astype(np.float16)
            tags = [str(tag) for tag in stored["tags"]]
    except (OSError, EOFError, LookupError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path} cannot be read as published answers: {error}. It must hold excerpt,"
            " likelihood and tags."
        ) from error
    order = np.argsort(names, kind="stable")
    names, probabilities = names[order], probabilities[order]
    first = np.searchsorted(names, names)  # the first patch of each patch's excerpt
    return TeacherAnswers(
        teacher="MSD_musicnn (ISC)",
        tags=tags,
        excerpts=names,
        start_s=(np.arange(len(names)) - first).astype(np.float32),
        patch_s=3.0,
        probabilities=probabilities,
        layer=np.zeros((len(names), 0), dtype=np.float16),
    )
