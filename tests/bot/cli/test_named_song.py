"""``--track NAME`` of ``genrec recommend`` and ``genrec genre``, on the starter catalogue."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bot.cli.test_cli import KEYS, Genrec

TYPED = "jehtro long song"


@pytest.fixture
def genrec(tmp_path: Path) -> Genrec:
    return Genrec(tmp_path)


def test_recommend_for_a_name_with_a_typo(genrec: Genrec) -> None:
    file = genrec.folder / "list.txt"
    answer = genrec.json("recommend", "--track", TYPED, "-n", "3", "-o", file)
    assert set(answer) == KEYS
    assert answer["known"]["title"] == "Life Is A Long Song"
    assert answer["scores"] == {}
    assert len(answer["tracks"]) == 3
    assert "Life Is A Long Song" not in {track["title"] for track in answer["tracks"]}
    assert len(file.read_text().splitlines()) == 3
    code, out, error = genrec("recommend", "--track", TYPED, "--genre", "jazz")
    assert (code, error) == (0, "")
    assert "Life Is A Long Song" in out


def test_genre_of_a_name(genrec: Genrec) -> None:
    answer = genrec.json("genre", "--track", "Life Is A Long Song - Jethro Tull")
    assert answer["genre"] == "rock"
    assert "as the catalogue has it" in answer["note"]
    assert "Rock" in genrec("genre", "--track", TYPED)[1].title()


@pytest.mark.parametrize("command", ["recommend", "genre"])
def test_name_of_several_songs_or_of_none_is_refused(genrec: Genrec, command: str) -> None:
    code, out, error = genrec(command, "--track", "jethro tull")
    assert (code, out) == (3, "")
    assert "fits several tracks" in error
    assert "Jethro Tull - Life Is A Long Song" in error
    code, out, error = genrec(command, "--track", "jethro tull long song forever")
    assert (code, out) == (3, "")
    assert "Similar names" in error
    refused = genrec.json(command, "--track", "zzyzx", code=3)
    assert refused["error"]["code"] == "song_unknown"
    assert "zzyzx" in refused["error"]["message"]


@pytest.mark.parametrize("command", ["recommend", "genre"])
def test_one_of_file_and_name_is_needed(genrec: Genrec, command: str) -> None:
    for arguments in ((), ("clip.wav", "--track", "song")):
        code, _, error = genrec(command, *arguments)
        assert code == 2
        assert "--track" in error


def test_path_uses_the_starter_catalogue_as_it_is_told(genrec: Genrec) -> None:
    ends = ("path", "one love marley", "Enter Sandman", "--steps", "3", "--starter")
    assert len(genrec.json(*ends, "always")["songs"]) == 3
    code, out, error = genrec(*ends, "never")
    assert (code, out) == (2, "")
    assert "There are no tracks yet" in error
