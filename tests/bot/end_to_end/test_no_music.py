"""Clips without music: a sentence where somebody asked, and silence in a watched channel."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bot.i18n import Translations
from bot.local_discord import LocalDiscord, buttons, visible_text
from db.pending_replies import interrupted_replies
from genrec.errors import ClipTooShort, SilentAudio
from tests.bot.end_to_end.conftest import WAV, World, bot_on, clip, wait_response, wait_text

TEXTS = Translations.load()
SENTENCE = TEXTS.text("errors.no_music", "en-US")
HEADING = TEXTS.text("answer.no_music", "en-US")


async def watch(world: World) -> None:
    await wait_text(await world.you.slash("settings uploads"), "now answers clips")


def by_bot(world: World, channel: str = "music") -> list[dict[str, Any]]:
    """Return the bot's replies to messages in a channel."""
    bot = world.discord.state.bot.id
    messages = world.you.messages(channel)
    return [m for m in messages if m["author"]["id"] == bot and m.get("message_reference")]


async def analyzed(world: World, count: int) -> None:
    """Wait until so many clips were analysed and their requests have ended."""
    async with asyncio.timeout(10):
        while len(world.pool.analyzed) < count:  # noqa: ASYNC110 - the fake has no event for it
            await asyncio.sleep(0.01)
    await world.settled()


@pytest.mark.parametrize("command", ["recommend", "genre"])
async def test_command_gets_the_sentence_and_no_tracks(world: World, command: str) -> None:
    world.pool.music = 0.03
    answer = await wait_response(await world.you.slash(command, {"clip": clip()}))
    text = visible_text(answer)
    assert HEADING in text
    assert SENTENCE in text
    assert "Jazz" not in text
    assert "Artist" not in text
    assert [b["custom_id"].partition(":")[0] for b in buttons(answer)] == ["thumb", "thumb"]
    await world.settled()
    assert b'outcome="no_music"' in world.app.metrics.text()
    world.discord.assert_clean()


@pytest.mark.parametrize("locale", ["de", "es-ES", "fr", "id", "ja", "pt-BR"])
async def test_sentence_is_in_the_users_language(world: World, locale: str) -> None:
    world.pool.music = 0.0
    world.you.locale = locale
    answer = await wait_response(await world.you.slash("genre", {"clip": clip()}))
    assert TEXTS.text("errors.no_music", locale) in visible_text(answer)
    assert SENTENCE not in visible_text(answer)


@pytest.mark.parametrize("name", ["Recommend from this message", "What genre is this?"])
async def test_message_menu_gets_the_sentence(world: World, name: str) -> None:
    world.pool.music = 0.03
    message = await world.discord.person("sam").say(uploads=[clip()], voice=True)
    used = await world.you.menu(name, message)
    assert SENTENCE in visible_text(await wait_response(used))


async def test_mention_and_direct_message_get_the_sentence(world: World) -> None:
    world.pool.music = 0.03
    bot = world.discord.state.bot.id
    await world.you.say(f"<@{bot}> what is it?", uploads=[clip()], channel="general")
    await world.you.wait_message(lambda m: SENTENCE in visible_text(m), channel="general")
    await world.you.say(uploads=[clip()], channel="dm")
    await world.you.wait_message(lambda m: SENTENCE in visible_text(m), channel="dm")
    world.discord.assert_clean()


async def test_mention_in_a_watched_channel_gets_the_sentence(world: World) -> None:
    await watch(world)
    world.pool.music = 0.03
    await world.you.say(f"<@{world.discord.state.bot.id}>", uploads=[clip()])
    assert await world.you.wait_message(lambda m: SENTENCE in visible_text(m))


@pytest.mark.parametrize("voice", [True, False], ids=["voice message", "upload"])
async def test_watched_clip_without_music_is_passed_over(world: World, voice: bool) -> None:
    await watch(world)
    world.pool.music = 0.03
    message = await world.you.say(uploads=[clip()], voice=voice)
    await analyzed(world, 1)
    assert by_bot(world) == []
    assert "reactions" not in message
    assert await interrupted_replies(world.app.resources.db, "a later run") == []
    assert b'command="watched upload",outcome="no_music"' in world.app.metrics.text()
    world.discord.assert_clean()


@pytest.mark.parametrize("error", [SilentAudio("Silent."), ClipTooShort("Short.")])
async def test_watched_clip_without_sound_is_passed_over(world: World, error: Exception) -> None:
    await watch(world)
    world.pool.error = error
    await world.you.say(uploads=[clip()])
    await analyzed(world, 1)
    assert by_bot(world) == []
    used = await world.you.slash("genre", {"clip": clip()})
    await used.wait_until(lambda m: m["components"])
    await analyzed(world, 2)
    assert visible_text(used.original)  # a command gets the reason


async def test_watched_clip_with_music_gets_one_message(world: World) -> None:
    await watch(world)
    await world.you.say(uploads=[clip()], voice=True)
    await world.you.wait_message(lambda m: "Jazz" in visible_text(m))
    await world.settled()
    assert len(by_bot(world)) == 1
    world.discord.assert_clean()


async def test_progress_of_a_slow_watched_clip_is_deleted(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    async with bot_on(discord, tmp_path, progress_every_s=0.05) as world:
        await watch(world)
        world.pool.music, world.pool.gate = 0.03, asyncio.Event()
        await world.you.say(uploads=[clip()], voice=True)
        await world.you.wait_message(lambda m: "Analysing" in visible_text(m))
        assert len(by_bot(world)) == 1
        world.pool.gate.set()
        await world.settled()
        assert by_bot(world) == []
        db = world.app.resources.db
        assert await interrupted_replies(db, "a later run") == []
        discord.assert_clean()


async def test_progress_of_a_slow_watched_clip_becomes_the_response(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    async with bot_on(discord, tmp_path, progress_every_s=0.05) as world:
        await watch(world)
        world.pool.gate = asyncio.Event()
        await world.you.say(uploads=[clip()])
        progress = await world.you.wait_message(lambda m: "Analysing" in visible_text(m))
        world.pool.gate.set()
        await world.you.wait_message(lambda m: "Jazz" in visible_text(m))
        assert [m["id"] for m in by_bot(world)] == [progress["id"]]
        discord.assert_clean()


async def test_stop_before_the_first_progress_leaves_no_message(world: World) -> None:
    await watch(world)
    world.pool.gate = asyncio.Event()
    await world.you.say(uploads=[clip()], voice=True)
    async with asyncio.timeout(10):
        while not world.pool.analyzed:  # noqa: ASYNC110 - the fake has no event for it
            await asyncio.sleep(0.01)
    await world.app.admission.close(finish_s=0, correct_s=2)
    assert by_bot(world) == []
    assert await interrupted_replies(world.app.resources.db, "a later run") == []


async def test_passed_over_clip_starts_no_cooldown(discord: LocalDiscord, tmp_path: Path) -> None:
    async with bot_on(discord, tmp_path, cooldown_s=30) as world:
        await watch(world)
        world.pool.music = 0.03
        await world.you.say(uploads=[clip()], voice=True)
        await analyzed(world, 1)
        world.pool.music = 1.0
        await world.you.say(uploads=[clip("song.wav", WAV + b"1")])
        await world.you.wait_message(lambda m: "Jazz" in visible_text(m))
        await world.settled()
        await world.you.say(uploads=[clip("voice.wav", WAV + b"2")], voice=True)  # in the cooldown
        upload = await world.you.say(uploads=[clip("other.wav", WAV + b"3")])
        await world.you.wait_message(lambda m: "next clip starts" in visible_text(m))
        referred = [m["message_reference"]["message_id"] for m in by_bot(world)]
        assert len(referred) == 2
        assert referred[-1] == upload["id"]


async def test_library_add_refuses_a_clip_without_music(world: World) -> None:
    world.pool.music = 0.03
    assert await wait_text(await world.you.slash("library add", {"clip": clip()}), SENTENCE)
    assert await wait_text(await world.you.slash("library list"), "no tracks yet")


async def test_reindex_lists_files_without_music(discord: LocalDiscord, tmp_path: Path) -> None:
    library = tmp_path / "music"
    library.mkdir()
    (library / "speech.wav").write_bytes(WAV)
    async with bot_on(discord, tmp_path, library=library) as world:
        world.pool.music = 0.03
        used = await world.you.slash("reindex")
        await wait_text(used, "0 added")
        assert (
            await world.app.resources.recommender.catalogue.count(world.pool.model_id, "library")
            == 0
        )
        listed = await used.wait_followup()
        assert listed["attachments"][0]["filename"] == "failures.csv"


async def test_reindex_keeps_files_without_music_with_the_setting(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    library = tmp_path / "music"
    library.mkdir()
    (library / "speech.wav").write_bytes(WAV)
    async with bot_on(discord, tmp_path, library=library, keep_non_music=True) as world:
        world.pool.music = 0.03
        assert await wait_text(await world.you.slash("reindex"), "1 added")
