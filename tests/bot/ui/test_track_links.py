"""Tests of the addresses that titles link to: search pages, templates and pages of tracks."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bot.i18n import Localizer, Translations
from bot.ui.markdown import web_address
from bot.ui.track_links import (
    NO_LINKS,
    SEARCH_PAGES,
    SITE_NAMES,
    SITES,
    TEMPLATE_FAULTS,
    LinkChoice,
    TrackLinks,
    template_fault,
    title_link,
)
from db.details import TrackDetails
from genrec.types import Track
from tests.bot.ui.visible import HOSTILE, LONG, assert_harmless, track

ENGLISH = Localizer(Translations.load(), "en-US")
MBID = "0d1e2f3a-0000-4000-8000-123456789abc"
DETAILS = {1: TrackDetails(isrc="GBAYE6900123", recording_id=MBID)}
ROOT = Path("/music")


def filled(
    template: str, song: Track, details: dict | None = None, root: Path | None = ROOT
) -> str:
    assert template_fault(template) is None
    links = TrackLinks(LinkChoice("off", template, root), details or {})
    return links.address(song, 300)


@pytest.mark.parametrize("site", SEARCH_PAGES)
def test_search_page_of_every_site_has_artist_and_title_encoded(site: str) -> None:
    song = track(1, artist="AC/DC & Co", title="Jóga #1?")
    address = TrackLinks(LinkChoice(site)).address(song, 300)
    assert address.startswith(SEARCH_PAGES[site])
    searched = address.removeprefix(SEARCH_PAGES[site]).replace("+", "%20")
    assert searched == "AC%2FDC%20%26%20Co%20J%C3%B3ga%20%231%3F"
    assert web_address(address) == address


@pytest.mark.parametrize("site", SEARCH_PAGES)
@pytest.mark.parametrize("limit", [0, 30, 60, 100, 300])
def test_search_never_exceeds_the_limit(site: str, limit: int) -> None:
    for song in (track(1, title=LONG), track(1, title="a b " * 90)):
        assert len(TrackLinks(LinkChoice(site)).address(song, limit)) <= limit


def test_unknown_artist_is_not_searched() -> None:
    address = TrackLinks().address(track(1, artist="Unknown artist", title="Song"), 300)
    assert address.endswith("=Song")


def test_page_of_a_track_comes_before_template_and_search() -> None:
    song = track(1, source="https://band.example/song")
    links = TrackLinks(LinkChoice("spotify", "https://x.example/{title}"))
    assert links.address(song, 300) == "https://band.example/song"
    assert links.host(song, 300) == "band.example"
    assert links.host(track(2), 300) == "x.example"
    assert TrackLinks().host(track(2), 300) == ""


def test_page_of_the_tags_is_linked_if_it_is_a_web_address() -> None:
    pages = {1: TrackDetails(page="https://band.example/1"), 2: TrackDetails(page="https://me@x/")}
    links = TrackLinks(LinkChoice("deezer"), pages)
    assert links.address(track(1), 300) == "https://band.example/1"
    assert links.address(track(2), 300).startswith("https://www.deezer.com/")


def test_sites_without_links_leave_the_title_plain() -> None:
    song = track(1, title="*Song*", source="https://band.example/song")
    assert title_link(ENGLISH, song, TrackLinks(LinkChoice(NO_LINKS)), 80, 300) == "\\*Song\\*"


def test_title_is_the_label_of_the_link() -> None:
    song = track(1, title="Song [Live] https://evil.example", artist="B")
    shown = title_link(ENGLISH, song, TrackLinks(), 80, 300)
    label, _, address = shown.partition("](")
    assert label == "[Song (Live) https: //evil.example"
    assert address.startswith("https://www.youtube.com/")
    assert (
        title_link(ENGLISH, song, TrackLinks(), 80, 20) == "Song \\[Live\\] https\\://evil.example"
    )


@pytest.mark.parametrize("name", [HOSTILE, LONG, "", "](https://evil.example)"])
def test_hostile_titles_stay_inside_their_label(name: str) -> None:
    shown = title_link(ENGLISH, track(1, title=name, artist=name), TrackLinks(), 80, 300)
    assert_harmless(shown)
    assert shown.count("](") == (1 if name else 0)


def test_template_is_filled_with_encoded_values() -> None:
    song = track(1, title="a/b?c#d", artist="É & ü", source="/music/É/01 x?.flac", scope="library")
    template = "https://x.example/{path}?a={artist}&t={title}&i={isrc}&m={mbid}"
    assert filled(template, song, DETAILS) == (
        "https://x.example/%C3%89/01%20x%3F.flac?a=%C3%89%20%26%20%C3%BC&t=a%2Fb%3Fc%23d"
        f"&i=GBAYE6900123&m={MBID}"
    )


@pytest.mark.parametrize("source", [
    "/srv/private/a.flac", "/music/../srv/a.flac", "/musical/a.flac", "starter:rock.1",
    "sha256:ab", "music/a.flac", "", "/music",
])  # fmt: skip
def test_path_outside_the_root_fills_no_template(source: str) -> None:
    assert filled("https://x.example/{path}", track(1, source=source)) == ""


def test_path_without_a_root_fills_no_template() -> None:
    song = track(1, source="/music/a.flac")
    assert filled("https://x.example/{path}", song) == "https://x.example/a.flac"
    assert filled("https://x.example/{path}", song, root=None) == ""


def test_path_of_a_section_is_that_of_its_file() -> None:
    song = track(1, source="/music/album.flac#t=10,20")
    assert filled("https://x.example/{path}", song) == "https://x.example/album.flac"


def test_template_with_an_unknown_value_falls_back_to_the_search() -> None:
    links = TrackLinks(LinkChoice("deezer", "https://x.example/{isrc}"), DETAILS)
    assert links.address(track(1), 300) == "https://x.example/GBAYE6900123"
    assert links.address(track(2), 300).startswith("https://www.deezer.com/search/")


def test_unknown_artist_leaves_a_template_usable() -> None:
    song = track(1, artist="", title="Song")
    assert filled("https://x.example/?q={artist}%20{title}", song) == "https://x.example/?q=%20Song"


@pytest.mark.parametrize(("template", "fault"), [
    ("ftp://x.example/{title}", "scheme"),
    ("javascript:alert({title})", "scheme"),
    ("x.example/{title}", "scheme"),
    ("https://{title}.x.example/", "host"),
    ("https://x.example:{title}/", "host"),
    ("https://me@x.example/{title}", "host"),
    ("https://x.example\\@evil.example/{title}", "host"),
    ("https:///{title}", "host"),
    ("https://localhost/{title}", "host"),
    ("https://x.example/ {title}", "characters"),
    ("https://x.example/(a)/{title}", "characters"),
    ("https://x.example/{titel}", "unknown"),
    ("https://x.example/{title", "unknown"),
    ("https://x.example/{0}{}", "unknown"),
    ("https://x.example/{title.__class__}", "unknown"),
    ("https://x.example/{title!r}", "unknown"),
    ("https://x.example/{title:9999999}", "unknown"),
    ("https://x.example/{{title}}", "unknown"),
    ("https://x.example/", "none"),
    ("https://x.example/" + "a" * 200 + "{title}", "long"),
    ("http://192.168.1.2:4533/#/search?q={title}", None),
    ("https://x.example?q={artist}+{title}", None),
])  # fmt: skip
def test_template_is_checked(template: str, fault: str | None) -> None:
    assert template_fault(template) == fault
    assert fault is None or fault in TEMPLATE_FAULTS


def test_no_value_changes_the_host_of_a_template() -> None:
    for name in (HOSTILE, "@evil.example/", "..", "\\evil", "//evil.example"):
        address = filled("https://x.example/{title}?{artist}", track(1, title=name, artist=name))
        assert urlsplit(address).netloc in ("x.example", "")


def test_choice_of_a_guild_replaces_the_operators() -> None:
    operator = LinkChoice.of("https://x.example/{title}", ROOT)
    assert operator == LinkChoice("youtube", "https://x.example/{title}", ROOT)
    assert operator.of_guild(None, None) is operator
    assert operator.of_guild("deezer", None) == LinkChoice("deezer", "", ROOT)
    own = operator.of_guild("deezer", "https://y.example/{isrc}")
    assert own == LinkChoice("deezer", "https://y.example/{isrc}", ROOT)
    assert own.name == "y.example"
    # A stored choice that this version does not accept is as good as none.
    assert operator.of_guild("gone", "https://{title}/") is operator


def test_every_site_has_a_name() -> None:
    assert set(SITE_NAMES) == set(SEARCH_PAGES) == set(SITES) - {NO_LINKS}
    assert LinkChoice(NO_LINKS).name == ""
