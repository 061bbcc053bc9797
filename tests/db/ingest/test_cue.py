"""Tests of CUE sheets: an album in one file becomes its songs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from db.connection import Database
from db.details import TrackDetails, load_details
from db.import_export import export_tracks
from db.ingest.cue import album_songs
from db.ingest.report import file_rows
from db.ingest.run import IngestJob, IngestReport, ingest
from db.ingest.scan import file_stamp, scan_folder, song_stamp
from db.sections import file_of, section_source, split_source
from db.tracks import Catalogue
from genrec.types import Analysis, Section
from tests.db.fakes import DIMENSION, LABELS, MODEL, FakeAnalyzer, fake_analysis
from tests.db.tagging.tag_files import with_ffmpeg

SHEET = """REM GENRE "Blues"
REM DATE 1965
PERFORMER "Nina Simone"
TITLE "Pastel Blues"
FILE "Pastel Blues.wav" WAVE
  TRACK 01 AUDIO
    TITLE "Be My Husband"
    ISRC USPR36507311
    INDEX 01 00:00:00
  TRACK 02 AUDIO
    TITLE "Nobody Knows You"
    PERFORMER "Jimmie Cox"
    INDEX 00 03:20:00
    INDEX 01 03:22:15
  TRACK 03 AUDIO
    TITLE Sinnerman
    INDEX 01 06:02:74
"""
SONGS = [
    (Section(0.0, 202.2), "Be My Husband", "Nina Simone"),
    (Section(202.2, 362 + 74 / 75), "Nobody Knows You", "Jimmie Cox"),
    (Section(362 + 74 / 75), "Sinnerman", "Nina Simone"),
]


class SectionAnalyzer(FakeAnalyzer):
    """Analyzer whose result depends on the bytes and the section."""

    def __init__(self) -> None:
        super().__init__()
        self.sections: list[Section | None] = []

    async def analyze(self, path: Path, section: Section | None = None) -> Analysis:
        self.calls.append(path.name)
        self.sections.append(section)
        if path.name in self.faults:
            raise self.faults[path.name]
        return fake_analysis(path.read_bytes() + repr(section).encode())


def _album(folder: Path, sheet: str = SHEET, *, name: str = "Pastel Blues.flac") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"an album")
    (folder / "album.cue").write_text(sheet, encoding="utf-8")
    return folder / name


async def _index(db: Database, analyzer: FakeAnalyzer, folder: Path) -> IngestReport:
    analyzer.calls.clear()
    job = IngestJob(folder=folder, model_id=MODEL, dimension=DIMENSION, labels=LABELS)
    return await ingest(db, analyzer, job)


def _songs(folder: Path) -> list[tuple[Section, str, str]]:
    sounds = [str(path) for path in sorted(folder.iterdir()) if path.suffix != ".cue"]
    songs = album_songs(str(folder / "album.cue"), sounds)
    return [(s.section, s.fields.get("title", ""), s.fields.get("artist", "")) for s in songs]


def test_sheet_gives_sections_and_tags(tmp_path: Path) -> None:
    _album(tmp_path)
    songs = album_songs(str(tmp_path / "album.cue"), [str(tmp_path / "Pastel Blues.flac")])
    assert _songs(tmp_path) == SONGS
    assert songs[0].fields == {
        "genre": "Blues", "year": "1965", "album": "Pastel Blues", "artist": "Nina Simone",
        "title": "Be My Husband", "isrc": "USPR36507311",
    }  # fmt: skip


@pytest.mark.parametrize(
    "encoding", ["utf-8-sig", "utf-16", "cp1251", "utf-8"], ids=["bom", "utf-16", "cp1251", "utf-8"]
)
def test_sheet_in_any_code_page_is_read(tmp_path: Path, encoding: str) -> None:
    text = SHEET.replace("Nina Simone", "Кино").replace("Sinnerman", '"Группа крови"')
    _album(tmp_path)
    (tmp_path / "album.cue").write_bytes(text.replace("\n", "\r\n").encode(encoding))
    assert [artist for _, _, artist in _songs(tmp_path)] == ["Кино", "Jimmie Cox", "Кино"]
    assert _songs(tmp_path)[2][1] == "Группа крови"


@pytest.mark.parametrize(
    ("named", "file"),
    [
        ("Pastel Blues.wav", "Pastel Blues.flac"),
        ("PASTEL BLUES.WAV", "Pastel Blues.flac"),
        (r"C:\\rips\\Pastel Blues.wav", "Pastel Blues.wv"),
        ("CDImage.wav", "album.flac"),
        ("range.wav", "anything.m4a"),
    ],
)
def test_file_of_a_sheet_is_found_after_its_name_changed(
    tmp_path: Path, named: str, file: str
) -> None:
    sheet = SHEET.replace("Pastel Blues.wav", named.replace("\\\\", "\\"))
    _album(tmp_path, sheet, name=file)
    assert _songs(tmp_path) == SONGS


def test_sheet_of_single_files_divides_nothing(tmp_path: Path) -> None:
    sheet = "".join(
        f'FILE "{n}.flac" WAVE\n TRACK {n:02} AUDIO\n  INDEX 01 00:00:00\n' for n in range(1, 4)
    )
    _album(tmp_path, sheet, name="1.flac")
    assert _songs(tmp_path) == []
    # The gap before a song is at the end of the file before it.
    gaps = SHEET.replace("    INDEX 01 03", '  FILE "2.flac" WAVE\n    INDEX 01 03')
    _album(tmp_path, gaps.replace("    INDEX 01 06", '  FILE "3.flac" WAVE\n    INDEX 01 06'))
    assert _songs(tmp_path) == []


@pytest.mark.parametrize(
    "sheet",
    [
        "",
        "\x00\x01",
        "FILE",
        'FILE "Pastel Blues.wav" WAVE\nTRACK 01 AUDIO\nINDEX 01 99:99:99:99\nINDEX 01 xx',
        "INDEX 01 00:00:00\n" * 1000,
        "TITLE " + " " * 200_000 + "x" + " " * 200_000,
        'TITLE "' + '" ' * 100_000,
        'TITLE "x"' + " " * 200_000 + '" y z',  # would take minutes in a pattern
        "REM " + "a" * 200_000,
        'FILE "x.wav" WAVE\n' + "TRACK 01 AUDIO\nINDEX 01 00:00:00\n" * 5000,
    ],
)
def test_damaged_sheet_raises_nothing(tmp_path: Path, sheet: str) -> None:
    _album(tmp_path, sheet)
    assert len(_songs(tmp_path)) <= 99


def test_scan_has_songs_in_place_of_the_album(tmp_path: Path) -> None:
    path = _album(tmp_path)
    found = scan_folder(tmp_path)
    sources = [section_source(str(path), section) for section, _, _ in SONGS]
    assert sources == [f"{path}#t=0,202.2", f"{path}#t=202.2,362.987", f"{path}#t=362.987"]
    assert list(found.files) == list(found.songs) == sources
    stamp = song_stamp(found.songs[sources[0]])
    assert set(found.files.values()) == {stamp}
    assert stamp != file_stamp(str(path))


def test_sheet_among_the_tags_of_a_large_file_divides_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(with_ffmpeg(tmp_path / "a.flac", "flac", "flac", title="Album", CUESHEET=SHEET))
    assert list(scan_folder(tmp_path).files) == [path]
    monkeypatch.setattr("db.ingest.scan.MIN_ALBUM_BYTES", 1000)
    found = scan_folder(tmp_path)
    assert list(found.files) == [section_source(path, section) for section, _, _ in SONGS]
    wv = with_ffmpeg(tmp_path / "b.wv", "wv", "wavpack", Cuesheet=SHEET)
    assert sum(file_of(source) == str(wv) for source in scan_folder(tmp_path).files) == 3


def test_data_track_is_no_song_and_ends_the_one_before(tmp_path: Path) -> None:
    _album(tmp_path, SHEET.replace("TRACK 03 AUDIO", "TRACK 03 MODE1/2352"))
    assert _songs(tmp_path) == SONGS[:2]


def test_song_without_a_title_has_its_number(tmp_path: Path) -> None:
    _album(tmp_path, SHEET.replace("    TITLE Sinnerman\n", ""))
    assert _songs(tmp_path)[2][1] == "Track 3"


def test_second_sheet_of_an_album_is_ignored(tmp_path: Path) -> None:
    _album(tmp_path)
    (tmp_path / "b.cue").write_text(SHEET.replace("03:22", "03:21"), encoding="utf-8")
    assert len(scan_folder(tmp_path).files) == 3


def test_source_gives_file_and_section() -> None:
    assert split_source("/m/a.flac#t=1.5,20") == ("/m/a.flac", Section(1.5, 20.0))
    assert split_source("/m/a.flac#t=0") == ("/m/a.flac", Section(0.0))
    assert file_of("/m/a.flac#t=1.5,20") == "/m/a.flac"
    for plain in ("/m/a.flac", "/m/Song #t=1", "https://a.example/x#t=10", "/m/a#t=1.mp3"):
        assert split_source(plain) == (plain, None)


async def test_songs_of_an_album_are_analysed_alone(db: Database, tmp_path: Path) -> None:
    path, analyzer = _album(tmp_path / "music"), SectionAnalyzer()
    report = await _index(db, analyzer, tmp_path / "music")
    assert (report.tracks, report.analyzed, report.failures) == (3, 3, [])
    assert sorted(analyzer.sections, key=str) == sorted((s for s, _, _ in SONGS), key=str)
    tracks = await Catalogue(db).browse(MODEL)
    assert {(track.title, track.artist) for track in tracks} == {song[1:] for song in SONGS}
    assert {track.genre for track in tracks} == {"blues"}
    first = next(track for track in tracks if track.title == "Be My Husband")
    async with db.snapshot() as session:
        details = await load_details(session, [first.id])
    assert details[first.id] == TrackDetails("Pastel Blues", 1965, "USPR36507311")
    rows = {row.path: (row.result.value, row.kind) for row in file_rows(report)}
    assert rows[str(path)] == ("indexed", "FLAC with CUE sheet")
    assert len(rows) == 2
    playlist = "".join([piece async for piece in export_tracks(Catalogue(db), MODEL, "m3u8")])
    assert f"#EXTVLCOPT:start-time=202.2\n#EXTVLCOPT:stop-time=362.987\n{path}\n" in playlist


async def test_unchanged_album_is_not_analysed_again(db: Database, tmp_path: Path) -> None:
    path, analyzer = _album(tmp_path / "music"), SectionAnalyzer()
    await _index(db, analyzer, tmp_path / "music")
    report = await _index(db, analyzer, tmp_path / "music")
    assert (report.unchanged, report.switched, analyzer.calls) == (3, False, [])
    assert [row.result.value for row in file_rows(report)] == ["unchanged", "left_out"]
    # Other names in the sheet: no song is analysed again.
    _album(tmp_path / "music", SHEET.replace("Sinnerman", "Sinner Man"))
    os.utime(path.parent / "album.cue", ns=(1, path.stat().st_mtime_ns + 10**9))
    report = await _index(db, analyzer, tmp_path / "music")
    assert (report.reused, analyzer.calls) == (3, [])
    assert "Sinner Man" in {track.title for track in await Catalogue(db).browse(MODEL)}
    # Without the sheet the album is one track.
    (path.parent / "album.cue").unlink()
    report = await _index(db, analyzer, tmp_path / "music")
    assert (report.tracks, report.analyzed, report.removed) == (1, 1, 3)


async def test_songs_of_an_album_that_moved_keep_their_tracks(db: Database, tmp_path: Path) -> None:
    _album(tmp_path / "music")
    analyzer = SectionAnalyzer()
    await _index(db, analyzer, tmp_path / "music")
    before = {track.title: track.id for track in await Catalogue(db).browse(MODEL)}
    (tmp_path / "music").rename(tmp_path / "moved")
    report = await _index(db, analyzer, tmp_path / "moved")
    assert (report.moved, report.tracks, analyzer.calls) == (3, 3, [])
    tracks = await Catalogue(db).browse(MODEL)
    assert {track.title: track.id for track in tracks} == before
    assert all(file_of(track.source).startswith(str(tmp_path / "moved")) for track in tracks)
    async with db.snapshot() as session:
        details = await load_details(session, before.values())
    assert {each.album for each in details.values()} == {"Pastel Blues"}
    assert len(details) == 3
