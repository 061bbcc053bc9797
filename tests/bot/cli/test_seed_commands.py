"""Tests of ``genrec mix`` and ``genrec radio``: every kind of seed, lists, and mistakes."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import pytest

from bot.runtime import resources
from tests.bot.end_to_end.fakes import FakePool, make_preset, opener


@pytest.fixture
def pool() -> FakePool:
    return FakePool()


@pytest.fixture
def genrec(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, run_command, pool: FakePool):
    """Return a function that runs a command and returns exit code, stdout and stderr."""
    make_preset(tmp_path / "preset", songs=60)
    monkeypatch.setenv("GENREC_PRESET", str(tmp_path / "preset"))
    monkeypatch.setenv("GENREC_DATABASE", str(tmp_path / "genrec.db"))
    opened = functools.partial(resources.open_recommender, open_pool=opener(pool))
    monkeypatch.setattr(resources, "open_recommender", opened)
    (tmp_path / "clip.wav").write_bytes(b"RIFF" + bytes(2000))

    return run_command


def test_mix_of_a_file_a_list_and_names_is_printed(genrec, tmp_path: Path, pool: FakePool) -> None:
    playlist = tmp_path / "list.csv"
    playlist.write_text("title,artist\nSong 3,Artist 3\n", encoding="utf-8")
    code, out, error = genrec(
        "mix", tmp_path / "clip.wav", playlist, "--track", "Artist 7 Song 7", "--less-track",
        "Song 9",
    )  # fmt: skip
    assert (code, error) == (0, "")
    assert out.startswith("Mix of clip, Song 3 and Song 7, less of Song 9\n")
    assert len(pool.analyzed) == 1


def test_mix_as_json_has_seeds_and_tracks_and_writes_the_list(genrec, tmp_path: Path) -> None:
    names = ("--track", "Song 7", "--track", "Song 8")
    code, out, _ = genrec("mix", *names, "-n", "4", "--json", "-o", tmp_path / "mix.txt")
    found = json.loads(out)
    assert code == 0
    assert [(seed["title"], seed["liked"]) for seed in found["seeds"]] == [
        ("Song 7", True),
        ("Song 8", True),
    ]
    titles = [track["title"] for track in found["tracks"]]
    assert len(titles) == 4
    assert not {"Song 7", "Song 8"} & set(titles)
    lines = (tmp_path / "mix.txt").read_text(encoding="utf-8").splitlines()
    assert [line.partition(" - ")[2] for line in lines] == titles


def test_radio_is_repeated_by_its_random_seed(genrec, tmp_path: Path) -> None:
    command = ("radio", "--track", "Song 7", "-n", "20", "--json", "--random-seed")
    first, again, other = (json.loads(genrec(*command, seed)[1]) for seed in ("5", "5", "6"))
    assert first == again != other
    titles = [track["title"] for track in first["tracks"]]
    assert len(set(titles)) == len(titles) == 20
    assert (first["random_seed"], first["wanted"], first["note"]) == (5, 20, "")


def test_radio_of_a_small_library_says_why_it_is_short(genrec, tmp_path: Path) -> None:
    code, out, error = genrec("radio", tmp_path / "clip.wav", "-n", "100")
    assert (code, error) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "Radio from clip"
    assert lines[1].startswith("60 songs, again with --random-seed ")
    assert lines[-1] == "Only 60 of 100: no other track is similar enough."


def test_radio_can_go_on_from_its_own_list(genrec, tmp_path: Path) -> None:
    names = ("--track", "Song 7", "--random-seed", "1")
    assert genrec("radio", *names, "-o", tmp_path / "first.csv")[0] == 0
    code, out, _ = genrec("radio", tmp_path / "first.csv", "-n", "10", "--json")
    assert code == 0
    assert len(json.loads(out)["seeds"]) == 5


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("mix", "--track", "Song 7"), 2, "1 seed: a mix needs 2 to 5"),
        (("mix", "--less-track", "Song 7"), 2, "no seed to be near"),
        (("radio",), 2, "no seed to be near"),
        (("mix", *("--track", "Song 7") * 6), 2, "6 seeds: name at most 5"),
        (
            ("mix", "--track", "Song 7", "--track", "Song 7"),
            3,
            "A mix needs 2 to 5 different songs",
        ),
        (("mix", "--track", "Song 7", "--track", "zzzz"), 3, "No track is named “zzzz”"),
        (("radio", "gone.wav"), 3, "gone.wav cannot be opened"),
        (("radio", "gone.m3u8"), 3, "There is no file gone.m3u8: check the path."),
        (("radio", "--track", "Song 7", "-o", "list.doc"), 2, "list.doc"),
        (("radio", "--track", "Song 7", "-n", "101"), 2, "expected at most 100"),
    ],
)
def test_mistake_has_its_sentence_and_code(genrec, words, code: int, sentence: str) -> None:
    left, _, error = genrec(*words)
    assert left == code
    assert sentence in " ".join(error.replace("│", " ").split())


def test_list_without_known_tracks_is_refused(genrec, tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("title,artist\nYesterday,Beatles\n", encoding="utf-8")
    code, _, error = genrec("radio", tmp_path / "other.csv")
    assert code == 3
    assert "The catalogue has none of the 1 tracks of" in error
    (tmp_path / "odd.jspf").write_bytes(b"\xff\xff{not text")
    code, _, error = genrec("radio", tmp_path / "odd.jspf")
    assert code == 3
    assert "odd.jspf is no list that genrec can read" in error


def test_clip_without_music_is_named(genrec, tmp_path: Path, pool: FakePool) -> None:
    pool.music = 0.1
    code, _, error = genrec("mix", tmp_path / "clip.wav", "--track", "Song 7")
    assert code == 3
    assert error.startswith(f"{tmp_path / 'clip.wav'} seems to contain speech")
