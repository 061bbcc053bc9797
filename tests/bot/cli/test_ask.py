"""Results of one clip as JSON and as terminal text."""

from __future__ import annotations

from dataclasses import replace

from bot.answer_json import as_json
from bot.cli.ask import as_text
from bot.recommender import NO_MUSIC
from genrec.types import Agreement, Recommendation
from tests.bot.ui.visible import recommendation

SPEECH = Recommendation(
    "m@1", None, False, (), (), note=NO_MUSIC, music=False, music_probability=0.03
)


def test_json_of_a_clip_without_music_has_no_genre_and_no_tracks() -> None:
    assert as_json(SPEECH) == {
        "model_id": "m@1",
        "music": False,
        "music_probability": 0.03,
        "genre": None,
        "unsure": False,
        "scores": {},
        "description": None,
        "words": {},
        "tags": [],
        "known": None,
        "tracks": [],
        "note": NO_MUSIC,
        "timings_ms": {},
    }
    assert "tracks" not in as_json(SPEECH, tracks=False)
    assert as_json(SPEECH, tracks=False)["note"] == NO_MUSIC


def test_text_of_a_clip_without_music_is_the_sentence() -> None:
    heading, blank, *sentence = as_text(SPEECH).strip().splitlines()
    assert (heading, blank) == ("No music found", "")
    assert " ".join(" ".join(sentence).split()) == NO_MUSIC


def test_json_of_music_has_its_probability() -> None:
    found = as_json(recommendation(1, music_probability=0.97))
    assert (found["music"], found["music_probability"], found["genre"]) == (True, 0.97, "rock")


def test_text_has_the_reasons_of_each_track() -> None:
    found = recommendation(2)
    bright = (Agreement("tempo", 0.1, 120.0), Agreement("bright", 0.2))
    first, second = found.tracks
    found = replace(found, tracks=(replace(first, reasons=bright), second))
    lines = as_text(found).splitlines()
    assert any(
        line.startswith(" 1  ") and line.endswith("same tempo, both bright") for line in lines
    )
    assert any(line.startswith(" 2  ") and line.endswith("similar sound") for line in lines)


def test_reasons_of_a_linked_song_relate_to_that_song() -> None:
    found = recommendation(1)
    (neighbour,) = found.tracks
    linked = replace(found, scores=(), known=neighbour.track, unsure=True)
    assert " 1  same genre, very similar sound" in as_text(linked).splitlines()
