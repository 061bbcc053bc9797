"""Permissions that upload channels lose: who is told, how often, and what becomes of answers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.local_discord import Interaction, LocalDiscord, visible_text
from bot.local_discord.permissions import (
    ATTACH_FILES,
    EVERYONE_PERMISSIONS,
    SEND_MESSAGES,
    VIEW_CHANNEL,
)
from db.pending_replies import interrupted_replies
from tests.bot.end_to_end.conftest import World, bot_on, clip, wait_response
from tests.bot.end_to_end.test_permissions import NAMES, answer, deny, draw, in_panel, uploads_on


async def lost_notice(world: World, words: str = "any more") -> str:
    """Wait for the direct message about lost permissions and return its text."""
    message = await world.you.wait_message(lambda m: words in visible_text(m), channel="dm")
    return visible_text(message)


def notices(world: World, channel: str = "dm") -> list[str]:
    texts = map(visible_text, world.you.messages(channel))
    return [text for text in texts if "can't answer" in text]


@pytest.mark.parametrize("denied", [VIEW_CHANNEL, SEND_MESSAGES], ids=NAMES.get)
async def test_owner_is_told_once_of_an_upload_channel_that_lost_a_permission(
    world: World, denied: int
) -> None:
    music = world.discord.channel("music")
    await uploads_on(world)
    deny(world.discord, music, denied)
    text = await lost_notice(world)
    assert f"**{NAMES[denied]}**" in text
    assert f"<#{music.id}>" in text
    assert "Local Discord" in text
    for _ in range(2):
        await world.you.say(uploads=[clip()])
        world.discord.edit.change_role(world.discord.guild.everyone, EVERYONE_PERMISSIONS)
    assert NAMES[denied] in await in_panel(world)
    assert len(notices(world)) == 1
    world.discord.edit.overwrite(music, world.discord.state.bot)
    await uploads_on(world)
    deny(world.discord, music, denied)
    async with asyncio.timeout(10):
        while len(notices(world)) < 2:  # noqa: ASYNC110 - the page has no event for it
            await asyncio.sleep(0.01)
    world.discord.assert_clean()


async def test_loss_is_told_again_after_uploads_were_off_and_on(world: World) -> None:
    music, bot = world.discord.channel("music"), world.discord.state.bot
    await uploads_on(world)
    deny(world.discord, music, SEND_MESSAGES)
    await lost_notice(world)
    await uploads_on(world, enabled=False)
    world.discord.edit.overwrite(music, bot)
    await uploads_on(world)
    deny(world.discord, music, SEND_MESSAGES)
    async with asyncio.timeout(10):
        while len(notices(world)) < 2:  # noqa: ASYNC110 - the page has no event for it
            await asyncio.sleep(0.01)
    assert len(notices(world)) == 2


async def test_notice_is_not_repeated_by_a_restart_and_one_is_sent_for_a_loss_while_down(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    async with bot_on(discord, tmp_path) as world:
        await uploads_on(world)
    deny(discord, discord.channel("music"), SEND_MESSAGES)
    for _ in range(2):
        async with bot_on(discord, tmp_path) as world:
            await lost_notice(world)
            await in_panel(world)
            assert len(notices(world)) == 1


async def test_notice_goes_to_the_moderators_channel_before_the_owner(world: World) -> None:
    edit, discord = world.discord.edit, world.discord
    moderators = edit.channel("moderator-only")
    edit.set_channels(public_updates=moderators)
    await uploads_on(world)
    deny(discord, discord.channel("music"), SEND_MESSAGES)
    await world.you.wait_message(lambda m: "any more" in visible_text(m), channel=moderators)
    assert notices(world) == []


async def test_notice_goes_to_the_system_channel_if_the_owner_takes_no_direct_messages(
    world: World,
) -> None:
    edit, discord = world.discord.edit, world.discord
    world.you.user.accepts_direct_messages = False
    edit.set_channels(system=discord.channel("general"))
    await uploads_on(world)
    deny(discord, discord.channel("music"), VIEW_CHANNEL)
    said = await world.you.wait_message(lambda m: "any more" in visible_text(m), channel="general")
    assert "**View Channel**" in visible_text(said)


async def test_loss_with_nobody_to_tell_is_logged_and_stands_in_the_settings(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.you.user.accepts_direct_messages = False
    await uploads_on(world)
    deny(world.discord, world.discord.channel("music"), SEND_MESSAGES)
    async with asyncio.timeout(10):
        while "admins notified: nowhere" not in caplog.text:  # noqa: ASYNC110 - logs have no event
            await asyncio.sleep(0.01)
    assert "**Send Messages**" in await in_panel(world)


async def test_view_channel_lost_between_upload_and_answer_tells_the_owner(
    world: World,
) -> None:
    music = world.discord.channel("music")
    await uploads_on(world)
    world.pool.gate = asyncio.Event()
    await world.you.say(uploads=[clip()])
    await world.you.wait_message(lambda m: m["author"]["id"] == world.discord.state.bot.id)
    deny(world.discord, music, VIEW_CHANNEL)
    world.pool.gate.set()
    assert "**View Channel**" in await lost_notice(world)
    await world.settled()
    assert len(notices(world)) == 1
    world.discord.assert_clean()


async def test_permission_lost_before_discords_event_tells_the_owner_what_to_check(
    world: World,
) -> None:
    await uploads_on(world)
    with world.discord.gateway.losing():
        deny(world.discord, world.discord.channel("music"), SEND_MESSAGES)
    await world.you.say(uploads=[clip()])
    assert "**View Channel**, **Send Messages**" in await lost_notice(world)
    await world.settled()
    assert not await interrupted_replies(world.app.resources.db, "another run")


@pytest.mark.parametrize("event", [True, False], ids=["with an event", "without an event"])
async def test_attach_files_lost_between_upload_and_answer_leaves_out_the_picture(
    discord: LocalDiscord, tmp_path: Path, event: bool
) -> None:
    async with bot_on(discord, tmp_path, draw=draw) as world:
        await uploads_on(world)
        world.pool.gate = asyncio.Event()
        await world.you.say(uploads=[clip()])
        await world.you.wait_message(lambda m: m["author"]["id"] == discord.state.bot.id)
        if event:
            deny(discord, discord.channel("music"), ATTACH_FILES)
        else:
            with discord.gateway.losing():
                deny(discord, discord.channel("music"), ATTACH_FILES)
        world.pool.gate.set()
        message = await answer(world)
        assert not message["attachments"]
        assert "Artist" in visible_text(message)
        discord.assert_clean()


@pytest.mark.parametrize("watched", [True, False], ids=["upload channel", "other channel"])
async def test_mention_in_a_channel_without_permission_is_answered_by_direct_message_once(
    world: World, watched: bool
) -> None:
    if watched:
        await uploads_on(world, "general")
    deny(world.discord, world.discord.channel("general"), SEND_MESSAGES)
    for _ in range(2):
        await world.you.say(f"<@{world.discord.state.bot.id}>", uploads=[clip()], channel="general")
    said = await lost_notice(world, "Send your clip here")
    assert "**Send Messages**" in said
    await world.settled()
    about = [m for m in world.you.messages("dm") if "Send your clip here" in visible_text(m)]
    assert len(about) == 1
    await world.you.say(uploads=[clip()], channel="dm")
    await answer(world, "dm")
    world.discord.assert_clean()


async def test_command_is_answered_with_its_picture_where_the_bot_has_no_permission(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    deny(discord, discord.channel("music"), VIEW_CHANNEL)
    async with bot_on(discord, tmp_path, draw=draw, compact=False) as world:
        used: Interaction = await world.you.slash("recommend", {"clip": clip()})
        assert (await wait_response(used))["attachments"]
        discord.assert_clean()


async def test_deleted_upload_channel_leaves_the_settings(world: World) -> None:
    await uploads_on(world)
    music = world.discord.channel("music")
    world.discord.edit.delete_channel(music)
    async with asyncio.timeout(10):
        while world.app.guilds.is_upload_channel(int(music.id)):  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.01)
    used = await world.you.slash("settings show", channel="general")
    assert "aren't answered in any channel" in visible_text(await used.wait_edited())
