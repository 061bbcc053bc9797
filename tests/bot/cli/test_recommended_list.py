"""Tests of ``genrec recommend``: where the tracks are, and the list of ``--output``."""

from __future__ import annotations

import asyncio
import functools
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bot.cli import ask
from bot.cli import main as command_line
from bot.config import PREFIX, Settings
from db.connection import open_db
from db.generations import NewTrack
from db.tracks import Catalogue
from genrec.preset import Preset
from tests.bot.end_to_end.fakes import FakePool, make_preset, opener, unit


@pytest.fixture
def genrec(monkeypatch: pytest.MonkeyPatch, capsys, tmp_path: Path):
    """Return a function that runs the command and returns exit code, stdout and stderr."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"{PREFIX}{name.upper()}", raising=False)
    make_preset(tmp_path / "preset", songs=12)
    monkeypatch.setenv("GENREC_PRESET", str(tmp_path / "preset"))
    monkeypatch.setenv("GENREC_DATABASE", str(tmp_path / "genrec.db"))
    opened = functools.partial(ask.open_recommender, open_pool=opener(FakePool()))
    monkeypatch.setattr(ask, "open_recommender", opened)
    (tmp_path / "clip.wav").write_bytes(b"RIFF" + bytes(2000))

    def run(*words: str | Path) -> tuple[int, str, str]:
        command = ["genrec", "recommend", str(tmp_path / "clip.wav"), *map(str, words)]
        monkeypatch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as left:
            command_line.main()
        written = capsys.readouterr()
        return int(left.value.code or 0), written.out, written.err

    return run


def add_file(folder: Path, name: str) -> Path:
    """Add one track of the library whose file is there, nearest to every clip of the fake pool."""
    song = folder / "music" / name
    song.parent.mkdir(exist_ok=True)
    song.write_bytes(b"x")

    async def add() -> None:
        async with open_db(folder / "genrec.db") as db:
            track = NewTrack(
                title="Song", artist="Band", genre="jazz", embedding=unit(1), source=str(song)
            )
            model_id = Preset.load(folder / "preset").model_id
            await Catalogue(db).add("library", model_id, [track])

    asyncio.run(add())
    return song


def test_path_of_a_file_and_link_of_another_track_are_printed(genrec, tmp_path: Path) -> None:
    song = add_file(tmp_path, "[bold] 1.flac")
    code, out, error = genrec()
    assert (code, error) == (0, "")
    lines = out.splitlines()
    assert [line.split()[0] for line in lines[-5:]] == ["1", "2", "3", "4", "5"]
    assert any(line.endswith(str(song)) for line in lines[-5:])
    assert sum("https://www.youtube.com/results?search_query=" in line for line in lines) == 4
    found = json.loads(genrec("--json")[1])["tracks"]
    assert str(song) in [track["link"] for track in found]


@pytest.mark.parametrize("suffix", ["m3u8", "csv", "json", "jspf", "txt"])
def test_output_has_the_recommended_tracks(genrec, tmp_path: Path, suffix: str) -> None:
    song = add_file(tmp_path, "1.flac")
    file = tmp_path / f"list.{suffix}"
    code, _, error = genrec("-o", file)
    assert (code, error) == (0, "")
    text = file.read_text(encoding="utf-8")
    if suffix == "m3u8":
        assert text == f"#EXTM3U\n#EXTINF:-1,Band - Song\n{song}\n"
    else:
        assert text.count("Artist ") >= 4
    if suffix == "txt":
        assert "Band - Song" in text.splitlines()


def test_output_is_relative_to_the_root(genrec, tmp_path: Path, monkeypatch) -> None:
    add_file(tmp_path, "1.flac")
    monkeypatch.setenv("GENREC_PATH_ROOT", str(tmp_path / "music"))
    assert genrec("-o", tmp_path / "list.m3u8")[0] == 0
    assert (tmp_path / "list.m3u8").read_text().splitlines()[2] == "1.flac"


def test_empty_playlist_is_one_sentence(genrec, tmp_path: Path) -> None:
    code, out, error = genrec("-o", tmp_path / "list.m3u8")
    assert (code, out) == (2, "")
    assert "None of the tracks has a file or an address" in error
    assert not (tmp_path / "list.m3u8").exists()


def test_output_of_an_unknown_suffix_is_refused_before_the_analysis(genrec, tmp_path: Path) -> None:
    code, _, error = genrec("-o", tmp_path / "list.pls")
    assert code == 2
    assert ".m3u8" in error


def test_tracks_by_the_clips_artist_are_an_option(
    genrec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_file(tmp_path, "1.flac")
    clip = ask.file_clip
    monkeypatch.setattr(ask, "file_clip", lambda path: replace(clip(path), artist="The Band"))

    def titles(*words: str) -> list[str]:
        return [track["title"] for track in json.loads(genrec("--json", *words)[1])["tracks"]]

    assert "Song" in titles("-n", "12", "--any-artist")
    assert "Song" not in titles("-n", "12")


def test_reach_is_an_option(genrec) -> None:
    tracks = {
        reach: json.loads(genrec("--json", "--reach", reach, "-n", "3")[1])["tracks"]
        for reach in ("near", "balanced", "adventurous")
    }
    assert {len(each) for each in tracks.values()} == {3}
    assert tracks["near"] != tracks["adventurous"]
    code, _, error = genrec("--reach", "everywhere")
    assert code == 2
    assert "everywhere" in error
