"""Folds with artists apart."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from genrec.errors import DataError
from genrec.training.data.artist_folds import FOLD_SPLITS, artist_groups
from genrec.training.data.dataset import split
from tests.genrec.training.small import blank_data

GENRES = [genre for genre in ("jazz", "rock") for _ in range(60)]
ARTISTS = [f"{genre} {i // 3}" if i % 3 else "" for i, genre in enumerate(GENRES)]
DATA = blank_data(GENRES, artists=ARTISTS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder whose filtered split tests the last ten excerpts of each genre."""
    parts = (["train"] * 30 + ["valid"] * 20 + ["test"] * 10) * 2
    rows = [f"{name},{part}" for name, part in zip(DATA.names, parts, strict=True)]
    (tmp_path / "tracks.csv").write_text("\n".join(["excerpt,split_filtered", *rows]))
    return tmp_path


def test_folds_partition_train_and_valid_with_artists_apart(folder: Path) -> None:
    filtered = split(DATA, folder, "filtered")
    tested = Counter[int]()
    for name in FOLD_SPLITS:
        parts = split(DATA, folder, name)
        tested.update(parts["test"].tolist())
        members = [{DATA.artist_keys[i] for i in each} - {""} for each in parts.values()]
        assert not members[0] & members[1] | members[0] & members[2] | members[1] & members[2]
        assert all(len(each) for each in parts.values())
        genres = Counter(DATA.genres[i] for i in parts["test"])
        assert abs(genres["jazz"] - genres["rock"]) <= 4
        assert sorted(np.concatenate(list(parts.values()))) == sorted(
            [*filtered["train"], *filtered["valid"]]
        )
    assert tested == Counter([*filtered["train"], *filtered["valid"]])
    assert not set(filtered["test"]) & set(tested)


def test_fold_does_not_depend_on_the_order_of_excerpts(folder: Path) -> None:
    order = np.random.default_rng(0).permutation(len(DATA))
    shuffled = replace(
        DATA,
        names=[DATA.names[i] for i in order],
        genres=[DATA.genres[i] for i in order],
        artist_keys=[DATA.artist_keys[i] for i in order],
    )
    for part, indices in split(DATA, folder, "filtered-fold-2").items():
        again = split(shuffled, folder, "filtered-fold-2")[part]
        assert {DATA.names[i] for i in indices} == {shuffled.names[i] for i in again}


def test_duplicates_are_in_one_group() -> None:
    groups = artist_groups(
        ["a", "b", "c", "d"], ["ann", "bob", "", "bob"], [("a", "b"), ("c", "x")]
    )
    assert groups["a"] == groups["b"] == groups["d"]
    assert groups["c"] != groups["a"]


def test_fold_that_does_not_exist_raises(folder: Path) -> None:
    with pytest.raises(DataError, match=r"filtered-fold-6: there are 5 folds, filtered-fold-1 to"):
        split(DATA, folder, "filtered-fold-6")
