"""Picture, alt text and message of a map."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from bot.i18n import LANGUAGES, Localizer, Translations
from bot.local_discord import visible_text
from bot.ui.map_drawing import PALETTE, styles
from bot.ui.map_message import (
    SIGN,
    MarkedTrack,
    _drawable_names,
    drawn_marks,
    map_alt,
    map_message,
    map_picture,
)
from bot.ui.map_page import MapTracks, genre_label
from genrec.types import Track

TRANSLATIONS = Translations.load()


def shown(language: str = "en", count: int = 30) -> MapTracks:
    localizer = Localizer(TRANSLATIONS, language)
    tracks = [
        Track(n, f"Song *{n}*", f"Artist {n}", ("jazz", "rock", "Dub")[n % 3], "starter:x")
        for n in range(count)
    ]
    places = np.random.default_rng(1).uniform(-1, 1, (count, 2)).astype(np.float32)
    return MapTracks(tracks, places, {"genre": [genre_label(localizer, t.genre) for t in tracks]})


def test_picture_has_the_colour_of_each_group() -> None:
    with Image.open(BytesIO(map_picture(Localizer(TRANSLATIONS, "en"), shown()))) as picture:
        assert picture.size[0] == 840
        assert picture.size[1] > 760
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 20) or ()}
    assert {(230, 159, 0), (86, 180, 233), (0, 158, 115)} <= colours


def test_picture_of_a_sample_has_the_colours_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    # Of all tracks "Rock" is the most frequent group, of the drawn ones it is not.
    tracks = shown().tracks[:3] + shown().tracks[1::3]
    groups = [genre_label(Localizer(TRANSLATIONS, "en"), track.genre) for track in tracks]
    places = np.zeros((len(tracks), 2), np.float32)
    monkeypatch.setattr("bot.ui.map_message.MAX_DRAWN", 3)
    monkeypatch.setattr("bot.ui.map_message.landmarks", lambda ids, count: np.arange(count))
    sample = MapTracks(tracks, places, {"genre": groups})
    png = map_picture(Localizer(TRANSLATIONS, "en"), sample)
    colour_of = styles(groups)
    assert (groups[0], colour_of["Rock"].colour) == ("Jazz", PALETTE[0])
    with Image.open(BytesIO(png)) as picture:  # all points are in one place, and "Dub" on top
        pixels = np.asarray(picture.convert("RGB"))
    assert tuple(pixels[380, 420]) == colour_of["Dub"].colour


def test_picture_names_genres_in_english_where_the_font_lacks_letters() -> None:
    assert _drawable_names(shown("de")) == {"Jazz": "Jazz", "Rock": "Rock", "Dub": "Dub"}
    names = _drawable_names(shown("ja"))
    assert sorted(names.values()) == ["Dub", "Jazz", "Rock"]
    assert sorted(names) != sorted(names.values())


def test_marks_have_the_group_of_their_track() -> None:
    tracks = shown()
    marked = [MarkedTrack(0, 0, SIGN), MarkedTrack(0.5, 0, "1", tracks.tracks[1])]
    assert [(mark.text, mark.group) for mark in drawn_marks(tracks, marked)] == [
        (SIGN, ""), ("1", "Rock")
    ]  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_alt_text_and_message_name_count_groups_and_marks(language: str) -> None:
    localizer, tracks = Localizer(TRANSLATIONS, language), shown(language)
    marked = [MarkedTrack(0, 0, SIGN), MarkedTrack(0.5, 0, "1", tracks.tracks[1])]
    alt = map_alt(localizer, tracks, marked)
    assert "30" in alt
    assert f"{tracks.first[0]} 10" in alt
    assert "1 Song *1*" in alt
    assert len(alt) <= 1024
    view = map_message(localizer, tracks, heading="Map", marked=marked, alt=alt, page=True)
    text = visible_text({"components": view.to_components()})
    assert "**Song \\*1\\***" in text
    assert localizer("answer.your_clip") in text
    assert localizer("map.page_hint") in text
    assert localizer("map.no_page") not in text


def test_message_without_a_page_says_why() -> None:
    localizer = Localizer(TRANSLATIONS, "en")
    view = map_message(localizer, shown(), heading="Map", alt="", page=False)
    text = visible_text({"components": view.to_components()})
    assert "too large for Discord" in text
    assert "map.html" not in str(view.to_components())
