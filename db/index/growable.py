"""The served tracks of a model in memory: they grow in place, and readers keep what they have."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from db.catalogue_rows import REMOVED, CatalogueRows, LabelColumn

Array = NDArray[Any]


class GrowableIndex:
    """Columns with room to spare, and ``rows``, the view of them that readers are given.

    A view never changes: what is added is written behind its end, and what must change in front of
    it is changed in a copy of the ids. So an addition costs what is added, and a removal 8 bytes a
    track; the matrix is copied once in a while, when the room is used up or much of it is dead.

    ``room`` is a writable matrix whose first rows are those of ``rows``, where there is one.
    """

    def __init__(self, rows: CatalogueRows, room: NDArray[np.float32] | None = None) -> None:
        self.rows = rows
        self._matrix = rows.matrix if room is None else room
        self._ids = rows.ids
        self._words = {
            name: _Words(labels)
            for name, labels in (
                ("artists", rows.artists), ("genres", rows.genres), ("scopes", rows.scopes)
            )
        }  # fmt: skip

    def update(
        self, revision: int, added: CatalogueRows, gone: Collection[int]
    ) -> CatalogueRows:  # fmt: skip
        """Take rows out and put others in; an id that is added again replaces its row."""
        gone = set(gone) | set(added.ids.tolist())
        dead = np.isin(self.rows.ids, np.fromiter(gone, np.int64, count=len(gone)))
        if dead.any():
            self._ids = np.where(dead, REMOVED, self.rows.ids)
        start, end = len(self.rows.ids), len(self.rows.ids) + len(added.ids)
        self._matrix = _put(self._matrix, start, added.matrix)
        self._ids = _put(self._ids, start, added.ids)
        for name, labels in (
            ("artists", added.artists), ("genres", added.genres), ("scopes", added.scopes)
        ):  # fmt: skip
            self._words[name].put(start, labels)
        self._publish(revision, end)
        if np.count_nonzero(self.rows.ids == REMOVED) > max(1024, end // 4):
            self._compact()
        return self.rows

    def _publish(self, revision: int, end: int) -> None:
        self.rows = CatalogueRows(
            revision=revision,
            model_id=self.rows.model_id,
            ids=_view(self._ids, end),
            matrix=_view(self._matrix, end),
            **{name: words.labels(end) for name, words in self._words.items()},
        )

    def _compact(self) -> None:
        live = np.flatnonzero(self.rows.ids != REMOVED)
        self._matrix, self._ids = self.rows.matrix[live], self.rows.ids[live]
        for words in self._words.values():
            words.codes = words.codes[live]
        self._publish(self.rows.revision, len(live))


class _Words:
    """A column of words that grows: codes with room to spare, and what they mean."""

    def __init__(self, labels: LabelColumn) -> None:
        self.codes = labels.codes
        self._names = labels.names
        self._place: dict[str, int] | None = None

    def put(self, start: int, labels: LabelColumn) -> None:
        """Write a column from a row on."""
        if self._place is None:  # made when first needed: most libraries seldom change
            self._place = {name: code for code, name in enumerate(self._names)}
        place = self._place
        codes = [place.setdefault(name, len(place)) for name in labels.names]
        if len(place) > len(self._names):
            self._names = tuple(place)
        self.codes = _put(self.codes, start, np.array(codes, dtype=np.int32)[labels.codes])

    def labels(self, end: int) -> LabelColumn:
        """Return the column up to a row."""
        return LabelColumn(_view(self.codes, end), self._names)


def spare(count: int) -> int:
    """Return how many rows to make room for, where there are ``count``.

    An eighth more: memory that is not written yet costs nothing, and so growing costs eight rows
    copied for each one added, at most.
    """
    return count + count // 8 + 1024


def _put(array: Array, start: int, more: Array) -> Array:
    """Write rows from ``start`` on, and return the array, a larger one where it has no room."""
    if not len(more):
        return array
    end = start + len(more)
    if end > len(array) or not array.flags.writeable:
        larger = np.empty((spare(end), *array.shape[1:]), dtype=array.dtype)
        larger[:start] = array[:start]
        array = larger
    array[start:end] = more
    return array


def _view(array: Array, end: int) -> Array:
    view = array[:end]
    view.flags.writeable = False
    return view
