"""The pages: within Discord's limits in every language, harmless, and with their controls."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.i18n import LANGUAGES, Translations
from bot.local_discord.message_components import BUTTON, walk
from bot.local_discord.schema import Schema
from bot.ui.pages import AboutFacts, Kept, LibraryPage, Pages, SettingsState
from tests.bot.ui.visible import (
    HOSTILE,
    LONG,
    assert_harmless,
    body,
    components,
    custom_ids,
    seen,
    track,
)

PAGES = Pages(Translations.load())
STRING_SELECT, ROLE_SELECT = 3, 6


def about(**changes) -> AboutFacts:
    fields = {"version": "0.1.0", "model_id": "vgg16-1", "library": 938, "waiting": 2, "workers": 2}
    return AboutFacts(**{**fields, **changes})


def settings(**changes) -> SettingsState:
    fields = {
        "here": True,
        "channels": (11, 12),
        "roles": {21: "DJs"},
        "count": 5,
        "model": "vgg16",
        "models": ("vgg16", "resnet50"),
        "private": False,
    }
    return SettingsState(**{**fields, **changes})


def library(**changes) -> LibraryPage:
    tracks = tuple(track(i) for i in range(1, 11))
    return LibraryPage(**{"tracks": tracks, "page": 1, "pages": 3, "total": 25, **changes})


def all_pages(locale: str, name: str = "x"):
    yield PAGES.help(locale, bot=name, admin=True, support_url="https://x.example/issues")
    yield PAGES.help(locale)
    yield PAGES.about(about(version=name, model_id=name), locale)
    yield PAGES.about(about(accuracy=0.853, tested=290, server=3, thumbs_up=9, thumbs_down=1,
                            source_url="https://x.example"), locale)  # fmt: skip
    yield PAGES.privacy(Kept(), locale)
    yield PAGES.privacy(Kept(1, 2, 3), locale)
    yield PAGES.confirm_delete(locale)
    yield PAGES.settings(settings(model=name, models=(name, "b"), roles={1: name}), locale)
    empty = settings(channels=(), roles={}, here=False, models=("a",), sees_uploads=False)
    yield PAGES.settings(empty, locale)
    tracks = tuple(track(i, title=name, artist=name, genre=name) for i in range(1, 11))
    yield PAGES.library(library(tracks=tracks, query=name), locale)
    yield PAGES.library(library(tracks=(), page=0, pages=0, total=0, server=False), locale)


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("name", ["x", HOSTILE, LONG], ids=["plain", "hostile", "long"])
def test_every_page_keeps_discords_limits_and_is_harmless(code, name):
    for view in all_pages(code, name):
        for component in walk(body(view)["components"]):
            if "content" in component:
                content = component["content"].replace("<#11>", "").replace("<#12>", "")
                assert_harmless(content)


@pytest.mark.shared
def test_every_page_fits_discords_own_description(shared: Path):
    schema = Schema(shared / "discord" / "openapi.json")
    for view in all_pages("ja"):
        found = schema.request_errors("POST", "/channels/{channel_id}/messages", described(view))
        assert found == []


def described(view) -> dict:
    """Return the message with the ids of preselected roles as strings, as the description wants.

    discord.py sends numbers, which Discord takes.
    """
    message = body(view)
    for component in walk(message["components"]):
        for value in component.get("default_values") or ():
            value["id"] = str(value["id"])
    return message


def test_help_names_the_commands_in_the_readers_language():
    everyone = seen(PAGES.help("de"))
    assert "`/empfehlen` Titel finden, die ähnlich wie ein Clip klingen" in everyone
    assert "Daraus Musik empfehlen" in everyone
    assert "/bibliothek" not in everyone
    assert "`/bibliothek aufnehmen`" in seen(PAGES.help("de", admin=True))
    assert "Report a problem" not in seen(PAGES.help("en-US"))
    linked = seen(PAGES.help("en-US", support_url="https://x.example/issues"))
    assert "[Report a problem](https://x.example/issues)" in linked


def test_about_tells_accuracy_library_queue_and_acceptance():
    facts = about(accuracy=0.8527, tested=290, server=3, thumbs_up=9, thumbs_down=1)
    text = seen(PAGES.about(facts, "en-US"))
    for words in ("genrec 0.1.0", "vgg16-1", "85.3% on 290 tracks", "Library: 938 tracks",
                  "server's library: 3 tracks", "2 waiting", "9 up, 1 down (90% up)"):  # fmt: skip
        assert words in text
    bare = seen(PAGES.about(about(), "en-US"))
    assert "Ratings: none yet" in bare
    assert "accuracy" not in bare


def test_privacy_shows_what_is_kept_about_the_person():
    assert "Nothing is stored" in seen(PAGES.privacy(Kept(), "en-US"))
    text = seen(PAGES.privacy(Kept(votes=1, tracks=2), "en-US"))
    assert "Your ratings**: one." in text
    assert "library: 2" in text
    assert "Nothing is stored" not in text
    assert custom_ids(PAGES.confirm_delete("en-US")) == ["privacy:delete:yes", "privacy:delete:no"]


def test_settings_show_what_holds_and_offer_the_opposite():
    view = PAGES.settings(settings(), "en-US")
    text = seen(view)
    for words in (
        "<#11>, <#12>",
        "**DJs**",
        "answer: 5",
        "Model: vgg16",
        "everyone in the channel",
    ):
        assert words in text
    assert custom_ids(view) == [
        *("settings:uploads:off", "settings:private:on"),
        *("settings:count", "settings:roles", "settings:model"),
    ]
    other = settings(here=False, private=True, channels=(), roles={}, models=("vgg16",))
    view = PAGES.settings(other, "en-US")
    assert custom_ids(view) == [
        *("settings:uploads:on", "settings:private:off"),
        *("settings:count", "settings:roles"),
    ]
    assert "aren't answered in any channel" in seen(view)
    assert "genrec: everyone" in seen(view)


def test_settings_preselect_what_holds():
    view = PAGES.settings(settings(), "en-US")
    count, model = components(view, STRING_SELECT)
    assert [o["value"] for o in count["options"] if o["default"]] == ["5"]
    assert [o["value"] for o in model["options"] if o["default"]] == ["vgg16"]
    (roles,) = components(view, ROLE_SELECT)
    assert [int(value["id"]) for value in roles["default_values"]] == [21]


def test_settings_say_what_a_missing_intent_costs():
    assert "Message Content Intent" in seen(PAGES.settings(settings(sees_uploads=False), "ja"))
    assert "Message Content Intent" not in seen(PAGES.settings(settings(), "ja"))


def test_library_pages_turn():
    view = PAGES.library(library(query="a:b"), "en-US")
    text = seen(view)
    assert "11. **Song 1** · Band 1 · Rock" in text
    assert "25 tracks · page 2 of 3" in text
    assert custom_ids(view) == ["library:page:0:a:b", "library:page:2:a:b"]
    first, last = library(page=0), library(page=2)
    assert [b["disabled"] for b in components(PAGES.library(first, "de"), BUTTON)] == [True, False]
    assert [b["disabled"] for b in components(PAGES.library(last, "de"), BUTTON)] == [False, True]


def test_an_empty_library_says_how_to_begin():
    empty = library(tracks=(), page=0, pages=0, total=0)
    assert "Add the first one with `/library add`" in seen(PAGES.library(empty, "en-US"))
    searched = library(tracks=(), page=0, pages=0, total=0, query="zzz")
    assert "No tracks found" in seen(PAGES.library(searched, "en-US"))
