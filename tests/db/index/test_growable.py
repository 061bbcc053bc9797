"""Tests of the growable index: updates equal a load, cost little, and keep old views intact."""

from __future__ import annotations

import re

import numpy as np
import pytest

from db.catalogue_rows import CatalogueRows, build_rows
from db.index.growable import GrowableIndex, with_room
from genrec.description_codec import pack_description
from genrec.music_filter import MusicFilter
from genrec.preset import Preset
from tests.db.fakes import DIMENSION, LABELS, MODEL, content, description, unit
from tests.repository import ROOT


def rows(*ids: int, revision: int = 1, scope: str = "library", seed: int = 0) -> CatalogueRows:
    read = [
        (
            n, unit(n + seed).tobytes(), f"Artist {n % 5 + seed}", LABELS[n % 3], scope,
            pack_description(description(n + seed)),
        )
        for n in ids
    ]  # fmt: skip
    return build_rows(revision, MODEL, read, DIMENSION)


def test_updated_rows_equal_a_fresh_load() -> None:
    index = GrowableIndex(rows(1, 2, 3, 4, 5))
    index.update(2, rows(6, 7, scope="guild:5"), [2])
    rows_now = index.update(3, rows(4, seed=50), [6, 99])
    expected = {**content(rows(1, 3, 5)), **content(rows(7, scope="guild:5"))}
    assert content(rows_now) == {**expected, **content(rows(4, seed=50))}
    assert (rows_now.revision, rows_now.model_id) == (3, MODEL)
    assert rows_now.ids[rows_now.allowed(("library",))].tolist() == [1, 3, 5, 4]
    assert rows_now.ids[rows_now.allowed(("library", "guild:5"), LABELS[1])].tolist() == [1, 7, 4]
    assert rows_now.ids[rows_now.allowed(("library",), artist="artist 3")].tolist() == [3]
    assert not rows_now.allowed(("library",), artist="nobody known").any()
    tempi = MusicFilter(tempo=(80 + 3, 80 + 5))
    assert rows_now.ids[rows_now.allowed(("library",), music=tempi)].tolist() == [3, 5]


def test_size_counts_every_column() -> None:
    held = rows(*range(1, 101))
    assert held.size_bytes == 100 * (4 * DIMENSION + 56)
    assert GrowableIndex(held).update(2, rows(200), []).size_bytes == 101 * (4 * DIMENSION + 56)


@pytest.mark.parametrize("page", ["operators.md", "scale.md"])
def test_pages_name_the_bytes_of_a_track(page: str) -> None:
    dimension = Preset.load(ROOT / "models" / "resnet50").dimension
    each = rows(1).size_bytes - 4 * DIMENSION + 4 * dimension
    named = re.findall(r"(\d+) bytes (?:a track|in memory)", (ROOT / "docs" / page).read_text())
    assert named == [str(each)]


def test_view_stays_the_same_after_updates() -> None:
    index = GrowableIndex(rows(*range(1, 20)))
    views = [index.rows, *(index.update(n, rows(n), [n - 19]) for n in range(20, 40))]
    for n, view in enumerate(views, 19):
        assert sorted(content(view)) == list(range(n - 18, n + 1))
        assert all(content(view)[i] == content(rows(i))[i] for i in content(view))
        with pytest.raises(ValueError, match="read-only"):
            view.matrix[0, 0] = 1


def test_addition_does_not_copy_the_matrix() -> None:
    index = GrowableIndex(rows(1))
    copies = 0
    for n in range(2, 3000):
        before = index.rows.matrix
        copies += not np.shares_memory(index.update(n, rows(n), []).matrix, before)
    assert copies <= 4, "one copy each time the capacity is used up"
    assert index.rows.matrix.shape == (2999, DIMENSION)


def test_addition_uses_the_given_capacity() -> None:
    capacity = np.zeros((with_room(2), DIMENSION), dtype=np.float32)
    capacity[:2] = rows(1, 2).matrix
    rows_now = GrowableIndex(rows(1, 2), capacity).update(2, rows(3), [])
    assert np.shares_memory(rows_now.matrix, capacity)
    assert content(rows_now) == content(rows(1, 2, 3))


def test_removal_copies_the_matrix_only_when_a_quarter_is_removed() -> None:
    index = GrowableIndex(rows(*range(1, 3001)))
    before = index.rows.matrix
    early = index.update(2, rows(), range(1, 1001))
    assert np.shares_memory(early.matrix, before)
    assert len(early.ids) == 3000
    assert early.allowed(("library",)).sum() == 2000
    later = index.update(3, rows(), range(1001, 2001))
    assert later.ids.tolist() == list(range(2001, 3001))
    assert content(later) == content(rows(*range(2001, 3001)))
    assert content(index.update(4, rows(9), [])) == content(rows(9, *range(2001, 3001)))


def test_index_can_start_and_end_empty() -> None:
    index = GrowableIndex(rows())
    assert content(index.update(2, rows(1, 2), [])) == content(rows(1, 2))
    assert content(index.update(3, rows(), [1, 2])) == {}


def test_track_takes_at_most_its_vector_and_64_bytes() -> None:
    rows_now = GrowableIndex(rows(*range(1, 101))).update(2, rows(*range(101, 201)), [])
    columns = (
        rows_now.ids,
        rows_now.artists.codes,
        rows_now.genres.codes,
        rows_now.scopes.codes,
    )
    taken = rows_now.matrix.nbytes + sum(column.nbytes for column in columns)
    assert taken / len(rows_now.ids) <= 4 * DIMENSION + 64
