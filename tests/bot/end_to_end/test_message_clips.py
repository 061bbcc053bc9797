"""Clips of a message: uploads, several of them, links and cards of other bots."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.local_discord import LocalDiscord, Upload, buttons, visible_text
from genrec.errors import SilentAudio
from tests.bot.end_to_end.asking import (
    MENU,
    PNG,
    SONG,
    YOUTUBE,
    answers,
    assert_answered,
    assert_silent,
    link_to,
    mention,
)
from tests.bot.end_to_end.conftest import WAV, World, bot_on, clip, wait_response
from tests.bot.end_to_end.fakes import FakePool


@pytest.fixture
async def world(discord: LocalDiscord, tmp_path: Path) -> AsyncIterator[World]:
    """Return a bot that answers uploads in #music and may analyse 20 clips at once."""
    async with bot_on(discord, tmp_path) as running:
        await (await running.you.slash("settings uploads")).wait_edited()
        yield running
        discord.assert_clean()


# Uploads


@pytest.mark.parametrize(
    "upload",
    [
        Upload("song.MP3", SONG, content_type=""),
        Upload("song.mp3", SONG, content_type="application/octet-stream"),
        Upload("song.flac", SONG, content_type="image/png"),
        Upload("take 2", WAV[:8] + b"WAVE" + bytes(2000), content_type=""),
        Upload("song.mp3.part", b"ID3\x03" + bytes(2000), content_type="application/x-partial"),
        Upload("download", SONG, content_type="text/plain"),
    ],
    ids=lambda upload: f"{upload.filename} {upload.content_type}",
)
async def test_upload_is_recognised_by_name_or_bytes(world: World, upload: Upload) -> None:
    await assert_answered(world, await world.you.say(uploads=[upload]))
    asked = await world.you.say(mention(world), uploads=[upload], channel="general")
    await assert_answered(world, asked, channel="general")


@pytest.mark.parametrize(
    "upload",
    [
        Upload("cat.png", PNG),
        Upload("cat.png", PNG, content_type=""),
        Upload("thesis.pdf", b"%PDF-1.7", content_type=""),
        Upload("notes", b"just some words", content_type=""),
        Upload("gone", WAV, content_type="", status=404),
        Upload("message.txt", b"a long message"),
    ],
    ids=lambda upload: f"{upload.filename} {upload.content_type}",
)
async def test_upload_that_is_no_clip_gets_no_answer(world: World, upload: Upload) -> None:
    await assert_silent(world, await world.you.say(uploads=[upload]))
    direct = await world.you.say(uploads=[upload], channel="dm")
    await world.discord.wait_for(lambda: answers(world, direct, "dm"), 5)


async def test_voice_message_is_answered(world: World) -> None:
    voice = Upload("voice-message.ogg", b"OggS" + bytes(2000), content_type="audio/ogg")
    await assert_answered(world, await world.you.say(uploads=[voice], voice=True))
    said = await world.you.say(uploads=[voice], voice=True, channel="dm")
    await assert_answered(world, said, channel="dm")


async def test_all_clips_of_a_message_are_answered_in_order(world: World) -> None:
    uploads = [
        clip("one.wav"),
        Upload("cover.png", PNG),
        clip("two.wav", WAV + b"2"),
        clip("huge.wav", size=900 << 20),
        clip("three.wav", WAV + b"3"),
    ]
    message = await world.you.say(uploads=uploads)
    texts = await assert_answered(world, message, count=3)
    names = [n for text in texts for n in ("one", "two", "three") if f"**{n}**" in text]
    assert names == ["one", "two", "three"]
    (refused,) = await assert_answered(world, message, "900 MB")
    assert "huge" in refused
    assert "cover" not in refused


async def test_clip_that_fails_among_several_is_named(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    pool = FakePool()

    def fail(path: Path) -> None:
        pool.error = SilentAudio("That clip is silent.") if b"2" in path.read_bytes() else None

    pool.on_analyze = fail
    async with bot_on(discord, tmp_path, pool=pool) as world:
        uploads = [clip("one.wav"), clip("two.wav", WAV + b"2"), clip("three.wav", WAV + b"3")]
        message = await world.you.say(mention(world), uploads=uploads)
        await assert_answered(world, message, "Jazz", count=2)
        (refused,) = await assert_answered(world, message, "silent")
        assert "two" in refused


async def test_clips_of_a_message_are_one_request(world: World) -> None:
    gates = world.pool.gate, second = asyncio.Event(), asyncio.Event()
    message = await world.you.say(uploads=[clip("one.wav"), clip("two.wav", WAV + b"2")])
    for number, gate in enumerate(gates, 1):
        # The progress message wakes the local Discord when an analysis has begun.
        await world.discord.wait_for(lambda n=number: len(world.pool.analyzed) == n, 10)
        used = await world.you.slash("genre", {"clip": clip("other.wav", WAV + b"3")})
        assert "earlier clip" in visible_text(await used.wait_edited())
        world.pool.gate = second
        gate.set()
    await assert_answered(world, message, count=2)


async def test_clips_beyond_the_limit_are_counted(world: World) -> None:
    message = await world.you.say(uploads=[clip(f"{n}.wav", WAV + bytes([n])) for n in range(1, 9)])
    await assert_answered(world, message, count=5)
    (rest,) = await assert_answered(world, message, "first five clips")
    assert "other 3" in rest


async def test_menu_answers_all_clips_with_follow_ups(world: World) -> None:
    uploads = [clip("one.wav"), clip("two.wav", WAV + b"2"), clip("huge.wav", size=900 << 20)]
    message = await world.you.say(uploads=uploads, channel="general")
    used = await world.you.menu("Recommend from this message", message)
    assert "one" in visible_text(await wait_response(used))
    await used.wait_followup(2)
    await world.discord.wait_for(lambda: "Jazz" in visible_text(used.followups[0]))
    assert "two" in visible_text(used.followups[0])
    assert "900 MB" in visible_text(used.followups[1])
    assert "huge" in visible_text(used.followups[1])


async def test_menu_of_a_user_install_stays_within_five_follow_ups(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    elsewhere = discord.add_guild("Elsewhere", with_bot=False)
    async with bot_on(discord, tmp_path) as world:
        uploads = [clip(f"{n}.wav", WAV + bytes([n])) for n in range(1, 9)]
        message = await world.you.say(uploads=uploads, channel=elsewhere.channel("music"))
        used = await world.you.menu(MENU, message)
        await used.wait_followup(5)
        await world.settled()
        assert [("Jazz" in visible_text(m)) for m in used.followups] == [True] * 4 + [False]
        assert "other 3" in visible_text(used.followups[4])
        discord.assert_clean()


async def test_menu_with_refused_clips_only_lists_each(world: World) -> None:
    uploads = [clip("a.wav", size=900 << 20), clip("b.wav", size=800 << 20)]
    message = await world.you.say(uploads=uploads, channel="general")
    used = await world.you.menu(MENU, message)
    text = visible_text(await used.wait_edited())
    assert "900 MB" in text
    assert "800 MB" in text
    assert used.ephemeral


# Links


@pytest.mark.parametrize(
    "written",
    ["{}", "||{}||", "**{}**", "`{}`", "<{}>", "[song]({})", "「{}」", "{}，好听", "{}🔥",
     "```\n{}\n```", "_{}_", "\u200b{}\u200b", "({})", "> {}"],
)  # fmt: skip
async def test_link_in_an_upload_channel_is_answered_as_written(world: World, written: str) -> None:
    await assert_answered(world, await world.you.say(written.format(link_to(world))))


@pytest.mark.parametrize(
    "text",
    [
        "https://news.example/article",
        "https://soundcloud.com",
        "https://artist.bandcamp.com/",
        YOUTUBE,
        "https://site.example/cover.png",
        "soundcloud is nice",
    ],
)
async def test_other_links_in_an_upload_channel_are_conversation(world: World, text: str) -> None:
    await assert_silent(world, await world.you.say(text))


async def test_link_alone_in_a_direct_message_is_answered(world: World) -> None:
    message = await world.you.say(YOUTUBE, channel="dm")
    await assert_answered(world, message, "YouTube", channel="dm")
    message = await world.you.say(link_to(world), channel="dm")
    await assert_answered(world, message, channel="dm")


async def test_text_in_a_direct_message_is_told_how_to_ask(world: World) -> None:
    for text in ("hello", "what can you do?"):
        message = await world.you.say(text, channel="dm")
        await assert_answered(world, message, "a link to a track", channel="dm")


async def test_thanks_in_a_direct_message_analyse_nothing_again(world: World) -> None:
    first = await world.you.say(uploads=[clip()], channel="dm")
    await assert_answered(world, first, channel="dm")
    answer = next(m for m in reversed(world.you.messages("dm")) if buttons(m))
    thanks = await world.you.say("thanks!", reply_to=answer, channel="dm")
    await assert_answered(world, thanks, "a link to a track", channel="dm")


async def test_uploads_and_links_of_a_message_are_all_answered(world: World) -> None:
    text = f"mine, and {link_to(world, 'other.mp3', SONG + b'o')} (see https://blog.example/post)"
    texts = await assert_answered(
        world, await world.you.say(text, uploads=[clip("mine.wav")]), count=2
    )
    assert "mine" in texts[0]
    assert "other" in texts[1]


async def test_command_takes_a_link_with_markup(world: World) -> None:
    used = await world.you.slash("recommend", {"link": f"<{link_to(world)}>"})
    assert "Jazz" in visible_text(await wait_response(used))
    used = await world.you.slash("genre", {"link": f"{YOUTUBE} {link_to(world)}"})
    assert "one link" in visible_text(await used.wait_edited())


# Other bots


def card(world: World) -> dict:
    return {
        "title": "Now playing",
        "description": f"[Song]({link_to(world)}) by [Artist](https://artist.example/)",
        "fields": [{"name": "Requested by", "value": "sam", "inline": False}],
        "footer": {"text": "https://dj.example/invite"},
    }


def cards(world: World) -> list[dict]:
    url = link_to(world)
    button = {"type": 2, "style": 5, "label": "Open", "url": url}
    invite = {"type": 2, "style": 5, "label": "Invite", "url": "https://dj.example/invite"}
    field = {"name": "URL", "value": f"<{url}>", "inline": True}
    box = {"type": 17, "accent_color": None, "spoiler": False}
    text = {"type": 10, "content": f"### Now playing\n[Song]({url})"}
    return [
        {"embeds": [card(world)]},
        {"embeds": [{"title": "Song", "url": url}]},
        {"embeds": [{"title": "Now playing", "fields": [field]}]},
        {"text": "Now playing", "components": [{"type": 1, "components": [invite, button]}]},
        {"components": [{**box, "components": [text]}]},
        {"components": [{**box, "components": [
            {"type": 9, "components": [{"type": 10, "content": "Song"}], "accessory": button}]}]},
        {"text": f"Now playing: {url}"},
        {"uploads": [Upload("rec.ogg", SONG)]},
        {"uploads": [Upload("rec.ogg", SONG)], "components": [
            {"type": 13, "file": {"url": "attachment://rec.ogg"}, "spoiler": False}]},
    ]  # fmt: skip


@pytest.mark.parametrize("number", range(9))
async def test_card_of_another_bot_is_read_when_somebody_asks(world: World, number: int) -> None:
    dj, general = world.discord.app("dj"), world.discord.channel("general")
    posted = dj.post(general, **cards(world)[number])
    assert "Jazz" in visible_text(await wait_response(await world.you.menu(MENU, posted)))
    asked = await world.you.say(mention(world), reply_to=posted, channel="general")
    await assert_answered(world, asked, channel="general")
    await assert_answered(world, await world.you.forward(posted))


async def test_card_with_a_refused_link_gets_its_reason(world: World) -> None:
    description = f"[Song]({YOUTUBE}) [invite](https://dj.example/)"
    posted = world.discord.app("dj").post(
        world.discord.channel("general"), embeds=[{"description": description}]
    )
    used = await world.you.menu(MENU, posted)
    assert "YouTube" in visible_text(await used.wait_edited())


async def test_other_bots_and_webhooks_are_never_answered(world: World) -> None:
    dj, music = world.discord.app("dj"), world.discord.channel("music")
    posted = dj.post(music, uploads=[clip()])
    asked = dj.post(music, mention(world), uploads=[clip()])
    await assert_silent(world, posted)
    await assert_silent(world, asked)
