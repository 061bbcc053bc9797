"""Links as people write them, and which of them look like a clip."""

from __future__ import annotations

import dataclasses

import pytest

from bot.sources import LinkKind, SourcePolicy, links_in
from bot.sources.links import link_kind
from bot.sources.sites import SITES

LINK = "https://site.example/Song_(live)"
YOUTUBE = "https://youtu.be/abcdefghij_"


@pytest.mark.parametrize(
    "written",
    [
        "{}", "||{}||", "**{}**", "***{}***", "~~{}~~", "_{}_", "__{}__", "`{}`", "```\n{}\n```",
        "<{}>", "||**<{}>**||", "[song]({})", "[song](<{}>)", '[a [b]]({} "title")',
        "[https://other.example/x]({})", "({})", "[{}]", "{{{}}}", "> {}", "- {}", "# {}",
        "*listen to {}*", "_listen to {}_", "__listen to {}__",
    ],
)  # fmt: skip
def test_link_is_found_without_discords_markup(written: str) -> None:
    assert links_in(written.format(LINK)) == [LINK]


@pytest.mark.parametrize(
    "written",
    [
        "「{}」", "『{}』", "【{}】", "《{}》", "（{}）", "“{}”", "‘{}’", "«{}»", "„{}“", "‹{}›",
        '"{}"', "'{}'", "{}，好听", "{}。", "{}、", "{}：", "{}！", "{}؟", "{}،", "{}।", "{}…",
        "{}...", "{}!?", "{}, nice", "{}; nice", "{}—nice", "{}🔥", "{}❤️", "🎵{}🎵", "{}👩‍🎤",
        "これ{}いいね", "{}를 들어봐", "{}ฟังดู", "\u200b{}\u200b", "{}\u2060", "\ufeff{}",
        "{}\u200f", "word\u200b{}", "\u202a{}\u202c", "{}\u3000nice",
        "{}\u00a0nice", "{}\tnice", "{}\nnice",
    ],
)  # fmt: skip
def test_link_is_found_without_the_punctuation_of_any_script(written: str) -> None:
    for link in ("https://site.example/song", "https://site.example/a?b=c&d=e#t=1:20"):
        assert links_in(written.format(link)) == [link]


@pytest.mark.parametrize(
    "link",
    [
        LINK,
        YOUTUBE,
        "https://youtu.be/abcdefghij-",
        "https://site.example/a_b_c/*.mp3",
        "https://site.example/[live]/song",
        "https://ja.example/wiki/音楽",
        "https://fa.example/می\u200cشود",
        "https://site.example/don’t",
        "https://site.example/it's",
        "https://web.example/2020/https://other.example/x",
        "https://site.example/play?u=https://other.example/x",
        "https://user@site.example:8443/",
        "HTTPS://SITE.example/A",
    ],
)
def test_link_keeps_its_own_characters(link: str) -> None:
    assert links_in(f"see {link} there") == [link]
    assert links_in(link) == [link]


def test_links_of_a_text_are_in_order_and_once_each() -> None:
    one, two = "https://a.example/x", "https://b.example/y"
    for between in (" ", ",", ", ", "、", "\n", "|", ") (", "", " and "):
        assert links_in(f"{one}{between}{two}") == [one, two], between
    assert links_in(f"{one} {two} {one}") == [one, two]


@pytest.mark.parametrize("text", ["", "https://", "http:// nothing", "//a.example", "a.example/x"])
def test_text_without_a_link_has_none(text: str) -> None:
    assert links_in(text) == []


def test_long_text_without_an_end_is_read_in_time() -> None:
    text = "https://a.example/" + "_*(" * 20_000 + "https://" * 20_000
    assert links_in(text)


# What a link may lead to

CLIPS = (
    "https://soundcloud.com/artist/song",
    "https://soundcloud.com/artist/song?utm_source=clipboard",
    "https://m.soundcloud.com/artist/song/s-AbC",
    "https://on.soundcloud.com/AbCdE",
    "https://artist.bandcamp.com/track/song",
    "https://archive.org/details/some-concert",
    "https://archive.org/download/some-concert/01.mp3",
    "https://www.mixcloud.com/dj/show/",
    "https://vimeo.com/123456",
    "https://vimeo.com/channels/music/123456",
    "https://player.vimeo.com/video/123456",
    "https://audiomack.com/artist/song/title",
    "https://audius.co/artist/song",
    "https://hearthis.at/artist/song/",
    "https://freesound.org/people/me/sounds/123/",
    "https://www.jamendo.com/track/123/song",
    "https://www.reverbnation.com/artist/song/123-title",
    "https://commons.wikimedia.org/wiki/File:Song.ogg",
    "https://files.example/a/Song.FLAC?x=1",
    "https://cdn.discordapp.com/attachments/1/2/song.mp3?ex=6&is=7&hm=8",
)
CONVERSATION = (
    "https://soundcloud.com",
    "https://soundcloud.com/artist",
    "https://soundcloud.com/artist/sets/album",
    "https://soundcloud.com/artist/likes",
    "https://soundcloud.com/discover/weekly",
    "https://artist.bandcamp.com/",
    "https://artist.bandcamp.com/album/album",
    "https://archive.org/about",
    "https://www.mixcloud.com/dj/",
    "https://vimeo.com/about",
    "https://commons.wikimedia.org/wiki/Main_Page",
    "https://commons.wikimedia.org/wiki/File:Cat.jpg",
    "https://www.youtube.com/@channel",
    "https://news.example/article",
    "https://site.example/cover.png",
    "https://discord.com/channels/1/2/3",
)
REFUSED = (
    YOUTUBE,
    "https://www.youtube.com/watch?v=abcdefghijk",
    "https://www.youtube.com/shorts/abcdefghijk",
    "http://files.example/song.mp3",
    "https://127.0.0.1/song.mp3",
)


@pytest.mark.parametrize("link", CLIPS)
def test_link_of_a_track_or_sound_file_is_a_clip(link: str) -> None:
    assert link_kind(link, SourcePolicy()) is LinkKind.CLIP
    off = dataclasses.replace(SourcePolicy(), links=False)
    assert link_kind(link, off) is LinkKind.REFUSED


@pytest.mark.parametrize("link", CONVERSATION)
def test_other_link_is_no_clip(link: str) -> None:
    youtube = SourcePolicy(sites=frozenset(SITES))
    assert link_kind(link, youtube) is LinkKind.OTHER


@pytest.mark.parametrize("link", REFUSED)
def test_link_of_a_source_that_is_off_is_refused(link: str) -> None:
    assert link_kind(link, SourcePolicy()) is LinkKind.REFUSED


def test_every_site_has_an_address_for_its_tracks() -> None:
    links = (*CLIPS, *REFUSED)
    for name, site in SITES.items():
        assert site.tracks != "/.+", name
        assert any(f"{host.removeprefix('*.')}/" in link for host in site.hosts for link in links)


# Songs that are looked up

SONGS = (
    "https://open.spotify.com/track/0123456789abcdefABCDEF?si=1",
    "https://open.spotify.com/intl-pt/track/0123456789abcdefABCDEF",
    "https://spotify.link/abc",
    "https://music.apple.com/jp/album/x/1?i=2",
    "https://music.apple.com/us/song/x/2",
    "https://geo.music.apple.com/us/album/_/1?i=2&app=music",
    "https://www.deezer.com/track/1",
    "https://www.deezer.com/en/track/1",
    "https://deezer.page.link/abc",
    "https://link.deezer.com/s/abc",
    "https://tidal.com/track/1/u",
    "https://tidal.com/browse/track/1",
    "https://listen.tidal.com/album/2/track/1",
    YOUTUBE,
    "https://www.youtube.com/watch?v=abcdefghijk&list=PL1",
    "https://m.youtube.com/watch?app=desktop&v=abcdefghijk",
    "https://music.youtube.com/watch?v=abcdefghijk&si=1",
)
NO_SONGS = (
    "https://open.spotify.com/",
    "https://open.spotify.com/playlist/1",
    "https://open.spotify.com/search/some%20song",
    "https://music.apple.com/us/album/x/1",
    "https://www.deezer.com/us/artist/1",
    "https://tidal.com/browse/playlist/1",
    "https://www.youtube.com/@somebody",
    "https://www.youtube.com/playlist?list=PL1",
    "https://spotify.com/us/premium/",
    "https://evil.example/open.spotify.com/track/0123456789abcdefABCDEF",
    "https://open.spotify.com.evil.example/track/0123456789abcdefABCDEF",
)


@pytest.mark.parametrize("link", SONGS)
def test_link_of_a_song_without_sound_is_looked_up(link: str) -> None:
    assert link_kind(link, SourcePolicy(lookup=True)) is LinkKind.SONG
    assert link_kind(link, SourcePolicy(lookup=True, links=False)) is LinkKind.REFUSED
    assert link_kind(link, SourcePolicy()) is LinkKind.REFUSED


@pytest.mark.parametrize("link", NO_SONGS)
def test_other_page_of_a_song_site_is_conversation(link: str) -> None:
    assert link_kind(link, SourcePolicy(lookup=True)) is LinkKind.OTHER


def test_link_with_sound_stays_a_clip() -> None:
    both = SourcePolicy(lookup=True, sites=frozenset(SITES))
    for link in (*CLIPS, YOUTUBE):
        assert link_kind(link, both) is LinkKind.CLIP
    without = SourcePolicy(lookup=True, sites=frozenset())
    for link in ("https://soundcloud.com/artist/song", "https://artist.bandcamp.com/track/song"):
        assert link_kind(link, without) is LinkKind.SONG


@pytest.mark.parametrize("written", ["{}", "`{}`", "listen: {}!", "<{}>", "({})", "**{}**"])
def test_uri_of_spotify_is_a_link(written: str) -> None:
    text = written.format("spotify:track:0123456789abcdefABCDEF")
    assert links_in(text) == ["https://open.spotify.com/track/0123456789abcdefABCDEF"]


@pytest.mark.parametrize(
    "text",
    [
        "spotify:track:short",
        "spotify:user:somebody",
        "notspotify:track:0123456789abcdefABCDEF",
        "spotify:track:0123456789abcdefABCDEFG",
        "spotify: track: 0123456789abcdefABCDEF",
    ],
)
def test_text_like_a_uri_is_none(text: str) -> None:
    assert links_in(text) == []


def test_uri_inside_a_link_is_part_of_it() -> None:
    link = "https://site.example/?u=spotify:track:0123456789abcdefABCDEF"
    assert links_in(link) == [link]
