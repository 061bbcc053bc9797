"""Active tracks of a model as columns that grow in place, while readers keep immutable views."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from db.catalogue_rows import REMOVED, CatalogueRows, LabelColumn

Array = NDArray[Any]


class GrowableIndex:
    """Columns with spare capacity, and ``rows``, an immutable view of them for readers.

    Added rows are written behind the end of every view. Removed rows get the id REMOVED in a copy
    of the ids. So an addition costs only its own rows, and a removal 8 bytes for each track. The
    matrix is copied when its capacity is used up or a quarter of its rows are removed.

    ``capacity`` is a writable matrix whose first rows are those of ``rows``, if there is one.
    """

    def __init__(self, rows: CatalogueRows, capacity: NDArray[np.float32] | None = None) -> None:
        self.rows = rows
        self._matrix = rows.matrix if capacity is None else capacity
        self._ids = rows.ids
        self._descriptions = rows.descriptions
        self._damaged = rows.damaged
        self._labels = {
            name: _GrowableLabels(labels)
            for name, labels in (
                ("artists", rows.artists), ("genres", rows.genres), ("scopes", rows.scopes)
            )
        }  # fmt: skip

    def update(
        self, revision: int, added: CatalogueRows, removed: Collection[int]
    ) -> CatalogueRows:
        """Remove and append rows and return the new view; an added id replaces its old row."""
        gone = set(removed) | set(added.ids.tolist())
        self._damaged = (self._damaged - gone) | added.damaged
        dead = np.isin(self.rows.ids, np.fromiter(gone, np.int64, count=len(gone)))
        if dead.any():
            self._ids = np.where(dead, REMOVED, self.rows.ids)
        start, end = len(self.rows.ids), len(self.rows.ids) + len(added.ids)
        self._matrix = _put(self._matrix, start, added.matrix)
        self._ids = _put(self._ids, start, added.ids)
        self._descriptions = _put(self._descriptions, start, added.descriptions)
        for name, labels in (
            ("artists", added.artists), ("genres", added.genres), ("scopes", added.scopes)
        ):  # fmt: skip
            self._labels[name].put(start, labels)
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
            descriptions=_view(self._descriptions, end),
            damaged=self._damaged,
            **{name: labels.column(end) for name, labels in self._labels.items()},
        )

    def _compact(self) -> None:
        live = np.flatnonzero(self.rows.ids != REMOVED)
        self._matrix, self._ids = self.rows.matrix[live], self.rows.ids[live]
        self._descriptions = self.rows.descriptions[live]
        for labels in self._labels.values():
            labels.codes = labels.codes[live]
        self._publish(self.rows.revision, len(live))


class _GrowableLabels:
    """A label column that grows: codes with spare capacity, and the distinct labels."""

    def __init__(self, labels: LabelColumn) -> None:
        self.codes = labels.codes
        self._names = labels.names
        self._code_of: dict[str, int] | None = None

    def put(self, start: int, labels: LabelColumn) -> None:
        """Write a column from row ``start`` on."""
        if self._code_of is None:  # built on first use, because most catalogues seldom change
            self._code_of = {name: code for code, name in enumerate(self._names)}
        code_of = self._code_of
        codes = [code_of.setdefault(name, len(code_of)) for name in labels.names]
        if len(code_of) > len(self._names):
            self._names = tuple(code_of)
        self.codes = _put(self.codes, start, np.array(codes, dtype=np.int32)[labels.codes])

    def column(self, end: int) -> LabelColumn:
        """Return the first ``end`` rows of the column."""
        return LabelColumn(_view(self.codes, end), self._names)


def with_room(count: int) -> int:
    """Return the capacity to allocate for ``count`` rows: an eighth more, and 1024.

    Memory that is never written costs nothing. With an eighth more, each added row causes at most
    eight copied rows.
    """
    return count + count // 8 + 1024


def _put(array: Array, start: int, rows: Array) -> Array:
    """Write rows from ``start`` on and return the array, or a larger copy if it is full."""
    if not len(rows):
        return array
    end = start + len(rows)
    if end > len(array) or not array.flags.writeable:
        larger = np.empty((with_room(end), *array.shape[1:]), dtype=array.dtype)
        larger[:start] = array[:start]
        array = larger
    array[start:end] = rows
    return array


def _view(array: Array, end: int) -> Array:
    view = array[:end]
    view.flags.writeable = False
    return view
