"""Pages of a radio list: its keys, the number that repeats it, and why it is short."""

from __future__ import annotations

import numpy as np
import pytest

from bot.i18n import Localizer, Translations
from bot.radio_station import RadioList
from bot.ui.custom_ids import track_ids
from bot.ui.radio_pages import RadioPages, head_text, page
from bot.ui.track_links import SEARCH_LINKS
from genrec.questions import Seed
from tests.bot.ui.visible import components, custom_ids, seen, track

TRANSLATIONS = Translations.load()
SEEDS = (Seed(np.ones(1), title="First"), Seed(np.ones(1), title="Last", liked=False))


def head(locale: str, **changes: object) -> str:
    """Return what stands above the pages of a list of two songs."""
    given = {"tracks": (track(1), track(2)), "wanted": 2, "chance": 3468, "apart": 4} | changes
    return head_text(Localizer(TRANSLATIONS, locale), RadioList(**given), SEEDS)


@pytest.mark.parametrize(
    ("locale", "option"), [("en-US", "again:3468"), ("de", "wieder:3468"), ("ja", "再現:3468")]
)
def test_number_of_a_list_is_written_as_the_option_takes_it(locale: str, option: str) -> None:
    assert f"`{option}`" in head(locale)


def test_head_names_the_seeds_and_why_the_list_is_short() -> None:
    assert head("en-US").startswith("## Radio from First, less of Last\n")
    short = head("en-US", wanted=30, shortage="artists")
    assert "Only 2 of 30: the other similar songs would repeat an artist too soon." in short
    assert "ähnlich genug" in head("de", wanted=30, shortage="similar")


def test_menu_names_the_songs_of_each_page() -> None:
    pages = RadioPages.of("head", range(1, 26), "radio.m3u8")
    assert [len(track_ids(key)) for key in pages.keys] == [10, 10, 5]
    shown = [track(number) for number in range(21, 26)]
    view = page(Localizer(TRANSLATIONS, "en-US"), pages, 2, shown, SEARCH_LINKS)
    assert "21. " in seen(view)
    assert "25. " in seen(view)
    assert "radio:page" in custom_ids(view)
    options = components(view, 3)[0]["options"]
    assert [option["label"] for option in options][-1] == "Songs 21 to 25"
    assert [option["default"] for option in options] == [False, False, True]


def test_list_of_one_page_has_no_menu() -> None:
    pages = RadioPages.of("head", range(1, 11), "")
    shown = [track(number) for number in range(1, 11)]
    view = page(Localizer(TRANSLATIONS, "en-US"), pages, 0, shown, SEARCH_LINKS)
    assert "radio:page" not in custom_ids(view)
