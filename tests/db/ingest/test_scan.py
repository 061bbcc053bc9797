"""Tests of the scan: each music file once, whatever the links."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from db.ingest.scan import FileStamp, file_sha256, file_stamp, open_folder, scan_folder
from genrec.errors import FileMissing


def _names(root: Path) -> list[str]:
    return [os.path.relpath(path, root) for path in scan_folder(root).files]


def test_scan_returns_music_files_only(tmp_path: Path) -> None:
    for name in (
        "b/2.FLAC",
        "a/1.mp3",
        "b/notes.txt",
        ".hidden/3.mp3",
        "a/.4.mp3",
        "a/5.opus.part",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"12345")
    assert _names(tmp_path) == ["a/1.mp3", "b/2.FLAC"]
    found = scan_folder(tmp_path).files[str(tmp_path / "a/1.mp3")]
    assert found == file_stamp(str(tmp_path / "a/1.mp3"))
    assert found == FileStamp(5, (tmp_path / "a/1.mp3").stat().st_mtime_ns)


def test_links_are_followed_without_loops(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "music", tmp_path / "elsewhere"
    (root / "zzz").mkdir(parents=True)
    elsewhere.mkdir()
    (root / "zzz" / "1.mp3").write_bytes(b"")
    (elsewhere / "2.mp3").write_bytes(b"")
    (root / "aaa").symlink_to(root / "zzz")  # the path without links wins
    (root / "zzz" / "up").symlink_to(root)
    (root / "out").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(root)
    (root / "3.mp3").symlink_to(elsewhere / "2.mp3")
    (root / "4.mp3").symlink_to(root / "nowhere.mp3")
    (root / "5.mp3").symlink_to(root / "5.mp3")
    assert _names(root) == ["3.mp3", "zzz/1.mp3", "out/2.mp3"]


def test_name_that_is_not_utf8_is_reported(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/caf\xe9.mp3"
    try:
        Path(os.fsdecode(raw)).write_bytes(b"")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    found = scan_folder(tmp_path)
    assert found.files == {}
    ((name, reason),) = found.unreadable.items()
    assert name == f"{tmp_path}/caf\\udce9.mp3"
    assert "rename it" in reason


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_folder_without_permission_is_reported(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    found = scan_folder(tmp_path)
    (tmp_path / "closed").chmod(0o700)
    assert found.unreadable.keys() == {str(tmp_path / "closed")}


def test_missing_folder_is_reported(tmp_path: Path) -> None:
    found = scan_folder(tmp_path / "gone")
    assert found.unreadable.keys() == {str(tmp_path / "gone")}


def test_open_folder_refuses_other_paths(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for name in ("file", "nowhere"):
        with pytest.raises(FileMissing, match="name your music folder"):
            open_folder(tmp_path / name)
    (tmp_path / "link").symlink_to(tmp_path)
    assert open_folder(tmp_path / "link") == tmp_path.resolve()


def test_hash_is_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert file_sha256(str(tmp_path / "a")).startswith("ba7816bf8f01cfea")
