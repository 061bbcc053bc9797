"""The list of songs that a link may name, and the genre of a named track."""

from __future__ import annotations

import pytest

from bot.ui import song_choice
from bot.ui.answer_lines import typed_key
from bot.ui.custom_ids import MAX_ID
from bot.ui.song_choice import SongChoice
from genrec.music_filter import COMPATIBLE, MusicWish, parse_tempo
from genrec.page_titles import SongName
from genrec.types import Track
from tests.bot.ui.test_messages import LANGUAGES, localizer
from tests.bot.ui.visible import HOSTILE, LONG, assert_harmless, body, components, seen

TRACKS = [Track(n, f"Song {n}", "Some Band", "rock", "", "library") for n in range(1, 6)]


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize(
    "name", ["", HOSTILE, LONG, "A Song"], ids=["none", "hostile", "long", "name"]
)
async def test_list_keeps_discords_limits_and_is_harmless(code: str, name: str) -> None:
    tracks = [Track(n, name, name, name, name) for n in range(1, 6)]
    view = song_choice.choices(
        localizer(code),
        tracks,
        site="Spotify",
        name=SongName(name or "x", name),
        custom_id=song_choice.custom_id("recommend", 2**63, 10, "electronic"),
    )
    assert body(view)["components"]
    assert_harmless(seen(view))
    assert view.is_finished()
    genre = song_choice.genre(localizer(code), Track(1, name, name, name or "rock", ""))
    assert_harmless(seen(genre))


def test_list_offers_each_track_and_none_of_them() -> None:
    view = song_choice.choices(
        localizer("en-US"),
        TRACKS,
        site="Deezer",
        name=SongName("Sonf", "Band"),
        custom_id=song_choice.custom_id("genre", 7, 5, None),
    )
    (menu,) = components(view, 3)
    assert [option["value"] for option in menu["options"]] == ["1", "2", "3", "4", "5", "0"]
    assert menu["options"][0]["description"] == "Some Band · Rock"
    assert "Band – Sonf" in seen(view)


@pytest.mark.parametrize("genre", [None, "rock"])
def test_custom_id_names_the_request(genre: str | None) -> None:
    made = song_choice.custom_id("genre", 2**63, 10, genre)
    assert len(made) <= 100
    assert song_choice.song_choice(made.split(":")[1:]) == SongChoice("genre", 2**63, 10, genre)


@pytest.mark.parametrize("text", ["122", "118-126", "20", "400", "99,5-101.25"])
@pytest.mark.parametrize("key", [0, 23, COMPATIBLE])
def test_custom_id_keeps_tempo_and_key(text: str, key: int | str) -> None:
    tempo = parse_tempo(text)
    made = song_choice.custom_id("recommend", 2**63, 10, "electronic", MusicWish(tempo, key))
    assert len(made) <= MAX_ID
    choice = song_choice.song_choice(made.split(":")[1:])
    assert choice is not None
    assert choice.tempo is not None
    assert parse_tempo(choice.tempo) == pytest.approx(tempo, abs=0.01)
    assert choice.key is not None
    assert typed_key(localizer("ja"), choice.key) == key


def test_custom_id_of_an_earlier_version_is_read() -> None:
    assert song_choice.song_choice(("genre", "7", "5", "rock")) == SongChoice("genre", 7, 5, "rock")


@pytest.mark.parametrize(
    "parts",
    [(), ("recommend",), ("recommend", "x", "5", ""), ("other", "1", "5", ""),
     ("recommend", "1", "0", ""), ("recommend", "1", "11", ""), ("genre", "١", "5", "")],
)  # fmt: skip
def test_malformed_custom_id_names_nothing(parts: tuple[str, ...]) -> None:
    assert song_choice.song_choice(parts) is None
