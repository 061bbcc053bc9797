"""Sound tags on the command line: in answers, as JSON, and as the filter --tag."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path

import pytest

from bot.runtime import resources
from tests.bot.end_to_end.fakes import FakePool, make_preset, make_tagged_preset, opener


@pytest.fixture
def pool() -> FakePool:
    return FakePool()


@pytest.fixture
def genrec(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, run_command, pool: FakePool):
    """Return a function that runs a command and returns exit code, stdout and stderr."""
    make_tagged_preset(tmp_path / "preset", songs=40)
    make_preset(tmp_path / "plain")
    monkeypatch.setenv("GENREC_PRESET", str(tmp_path / "preset"))
    monkeypatch.setenv("GENREC_DATABASE", str(tmp_path / "genrec.db"))
    opened = functools.partial(resources.open_recommender, open_pool=opener(pool))
    monkeypatch.setattr(resources, "open_recommender", opened)
    monkeypatch.setattr("bot.cli.ask.open_recommender", opened)
    monkeypatch.setattr("bot.cli.named_song.open_recommender", opened)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip.wav").write_bytes(b"RIFF" + bytes(2000))

    return run_command


def songs(out: str) -> set[int]:
    """Return the numbers of the songs that a text names."""
    return {int(number) for number in re.findall(r"Song (\d+)", out)}


def test_answers_have_the_tags_as_text_and_as_json(genrec, pool: FakePool) -> None:
    code, out, _ = genrec("recommend", "clip.wav")
    assert code == 0
    assert "  mellow, female vocals\n" in out
    assert "  mellow, female vocals\n" in genrec("genre", "clip.wav")[1]
    assert json.loads(genrec("genre", "clip.wav", "--json")[1])["tags"] == [
        "mellow", "female vocalists",
    ]  # fmt: skip
    pool.music = 0.0
    Path("other.wav").write_bytes(b"RIFF" + bytes(3000))
    assert json.loads(genrec("genre", "other.wav", "--json")[1])["tags"] == []


@pytest.mark.parametrize("tag", ["acoustic", "Mellow,ACOUSTIC", "female vocals, acoustic"])
def test_tag_filters_every_command_with_filters(genrec, tag: str) -> None:
    even = set(range(0, 40, 2))
    for words in (
        ("recommend", "clip.wav", "-n", "20"), ("recommend", "--track", "Song 4"),
        ("mix", "clip.wav", "--track", "Song 4"), ("radio", "clip.wav", "-n", "12"),
    ):  # fmt: skip
        code, out, error = genrec(*words, "--tag", tag)
        assert (code, error) == (0, "")
        assert len(songs(out)) >= 5
        assert songs(out) <= even
    code, out, _ = genrec("path", "Song 2", "Song 5", "--steps", "5", "--tag", tag)
    assert code == 0
    assert {2, 5} < songs(out) <= {5, *even}


def test_too_few_tracks_with_a_tag_are_explained(genrec) -> None:
    code, out, _ = genrec("recommend", "clip.wav", "-n", "50", "--tag", "acoustic")
    assert code == 0
    assert "Only 20 of 50: no other track with this tag in the library is similar enough" in out
    out = genrec("recommend", "clip.wav", "-n", "50", "--tag", "acoustic,mellow", "--genre", "jazz")
    assert "no other jazz track with these tags in the library" in out[1]


@pytest.mark.parametrize("words", [("recommend", "clip.wav"), ("radio", "clip.wav")])
def test_tag_that_cannot_be_read_is_refused_in_a_sentence(genrec, words) -> None:
    code, out, error = genrec(*words, "--tag", "mellow, acustic")
    assert (code, out) == (2, "")
    assert "--tag: there is no tag 'acustic'; the tags are " in error
    code, out, error = genrec(*words, "--tag", "")
    assert (code, out) == (2, "")
    assert "--tag: there is no tag ''; the tags are " in error
    code, _, error = genrec(*words, "--tag", "mellow", "--preset", "plain")
    assert code == 2
    assert "--tag: the preset fake has no sound tags" in error
