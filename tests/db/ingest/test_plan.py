"""Tests of the plan of an indexing run."""

from __future__ import annotations

from pathlib import Path

import pytest

from db.ingest.failures import Failure
from db.ingest.plan import IndexedTrack, KnownFiles, make_plan, refuse_sudden_emptiness
from db.ingest.presence import MissingFiles, find_missing
from db.ingest.scan import FileStamp, FolderScan
from genrec.errors import InputRefused

MUSIC = Path("/music")
OLD, NEW = FileStamp(1, 1), FileStamp(1, 2)


def _tracks(*names: str, stamp: FileStamp | None = OLD) -> dict[str, IndexedTrack]:
    return {name: IndexedTrack(int(Path(name).stem), stamp) for name in names}


def test_plan_has_the_right_action_for_each_file() -> None:
    found = FolderScan(
        dict.fromkeys(["/music/1", "/music/2", "/music/3", "/music/5", "/music/6"], OLD)
    )
    found.files["/music/2"] = NEW
    failed = {
        name: Failure(name, OLD, "silent_audio", "Silent.") for name in ("/music/5", "/music/7")
    }
    known = KnownFiles(
        active=_tracks("/music/1", "/music/2", "/music/4"),
        building=_tracks("/music/3", "/music/4"),
        failed=failed,
    )
    missing = MissingFiles(gone={"/music/4", "/music/7"})
    plan = make_plan(MUSIC, found, known, missing)
    assert plan.todo == ["/music/2", "/music/6"]
    assert plan.unchanged == [1]
    assert plan.stale == [4]
    assert (plan.resumed, plan.removed, plan.hidden) == (1, {4}, [4])
    assert plan.failed == [failed["/music/5"]]
    assert plan.obsolete == ["/music/7"]
    assert make_plan(MUSIC, found, known, missing, retry_failed=True).todo == [
        "/music/2", "/music/5", "/music/6",
    ]  # fmt: skip


def test_tracks_of_unreadable_or_other_folders_are_kept() -> None:
    found = FolderScan({"/music/1": OLD}, {"/music/closed": "The folder cannot be read."})
    active = {
        **_tracks(
            "/music/1", "/music/closed/2", "/music/closed/deep/3", "/elsewhere/4", "/music/5"
        ),
        "https://a.example/6": IndexedTrack(6, None),
    }
    missing = find_missing(active, MUSIC, found)
    assert (missing.gone, missing.present) == (set(), set())
    assert missing.absent == {"/elsewhere/4": "/elsewhere", "/music/5": "/music"}
    plan = make_plan(MUSIC, found, KnownFiles(active=active, building={}, failed={}), missing)
    assert plan.unchanged == [1, 2, 3, 6]
    assert (plan.hidden, plan.removed) == ([4, 5], set())
    assert not plan.is_idle


def test_plan_without_changes_is_idle() -> None:
    known = KnownFiles(active=_tracks("/music/1"), building={}, failed={})
    assert make_plan(MUSIC, FolderScan({"/music/1": OLD}), known, MissingFiles()).is_idle


def test_empty_folder_is_refused_only_if_it_had_tracks() -> None:
    refuse_sudden_emptiness(MUSIC, FolderScan(), KnownFiles(_tracks("/elsewhere/1"), {}, {}))
    refuse_sudden_emptiness(
        MUSIC, FolderScan({"/music/2": OLD}), KnownFiles(_tracks("/music/1"), {}, {})
    )
    with pytest.raises(InputRefused, match="is empty"):
        refuse_sudden_emptiness(MUSIC, FolderScan(), KnownFiles(_tracks("/music/1"), {}, {}))
