"""What an indexing run decides to do with each file."""

from __future__ import annotations

from pathlib import Path

import pytest

from db.ingest.failures import Failure
from db.ingest.plan import IndexedTrack, KnownFiles, make_plan, refuse_sudden_emptiness
from db.ingest.scan import FileStamp, FolderScan
from genrec.errors import InputRefused

MUSIC = Path("/music")
OLD, NEW = FileStamp(1, 1), FileStamp(1, 2)


def _held(*names: str, stamp: FileStamp | None = OLD) -> dict[str, IndexedTrack]:
    return {name: IndexedTrack(int(Path(name).stem), stamp) for name in names}


def test_each_file_gets_what_it_needs() -> None:
    found = FolderScan(
        dict.fromkeys(["/music/1", "/music/2", "/music/3", "/music/5", "/music/6"], OLD)
    )
    found.files["/music/2"] = NEW
    failed = {
        name: Failure(name, OLD, "silent_audio", "Silent.") for name in ("/music/5", "/music/7")
    }
    known = KnownFiles(
        served=_held("/music/1", "/music/2", "/music/4"),
        built=_held("/music/3", "/music/4"),
        failed=failed,
    )
    plan = make_plan(MUSIC, found, known)
    assert plan.todo == ["/music/2", "/music/6"]
    assert plan.copied == [1]
    assert plan.stale == [4]
    assert (plan.resumed, plan.removed) == (1, 1)
    assert plan.failed == [failed["/music/5"]]
    assert plan.forgiven == ["/music/7"]
    assert make_plan(MUSIC, found, known, retry_failed=True).todo == [
        "/music/2", "/music/5", "/music/6",
    ]  # fmt: skip


def test_what_cannot_be_seen_is_not_gone() -> None:
    found = FolderScan({"/music/1": OLD}, {"/music/closed": "The folder cannot be read."})
    served = {
        **_held("/music/1", "/music/closed/2", "/music/closed/deep/3", "/elsewhere/4", "/music/5"),
        "https://a.example/6": IndexedTrack(6, None),
    }
    plan = make_plan(MUSIC, found, KnownFiles(served=served, built={}, failed={}))
    assert plan.copied == [1, 2, 3, 4, 6]
    assert plan.removed == 1
    assert not plan.is_idle


def test_nothing_to_do_is_seen() -> None:
    known = KnownFiles(served=_held("/music/1"), built={}, failed={})
    assert make_plan(MUSIC, FolderScan({"/music/1": OLD}), known).is_idle


def test_only_the_loss_of_this_folders_tracks_is_sudden() -> None:
    refuse_sudden_emptiness(MUSIC, FolderScan(), KnownFiles(_held("/elsewhere/1"), {}, {}))
    refuse_sudden_emptiness(
        MUSIC, FolderScan({"/music/2": OLD}), KnownFiles(_held("/music/1"), {}, {})
    )
    with pytest.raises(InputRefused, match="no music any more"):
        refuse_sudden_emptiness(MUSIC, FolderScan(), KnownFiles(_held("/music/1"), {}, {}))
