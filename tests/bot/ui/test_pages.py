"""Layouts of the pages: Discord's limits, escaping, content and controls."""

from __future__ import annotations

import re
from pathlib import Path

import discord
import pytest

from bot.client import channel_permissions
from bot.i18n import LANGUAGES, Localizer, Translations
from bot.local_discord.message_components import BUTTON, walk
from bot.local_discord.schema import Schema
from bot.ui import pages
from bot.ui.invites import NEEDED, invites
from bot.ui.messages import Limits
from bot.ui.pages import AboutFacts, LibraryPage, SettingsState, StoredCounts
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

TRANSLATIONS = Translations.load()
LIMITS = Limits()
STRING_SELECT, ROLE_SELECT = 3, 6


def localizer(locale: str) -> Localizer:
    """Return a localizer of the shipped translations."""
    return Localizer(TRANSLATIONS, locale)


def about(**changes) -> AboutFacts:
    """Return facts for /about; any field may be changed."""
    fields = {"version": "0.1.0", "model_id": "vgg16-1", "library": 938, "waiting": 2, "workers": 2}
    return AboutFacts(**{**fields, **changes})


def settings(**changes) -> SettingsState:
    """Return the settings of a guild; any field may be changed."""
    fields = {
        "here": True,
        "channels": (11, 12),
        "roles": {21: "DJs"},
        "count": 5,
        "private": False,
    }
    return SettingsState(**{**fields, **changes})


def library(**changes) -> LibraryPage:
    """Return the second of three pages; any field may be changed."""
    tracks = tuple(track(i) for i in range(1, 11))
    return LibraryPage(**{"tracks": tracks, "page": 1, "pages": 3, "total": 25, **changes})


def all_pages(locale: str, name: str = "x"):
    """Yield every layout of pages.py, with ``name`` as untrusted text."""
    yield pages.help(
        localizer(locale), LIMITS, bot=name, admin=True, support_url="https://x.example/issues"
    )
    yield pages.help(localizer(locale), LIMITS, invites=invites(11))
    for uploads in (True, False):
        yield pages.welcome(localizer(locale), bot=name, uploads=uploads)
    yield pages.about(localizer(locale), about(version=name, model_id=name))
    all_facts = about(
        accuracy=0.853,
        tested=290,
        server=3,
        thumbs_up=9,
        thumbs_down=1,
        source_url="https://x.example",
        invites=invites(11),
    )
    yield pages.about(localizer(locale), all_facts)
    yield pages.privacy(localizer(locale), StoredCounts())
    yield pages.privacy(localizer(locale), StoredCounts(1, 2, 3))
    yield pages.confirm_delete(localizer(locale))
    yield pages.settings(localizer(locale), settings(roles={1: name}))
    empty = settings(channels=(), roles={}, here=False, message_content=False)
    yield pages.settings(localizer(locale), empty)
    tracks = tuple(track(i, title=name, artist=name, genre=name) for i in range(1, 11))
    yield pages.library(localizer(locale), library(tracks=tracks, query=name))
    yield pages.library(
        localizer(locale), library(tracks=(), page=0, pages=0, total=0, server=False)
    )


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("name", ["x", HOSTILE, LONG], ids=["plain", "hostile", "long"])
def test_pages_keep_discords_limits_and_are_harmless(code, name):
    for view in all_pages(code, name):
        for component in walk(body(view)["components"]):
            if "content" in component:
                content = component["content"].replace("<#11>", "").replace("<#12>", "")
                assert_harmless(content)


@pytest.mark.shared
def test_pages_match_discords_schema(shared: Path):
    schema = Schema(shared / "discord" / "openapi.json")
    for view in all_pages("ja"):
        faults = schema.request_errors("POST", "/channels/{channel_id}/messages", schema_form(view))
        assert faults == []


def schema_form(view) -> dict:
    """Return the message with the ids of preselected roles as strings, as the schema requires.

    discord.py sends numbers, and Discord accepts them.
    """
    message = body(view)
    for component in walk(message["components"]):
        for value in component.get("default_values") or ():
            value["id"] = str(value["id"])
    return message


def test_help_lists_localised_commands_and_support_link():
    everyone = seen(pages.help(localizer("de"), LIMITS))
    described = "Titel finden, die ähnlich wie ein Clip oder ein genannter Titel klingen"
    assert f"`/empfehlen` {described}" in everyone
    assert "`/nichtmehr" in everyone
    assert "Zu meinem Mix hinzufügen" in everyone
    assert "Daraus Musik empfehlen" in everyone
    assert "/bibliothek" not in everyone
    assert "`/bibliothek aufnehmen`" in seen(pages.help(localizer("de"), LIMITS, admin=True))
    english = seen(pages.help(localizer("en-US"), LIMITS, admin=True))
    assert {"`/notagain add`", "`/library map`", "`/library list`"} <= set(
        re.findall(r"`/[a-z ]+`", english)
    )
    assert "Report a problem" not in seen(pages.help(localizer("en-US"), LIMITS))
    linked = seen(pages.help(localizer("en-US"), LIMITS, support_url="https://x.example/issues"))
    assert "[Report a problem](https://x.example/issues)" in linked


def test_about_shows_accuracy_library_queue_and_ratings():
    facts = about(accuracy=0.8527, tested=290, server=3, thumbs_up=9, thumbs_down=1)
    text = seen(pages.about(localizer("en-US"), facts))
    for expected in ("genrec 0.1.0", "vgg16-1", "85.3% on 290 tracks", "Library: 938 tracks",
                  "server's tracks: 3", "2 waiting", "9 up, 1 down (90% up)"):  # fmt: skip
        assert expected in text
    without_figures = seen(pages.about(localizer("en-US"), about()))
    assert "Ratings: none yet" in without_figures
    assert "accuracy" not in without_figures


def test_privacy_shows_counts_of_stored_data():
    assert "Nothing is stored" in seen(pages.privacy(localizer("en-US"), StoredCounts()))
    text = seen(pages.privacy(localizer("en-US"), StoredCounts(votes=1, tracks=2)))
    assert "Your ratings**: one." in text
    assert "For 15 minutes, in memory only: the clips of your mix" in text
    assert "on a server: 2" in text
    assert "Nothing is stored" not in text
    assert custom_ids(pages.confirm_delete(localizer("en-US"))) == [
        "privacy:delete:yes",
        "privacy:delete:no",
    ]


def test_settings_show_values_and_offer_the_opposite():
    view = pages.settings(localizer("en-US"), settings())
    text = seen(view)
    for expected in (
        "<#11>, <#12>",
        "**DJs**",
        "answer: 5",
        "everyone in the channel",
        "Answers are short",
    ):
        assert expected in text
    assert custom_ids(view) == [
        *("settings:uploads:off", "settings:private:on", "settings:compact:off"),
        *("settings:count", "settings:links", "settings:roles"),
    ]
    other = settings(here=False, private=True, compact=False, channels=(), roles={})
    view = pages.settings(localizer("en-US"), other)
    assert custom_ids(view) == [
        *("settings:uploads:on", "settings:private:off", "settings:compact:on"),
        *("settings:count", "settings:links", "settings:roles"),
    ]
    assert "aren't answered in any channel" in seen(view)
    assert "Answers are full" in seen(view)
    assert "genrec: everyone" in seen(view)


def test_settings_preselect_current_values():
    view = pages.settings(localizer("en-US"), settings(link_site="deezer"))
    count, links = components(view, STRING_SELECT)
    assert [o["value"] for o in count["options"] if o["default"]] == ["5"]
    assert [o["value"] for o in links["options"] if o["default"]] == ["deezer"]
    _, own = components(pages.settings(localizer("de"), settings(link_site=None)), STRING_SELECT)
    assert not any(option["default"] for option in own["options"])
    (roles,) = components(view, ROLE_SELECT)
    assert [int(value["id"]) for value in roles["default_values"]] == [21]


def test_settings_explain_a_missing_message_content_intent():
    assert "Message Content Intent" in seen(
        pages.settings(localizer("ja"), settings(message_content=False))
    )
    assert "Message Content Intent" not in seen(pages.settings(localizer("ja"), settings()))


def test_library_page_has_back_and_next():
    view = pages.library(localizer("en-US"), library(query="a:b"))
    text = seen(view)
    assert "11. **Song 1** · Band 1 · Rock" in text
    assert "25 tracks · page 2 of 3" in text
    ids = [track.id for track in library().tracks]
    assert custom_ids(view) == [
        f"library:before:0:{ids[0]}:a:b",
        f"library:after:2:{ids[-1]}:a:b",
    ]
    first, last = library(page=0), library(page=2)
    assert [b["disabled"] for b in components(pages.library(localizer("de"), first), BUTTON)] == [
        True,
        False,
    ]
    assert [b["disabled"] for b in components(pages.library(localizer("de"), last), BUTTON)] == [
        False,
        True,
    ]


def test_empty_library_and_empty_search_show_a_text():
    empty = library(tracks=(), page=0, pages=0, total=0)
    assert "Add the first one with `/library add`" in seen(pages.library(localizer("en-US"), empty))
    searched = library(tracks=(), page=0, pages=0, total=0, query="zzz")
    assert "No tracks found" in seen(pages.library(localizer("en-US"), searched))


# Invites


def test_invite_asks_for_the_permissions_that_answers_need_and_no_other():
    needed = set(_needed(None)) | set(_needed(discord.Thread.__new__(discord.Thread)))
    assert discord.Permissions(**dict.fromkeys(needed, True)) == NEEDED
    assert f"permissions={NEEDED.value}&" in invites(5).server
    assert "permissions" not in invites(5).account


def _needed(channel: object) -> tuple[str, ...]:
    return sum(channel_permissions._needed(channel), ())
