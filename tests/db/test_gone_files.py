"""Tests of leaving out tracks whose file was deleted after the last indexing run."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from db import folders, gone_files
from db.connection import Database
from db.gone_files import GoneFiles
from genrec.types import Track
from tests.db.fakes import fill, until


async def _tracks(db: Database, folder: Path) -> list[Track]:
    async with db.transaction() as tx:
        await folders.register(tx, "library", str(folder))
    return [
        Track(number, "Song", "Artist", "rock", str(path), "library")
        for number, path in enumerate(fill(folder, 4), start=1)
    ]


async def test_deleted_file_is_gone_only_while_its_folder_is_there(
    db: Database, tmp_path: Path
) -> None:
    folder = tmp_path / "music"
    tracks = await _tracks(db, folder)
    check = GoneFiles(db)
    assert await check.among(tracks) == set()
    Path(tracks[1].source).unlink()
    assert await check.among(tracks) == {2}
    folder.rename(tmp_path / "away")
    assert await check.among(tracks) == set()
    folder.mkdir()  # an empty mount point
    assert await check.among(tracks) == set()


async def test_tracks_without_files_and_unknown_folders_are_there(
    db: Database, tmp_path: Path
) -> None:
    check = GoneFiles(db)
    tracks = [
        Track(1, "Song", "Artist", "rock", "/nowhere/1.mp3", "library"),
        Track(2, "Song", "Artist", "rock", "https://a.example/2.mp3", "library"),
        Track(3, "Song", "Artist", "rock", "starter:3", "starter"),
    ]
    assert await check.among(tracks) == set()
    await _tracks(db, tmp_path / "music")
    assert await check.among(tracks) == set()


async def test_overlapping_checks_all_find_the_deleted_file(db: Database, tmp_path: Path) -> None:
    tracks = await _tracks(db, tmp_path / "music")
    Path(tracks[1].source).unlink()
    check = GoneFiles(db)
    assert await asyncio.gather(*(check.among(tracks) for _ in range(5))) == [{2}] * 5


async def test_failed_check_is_tried_again(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracks = await _tracks(db, tmp_path / "music")
    Path(tracks[1].source).unlink()
    check = GoneFiles(db)
    with monkeypatch.context() as patch:
        patch.setattr(gone_files, "is_gone", lambda path, roots: int(path))
        assert await check.among(tracks) == set()
    assert await check.among(tracks) == {2}


async def test_disk_without_reply_delays_an_answer_once(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracks = await _tracks(db, tmp_path / "music")
    check, hanging, calls = GoneFiles(db), threading.Event(), []

    def hang(path: str, roots: object) -> bool:
        calls.append(path)
        return not hanging.wait(30)

    monkeypatch.setattr(gone_files, "is_gone", hang)
    monkeypatch.setattr(gone_files, "_MAX_WAIT_S", 0.05)
    assert await check.among(tracks) == set()
    assert await check.among(tracks) == set()  # at once: the thread is still busy
    assert len(calls) == 1
    hanging.set()
    await until(lambda: len(calls) == len(tracks))
