"""The starter catalogue of a preset behind the real recommender, for the figures of questions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bot.recommender import Recommender
from db.connection import open_db
from db.tracks import STARTER
from genrec.errors import DataError, UnsupportedFormat
from genrec.preset import Preset
from genrec.types import Analysis, Section, Track

Float = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class QuestionFigure:
    """One figure: what is measured, the result, and what was wanted.

    Attributes
    ----------
    name
        What is measured.
    result
        The result with its unit.
    reach
        What is wanted; empty for a figure to compare with.
    reached
        Whether the result is what is wanted; None for a figure to compare with.
    """

    name: str
    result: str
    reach: str = ""
    reached: bool | None = None


@dataclass(frozen=True, eq=False)
class StarterWorld:
    """A recommender that holds only the starter catalogue of its preset.

    Attributes
    ----------
    recommender
        The recommender, opened.
    tracks
        The n starter tracks, in the order of ``matrix``.
    matrix
        float32 (n, d), their embeddings; rows of length 1.
    seed
        Number that all random choices begin with.
    """

    recommender: Recommender
    tracks: Sequence[Track]
    matrix: Float
    seed: int = 0

    @cached_property
    def row(self) -> dict[int, int]:
        """The row of each track id."""
        return {track.id: row for row, track in enumerate(self.tracks)}

    @property
    def rng(self) -> np.random.Generator:
        """A new random generator, so that no figure depends on the ones before."""
        return np.random.default_rng(self.seed)

    def sample(self, count: int) -> list[int]:
        """Return ``count`` different rows, or all of them in a small catalogue."""
        n = len(self.tracks)
        return [int(i) for i in self.rng.choice(n, size=min(count, n), replace=False)]


class NoAnalyzer:
    """Stands for the worker pool: the figures ask with stored embeddings."""

    async def analyze(self, path: Path, section: Section | None = None) -> Analysis:
        """Raise UnsupportedFormat."""
        raise UnsupportedFormat(f"{path}, {section}: the figures of questions analyse no sound.")


@asynccontextmanager
async def open_starter_world(preset: Preset, seed: int = 0) -> AsyncIterator[StarterWorld]:
    """Open a recommender over the starter catalogue alone, in memory, and yield it.

    Raises
    ------
    DataError
        The preset has no starter catalogue.
    """
    async with open_db(":memory:") as db:
        recommender = Recommender(pool=NoAnalyzer(), database=db, preset=preset)
        await recommender.open()
        rows = await recommender.index.rows()
        tracks = await recommender.tracks(rows.ids.tolist(), (STARTER,))
        if not tracks:
            raise DataError(
                f"The preset {preset.name} has no starter catalogue: name another --preset."
            )
        place = {int(i): row for row, i in enumerate(rows.ids)}
        matrix = rows.matrix[[place[track.id] for track in tracks]]
        yield StarterWorld(recommender, tracks, matrix, seed)
