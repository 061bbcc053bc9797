"""Links to songs whose sound is not fetched: looked up by name, on servers on loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

import pytest

from bot.config import Settings
from bot.local_discord import LocalDiscord, buttons, visible_text
from bot.local_discord.message_components import walk
from bot.sources import SourcePolicy
from genrec.errors import LinkRefused
from tests.bot.end_to_end import conftest
from tests.bot.end_to_end.asking import answers, assert_answered, assert_silent, mention
from tests.bot.end_to_end.conftest import World, bot_on, wait_response, wait_text
from tests.bot.sources import song_pages as pages
from tests.bot.sources.hostile import FakeDns, FakeServer, response

LINKS = (pages.SPOTIFY, pages.APPLE, pages.DEEZER, pages.TIDAL, pages.YOUTUBE, pages.SOUNDCLOUD,
         pages.BANDCAMP)  # fmt: skip
FETCHING = import_module("bot.sources.fetch")  # `bot.sources.fetch` is a function
PLAYLIST = "https://open.spotify.com/playlist/1"


@dataclass
class SongWorld:
    """A running bot that looks songs up, and the servers of the song sites."""

    world: World
    origin: FakeServer

    def serve(self, title: str = "Song 3", artist: str = "Artist 3") -> None:
        pages.serve_all(self.origin, title, artist)


@asynccontextmanager
async def song_world(
    discord: LocalDiscord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[SongWorld]:
    dns = FakeDns()
    local = conftest.local_policy
    async with pages.song_servers(SourcePolicy(), dns, tmp_path) as (origin, trusting):

        def policy(settings: Settings, served: LocalDiscord) -> SourcePolicy:
            made = local(settings, served)
            endpoints = made.open_endpoints | trusting.open_endpoints
            return replace(made, open_endpoints=endpoints, ca_file=trusting.ca_file, lookup_s=5.0)

        monkeypatch.setattr(conftest, "local_policy", policy)
        monkeypatch.setattr(FETCHING, "DnsResolver", lambda: dns)
        async with bot_on(discord, tmp_path, link_lookup=True, sites=("archive",)) as world:
            yield SongWorld(world, origin)
            discord.assert_clean()


@pytest.fixture
async def songs(
    discord: LocalDiscord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[SongWorld]:
    async with song_world(discord, tmp_path, monkeypatch) as running:
        yield running


def options_of(message: dict) -> list[dict]:
    """Return the options of a message's list of songs."""
    lists = [c for c in walk(message["components"]) if c["type"] == 3]
    return lists[0]["options"] if lists else []


def list_id(message: dict) -> str:
    (found,) = [c["custom_id"] for c in walk(message["components"]) if c["type"] == 3]
    return str(found)


@pytest.mark.parametrize("link", LINKS)
async def test_song_of_each_site_gets_tracks_like_it(songs: SongWorld, link: str) -> None:
    songs.serve()
    used = await songs.world.you.slash("recommend", {"link": link})
    text = visible_text(await wait_response(used))
    assert "Similar to Song 3" in text
    assert "Artist 3" in text
    assert "by its name" in text
    assert "Song 3\n" not in text.partition("similar tracks")[2]
    assert not songs.world.pool.analyzed


async def test_name_with_a_typo_and_additions_is_the_same_song(songs: SongWorld) -> None:
    pages.serve_all(songs.origin, "Song 3 - 2011 Remaster", "The Artist 3")
    used = await songs.world.you.slash("recommend", {"link": pages.YOUTUBE})
    assert "Similar to Song 3" in visible_text(await wait_response(used))


async def test_similar_names_are_a_list_whose_choice_becomes_the_answer(songs: SongWorld) -> None:
    songs.serve("Song 3 (Live)")
    you = songs.world.you
    used = await you.slash("recommend", {"link": pages.SPOTIFY, "count": 2})
    shown = await used.wait_until(options_of)
    assert "Spotify calls it Artist 3 – Song 3 (Live)" in visible_text(shown).replace("**", "")
    labels = [option["label"] for option in options_of(shown)]
    assert labels[0] == "Song 3"
    assert labels[-1] == "None of these"
    chosen = await you.select(shown, list_id(shown), [options_of(shown)[0]["value"]])
    answer = await chosen.wait_until(lambda m: "Similar to Song 3" in visible_text(m))
    assert answer["id"] == shown["id"]
    assert "\n2. " in visible_text(answer)
    assert "\n3. " not in visible_text(answer)
    assert not options_of(answer)


async def test_choice_from_a_list_keeps_tempo_and_key(songs: SongWorld) -> None:
    songs.serve("Song 3 (Live)")
    you = songs.world.you
    wishes = {"link": pages.SPOTIFY, "tempo": "118-126", "key": "Am"}
    shown = await (await you.slash("recommend", wishes)).wait_until(options_of)
    chosen = await you.select(shown, list_id(shown), [options_of(shown)[0]["value"]])
    answer = await chosen.wait_until(lambda m: "Similar to Song 3" in visible_text(m))
    assert "No track of this tempo and key" in visible_text(answer)


async def test_list_is_for_the_one_who_asked(songs: SongWorld) -> None:
    songs.serve("Song 3 (Live)")
    used = await songs.world.you.slash("recommend", {"link": pages.SPOTIFY})
    shown = await used.wait_until(options_of)
    other = songs.world.discord.person("other")
    pressed = await other.select(shown, list_id(shown), [options_of(shown)[0]["value"]])
    assert "Only the person who asked" in visible_text(await pressed.wait_edited())
    assert pressed.ephemeral
    none = await songs.world.you.select(shown, list_id(shown), ["0"])
    answer = await none.wait_until(lambda m: "Upload a clip" in visible_text(m))
    assert answer["id"] == shown["id"]


async def test_song_that_the_catalogue_lacks_is_named(songs: SongWorld) -> None:
    songs.serve("Quite *Another* @everyone", "No_body")
    used = await songs.world.you.slash("recommend", {"link": pages.SPOTIFY})
    text = await wait_text(used, "gets no sound from Spotify")
    assert "No\\_body – Quite \\*Another\\*" in text
    assert "@everyone" not in text


@pytest.mark.parametrize(
    ("link", "words"),
    [
        (PLAYLIST, "Spotify link leads to a playlist"),
        ("https://music.apple.com/us/album/x/1", "Apple Music link leads to an album"),
        ("https://www.deezer.com/artist/1", "Deezer link leads to an artist"),
        ("https://open.spotify.com/episode/1", "Spotify link leads to a podcast"),
        ("https://tidal.com/browse/track/404", "Tidal doesn't have that song"),
    ],
)
async def test_link_without_a_song_is_explained(songs: SongWorld, link: str, words: str) -> None:
    used = await songs.world.you.slash("recommend", {"link": link})
    assert await wait_text(used, words)
    direct = await songs.world.you.say(link, channel="dm")
    await assert_answered(songs.world, direct, words, channel="dm")


async def test_genre_of_a_link_is_that_of_the_catalogue(songs: SongWorld) -> None:
    songs.serve()
    used = await songs.world.you.slash("genre", {"link": pages.DEEZER})
    text = await wait_text(used, "The genre is the catalogue's")
    assert "Blues" in text
    songs.serve("Song 4 (Live)", "Artist 4")
    used = await songs.world.you.slash("genre", {"link": pages.DEEZER})
    shown = await used.wait_until(options_of)
    chosen = await songs.world.you.select(shown, list_id(shown), [options_of(shown)[0]["value"]])
    answer = await chosen.wait_until(lambda m: "The genre is" in visible_text(m))
    assert any(b["custom_id"].startswith("more:") for b in buttons(answer))


async def test_menus_mentions_and_direct_messages_look_songs_up(songs: SongWorld) -> None:
    songs.serve()
    world, text = songs.world, f"listen: <{pages.SPOTIFY}?si=1>!"
    said = await world.you.say(text, channel="general")
    for menu, words in (
        ("Recommend from this message", "Similar to"),
        ("What genre is this?", "Blues"),
    ):
        used = await world.you.menu(menu, said)
        assert words in visible_text(await used.wait_until(lambda m, w=words: w in visible_text(m)))
    asked = await world.you.say(mention(world), reply_to=said, channel="general")
    await assert_answered(world, asked, "Similar to", channel="general")
    direct = await world.you.say("spotify:track:0123456789abcdefABCDEF", channel="dm")
    await assert_answered(world, direct, "Similar to", channel="dm")


async def test_upload_channel_answers_sure_matches_only(songs: SongWorld) -> None:
    world = songs.world
    await (await world.you.slash("settings uploads")).wait_edited()
    songs.serve()
    await assert_answered(world, await world.you.say(pages.SPOTIFY), "Similar to")
    quiet: list[Callable[[], None]] = [
        lambda: songs.serve("Song 3 (Live)"),
        lambda: songs.serve("Another", "Nobody"),
        songs.origin.routes.clear,
    ]
    for serve in quiet:
        serve()
        message = await world.you.say(pages.SPOTIFY)
        await world.settled()
        assert not answers(world, message)
    for link in (PLAYLIST, "https://open.spotify.com/artist/1", "https://www.youtube.com/@x"):
        await assert_silent(world, await world.you.say(link))


async def test_slow_look_up_in_an_upload_channel_posts_no_progress(songs: SongWorld) -> None:
    world = songs.world
    await (await world.you.slash("settings uploads")).wait_edited()

    async def slow(_: object, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(1.5)
        writer.write(response(pages.deezer("Another", "Nobody")))

    songs.origin.routes["/track/333"] = slow
    message = await world.you.say(pages.DEEZER)
    await asyncio.sleep(1.3)
    assert world.app.admission.running
    assert world.you.messages("music")[-1]["id"] == message["id"]
    await world.settled()
    assert world.you.messages("music")[-1]["id"] == message["id"]


async def test_list_works_after_a_restart(
    discord: LocalDiscord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with song_world(discord, tmp_path, monkeypatch) as songs:
        songs.serve("Song 3 (Live)")
        used = await discord.you.slash("recommend", {"link": pages.SPOTIFY})
        shown = await used.wait_until(options_of)
    async with bot_on(discord, tmp_path):
        chosen = await discord.you.select(shown, list_id(shown), [options_of(shown)[0]["value"]])
        answer = await chosen.wait_until(lambda m: "Similar to Song 3" in visible_text(m))
        assert answer["id"] == shown["id"]


async def test_card_of_a_music_bot_is_looked_up(songs: SongWorld) -> None:
    songs.serve()
    description = f"[Song 3]({pages.YOUTUBE}) [invite](https://dj.example/)"
    posted = songs.world.discord.app("dj").post(
        songs.world.discord.channel("general"), embeds=[{"description": description}]
    )
    used = await songs.world.you.menu("Recommend from this message", posted)
    assert "Similar to Song 3" in visible_text(await wait_response(used))


async def test_library_add_needs_sound(songs: SongWorld) -> None:
    used = await songs.world.you.slash("library add", {"link": pages.SPOTIFY})
    assert await wait_text(used, "gets no sound from Spotify")
    assert used.ephemeral
    assert not songs.origin.requests


async def test_texts_are_in_the_readers_language(songs: SongWorld) -> None:
    songs.serve("Song 3 (Live)")
    reader = songs.world.you
    reader.locale = "de"
    used = await reader.slash("recommend", {"link": pages.TIDAL})
    shown = await used.wait_until(options_of)
    assert "Welcher Song ist es?" in visible_text(shown)
    assert options_of(shown)[-1]["label"] == "Keiner davon"
    used = await reader.slash("recommend", {"link": PLAYLIST})
    assert await wait_text(used, "führt zu einer Playlist")


async def test_refused_sound_falls_back_to_the_name(
    songs: SongWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise LinkRefused("That site does not allow genrec to fetch. Upload the file.")

    monkeypatch.setattr(FETCHING, "fetch_page", refuse)
    sources = songs.world.app.sources
    sites = sources._policy.sites | {"bandcamp"}
    object.__setattr__(sources._policy, "sites", sites)
    songs.serve()
    used = await songs.world.you.slash("recommend", {"link": pages.BANDCAMP})
    assert "Similar to Song 3" in visible_text(await wait_response(used))
    songs.serve("Another", "Nobody")
    used = await songs.world.you.slash("recommend", {"link": pages.BANDCAMP})
    assert await wait_text(used, "does not allow genrec to fetch")


async def test_log_names_no_song_and_no_link(
    songs: SongWorld, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        for body in (pages.deezer("Secret Song", "Secret Artist"), b"{}", json.dumps({}).encode()):
            songs.origin.serve("/track/333", body)
            used = await songs.world.you.slash("recommend", {"link": pages.DEEZER})
            await used.wait_until(lambda m: "Deezer" in visible_text(m))
    assert "Secret" not in caplog.text
    assert "333" not in caplog.text
