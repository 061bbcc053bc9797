"""The compact layout: what fits on a phone, and what its Details button carries."""

from __future__ import annotations

import re
from types import SimpleNamespace

import discord
import pytest

from bot.i18n import Localizer, Translations
from bot.ui import answer, compact
from bot.ui.components import GENRE_COLOURS, UNSURE
from bot.ui.custom_ids import DetailsSource, details_id, details_source, response_key
from bot.ui.markdown import escape_width, width
from bot.ui.mix_layouts import MixHead
from bot.ui.track_links import TrackLinks
from genrec.types import Neighbour
from tests.bot.ui.visible import (
    HOSTILE,
    LONG,
    body,
    custom_ids,
    recommendation,
    seen,
    track,
    unescaped,
)

TRANSLATIONS = Translations.load()
CLIP = DetailsSource(sha256="0123456789abcdef" * 4)
MEDIA_GALLERY, CONTAINER = 12, 17


def response(rec=None, locale="en-US", **options):
    """Return a compact response; any option may be changed."""
    rec = rec or recommendation()
    key = response_key([neighbour.track.id for neighbour in rec.tracks])
    defaults = {"source": CLIP, "key": key, "name": "clip.mp3", "count": len(rec.tracks)}
    return compact.recommendation(Localizer(TRANSLATIONS, locale), rec, **{**defaults, **options})


def lines(view) -> list[str]:
    """Return the lines of the tracks, with links replaced by their labels."""
    shown = [line for line in seen(view).splitlines() if line[:1].isdigit()]
    return [unescaped(line.replace("](", "\0").split("\0")[0] + _after(line)) for line in shown]


def _after(line: str) -> str:
    return line.rpartition(")")[2] if "](" in line else ""


def test_response_has_genres_five_lines_and_one_row_of_buttons():
    view = response()
    text = seen(view)
    assert "## Rock 72%" in text
    assert "-# Metal 20% · Blues 5%" in text
    assert "-# Similar to **clip.mp3**" in text
    assert [line.replace("[", "") for line in lines(view)] == [
        f"{n}. Song {n} · Band {n}" for n in range(1, 6)
    ]
    ids = [custom_id.split(":")[0] for custom_id in custom_ids(view)]
    assert ids == ["details", "thumb", "thumb"]
    message = body(view)
    assert message["components"][0]["accent_color"] == GENRE_COLOURS["rock"]
    assert len(message["components"][0]["components"]) == 3
    assert "vgg16" not in text


def test_listen_is_one_more_button_of_the_row():
    view = response(links=TrackLinks(listen=True))
    ids = [custom_id.split(":")[0] for custom_id in custom_ids(view)]
    assert ids == ["details", "thumb", "thumb", "listen"]


def test_unsure_response_says_so():
    view = response(recommendation(unsure=True))
    assert "## Unsure, perhaps Rock\n-# Rock 72% · Metal 20%" in seen(view)
    assert body(view)["components"][0]["accent_color"] == UNSURE


@pytest.mark.parametrize("name", [HOSTILE, LONG, "W" * 300, "", "a"], ids=str.__len__)
@pytest.mark.parametrize("artist", [HOSTILE, LONG, "W" * 300, "", "b"], ids=str.__len__)
def test_track_of_any_name_is_one_line_of_a_phone(name, artist):
    tracks = tuple(Neighbour(track(i, title=name, artist=artist), 0.9) for i in range(1, 6))
    shown = lines(response(recommendation(tracks=tracks), name=name))
    assert len(shown) == 5
    for line in shown:
        label = line.replace("[", "", 1).replace("\u200b", "").partition(" ")[2]
        assert width(label) <= compact.LINE_WIDTH + 0.5


def test_long_title_leaves_room_for_the_artist():
    tracks = (Neighbour(track(1, title="A" * 60, artist="Some Known Band"), 0.9),)
    (line,) = lines(response(recommendation(tracks=tracks)))
    assert re.search(r"A… · Some Kno\w*…$", line)


def test_long_artist_leaves_room_for_the_title():
    tracks = (Neighbour(track(1, title="My Song", artist="B" * 60), 0.9),)
    (line,) = lines(response(recommendation(tracks=tracks)))
    assert "My Song · BBB" in line
    assert line.endswith("B…")


def test_fewer_tracks_and_a_known_recording_are_said():
    text = seen(response(recommendation(2, known=track(9)), count=5))
    assert "Only 2 tracks are similar enough." in text
    assert text.index("I know this one: **Band 9, [Song 9](https://") < text.index("1. ")
    assert "I know" not in seen(response())


def test_no_tracks_are_said():
    view = response(recommendation(0))
    assert "No track is similar enough." in seen(response(recommendation(0), count=5))
    assert [i.split(":")[0] for i in custom_ids(view)] == ["details", "thumb", "thumb"]


@pytest.mark.parametrize("seed", [track(1), MixHead("Mix of A and B", {})], ids=["track", "mix"])
def test_seed_without_tracks_has_nothing_to_rate_or_export(seed):
    empty = recommendation(0)
    assert custom_ids(response(empty, source=None, key="1", seed=seed)) == []
    full = answer.recommendation(
        Localizer(TRANSLATIONS, "de"), empty, key="1", name="", count=5, seed=seed
    )
    assert custom_ids(full) == []
    assert any("thumb" in each for each in custom_ids(response(empty)))  # a clip's genre


def test_response_without_details_has_export():
    head = MixHead("Mix of A and B", {})
    kinds = [each.partition(":")[0] for each in custom_ids(response(source=None, seed=head))]
    assert kinds == ["thumb", "thumb", "export"]
    assert not any("export" in each for each in custom_ids(response()))


def test_more_like_this_shows_its_seed():
    view = response(recommendation(scores=()), seed=track(9), source=DetailsSource(track_id=9))
    assert "## Similar to Song 9\n-# Band 9 · Rock" in seen(view)
    assert custom_ids(view)[0] == "details:t9:1.2.3.4.5"


@pytest.mark.parametrize("source", [CLIP, DetailsSource(track_id=2**62)], ids=["clip", "track"])
def test_details_id_names_its_source_and_tracks(source):
    ids = [10**6 + n for n in range(10)]
    found, _, key = details_id(source, response_key(ids)).removeprefix("details:").partition(":")
    parsed = details_source(found)
    assert parsed is not None
    assert parsed.track_id == source.track_id
    assert source.sha256.startswith(parsed.sha256)
    assert len(parsed.sha256) in (0, 32)
    assert key == response_key(ids)


def test_details_id_of_large_ids_keeps_discords_limit():
    sent = details_id(CLIP, response_key([2**62 + n for n in range(10)]))
    assert len(sent) <= 100
    assert sent.count(".") >= 3


@pytest.mark.parametrize("value", ["", "c", "cABC", "c" + "!" * 22, "t", "t0", "x12", "t1.2"])
def test_malformed_details_source_is_none(value):
    assert details_source(value) is None


@pytest.mark.parametrize("name", ["a*b_c.mp3", "@everyone", "1. song", "サウンド.mp3"])
def test_shown_name_is_read_from_the_message(name):
    (container,) = body(response(name=name))["components"]
    children = [
        SimpleNamespace(id=part.get("id"), content=part["content"])
        for part in container["components"]
        if "content" in part
    ]
    texts = [_text_display(child.id, child.content) for child in children]
    message = SimpleNamespace(components=[SimpleNamespace(children=texts)])
    assert compact.shown_name(message) == name  # type: ignore[arg-type]
    assert compact.shown_name(None) == ""


def _text_display(id_: int | None, content: str) -> discord.TextDisplay:
    return discord.TextDisplay({"type": 10, "id": id_ or 0, "content": content})


def test_width_counts_letters_as_a_phone_shows_them():
    assert width("ab") == 2
    assert width("WW") > width("AA") > width("aa") > width("ii")
    assert width("ウ") > width("W")
    assert width("e\u0301") == 1
    assert width(escape_width("ウ" * 40, 9)) <= 9
    assert escape_width("abc", 3) == "abc"
    assert escape_width("abcd", 3) == "a…"
