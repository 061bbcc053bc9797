"""Tests of libraries that moved: files keep their tracks, and gone files are not served."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from db import folders
from db.connection import Database
from db.import_export import export_tracks
from db.ingest import moved
from db.ingest.plan import KEEP_GONE_S
from db.ingest.run import IngestJob, IngestReport, ingest
from db.tracks import LIBRARY, Catalogue
from genrec.errors import FileMissing, InputRefused, SilentAudio
from tests.db.fakes import DIMENSION, LABELS, MODEL, FakeAnalyzer, fill


class _Library:
    """A music library of twelve files in two albums, indexed once."""

    def __init__(self, db: Database, top: Path) -> None:
        self.db = db
        self.catalogue = Catalogue(db)
        self.analyzer = FakeAnalyzer()
        self.disk = top / "disk"
        self.music = self.disk / "Music"
        fill(self.music / "One", 6)
        fill(self.music / "Two", 6, start=6)

    async def index(self, folder: Path, **changes: object) -> IngestReport:
        self.analyzer.calls.clear()
        job = IngestJob(
            folder=folder,
            model_id=MODEL,
            dimension=DIMENSION,
            labels=LABELS,
            **changes,  # type: ignore[arg-type]
        )
        return await ingest(self.db, self.analyzer, job)

    async def ids(self) -> Mapping[str, int]:
        """Return the ids of the served tracks by path; every way to read must agree."""
        browsed = await self.catalogue.browse(MODEL, LIBRARY, limit=1000)
        rows = await self.catalogue.load(MODEL)
        assert sorted(rows.ids.tolist()) == sorted(track.id for track in browsed)
        assert await self.catalogue.count(MODEL) == len(browsed)
        assert (await self.catalogue.stats(MODEL)).tracks == len(browsed)
        found = await self.catalogue.tracks(MODEL, range(1, 1000))
        assert found.keys() == set(rows.ids.tolist())
        pieces = [piece async for piece in export_tracks(self.catalogue, MODEL, "m3u8")]
        exported = [line for line in "".join(pieces).splitlines() if line.startswith("/")]
        assert sorted(exported) == sorted(track.source for track in browsed)
        assert all(Path(path).exists() for path in exported)
        return {track.source: track.id for track in browsed}


@pytest.fixture
async def library(db: Database, tmp_path: Path) -> _Library:
    """Return a library that has been indexed."""
    library = _Library(db, tmp_path)
    assert (await library.index(library.music)).tracks == 12
    return library


def _at(ids: Mapping[str, int], old: Path, new: Path) -> Mapping[str, int]:
    """Return the map with ``new`` in place of ``old`` at the beginning of each path."""
    return {path.replace(str(old), str(new), 1): track_id for path, track_id in ids.items()}


async def test_renamed_folder_keeps_every_track_and_analyses_nothing(library: _Library) -> None:
    before = await library.ids()
    moved = library.disk / "Songs"
    library.music.rename(moved)
    report = await library.index(moved)
    assert library.analyzer.calls == []
    assert (report.tracks, report.moved, report.reused, report.removed) == (12, 12, 12, 0)
    assert (report.absent, report.failures) == ({}, [])
    assert await folders.registered(library.db, LIBRARY) == [str(moved)]
    assert await library.ids() == _at(before, library.music, moved)
    again = await library.index(moved)
    assert (again.switched, again.unchanged, again.moved, again.absent) == (False, 12, 0, {})


async def test_copy_on_another_disk_takes_over_when_the_first_is_gone(
    library: _Library, tmp_path: Path
) -> None:
    before = await library.ids()
    other = tmp_path / "other" / "Music"
    shutil.copytree(library.music, other)
    report = await library.index(other)
    assert (report.tracks, report.moved, report.reused) == (24, 0, 12)  # both are there
    shutil.rmtree(library.music)
    report = await library.index(other)
    assert (report.tracks, report.analyzed, report.absent) == (12, 0, {})
    assert set(await library.ids()) == set(_at(before, library.music, other))
    assert library.analyzer.calls == []


@pytest.mark.parametrize("first", ["old", "new"])
async def test_half_a_folder_moves_and_either_may_be_indexed_first(
    library: _Library, tmp_path: Path, first: str
) -> None:
    before = await library.ids()
    other = tmp_path / "other"
    other.mkdir()
    (library.music / "Two").rename(other / "Zwei")
    reports = [await library.index(library.music if first == "old" else other)]
    assert all(Path(path).exists() for path in await library.ids())
    reports += [await library.index(other if first == "old" else library.music)]
    assert library.analyzer.calls == []
    assert sum(report.moved for report in reports) == 6
    assert reports[-1].tracks == 12
    assert await library.ids() == _at(before, library.music / "Two", other / "Zwei")


async def test_album_renamed_inside_the_folder_keeps_its_tracks(library: _Library) -> None:
    before = await library.ids()
    (library.music / "One").rename(library.music / "Eins")
    report = await library.index(library.music)
    assert (report.moved, report.removed, report.analyzed) == (6, 0, 0)
    assert await library.ids() == _at(before, library.music / "One", library.music / "Eins")


async def test_folder_inside_the_folder_adds_no_track(library: _Library) -> None:
    before = await library.ids()
    report = await library.index(library.music / "One")
    assert (report.tracks, report.unchanged, report.switched) == (12, 12, False)
    assert await folders.registered(library.db, LIBRARY) == [str(library.music)]
    report = await library.index(library.disk)
    assert (report.tracks, report.switched) == (12, False)
    assert await folders.registered(library.db, LIBRARY) == [str(library.disk)]
    assert await library.ids() == before


async def test_track_removed_while_its_file_is_recognised_stays_removed(
    library: _Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await library.ids()
    moved_folder, gone = library.disk / "Songs", min(before.values())
    library.music.rename(moved_folder)
    real = moved._pairs

    async def remove_one(*arguments: Any) -> Any:
        pairs = await real(*arguments)
        await library.catalogue.remove(LIBRARY, [gone])
        return pairs

    monkeypatch.setattr(moved, "_pairs", remove_one)
    report = await library.index(moved_folder)
    assert (report.tracks, report.moved) == (12, 11)  # its file is there, as a new track
    assert gone not in (await library.ids()).values()


async def test_copies_move_each_to_its_own_name(library: _Library, tmp_path: Path) -> None:
    for name in ("a", "b"):
        folder = library.music / name
        folder.mkdir()
        (folder / "same.mp3").write_bytes(b"the same")
    await library.index(library.music)
    before = await library.ids()
    moved = tmp_path / "moved"
    shutil.move(library.music, moved)
    assert (await library.index(moved)).moved == 14
    assert await library.ids() == _at(before, library.music, moved)


async def test_failures_of_moved_files_are_not_analysed_again(library: _Library) -> None:
    silent = fill(library.music / "Two", 1, start=50)[0]
    library.analyzer.faults = {silent.name: SilentAudio("The clip is silent.")}
    await library.index(library.music)
    moved = library.disk / "Songs"
    library.music.rename(moved)
    report = await library.index(moved)
    assert library.analyzer.calls == []
    assert [failure.path for failure in report.failures] == [str(moved / "Two" / silent.name)]
    assert (await library.catalogue.stats(MODEL)).failures == 1
    await library.index(moved)
    assert library.analyzer.calls == []


async def test_unmounted_disk_is_kept_out_of_answers_until_it_is_back(
    library: _Library, tmp_path: Path
) -> None:
    before = await library.ids()
    elsewhere = tmp_path / "elsewhere"
    library.disk.rename(elsewhere)
    library.disk.mkdir()  # an empty mount point
    fill(tmp_path / "more", 1, start=70)
    report = await library.index(tmp_path / "more")
    assert (report.tracks, report.removed) == (1, 0)
    assert report.absent == {str(library.music): 12}
    assert len(await library.ids()) == 1
    library.disk.rmdir()
    elsewhere.rename(library.disk)
    report = await library.index(library.music)
    assert (report.tracks, report.unchanged, report.absent) == (13, 13, {})
    assert before.items() <= (await library.ids()).items()
    assert library.analyzer.calls == []


async def test_missing_folder_is_an_error_with_the_ways_out(
    library: _Library, tmp_path: Path
) -> None:
    library.music.rename(tmp_path / "away")
    with pytest.raises(FileMissing, match="genrec library move") as caught:
        await library.index(library.music)
    assert "genrec library forget" in str(caught.value)
    with pytest.raises(FileMissing, match="name your music folder"):
        await library.index(tmp_path / "never")
    assert await library.catalogue.count(MODEL) == 12


async def test_empty_mount_point_inside_the_folder_deletes_nothing(library: _Library) -> None:
    before = await library.ids()
    kept = library.disk / "kept"
    (library.music / "Two").rename(kept)
    (library.music / "Two").mkdir()
    report = await library.index(library.music)
    assert (report.tracks, report.removed) == (6, 0)
    assert report.absent == {str(library.music / "Two"): 6}
    (library.music / "Two").rmdir()
    kept.rename(library.music / "Two")
    assert (await library.index(library.music)).tracks == 12
    assert await library.ids() == before
    assert library.analyzer.calls == []


async def test_stray_file_on_an_empty_mount_point_deletes_nothing(library: _Library) -> None:
    before = await library.ids()
    library.disk.rename(library.disk.with_name("unmounted"))
    fill(library.music, 1, start=90)
    report = await library.index(library.music)
    assert (report.tracks, report.removed) == (1, 12)
    shutil.rmtree(library.disk)
    library.disk.with_name("unmounted").rename(library.disk)
    report = await library.index(library.music)
    assert (report.tracks, report.analyzed) == (12, 0)
    assert await library.ids() == before


async def test_deleted_file_of_another_folder_is_not_served(
    library: _Library, tmp_path: Path
) -> None:
    fill(tmp_path / "more", 2, start=70)
    await library.index(tmp_path / "more")
    first = min((library.music / "One").iterdir())
    first.unlink()
    report = await library.index(tmp_path / "more")
    assert (report.tracks, report.removed, report.absent) == (13, 1, {})
    assert str(first) not in await library.ids()


async def test_gone_track_is_deleted_after_thirty_days(
    library: _Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    min((library.music / "One").iterdir()).unlink()
    await library.index(library.music)
    assert await library.db.number("SELECT count(*) FROM embedding") == 12
    await library.db.run("UPDATE entry SET gone_at = gone_at - ?", (KEEP_GONE_S + 60,))
    assert (await library.index(library.music)).tracks == 11
    for table in ("embedding", "track", "entry"):
        assert await library.db.number(f"SELECT count(*) FROM {table}") == 11


async def test_absent_folder_is_kept_for_longer_than_thirty_days(
    library: _Library, tmp_path: Path
) -> None:
    library.disk.rename(tmp_path / "away")
    fill(tmp_path / "more", 1, start=70)
    await library.index(tmp_path / "more")
    await library.db.run("UPDATE entry SET gone_at = gone_at - ?", (KEEP_GONE_S + 60,))
    report = await library.index(tmp_path / "more")
    assert report.absent == {str(library.music): 12}
    assert await library.db.number("SELECT count(*) FROM embedding") == 13


async def test_file_reached_by_a_link_stays_with_its_folder(
    library: _Library, tmp_path: Path
) -> None:
    before = await library.ids()
    other = tmp_path / "other"
    fill(other, 1, start=70)
    (other / "link").symlink_to(library.music / "One")
    report = await library.index(other)
    assert (report.tracks, report.moved) == (13, 0)
    assert before.items() <= (await library.ids()).items()
    assert not (await library.index(library.music)).switched


async def test_folder_indexed_by_a_link_has_its_real_name(
    library: _Library, tmp_path: Path
) -> None:
    link = tmp_path / "link"
    link.symlink_to(library.music)
    assert not (await library.index(link)).switched
    moved = tmp_path / "moved"
    library.music.rename(moved)
    link.unlink()
    link.symlink_to(moved)
    assert (await library.index(link)).moved == 12
    assert all(path.startswith(str(moved)) for path in await library.ids())


async def test_folder_under_a_second_name_adds_no_track(
    library: _Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a bind mount, or a change of case on a disk that ignores it."""
    before = await library.ids()
    second = library.disk / "music"
    shutil.copytree(library.music, second)

    def identity(folder: str) -> tuple[int, int]:
        return 1, hash(folder.lower())

    monkeypatch.setattr("db.ingest.presence._identity", identity)
    report = await library.index(second)
    assert (report.tracks, report.moved, report.analyzed) == (12, 12, 0)
    assert await library.ids() == _at(before, library.music, second)


async def test_move_command_renames_without_reading(
    library: _Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await library.ids()
    moved = library.disk / "Songs"
    library.music.rename(moved)
    (moved / "One" / "Artist 0 - Song 0.mp3").unlink()
    monkeypatch.setattr(
        "db.ingest.file_facts.file_sha256", lambda _: pytest.fail("a file was read")
    )
    result = await folders.move_folder(library.db, LIBRARY, str(library.music), str(moved))
    assert (result.moved, result.gone) == (11, 1)
    assert (_at(before, library.music, moved)).items() >= (await library.ids()).items()
    report = await library.index(moved)
    assert (report.unchanged, report.tracks) == (11, 11)
    assert [folder.path for folder in await folders.list_folders(library.db, LIBRARY, MODEL)] == [
        str(moved)
    ]


async def test_move_into_a_folder_of_itself_keeps_each_track(library: _Library) -> None:
    before = await library.ids()
    inner = library.music / "One" / "One"
    inner.mkdir()
    shutil.copy(library.music / "One" / "Artist 0 - Song 0.mp3", inner)
    await library.index(library.music)
    (library.disk / "new" / "One").mkdir(parents=True)
    library.music.rename(library.disk / "new" / "One" / "all")
    (library.disk / "new").rename(library.music)
    target = library.music / "One" / "all"
    result = await folders.move_folder(library.db, LIBRARY, str(library.music), str(target))
    assert (result.moved, result.gone) == (13, 0)
    assert _at(before, library.music, target).items() <= (await library.ids()).items()


async def test_move_onto_an_indexed_copy_keeps_one_track_a_file(
    library: _Library, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(library.music, copy)
    await library.index(copy)
    shutil.rmtree(library.music)
    await folders.move_folder(library.db, LIBRARY, str(library.music), str(copy))
    assert len(await library.ids()) == 12
    assert (await library.index(copy)).tracks == 12


async def test_move_to_a_folder_without_the_files_is_refused(
    library: _Library, tmp_path: Path
) -> None:
    with pytest.raises(InputRefused, match="None of the 12 files"):
        await folders.move_folder(library.db, LIBRARY, str(library.music), str(tmp_path))
    with pytest.raises(InputRefused, match="no tracks of /nowhere"):
        await folders.move_folder(library.db, LIBRARY, "/nowhere", str(library.music))
    assert len(await library.ids()) == 12


async def test_forgotten_folder_takes_its_tracks_with_it(library: _Library, tmp_path: Path) -> None:
    namesake = library.disk / "Music 2"
    fill(namesake, 2, start=70)
    silent = fill(library.music, 1, start=90)[0]
    library.analyzer.faults = {silent.name: SilentAudio("The clip is silent.")}
    await library.index(library.music)
    await library.index(namesake)
    assert await folders.forget_folder(library.db, LIBRARY, str(library.music)) == 12
    assert set(await library.ids()) == {str(path) for path in namesake.iterdir()}
    assert await library.db.number("SELECT count(*) FROM embedding") == 2
    assert await library.db.number("SELECT count(*) FROM failure") == 0
    (left,) = await folders.list_folders(library.db, LIBRARY, MODEL)
    assert (left.path, left.tracks, left.gone) == (str(namesake), 2, 0)


async def test_folders_are_listed_with_the_counts_of_their_tracks(
    library: _Library, tmp_path: Path
) -> None:
    await library.db.run("DELETE FROM folder")  # as after an update of genrec
    (old,) = await folders.list_folders(library.db, LIBRARY, MODEL)
    assert (old.path, old.tracks, old.indexed_at) == (str(library.music), 12, None)
    min((library.music / "One").iterdir()).unlink()
    await library.index(library.music)
    (new,) = await folders.list_folders(library.db, LIBRARY, MODEL)
    assert (new.path, new.tracks, new.gone) == (str(library.music), 11, 1)
    assert new.indexed_at is not None


def test_common_folders_are_not_those_of_the_system() -> None:
    paths = {"/mnt/a/x", "/mnt/a/y", "/mnt/b/c", "/srv/me/Music/One", "/srv/me/Music/Two"}
    assert folders.common_folders(paths) == ["/mnt/a", "/mnt/b/c", "/srv/me/Music"]
    assert folders.common_folders(set()) == []
