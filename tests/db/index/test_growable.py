"""Served tracks in memory: a change is seen at once, costs little, and no reader notices."""

from __future__ import annotations

import numpy as np
import pytest

from db.catalogue_rows import CatalogueRows, build_rows
from db.index.growable import GrowableIndex, with_room
from tests.db.fakes import DIMENSION, LABELS, MODEL, content, unit


def rows(*ids: int, revision: int = 1, scope: str = "library", seed: int = 0) -> CatalogueRows:
    read = [
        (n, unit(n + seed).tobytes(), f"Artist {n % 5 + seed}", LABELS[n % 3], scope) for n in ids
    ]
    return build_rows(revision, MODEL, read, DIMENSION)


def test_what_is_added_removed_and_replaced_is_what_a_load_would_read() -> None:
    held = GrowableIndex(rows(1, 2, 3, 4, 5))
    held.update(2, rows(6, 7, scope="guild:5"), [2])
    now = held.update(3, rows(4, seed=50), [6, 99])
    expected = {**content(rows(1, 3, 5)), **content(rows(7, scope="guild:5"))}
    assert content(now) == {**expected, **content(rows(4, seed=50))}
    assert (now.revision, now.model_id) == (3, MODEL)
    assert now.ids[now.allowed(("library",))].tolist() == [1, 3, 5, 4]
    assert now.ids[now.allowed(("library", "guild:5"), LABELS[1])].tolist() == [1, 7, 4]
    assert now.ids[now.allowed(("library",), artist="artist 3")].tolist() == [3]
    assert not now.allowed(("library",), artist="nobody known").any()


def test_a_reader_keeps_what_it_was_given() -> None:
    held = GrowableIndex(rows(*range(1, 20)))
    views = [held.rows, *(held.update(n, rows(n), [n - 19]) for n in range(20, 40))]
    for n, view in enumerate(views, 19):
        assert sorted(content(view)) == list(range(n - 18, n + 1))
        assert all(content(view)[i] == content(rows(i))[i] for i in content(view))
        with pytest.raises(ValueError, match="read-only"):
            view.matrix[0, 0] = 1


def test_an_addition_does_not_copy_the_matrix() -> None:
    held = GrowableIndex(rows(1))
    moved = 0
    for n in range(2, 3000):
        before = held.rows.matrix
        moved += not np.shares_memory(held.update(n, rows(n), []).matrix, before)
    assert moved <= 4, "once for each time that the room is used up"
    assert held.rows.matrix.shape == (2999, DIMENSION)


def test_room_that_is_there_is_used() -> None:
    room = np.zeros((with_room(2), DIMENSION), dtype=np.float32)
    room[:2] = rows(1, 2).matrix
    now = GrowableIndex(rows(1, 2), room).update(2, rows(3), [])
    assert np.shares_memory(now.matrix, room)
    assert content(now) == content(rows(1, 2, 3))


def test_a_removal_leaves_the_matrix_where_it_is_until_much_is_dead() -> None:
    held = GrowableIndex(rows(*range(1, 3001)))
    before = held.rows.matrix
    some = held.update(2, rows(), range(1, 1001))
    assert np.shares_memory(some.matrix, before)
    assert len(some.ids) == 3000
    assert some.allowed(("library",)).sum() == 2000
    most = held.update(3, rows(), range(1001, 2001))
    assert most.ids.tolist() == list(range(2001, 3001))
    assert content(most) == content(rows(*range(2001, 3001)))
    assert content(held.update(4, rows(9), [])) == content(rows(9, *range(2001, 3001)))


def test_it_begins_with_nothing_and_can_end_so() -> None:
    held = GrowableIndex(rows())
    assert content(held.update(2, rows(1, 2), [])) == content(rows(1, 2))
    assert content(held.update(3, rows(), [1, 2])) == {}


def test_a_track_takes_no_more_than_its_vector_and_64_bytes() -> None:
    now = GrowableIndex(rows(*range(1, 101))).update(2, rows(*range(101, 201)), [])
    columns_held = (now.ids, now.artists.codes, now.genres.codes, now.scopes.codes)
    taken = now.matrix.nbytes + sum(column.nbytes for column in columns_held)
    assert taken / len(now.ids) <= 4 * DIMENSION + 64
