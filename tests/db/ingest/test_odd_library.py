"""A music folder with odd names, suffixes, discs and tags: each file is indexed with its names."""

from __future__ import annotations

from pathlib import Path

import pytest

from db.connection import Database
from db.ingest.report import file_rows
from db.ingest.run import IngestJob, ingest
from db.tracks import Catalogue
from genrec.audio.decode import decode
from genrec.audio.kinds import SOUND_SUFFIXES
from tests.db.fakes import DIMENSION, LABELS, MODEL, FakeAnalyzer
from tests.db.tagging.tag_files import with_ffmpeg

NAMES = {
    "Metallica/...And Justice for All/01 Blackened.mp3": ("Blackened", "Metallica"),
    ".38 Special/Special Forces/02 Caught Up in You.mp3": ("Caught Up in You", ".38 Special"),
    "Britney Spears/...Baby One More Time.mp3": ("...Baby One More Time", "Britney Spears"),
    "Pink Floyd/The Wall/CD1/01 In the Flesh.mp3": ("In the Flesh", "Pink Floyd"),
    "Pink Floyd/The Wall/Disc 2/01 Hey You.mp3": ("Hey You", "Pink Floyd"),
    "Nina Simone/Pastel Blues/07 Strange Fruit.mp3": ("Strange Fruit", "Nina Simone"),
}
TAGGED = {"Tagged/a.mka": ("matroska", "aac"), "Tagged/b.flac": ("flac", "flac")}
SUFFIXES = {
    "mp2": ("mp2", "mp2"), "mov": ("mov", "aac"), "m4r": ("ipod", "aac"), "m4v": ("mp4", "aac"),
    "wave": ("wav", "pcm_s16le"), "aifc": ("aiff", "pcm_s16be"), "3gp": ("3gp", "aac"),
    "wma": ("asf", "wmav2"), "wv": ("wv", "wavpack"), "caf": ("caf", "alac"),
}  # fmt: skip


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Return the folder."""
    root = tmp_path / "library"
    files = (
        dict.fromkeys(NAMES, ("mp3", "libmp3lame"))
        | TAGGED
        | {f"Suffixes/{suffix}.{suffix}": made for suffix, made in SUFFIXES.items()}
    )
    for name, (container, codec) in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        tags = {"title": "Tag Title", "artist": "Tag Artist"} if name in TAGGED else {}
        with_ffmpeg(root / name, container, codec, seconds=1.5, **tags)
    return root


async def test_every_file_is_indexed_with_its_names(db: Database, library: Path) -> None:
    job = IngestJob(folder=library, model_id=MODEL, dimension=DIMENSION, labels=LABELS)
    report = await ingest(db, FakeAnalyzer(), job)
    assert {row.result.value for row in file_rows(report)} == {"indexed"}
    tracks = {
        str(Path(track.source).relative_to(library)): (track.title, track.artist)
        for track in await Catalogue(db).browse(MODEL, limit=100)
    }
    expected = NAMES | dict.fromkeys(TAGGED, ("Tag Title", "Tag Artist"))
    assert {name: tracks[name] for name in expected} == expected
    assert len(tracks) == len(expected) + len(SUFFIXES)


def test_every_suffix_of_the_folder_is_decoded(library: Path) -> None:
    for path in (library / "Suffixes").iterdir():
        assert path.suffix in SOUND_SUFFIXES
        assert decode(path, sr=22050).duration_s == pytest.approx(1.5, abs=0.2)
