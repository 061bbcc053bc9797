"""Files of maps: written and read again, and ignored when they are damaged or of another map."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from db.map_cache import StoredMap, checksums, map_path, read_map, remove_maps, write_map

SCOPES = {"library", "starter"}


def stored(count: int = 12) -> StoredMap:
    rng = np.random.default_rng(2)
    return StoredMap(
        ids=np.arange(1, count + 1, dtype=np.int64),
        positions=rng.normal(size=(count, 2)).astype(np.float32),
        checksums=checksums(rng.normal(size=(count, 8)).astype(np.float32)),
        laid_out=np.ones(count, dtype=bool),
        size=count,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return map_path(str(tmp_path / "genrec.db"), "model", SCOPES)


def test_map_is_read_as_it_was_written(path: Path) -> None:
    one = stored()
    write_map(path, one, "model", SCOPES)
    found = read_map(path, "model", SCOPES)
    assert found is not None
    assert found.size == one.size
    for name in ("ids", "positions", "checksums", "laid_out"):
        assert np.array_equal(getattr(found, name), getattr(one, name))
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_maps_with_a_scope_are_removed(path: Path) -> None:
    kept, other = path.parent / "other.db-map-0.npz", path.parent / "genrec.db"
    for each in (kept, other):
        each.write_bytes(b"x")
    write_map(path, stored(), "model", SCOPES)
    for scopes in ({"guild:7"}, {"guild:7", "library"}, {"guild:77"}):
        write_map(map_path(str(other), "model", scopes), stored(), "model", scopes)
    path.with_name("genrec.db-map-1.npz").write_bytes(b"damaged")
    remove_maps(str(other), "guild:7")
    stays = map_path(str(other), "model", {"guild:77"})
    assert set(path.parent.iterdir()) == {path, kept, other, stays}


def test_map_of_another_model_or_of_other_scopes_is_ignored(path: Path) -> None:
    write_map(path, stored(), "model", SCOPES)
    assert read_map(path, "other", SCOPES) is None
    assert read_map(path, "model", {"library"}) is None
    assert map_path("a/genrec.db", "model", SCOPES) != map_path("a/genrec.db", "model", {"library"})


def test_damaged_map_is_ignored(path: Path) -> None:
    assert read_map(path, "model", SCOPES) is None
    write_map(path, stored(), "model", SCOPES)
    whole = path.read_bytes()
    for damaged in (b"", b"no archive", whole[: len(whole) // 2], whole[:-40] + bytes(40)):
        path.write_bytes(damaged)
        assert read_map(path, "model", SCOPES) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"positions": np.full((12, 2), np.nan, np.float32)},
        {"positions": np.zeros((11, 2), np.float32)},
        {"ids": np.arange(12, dtype=np.int32)},
        {"laid_out": np.ones(3, dtype=bool)},
        {"size": 0},
    ],
)
def test_unsound_map_is_ignored(path: Path, changed: dict[str, object]) -> None:
    write_map(path, replace(stored(), **changed), "model", SCOPES)
    assert read_map(path, "model", SCOPES) is None


def test_checksum_tells_a_changed_embedding() -> None:
    matrix = np.random.default_rng(3).normal(size=(50, 64)).astype(np.float32)
    other = matrix.copy()
    other[7, 5] += 1e-6
    other[8] = other[8][::-1]
    assert np.flatnonzero(checksums(matrix) != checksums(other)).tolist() == [7, 8]


def test_oldest_of_many_maps_are_removed(tmp_path: Path) -> None:
    database = str(tmp_path / "genrec.db")
    for number in range(20):
        scopes = {f"guild:{number}"}
        write_map(map_path(database, "model", scopes), stored(), "model", scopes)
    assert len(list(tmp_path.iterdir())) == 16
    assert read_map(map_path(database, "model", {"guild:19"}), "model", {"guild:19"}) is not None
