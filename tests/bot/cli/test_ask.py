"""Results of one clip as JSON and as terminal text."""

from __future__ import annotations

from bot.cli.ask import as_json, as_text
from bot.recommender import NO_MUSIC
from genrec.types import Recommendation
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
