"""Ways to ask: forwards, replies, edits and mentions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.local_discord import LocalDiscord, Upload, buttons, payloads, visible_text
from bot.local_discord.state import Message
from tests.bot.end_to_end.asking import (
    MENU,
    PNG,
    SONG,
    assert_answered,
    assert_answered_once,
    assert_silent,
    link_to,
    mention,
)
from tests.bot.end_to_end.conftest import World, bot_on, clip, wait_response


@pytest.fixture
async def world(discord: LocalDiscord, tmp_path: Path) -> AsyncIterator[World]:
    """Return a bot that answers uploads in #music and may analyse 20 clips at once."""
    async with bot_on(discord, tmp_path) as running:
        await (await running.you.slash("settings uploads")).wait_edited()
        yield running
        discord.assert_clean()


# Forwards


async def test_forward_in_an_upload_channel_is_answered(world: World) -> None:
    original = await world.you.say("mine", uploads=[clip()], channel="general")
    await assert_answered(world, await world.you.forward(original))


async def test_forward_in_a_direct_message_is_answered(world: World) -> None:
    original = await world.you.say("mine", uploads=[clip()], channel="general")
    forwarded = await world.you.forward(original, channel="dm")
    await assert_answered(world, forwarded, channel="dm")


async def test_forward_of_a_forward_is_answered_by_upload_and_menu(world: World) -> None:
    original = await world.you.say("mine", uploads=[clip()], channel="general")
    once = await world.you.forward(original, channel="general")
    twice = await world.you.forward(once)
    await assert_answered(world, twice)
    assert "Jazz" in visible_text(await wait_response(await world.you.menu(MENU, twice)))


async def test_forward_without_a_clip_is_answered_in_a_direct_message_only(world: World) -> None:
    original = await world.you.say("hello", channel="general")
    await assert_silent(world, await world.you.forward(original))
    forwarded = await world.you.forward(original, channel="dm")
    await assert_answered(world, forwarded, "a link to a track", channel="dm")


async def test_forwarded_answer_of_the_bot_is_no_clip(world: World) -> None:
    uploaded = await world.you.say(uploads=[clip()])
    await assert_answered(world, uploaded)
    answer = next(m for m in reversed(world.you.messages()) if buttons(m))
    await assert_silent(world, await world.you.forward(answer))


# Replies


async def test_mention_in_a_reply_to_a_clip_is_answered(world: World) -> None:
    sam = world.discord.person("sam")
    theirs = await sam.say("mine", uploads=[clip()], channel="general")
    asked = await world.you.say(mention(world), reply_to=theirs, channel="general")
    await assert_answered(world, asked, channel="general")


async def test_mention_in_a_reply_prefers_its_own_clip(world: World) -> None:
    theirs = await world.you.say("mine", uploads=[clip("theirs.wav")], channel="general")
    asked = await world.you.say(
        mention(world), reply_to=theirs, uploads=[clip("own.wav", SONG)], channel="general"
    )
    (text,) = await assert_answered(world, asked, channel="general")
    assert "own" in text


async def test_mention_in_a_reply_prefers_the_clip_to_a_link_of_conversation(world: World) -> None:
    theirs = await world.you.say("mine", uploads=[clip("theirs.wav")], channel="general")
    text = mention(world, "genre? https://news.example/article")
    asked = await world.you.say(text, reply_to=theirs, channel="general")
    (answer,) = await assert_answered(world, asked, channel="general")
    assert "theirs" in answer


async def test_mention_in_a_reply_to_a_forward_is_answered(world: World) -> None:
    original = await world.you.say(uploads=[clip()], channel="bot-corner")
    forwarded = await world.you.forward(original, channel="general")
    asked = await world.you.say(mention(world), reply_to=forwarded, channel="general")
    await assert_answered(world, asked, channel="general")


async def test_mention_in_a_reply_to_the_bots_answer_is_about_its_clip(world: World) -> None:
    await assert_answered(world, await world.you.say(uploads=[clip("first.wav")]))
    answer = next(m for m in reversed(world.you.messages()) if buttons(m))
    (text,) = await assert_answered(world, await world.you.say(mention(world), reply_to=answer))
    assert "first" in text


async def test_menu_on_the_bots_answer_is_about_its_clip(world: World) -> None:
    await assert_answered(world, await world.you.say(uploads=[clip("first.wav")]))
    answer = next(m for m in reversed(world.you.messages()) if buttons(m))
    assert "first" in visible_text(await wait_response(await world.you.menu(MENU, answer)))


async def test_reply_without_a_mention_is_no_request(world: World) -> None:
    theirs = await world.you.say("mine", uploads=[clip()])
    await assert_answered(world, theirs)
    await assert_silent(world, await world.you.say("nice song", reply_to=theirs))


async def test_mention_in_a_reply_without_clips_says_so_of_both_messages(world: World) -> None:
    theirs = await world.you.say("hello", uploads=[Upload("cat.png", PNG)], channel="general")
    asked = await world.you.say(mention(world), reply_to=theirs, channel="general")
    await assert_answered(world, asked, "Neither your message nor the one you replied to",
                   channel="general")  # fmt: skip


async def test_reply_whose_message_was_not_sent_along_is_fetched(world: World) -> None:
    theirs = await world.you.say("mine", uploads=[clip()], channel="general")
    general = world.discord.channel("general")
    writer = world.discord._context.messages
    data = writer.blank(world.you.user, general) | {
        "type": 19,
        "content": mention(world),
        "mentions": [payloads.user(world.discord.state.bot)],
        "message_reference": {"type": 0, "message_id": theirs["id"], "channel_id": general.id},
    }  # fmt: skip
    world.discord.state.post(Message(data, general))
    await assert_answered(world, data, channel="general")
    gone = data | {"id": str(int(data["id"]) + 1), "referenced_message": None}
    world.discord.state.post(Message(gone, general))
    await assert_answered(world, gone, "can't read the message you replied to", channel="general")


async def test_reply_to_a_hidden_message_is_explained_and_the_menu_still_works(
    schema, tmp_path: Path
) -> None:
    async with (
        LocalDiscord(schema=schema, message_content=False) as discord,
        bot_on(discord, tmp_path, message_content=False) as world,
    ):
        theirs = await world.you.say("mine", uploads=[clip()])
        asked = await world.you.say(mention(world), reply_to=theirs)
        await assert_answered(world, asked, "Apps menu")
        forwarded = await world.you.forward(theirs)
        asked = await world.you.say(mention(world), reply_to=forwarded)
        await assert_answered(world, asked, "Apps menu")
        for message in (theirs, forwarded):
            used = await world.you.menu(MENU, message)
            assert "Jazz" in visible_text(await wait_response(used))
        discord.assert_clean()


# Edits


async def test_edit_that_adds_a_link_or_a_mention_is_answered_once(world: World) -> None:
    message = await world.you.say("listen to this:")
    await world.you.edit(message, f"listen to this: {link_to(world)}")
    await assert_answered(world, message)
    await world.you.edit(message, f"listen: {link_to(world)}")
    await assert_answered_once(world, message)


async def test_edit_in_a_direct_message_is_answered(world: World) -> None:
    message = await world.you.say("this one", channel="dm")
    await assert_answered(world, message, "a link to a track", channel="dm")
    await world.you.edit(message, link_to(world))
    await assert_answered(world, message, channel="dm")


async def test_edited_typo_of_an_answered_message_is_not_answered_again(world: World) -> None:
    message = await world.you.say("my sogn", uploads=[clip()])
    await assert_answered(world, message)
    await world.you.edit(message, "my song")
    await assert_answered_once(world, message)


# Mentions


async def test_mention_of_the_bots_role_is_answered(world: World) -> None:
    role = world.discord.state.bot.id  # in the local Discord a member's role has the member's id
    text = f"<@&{role}> genre?"
    await assert_answered(
        world, await world.you.say(text, uploads=[clip()], channel="general"), channel="general"
    )
