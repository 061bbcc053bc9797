"""Atomic writes leave a complete file or the old one."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from genrec.files import atomic_write, remove_leftovers


def test_write_replaces_the_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("old")
    with atomic_write(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_failed_write_keeps_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("old")

    def fail() -> None:
        with atomic_write(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("disk")

    with pytest.raises(RuntimeError, match="disk"):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_symbolic_link_stays_and_its_target_changes(tmp_path: Path) -> None:
    target, link = tmp_path / "real.csv", tmp_path / "link.csv"
    target.write_text("old")
    link.symlink_to(target)
    with atomic_write(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_pipe_is_written_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    with atomic_write(pipe) as path:
        path.write_text("through")
    reader.join(10)
    assert read == ["through"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_link_to_an_open_pipe_is_written_through(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    link = tmp_path / "stdout"  # as /dev/stdout of a command whose output is piped
    link.symlink_to(f"/proc/self/fd/{writing}")
    with atomic_write(link) as path:
        path.write_text("through")
    os.close(writing)
    with os.fdopen(reading) as pipe:
        assert pipe.read() == "through"
    assert link.is_symlink()


def test_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError), atomic_write(tmp_path):
        pytest.fail("the block must not run")


def test_replaced_file_keeps_its_mode_and_private_is_0600(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old")
    path.chmod(0o640)
    with atomic_write(path) as temporary:
        temporary.write_text("new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    with atomic_write(path, private=True) as temporary:
        temporary.write_text("new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_temporary_name_keeps_the_suffix_and_leftovers_are_removed(tmp_path: Path) -> None:
    path, other = tmp_path / "a.npz", tmp_path / "b.npz"
    other.write_text("kept")
    with atomic_write(path) as temporary:
        assert temporary.suffix == ".npz"
        temporary.write_text("data")
        name = temporary.name
    (tmp_path / name).write_text("left by a killed process")
    remove_leftovers(path)
    assert sorted(tmp_path.iterdir()) == [path, other]
