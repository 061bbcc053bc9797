"""Tests of indexing a folder: incremental, resumable, activated as a whole."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from db import generations
from db.connection import Database, SqlSession, open_db
from db.details import TrackDetails, load_details
from db.generations import Generation, KnownTrack
from db.ingest.failures import Failure, load_failures
from db.ingest.run import IngestJob, IngestProgress, IngestReport, ingest
from db.tags import Tags
from db.tracks import Catalogue
from genrec.errors import (
    AnalysisTimeout,
    Busy,
    CatalogueError,
    FileMissing,
    GenrecError,
    InputRefused,
    ModelMismatch,
    SilentAudio,
    WorkerCrashed,
    WorkerUnavailable,
)
from genrec.types import Analysis
from tests.db.fakes import (
    DIMENSION,
    LABELS,
    MODEL,
    FakeAnalyzer,
    HeldAnalyzer,
    fake_analysis,
    fill,
    new_track,
    until,
)
from tests.db.tagging.tag_files import with_ffmpeg


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Return a folder with twelve files."""
    fill(tmp_path / "music", 12)
    return tmp_path / "music"


def _job(folder: Path, **changes: object) -> IngestJob:
    values: dict[str, object] = {
        "folder": folder, "model_id": MODEL, "dimension": DIMENSION, "labels": LABELS,
    }  # fmt: skip
    return IngestJob(**{**values, **changes})  # type: ignore[arg-type]


async def _index(
    db: Database, analyzer: FakeAnalyzer, folder: Path, **changes: object
) -> IngestReport:
    analyzer.calls.clear()
    return await ingest(db, analyzer, _job(folder, **changes))


async def _failures(db: Database) -> list[Failure]:
    async with db.snapshot() as session:
        return list((await load_failures(session, "library", MODEL)).values())


async def _titles(db: Database, scope: str = "library") -> list[str]:
    return sorted(track.title for track in await Catalogue(db).browse(MODEL, scope, limit=100))


async def test_index_adds_every_file_of_the_folder(db: Database, music: Path) -> None:
    three = asyncio.Barrier(3)

    class Simultaneous(FakeAnalyzer):
        async def analyze(self, path: Path) -> Analysis:
            # A slow disk could otherwise serialise the three.
            async with asyncio.timeout(60):
                await three.wait()
            return await super().analyze(path)

    analyzer = Simultaneous(delay_s=0.01)
    report = await _index(db, analyzer, music, concurrency=3)
    assert (report.tracks, report.analyzed, report.switched) == (12, 12, True)
    assert (report.failures, report.unchanged, report.resumed) == ([], 0, 0)
    assert Counter(analyzer.calls) == Counter(path.name for path in music.iterdir())
    assert analyzer.max_running == 3
    rows = await Catalogue(db).load(MODEL)
    tracks = await Catalogue(db).tracks(MODEL, rows.ids.tolist())
    for row, track_id in enumerate(rows.ids.tolist()):
        track = tracks[track_id]
        analysis = fake_analysis(Path(track.source).read_bytes())
        assert track.source == str(music / f"{track.artist} - {track.title}.mp3")
        assert track.genre == analysis.scores[0].label == rows.genres[row]
        assert np.array_equal(rows.matrix[row], analysis.embedding)
    assert len(await Catalogue(db).fingerprints(MODEL, rows.ids.tolist())) == 12


async def test_unchanged_files_are_not_read(
    db: Database, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    analyzer = FakeAnalyzer()
    await _index(db, analyzer, music)
    revision = await Catalogue(db).revision()
    monkeypatch.setattr(
        "db.ingest.file_facts.file_sha256", lambda _: pytest.fail("a file was read")
    )
    report = await _index(db, analyzer, music)
    assert (report.unchanged, report.analyzed, report.tracks) == (12, 0, 12)
    assert not report.switched
    assert await Catalogue(db).revision() == revision
    assert analyzer.calls == []


async def test_only_changed_files_are_analysed(db: Database, music: Path) -> None:
    analyzer = FakeAnalyzer()
    await _index(db, analyzer, music)
    ids = {track.source: track.id for track in await Catalogue(db).browse(MODEL)}
    files = sorted(music.iterdir())
    files[0].write_bytes(b"another recording")
    os.utime(files[1], ns=(1, 1))  # touched, same bytes
    files[2].unlink()
    (music / "sub").mkdir()
    files[3].rename(music / "sub" / "Moved - Song.mp3")
    shutil.copy(files[4], music / "Copy - Of it.mp3")
    fill(music, 1, start=100)
    report = await _index(db, analyzer, music)
    assert sorted(analyzer.calls) == sorted([files[0].name, "Artist 0 - Song 100.mp3"])
    assert (report.analyzed, report.reused, report.unchanged, report.removed) == (2, 3, 8, 1)
    assert report.moved == 1
    assert report.tracks == 13
    titles = await _titles(db)
    assert {"Song", "Of it", "Song 100"} <= set(titles)
    assert files[2].stem.split(" - ")[1] not in titles
    after = {track.source: track.id for track in await Catalogue(db).browse(MODEL)}
    assert all(after[source] == ids[source] for source in ids.keys() & after.keys())
    assert await db.number("SELECT count(*) FROM generation") == 1
    assert after[str(music / "sub" / "Moved - Song.mp3")] == ids[str(files[3])]
    # Copies share one embedding. That of the deleted file is kept: it may have moved elsewhere.
    assert await db.number("SELECT count(*) FROM embedding") == 13


async def test_copies_in_one_run_are_analysed_once(db: Database, tmp_path: Path) -> None:
    folder = tmp_path / "copies"
    folder.mkdir()
    for number in range(6):
        (folder / f"{number}.mp3").write_bytes(b"the same")
    analyzer = FakeAnalyzer(delay_s=0.01)
    report = await _index(db, analyzer, folder, concurrency=6)
    assert (report.tracks, len(analyzer.calls), report.reused) == (6, 1, 5)


async def test_failures_are_reported_stored_and_retried_on_request(
    db: Database, music: Path
) -> None:
    analyzer = FakeAnalyzer()
    names = sorted(path.name for path in music.iterdir())
    analyzer.faults = {
        names[0]: SilentAudio("The clip is silent."),
        names[1]: WorkerCrashed("The worker died."),
        names[2]: AnalysisTimeout("It took too long."),
    }
    report = await _index(db, analyzer, music)
    assert report.tracks == 9
    assert {Path(failure.path).name: failure.code for failure in report.failures} == {
        names[0]: "silent_audio", names[1]: "worker_crashed", names[2]: "analysis_timeout",
    }  # fmt: skip
    assert [Path(failure.path).name for failure in await _failures(db)] == names[:2]
    assert (await Catalogue(db).stats(MODEL)).failures == 2

    report = await _index(db, analyzer, music)  # a timeout is retried
    assert analyzer.calls == [names[2]]
    assert len(report.failures) == 3

    analyzer.faults.clear()
    (music / names[0]).write_bytes(b"loud now")
    report = await _index(db, analyzer, music)
    assert sorted(analyzer.calls) == [names[0], names[2]]
    assert [failure.reason for failure in report.failures] == ["The worker died."]

    report = await _index(db, analyzer, music, retry_failed=True)
    assert analyzer.calls == [names[1]]
    assert (report.tracks, report.failures) == (12, [])
    assert await _failures(db) == []


async def test_failure_of_a_deleted_file_is_deleted(db: Database, music: Path) -> None:
    analyzer = FakeAnalyzer()
    first = min(music.iterdir())
    analyzer.faults = {first.name: SilentAudio("The clip is silent.")}
    await _index(db, analyzer, music)
    first.unlink()
    report = await _index(db, analyzer, music)
    assert (report.failures, await _failures(db)) == ([], [])


async def test_file_changed_during_analysis_waits_for_the_next_run(
    db: Database, music: Path
) -> None:
    first = min(music.iterdir())

    def interfere(path: Path) -> None:
        if path == first:
            path.write_bytes(path.read_bytes() + b"!")

    report = await _index(db, FakeAnalyzer(before=interfere), music)
    assert [failure.path for failure in report.failures] == [str(first)]
    assert "changed while" in report.failures[0].reason
    assert (await _index(db, FakeAnalyzer(), music)).tracks == 12


async def test_file_deleted_during_the_run_fails_alone(db: Database, music: Path) -> None:
    first, *_, last = sorted(music.iterdir())

    def interfere(path: Path) -> None:
        if path == first:
            last.unlink(missing_ok=True)

    report = await _index(db, FakeAnalyzer(before=interfere), music, concurrency=1)
    assert [failure.path for failure in report.failures] == [str(last)]
    assert report.tracks == 11


async def test_cancelled_run_activates_nothing_and_is_resumed(db: Database, music: Path) -> None:
    await _index(db, FakeAnalyzer(), music)
    before = await _titles(db)
    fill(music, 20, start=50)
    slow = FakeAnalyzer(delay_s=0.01)
    task = asyncio.create_task(ingest(db, slow, _job(music, concurrency=2)))
    await until(lambda: len(slow.calls) >= 9)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert slow.running == 0
    assert await _titles(db) == before
    rest = FakeAnalyzer()
    report = await _index(db, rest, music)
    assert report.tracks == 32
    assert report.unchanged == 12
    assert report.resumed >= 6
    assert report.unchanged + report.resumed + report.analyzed == 32
    assert len(set(slow.calls) & set(rest.calls)) <= 3  # the interrupted ones


async def test_changes_after_an_interrupted_run_are_indexed(db: Database, music: Path) -> None:
    files = sorted(music.iterdir())
    analyzer = FakeAnalyzer()
    analyzer.faults = {files[-1].name: WorkerUnavailable("No worker starts.")}
    with pytest.raises(WorkerUnavailable):
        await _index(db, analyzer, music, concurrency=1)
    assert await _titles(db) == []
    files[0].unlink()
    files[1].write_bytes(b"another recording")
    files[2].rename(music / "Moved - Song.mp3")
    analyzer.faults.clear()
    report = await _index(db, analyzer, music)
    assert sorted(analyzer.calls) == [files[1].name, files[-1].name]
    assert (report.tracks, report.resumed, report.reused) == (11, 8, 1)
    assert files[0].stem.split(" - ")[1] not in await _titles(db)


async def test_analysis_of_another_model_is_refused(db: Database, music: Path) -> None:
    with pytest.raises(ModelMismatch, match="other@1"):
        await _index(db, FakeAnalyzer(model_id="other@1"), music)
    await _index(db, FakeAnalyzer(), music)
    with pytest.raises(ModelMismatch, match="dimensions"):
        await _index(db, FakeAnalyzer(), music, dimension=16)
    assert len(await _titles(db)) == 12


async def test_two_models_are_active_at_once(db: Database, music: Path) -> None:
    await _index(db, FakeAnalyzer(), music)
    await _index(db, FakeAnalyzer(model_id="other@1"), music, model_id="other@1")
    assert await Catalogue(db).count(MODEL) == await Catalogue(db).count("other@1") == 12


async def test_busy_pool_is_retried(db: Database, music: Path) -> None:
    class BusyAnalyzer(FakeAnalyzer):
        async def analyze(self, path: Path) -> Analysis:
            if len(self.calls) % 3 == 0:
                self.calls.append("busy")
                raise Busy("32 clips are waiting already: try again in a minute.")
            return await super().analyze(path)

    analyzer = BusyAnalyzer()
    assert (await _index(db, analyzer, music)).tracks == 12
    assert "busy" in analyzer.calls


async def test_two_folders_are_indexed_into_one_library(
    db: Database, music: Path, tmp_path: Path
) -> None:
    more = tmp_path / "more"
    fill(more, 3, start=200)
    await _index(db, FakeAnalyzer(), music)
    report = await _index(db, FakeAnalyzer(), more)
    assert (report.tracks, report.unchanged, report.analyzed) == (15, 12, 3)
    min(more.iterdir()).unlink()
    assert (await _index(db, FakeAnalyzer(), more)).tracks == 14


async def test_unmounted_disk_does_not_empty_the_library(db: Database, music: Path) -> None:
    await _index(db, FakeAnalyzer(), music)
    for path in music.iterdir():
        path.unlink()
    with pytest.raises(InputRefused, match="Check that its disk is mounted"):
        await _index(db, FakeAnalyzer(), music)
    music.rmdir()
    with pytest.raises(FileMissing):
        await _index(db, FakeAnalyzer(), music)
    assert len(await _titles(db)) == 12
    music.mkdir()
    assert (await _index(db, FakeAnalyzer(), music, allow_empty=True)).removed == 12
    assert await _titles(db) == []


async def test_second_run_of_a_scope_is_refused(db: Database, music: Path) -> None:
    analyzer = HeldAnalyzer()
    first = asyncio.create_task(ingest(db, analyzer, _job(music)))
    await until(lambda: bool(analyzer.calls))
    with pytest.raises(CatalogueError, match="library is being indexed already"):
        await ingest(db, analyzer, _job(music))
    await ingest(db, FakeAnalyzer(), _job(music, scope="guild:1"))
    analyzer.allow(12)
    assert (await first).tracks == 12
    assert len(await _titles(db, "guild:1")) == 12
    await ingest(db, FakeAnalyzer(), _job(music))


async def test_second_run_of_a_scope_is_refused_across_processes(
    music: Path, tmp_path: Path
) -> None:
    path = tmp_path / "a.db"
    analyzer = HeldAnalyzer()
    async with open_db(path) as one, open_db(path) as other:
        first = asyncio.create_task(ingest(one, analyzer, _job(music)))
        await until(lambda: bool(analyzer.calls))
        with pytest.raises(CatalogueError, match="being indexed already"):
            await ingest(other, analyzer, _job(music))
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert (await ingest(other, FakeAnalyzer(), _job(music))).tracks == 12


async def test_tracks_added_or_removed_during_the_run_stay_so(db: Database, music: Path) -> None:
    catalogue = Catalogue(db)
    await _index(db, FakeAnalyzer(), music)
    gone = (await catalogue.browse(MODEL, limit=1))[0]
    fill(music, 10, start=50)
    analyzer = HeldAnalyzer()
    run = asyncio.create_task(ingest(db, analyzer, _job(music)))
    analyzer.allow(1)
    await until(lambda: len(analyzer.calls) >= 5)
    await catalogue.add("library", MODEL, [new_track(900)])
    assert await catalogue.remove("library", [gone.id]) == 1
    analyzer.allow(9)
    report = await run
    titles = await _titles(db)
    assert report.tracks == len(titles) == 12 + 10 + 1 - 1
    assert "Song 900" in titles
    assert gone.title not in titles


async def test_readers_get_whole_generations_only(music: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    wholes: set[frozenset[str]] = {frozenset()}
    seen: set[frozenset[str]] = set()
    done = asyncio.Event()

    async def read(reader: Catalogue) -> None:
        while not done.is_set():
            rows = await reader.load(MODEL)
            tracks = await reader.tracks(MODEL, rows.ids.tolist())
            if len(tracks) == len(rows.ids):
                seen.add(frozenset(track.source for track in tracks.values()))
            await asyncio.sleep(0)

    async with open_db(path) as writer, open_db(path) as other:
        reading = [asyncio.create_task(read(Catalogue(db))) for db in (writer, other)]
        for turn in range(6):
            fill(music, 10, start=1000 * turn + 1000)
            if turn:
                for old in list(music.iterdir())[::3]:
                    old.unlink()
            wholes.add(frozenset(map(str, music.iterdir())))
            await ingest(writer, FakeAnalyzer(delay_s=0.002), _job(music))
        done.set()
        await asyncio.gather(*reading)
    assert seen <= wholes
    assert len(seen) > 3


async def test_full_disk_keeps_the_old_generation(music: Path, tmp_path: Path) -> None:
    async with open_db(tmp_path / "a.db") as db:
        await _index(db, FakeAnalyzer(), music)
        before = await _titles(db)
        fill(music, 200, start=50)
        pages = await db.number("PRAGMA page_count")
        await db._writer.execute_fetchall(f"PRAGMA max_page_count = {pages + 20}")
        with pytest.raises(CatalogueError, match="disk is full: free disk space"):
            await _index(db, FakeAnalyzer(), music)
        assert await _titles(db) == before
        await db._writer.execute_fetchall("PRAGMA max_page_count = 1000000")
        report = await _index(db, FakeAnalyzer(), music)
        assert report.tracks == 212
        assert report.resumed > 12
    async with open_db(tmp_path / "a.db") as db:
        assert await Catalogue(db).count(MODEL) == 212


async def test_progress_counts_add_up(db: Database, music: Path) -> None:
    steps: list[IngestProgress] = []
    analyzer = FakeAnalyzer(delay_s=0.001)
    first = min(music.iterdir()).name
    analyzer.faults = {first: GenrecError("No.")}
    await ingest(db, analyzer, _job(music), steps.append)
    assert (steps[0].done, steps[0].total, steps[0].seconds_left) == (0, 12, None)
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    last = steps[-1]
    assert (last.done, last.total, last.failed, last.seconds_left) == (12, 12, 1, 0.0)
    assert last.rate > 0
    assert last.current.startswith(str(music))
    fill(music, 1, start=70)
    steps.clear()
    analyzer.faults.clear()
    await ingest(db, analyzer, _job(music), steps.append)
    assert (steps[0].done, steps[-1].done, steps[-1].total) == (11, 13, 13)


async def test_backup_is_made_on_request(music: Path, tmp_path: Path) -> None:
    async with open_db(tmp_path / "a.db") as db:
        assert (await _index(db, FakeAnalyzer(), music)).backup is None
        fill(music, 1, start=70)
        report = await _index(db, FakeAnalyzer(), music, backup=True)
        assert report.backup is not None
        assert report.backup.name == "a.backup.db"


async def test_genre_tag_precedes_the_predicted_genre(db: Database, tmp_path: Path) -> None:
    folder = tmp_path / "all"
    fill(folder / "Hip Hop", 3)
    await _index(db, FakeAnalyzer(), folder)
    assert {track.genre for track in await Catalogue(db).browse(MODEL)} == {"hiphop"}
    assert (await Catalogue(db).load(MODEL)).allowed({"library"}, "hiphop").all()


async def test_embedding_deleted_during_the_run_is_computed_again(
    db: Database, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _index(db, FakeAnalyzer(), music)
    first = min(music.iterdir())
    os.utime(first, ns=(1, 1))
    real, times = generations.put_known, 0

    async def delete_first_embedding(
        tx: SqlSession, generation: Generation, tracks: Sequence[KnownTrack]
    ) -> list[KnownTrack]:
        nonlocal times
        if tracks and not times:
            times += 1
            content = tracks[0].content
            await tx.run("DELETE FROM entry WHERE title = ?", (tracks[0].title,))
            await tx.run("DELETE FROM embedding WHERE content = ?", (content,))
        return await real(tx, generation, tracks)

    monkeypatch.setattr(generations, "put_known", delete_first_embedding)
    analyzer = FakeAnalyzer()
    report = await _index(db, analyzer, music)
    assert (times, analyzer.calls) == (1, [first.name])
    assert (report.tracks, report.reused, report.analyzed) == (12, 0, 1)


async def test_tags_of_unchanged_files_are_read_again_on_demand(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "music"
    fill(folder, 2)
    analyzer = FakeAnalyzer()
    monkeypatch.setattr(
        "db.ingest.file_facts.read_tags", lambda path, *_: Tags(path.stem, "Wrong", "")
    )
    await _index(db, analyzer, folder)
    ids = {track.source: track.id for track in await Catalogue(db).browse(MODEL)}
    monkeypatch.undo()
    assert (await _index(db, analyzer, folder)).unchanged == 2
    assert {track.artist for track in await Catalogue(db).browse(MODEL)} == {"Wrong"}
    monkeypatch.setattr(
        "db.ingest.file_facts.file_sha256", lambda _: pytest.fail("a file was read")
    )
    report = await _index(db, analyzer, folder, reread_tags=True)
    assert (report.reused, report.tracks, analyzer.calls) == (2, 2, [])
    tracks = await Catalogue(db).browse(MODEL)
    assert {track.artist for track in tracks} == {"Artist 0", "Artist 1"}
    assert {track.source: track.id for track in tracks} == ids


async def test_details_of_tags_are_kept_and_replaced(db: Database, tmp_path: Path) -> None:
    folder = tmp_path / "music"
    folder.mkdir()
    path, copy = folder / "a.mka", folder / "b.mka"
    with_ffmpeg(path, "matroska", "aac", title="Song", album="Old", date="1999")
    shutil.copy(path, copy)
    await _index(db, FakeAnalyzer(), folder)
    tracks = {track.source: track.id for track in await Catalogue(db).browse(MODEL)}

    async def details() -> dict[int, TrackDetails]:
        async with db.snapshot() as session:
            return await load_details(session, tracks.values())

    assert await details() == dict.fromkeys(tracks.values(), TrackDetails("Old", 1999))
    with_ffmpeg(path, "matroska", "aac", title="Song", ISRC="GBAYE6900123")
    fill(folder, 1)
    copy.unlink()
    await _index(db, FakeAnalyzer(), folder)
    assert (await details())[tracks[str(path)]] == TrackDetails(isrc="GBAYE6900123")
    with_ffmpeg(path, "matroska", "aac", title="Song")
    await _index(db, FakeAnalyzer(), folder)
    assert tracks[str(path)] not in await details()


class SpeechAnalyzer(FakeAnalyzer):
    """Analyzer for which the files of some names hold no music."""

    speech: frozenset[str] = frozenset()

    async def analyze(self, path: Path) -> Analysis:
        analysis = await super().analyze(path)
        return replace(analysis, music=0.03) if path.name in self.speech else analysis


async def test_files_without_music_are_left_out_and_listed(db: Database, music: Path) -> None:
    names = sorted(path.name for path in music.iterdir())[:2]
    analyzer = SpeechAnalyzer()
    analyzer.speech = frozenset(names)
    report = await _index(db, analyzer, music, music_below=0.5)
    assert report.tracks == 10
    assert sorted(Path(f.path).name for f in report.failures) == names
    assert {f.code for f in report.failures} == {"no_music"}
    assert "probability 0.03, limit 0.50" in report.failures[0].reason
    again = await _index(db, analyzer, music, music_below=0.5)
    assert analyzer.calls == []
    assert len(again.failures) == 2


async def test_files_without_music_are_indexed_once_all_are_kept(db: Database, music: Path) -> None:
    analyzer = SpeechAnalyzer()
    analyzer.speech = frozenset(sorted(path.name for path in music.iterdir())[:2])
    await _index(db, analyzer, music, music_below=0.5)
    kept = await _index(db, analyzer, music, music_below=0.0)
    assert sorted(analyzer.calls) == sorted(analyzer.speech)
    assert (kept.tracks, kept.failures) == (12, [])
    assert await _failures(db) == []


async def test_tracks_without_a_description_are_described_on_demand(
    db: Database, tmp_path: Path
) -> None:
    folder, analyzer = tmp_path / "music", FakeAnalyzer()
    fill(folder, 3)
    await _index(db, analyzer, folder)
    ids = {track.source: track.id for track in await Catalogue(db).browse(MODEL)}
    await db.run("UPDATE embedding SET description = NULL WHERE id <= 2")
    analyzer.calls.clear()
    assert (await _index(db, analyzer, folder)).unchanged == 3
    report = await _index(db, analyzer, folder, describe=True)
    assert (report.analyzed, report.unchanged, len(analyzer.calls)) == (2, 1, 2)
    rows = await Catalogue(db).load(MODEL)
    assert len(rows.described(rows.ids.tolist())) == 3
    assert {track.source: track.id for track in await Catalogue(db).browse(MODEL)} == ids
    assert (await _index(db, analyzer, folder, describe=True)).unchanged == 3
