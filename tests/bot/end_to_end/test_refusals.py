"""Each refusal has its sentence, and only who asked reads those that come before the work."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.i18n import Localizer, Translations
from bot.local_discord import LocalDiscord, visible_text
from bot.ui.messages import sentence
from db.pending_replies import interrupted_replies
from genrec.errors import (
    AnalysisTimeout,
    Busy,
    ClipTooLong,
    ClipTooShort,
    SilentAudio,
    UnreadableAudio,
    UnsupportedFormat,
    WorkerCrashed,
)
from tests.bot.end_to_end.conftest import WAV, World, answered, bot_on, clip, said

MIB = 1 << 20
ENGLISH = Localizer(Translations.load(), "en-US")


async def test_neither_clip_nor_link(world: World) -> None:
    used = await world.you.slash("recommend")
    assert await said(used, "Add a clip")
    assert used.ephemeral


async def test_clip_and_link(world: World) -> None:
    used = await world.you.slash("genre", {"clip": clip(), "link": "https://example.com/a.mp3"})
    assert await said(used, "not both")


async def test_too_large_is_refused_at_once(world: World) -> None:
    used = await world.you.slash("recommend", {"clip": clip(size=900 * MIB)})
    assert await said(used, "900 MB")
    assert used.ephemeral
    assert not world.discord.cdn.hits


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ("https://127.0.0.1/a.mp3", "name a site"),
        ("https://youtu.be/dQw4w9WgXcQ", "YouTube"),
        ("not a link", "not a web link"),
    ],
    ids=["private", "youtube off", "no link"],
)
async def test_links_that_are_not_fetched(world: World, link: str, words: str) -> None:
    used = await world.you.slash("recommend", {"link": link})
    assert await said(used, words)
    assert used.ephemeral
    world.discord.assert_clean()


@pytest.mark.parametrize(
    "error",
    [
        UnreadableAudio("No sound could be read from that file."),
        SilentAudio("That clip is silent."),
        UnsupportedFormat("That is not a sound file."),
        ClipTooShort("That clip lasts 0.3 s."),
        ClipTooLong("That clip lasts 13 hours."),
        Busy("Too many clips are waiting."),
        AnalysisTimeout("It took too long."),
        WorkerCrashed("The decoder died."),
    ],
    ids=lambda error: error.code,
)
async def test_what_the_analysis_says(world: World, error: Exception) -> None:
    world.pool.error = error
    used = await world.you.slash("recommend", {"clip": clip()})
    assert await said(used, sentence(ENGLISH, error, world.app.limits)[:20])
    await world.settled()
    assert await interrupted_replies(world.app.resources.db, "another run") == []
    world.discord.assert_clean()


async def test_our_own_fault_is_an_apology_with_an_id(world: World, caplog) -> None:
    world.pool.error = RuntimeError("the cat sat on it")
    used = await world.you.slash("recommend", {"clip": clip()})
    text = await said(used, "our side")
    assert "cat" not in text
    record = next(r for r in caplog.records if "unhandled error" in r.getMessage())
    assert record.getMessage().rsplit(" ", 1)[1] in text


async def test_one_question_a_person_at_a_time(world: World) -> None:
    world.pool.gate = asyncio.Event()
    first = await world.you.slash("recommend", {"clip": clip()})
    await first.wait_ack()
    second = await world.you.slash("recommend", {"clip": clip()})
    assert await said(second, "still being analysed")
    assert second.ephemeral
    world.pool.gate.set()
    await answered(first)


async def test_cooldown(discord: LocalDiscord, tmp_path: Path) -> None:
    async with bot_on(discord, tmp_path, cooldown_s=600) as world:
        world.app.admission._clock = lambda: 0.0  # it stands still, however slow the machine
        first = await answered(await world.you.slash("recommend", {"clip": clip()}))
        second = await world.you.slash("recommend", {"clip": clip()})
        assert await said(second, "wait 600 seconds")
        more = await world.you.press(first, "More like this")
        assert await said(more, "Similar to Song")  # costs next to nothing, so it need not wait


async def test_bounds_of_a_server_and_in_all(discord: LocalDiscord, tmp_path: Path) -> None:
    async with bot_on(discord, tmp_path, jobs_per_server=1, jobs_in_all=2) as world:
        world.pool.gate = asyncio.Event()
        sam, kim = discord.person("sam"), discord.person("kim")
        first = await world.you.slash("recommend", {"clip": clip()})
        await first.wait_ack()
        assert await said(await sam.slash("recommend", {"clip": clip()}), "clips from this server")
        second = await sam.slash("recommend", {"clip": clip()}, channel="dm")
        await second.wait_ack()
        assert await said(
            await kim.slash("genre", {"clip": clip()}, channel="dm"), "Too many clips"
        )
        world.pool.gate.set()
        await answered(first)
        await answered(second)


async def test_nothing_sounds_alike(discord: LocalDiscord, tmp_path: Path) -> None:
    async with bot_on(discord, tmp_path, floor=0.9999999) as world:
        used = await world.you.slash("recommend", {"clip": clip()})
        assert "sound enough like" in visible_text(await answered(used))
        discord.assert_clean()


async def test_an_empty_library(discord: LocalDiscord, tmp_path: Path) -> None:
    async with bot_on(discord, tmp_path, songs=0) as world:
        used = await world.you.slash("recommend", {"clip": clip()})
        assert await said(used, "The library is empty")
        await answered(await world.you.slash("genre", {"clip": clip()}))


async def test_an_empty_library_cannot_be_exported(world: World) -> None:
    used = await world.you.slash("library export")
    assert await said(used, "empty")


async def test_only_a_role_may_ask(world: World) -> None:
    settings = await world.app.guilds.settings(int(world.discord.guild.id))
    sam = world.discord.person("sam")
    from dataclasses import replace

    await world.app.guilds.save(replace(settings, allowed_role=int(world.you.id)))
    used = await sam.slash("recommend", {"clip": clip()})
    assert await said(used, "Only some roles")
    assert used.ephemeral
    await answered(await world.you.slash("recommend", {"clip": clip()}))


async def test_a_clip_that_lies_about_its_size_is_cut_off(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    from bot.local_discord.cdn import endless

    async with bot_on(discord, tmp_path, max_upload_mb=1) as world:
        used = await world.you.slash("recommend", {"clip": clip(size=10, stream=endless)})
        assert await said(used, "1 MB", 30)
        assert discord.cdn.hits[0]["sent"] < 20 * MIB


@pytest.mark.parametrize(
    "lies",
    [{"truncate_at": 100}, {"status": 404}, {"status": 302, "location": "http://169.254.169.254/"}],
    ids=["truncated", "gone", "redirected"],
)
async def test_a_broken_cdn_is_a_sentence(world: World, lies: dict[str, object]) -> None:
    used = await world.you.slash("recommend", {"clip": clip(data=WAV, **lies)})
    message = await used.wait_edited(20)
    assert visible_text(message)
    assert "our side" not in visible_text(message)
    assert not world.pool.heard
