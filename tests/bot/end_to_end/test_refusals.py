"""Refusals: each has a sentence, and those before the acknowledgement are private."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

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
from genrec.workers.sandbox import Measure
from tests.bot.end_to_end.asking import assert_answered, mention, refusals
from tests.bot.end_to_end.conftest import (
    WAV,
    World,
    bot_on,
    clip,
    details,
    wait_response,
    wait_text,
)

MIB = 1 << 20
ENGLISH = Localizer(Translations.load(), "en-US")


async def test_recommend_without_clip_and_link_is_declined(world: World) -> None:
    used = await world.you.slash("recommend")
    assert await wait_text(used, "Add a clip")
    assert used.ephemeral


async def test_genre_with_clip_and_link_is_declined(world: World) -> None:
    used = await world.you.slash("genre", {"clip": clip(), "link": "https://example.com/a.mp3"})
    assert await wait_text(used, "not both")


async def test_too_large_clip_is_refused_without_a_fetch(world: World) -> None:
    used = await world.you.slash("recommend", {"clip": clip(size=900 * MIB)})
    assert await wait_text(used, "900 MB")
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
async def test_refused_link_is_reported_privately(world: World, link: str, words: str) -> None:
    used = await world.you.slash("recommend", {"link": link})
    assert await wait_text(used, words)
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
async def test_analysis_error_is_shown_and_leaves_no_pending_reply(
    world: World, error: Exception
) -> None:
    world.pool.error = error
    used = await world.you.slash("recommend", {"clip": clip()})
    assert await wait_text(used, sentence(ENGLISH, error, world.app.limits)[:20])
    await world.settled()
    assert await interrupted_replies(world.app.resources.db, "another run") == []
    world.discord.assert_clean()


async def test_unhandled_error_shows_the_id_of_the_log(world: World, caplog) -> None:
    world.pool.error = RuntimeError("the cat sat on it")
    used = await world.you.slash("recommend", {"clip": clip()})
    text = await wait_text(used, "Something went wrong")
    assert "cat" not in text
    record = next(r for r in caplog.records if "unhandled error" in r.getMessage())
    assert record.getMessage().rsplit(" ", 1)[1] in text


async def test_further_requests_of_a_user_wait_and_say_so(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    async with bot_on(discord, tmp_path, progress_every_s=0.1, cooldown_s=0.5) as world:
        world.pool.gate = asyncio.Event()
        used = []
        for _ in range(3):
            used.append(await world.you.slash("recommend", {"clip": clip()}))
            await used[-1].wait_ack()
        for waiting in used[1:]:
            assert re.search(r"earlier clip: about \d+ s left", await wait_text(waiting, "Waiting"))
        fourth = await world.you.slash("recommend", {"clip": clip()})
        assert await wait_text(fourth, "already waiting")
        assert fourth.ephemeral
        world.pool.gate.set()
        for answered in used:
            await wait_response(answered)
        discord.assert_clean()


async def test_second_request_of_a_user_is_declined_where_none_may_wait(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    async with bot_on(discord, tmp_path, waiting_per_user=0) as world:
        world.pool.gate = asyncio.Event()
        first = await world.you.slash("recommend", {"clip": clip()})
        await first.wait_ack()
        second = await world.you.slash("recommend", {"clip": clip()})
        assert await wait_text(second, "still running")
        assert second.ephemeral
        world.pool.gate.set()
        await wait_response(first)


async def test_refusal_after_a_public_acknowledgement_is_private(world: World) -> None:
    world.pool.error = SilentAudio("That clip is silent.")
    used = await world.you.slash("recommend", {"clip": clip()})
    await wait_text(used, "silent")
    assert used.ephemeral
    assert world.discord.person("sam").messages() == []
    message = await world.you.say("listen", uploads=[clip("1.wav"), clip("2.wav", WAV + b"2")])
    menu = await world.you.menu("What genre is this?", message)
    await menu.wait_followup(3)
    await world.settled()
    assert [m["id"] for m in world.discord.person("kim").messages()] == [message["id"]]
    first, _, second = menu.followups  # the message of the second clip is deleted
    assert "1" in visible_text(first)
    assert "2" in visible_text(second)
    world.discord.assert_clean()


async def test_refusal_of_an_upload_is_a_direct_message_else_a_reply(world: World) -> None:
    world.pool.error = SilentAudio("That clip is silent.")
    asked = await world.you.say(mention(world), uploads=[clip()])
    (text,) = await assert_answered(world, asked, "silent")
    assert refusals(world, asked) == [text]
    assert [m["id"] for m in world.you.messages()] == [asked["id"]]

    world.you.user.accepts_direct_messages = False
    asked = await world.you.say(mention(world), uploads=[clip()])
    await assert_answered(world, asked, "silent")
    assert refusals(world, asked) == []
    asked = await world.you.say(mention(world))
    await assert_answered(world, asked, "no audio")
    assert refusals(world, asked) == []


async def test_refusals_of_many_uploads_are_one_message(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    async with bot_on(discord, tmp_path, waiting_per_user=0) as world:
        world.pool.gate = asyncio.Event()
        first = await world.you.say(mention(world), uploads=[clip()])
        await world.you.wait_message(lambda m: "replace this message" in visible_text(m))
        more = [await world.you.say(mention(world), uploads=[clip()]) for _ in range(4)]
        await assert_told(world, more)
        sam = await discord.person("sam").say(mention(world), uploads=[clip(data=WAV + b"2")])
        world.pool.gate.set()
        await assert_answered(world, first)
        await assert_answered(world, sam)
        assert sum(len(refusals(world, message)) for message in more) == 1


async def assert_told(world: World, messages: list[dict[str, Any]]) -> None:
    """Wait until one of the messages is refused."""
    await world.discord.wait_for(lambda: any(refusals(world, m) for m in messages), 5)


async def test_refusal_in_a_direct_message_is_the_reply(world: World) -> None:
    world.pool.error = SilentAudio("That clip is silent.")
    await world.you.say(uploads=[clip()], channel="dm")
    await world.you.wait_message(lambda m: "silent" in visible_text(m), channel="dm")
    assert len([m for m in world.you.messages("dm") if m["author"]["bot"]]) == 1
    used = await world.you.slash("recommend", {"clip": clip()}, channel="dm")
    await wait_text(used, "silent")
    assert not used.followups


async def test_further_upload_waits_its_turn(discord: LocalDiscord, tmp_path: Path) -> None:
    async with bot_on(discord, tmp_path, cooldown_s=0.5) as world:
        await wait_text(await world.you.slash("settings uploads"), "now answers")
        sent = [await world.you.say(uploads=[clip(f"{n}.wav", WAV + n.encode())]) for n in "12"]
        for message in sent:
            await assert_answered(world, message)
        discord.assert_clean()


async def test_request_in_the_cooldown_says_when_it_starts(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    async with bot_on(discord, tmp_path, progress_every_s=0.1, cooldown_s=3) as world:
        await wait_response(await world.you.slash("recommend", {"clip": clip()}))
        used = await world.you.slash("recommend", {"clip": clip("2.wav", WAV + b"2")})
        assert re.search(r"next clip starts in about \d s", await wait_text(used, "starts"))
        await wait_response(used)


async def test_waiting_request_is_corrected_at_a_stop(world: World) -> None:
    world.pool.gate = asyncio.Event()
    used = [await world.you.slash("recommend", {"clip": clip()}) for _ in range(2)]
    for one in used:
        await one.wait_ack()
    await world.app.admission.close(finish_s=0, correct_s=2)
    for one in used:
        assert await wait_text(one, "restarted")


async def test_request_in_a_long_cooldown_is_declined_but_not_more_like_this(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    async with bot_on(discord, tmp_path, cooldown_s=600) as world:
        world.app.admission._clock = lambda: 0.0  # a clock that stands still, for slow machines
        first = await wait_response(await world.you.slash("recommend", {"clip": clip()}))
        second = await world.you.slash("recommend", {"clip": clip()})
        assert await wait_text(second, "wait 600 seconds")
        full = await details(world, first)  # cheap, so it skips the cooldown
        more = await world.you.press(full, "More like this")
        assert await wait_text(more, "Similar to Song")


async def test_requests_above_the_guilds_and_the_total_limit_are_declined(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    async with bot_on(discord, tmp_path, jobs_per_server=1, jobs_in_all=2) as world:
        world.pool.gate = asyncio.Event()
        sam, kim = discord.person("sam"), discord.person("kim")
        first = await world.you.slash("recommend", {"clip": clip()})
        await first.wait_ack()
        assert await wait_text(
            await sam.slash("recommend", {"clip": clip()}), "clips from this server"
        )
        second = await sam.slash("recommend", {"clip": clip()}, channel="dm")
        await second.wait_ack()
        assert await wait_text(
            await kim.slash("genre", {"clip": clip()}, channel="dm"), "Too many clips"
        )
        world.pool.gate.set()
        await wait_response(first)
        await wait_response(second)


async def test_recommend_without_near_tracks_has_a_note(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    async with bot_on(discord, tmp_path, floor=0.9999999) as world:
        used = await world.you.slash("recommend", {"clip": clip()})
        assert "is similar enough" in visible_text(await wait_response(used))
        discord.assert_clean()


async def test_recommend_from_an_empty_library_is_declined(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    async with bot_on(discord, tmp_path, songs=0) as world:
        used = await world.you.slash("recommend", {"clip": clip()})
        assert await wait_text(used, "There are no tracks yet")
        await wait_response(await world.you.slash("genre", {"clip": clip()}))


async def test_export_of_an_empty_library_is_declined(world: World) -> None:
    used = await world.you.slash("library export")
    assert await wait_text(used, "no tracks yet")


async def test_user_without_the_allowed_role_is_declined(world: World) -> None:
    settings = await world.app.guilds.settings(int(world.discord.guild.id))
    sam = world.discord.person("sam")
    from dataclasses import replace

    await world.app.guilds.save(replace(settings, allowed_role=int(world.you.id)))
    used = await sam.slash("recommend", {"clip": clip()})
    assert await wait_text(used, "Only some roles")
    assert used.ephemeral
    await wait_response(await world.you.slash("recommend", {"clip": clip()}))


async def test_clip_larger_than_its_stated_size_is_aborted(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    from bot.local_discord.cdn import endless

    async with bot_on(discord, tmp_path, max_upload_mb=1) as world:
        used = await world.you.slash("recommend", {"clip": clip(size=10, stream=endless)})
        assert await wait_text(used, "1 MB", 30)
        assert discord.cdn.hits[0]["sent"] < 20 * MIB


@pytest.mark.parametrize(
    "lies",
    [{"truncate_at": 100}, {"status": 404}, {"status": 302, "location": "http://169.254.169.254/"}],
    ids=["truncated", "gone", "redirected"],
)
async def test_broken_cdn_is_reported_as_the_clips_error(
    world: World, lies: dict[str, object]
) -> None:
    used = await world.you.slash("recommend", {"clip": clip(data=WAV, **lies)})
    message = await used.wait_edited(20)
    assert visible_text(message)
    assert "Something went wrong" not in visible_text(message)
    assert not world.pool.analyzed


OLD_KERNEL = (Measure("limits", True), Measure("files", False, "this kernel has no Landlock"))
SONG = "https://example.com/song.mp3"


async def test_link_without_a_sandbox_is_refused_and_an_upload_is_not(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    async with bot_on(discord, tmp_path, measure_sandbox=lambda: OLD_KERNEL) as world:
        for command in ("recommend", "genre", "library add"):
            used = await world.you.slash(command, {"link": SONG})
            assert await wait_text(used, "Links are turned off")
            assert used.ephemeral
        used = await world.you.slash("recommend", {"clip": clip()})
        assert await wait_response(used)
        metrics = world.app.metrics.text().decode()
        assert 'genrec_sandbox_measure{measure="files"} 0.0' in metrics
    discord.assert_clean()


async def test_upload_without_a_sandbox_is_refused_if_the_operator_wants_it(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    async with bot_on(
        discord, tmp_path, measure_sandbox=lambda: OLD_KERNEL, without_sandbox="refuse-all"
    ) as world:
        for options in ({"clip": clip()}, {"link": SONG}):
            used = await world.you.slash("recommend", options)
            assert await wait_text(used, "Uploads and links are turned off")
            assert used.ephemeral
        assert not world.pool.analyzed
    discord.assert_clean()
