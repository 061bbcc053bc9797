"""Tests of the snapshot file: it is read as written or ignored, and a kill keeps the old one."""

from __future__ import annotations

import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from db.catalogue_rows import REMOVED, CatalogueRows, build_rows
from db.index.growable import GrowableIndex
from db.index.snapshot import read_snapshot, write_snapshot
from genrec import files
from genrec.description_codec import pack_description
from tests.db.fakes import DIMENSION, MODEL, content, description, unit
from tests.repository import ROOT

OTHER_MODEL = "fake@000000000002"
TOKEN = "a token"
WRITER = f"""
import sys
from pathlib import Path
from db.index.snapshot import read_snapshot, write_snapshot

path = Path(sys.argv[1])
index = read_snapshot(path, model_id="{MODEL}", token="{TOKEN}")
print("begun", flush=True)
while True:
    write_snapshot(path, index.rows, "{TOKEN}")
"""


@pytest.fixture
def rows() -> CatalogueRows:
    """Return thirty tracks, one of them removed."""
    described = pack_description(description(5))
    read_rows = [
        (n, unit(n).tobytes(), f"Artist {n % 7}", "rock", "library", described)
        for n in range(1, 31)
    ]
    index = GrowableIndex(build_rows(7, MODEL, read_rows, DIMENSION))
    return index.update(7, build_rows(7, MODEL, [], DIMENSION), [1])


def read(path: Path, model_id: str = MODEL, token: str = TOKEN) -> CatalogueRows | None:
    index = read_snapshot(path, model_id=model_id, token=token)
    return index and index.rows


def test_snapshot_is_read_as_written_without_removed_rows(
    tmp_path: Path, rows: CatalogueRows
) -> None:
    path = tmp_path / "a.db-tracks"
    write_snapshot(path, rows, TOKEN)
    again = read(path)
    assert again is not None
    assert content(again) == content(rows)
    assert (len(again.ids), again.revision, again.model_id) == (29, rows.revision, MODEL)
    assert again.matrix.dtype == np.float32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.glob("a.db-tracks*")) == [path]
    assert read(path, model_id=OTHER_MODEL) is None
    assert read(path, token="another") is None
    path.unlink()
    assert read(path) is None
    assert again.matrix.sum() == pytest.approx(content_sum(rows), rel=1e-4)


def content_sum(rows: CatalogueRows) -> float:
    return float(rows.matrix[rows.ids != REMOVED].sum())


def test_rows_added_to_a_mapped_matrix_do_not_change_the_file(
    tmp_path: Path, rows: CatalogueRows
) -> None:
    path = tmp_path / "a.db-tracks"
    write_snapshot(path, rows, TOKEN)
    written = path.read_bytes()
    index = read_snapshot(path, model_id=MODEL, token=TOKEN)
    assert index is not None
    before = index.rows.matrix
    now = index.update(99, rows, [])
    assert np.shares_memory(now.matrix, before)
    assert content(now) == {**content(index.rows), **content(rows)}
    assert path.read_bytes() == written


def test_damage_at_any_byte_is_detected(tmp_path: Path, rows: CatalogueRows) -> None:
    path = tmp_path / "a.db-tracks"
    write_snapshot(path, rows, TOKEN)
    whole = path.read_bytes()
    # Zero bytes are padding and spare capacity, which hold no data.
    used = np.flatnonzero(np.frombuffer(whole, np.uint8))
    for place in [*used[:: max(1, len(used) // 300)].tolist(), int(used[-1])]:
        damaged = bytearray(whole)
        damaged[place] ^= 0x10
        path.write_bytes(damaged)
        assert read(path) is None, f"byte {place}"


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.999])
def test_truncated_or_empty_snapshot_is_ignored(
    tmp_path: Path, rows: CatalogueRows, share: float
) -> None:
    path = tmp_path / "a.db-tracks"
    write_snapshot(path, rows, TOKEN)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    assert read(path) is None
    path.write_bytes(bytes(len(whole)))
    assert read(path) is None


@pytest.mark.parametrize("at", ["fsync", "replace"])
def test_write_killed_before_the_rename_keeps_the_old_snapshot(
    tmp_path: Path, rows: CatalogueRows, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    path = tmp_path / "a.db-tracks"
    write_snapshot(path, rows, "the old one")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(files.os if at == "fsync" else files.Path, at, killed)
        patch.setattr(files.Path, "unlink", lambda *_, **__: None)  # a kill removes nothing
        with pytest.raises(KeyboardInterrupt):
            write_snapshot(path, rows, TOKEN)
    assert read(path, token="the old one") is not None
    assert len(list(tmp_path.glob("*.part.*"))) == 1
    write_snapshot(path, rows, TOKEN)
    assert list(tmp_path.glob("*.part.*")) == []
    assert read(path) is not None


def test_writer_killed_at_any_moment_leaves_a_whole_snapshot(
    tmp_path: Path, rows: CatalogueRows
) -> None:
    path = tmp_path / "a.db-tracks"
    write_snapshot(path, rows, TOKEN)
    for number in range(5):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], cwd=ROOT, stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(0.007 * number)
            writer.kill()
        again = read(path)
        assert again is not None
        assert content(again) == content(rows)
    assert len(list(tmp_path.glob("*.part.*"))) <= 1, "the next writer removes leftovers"
