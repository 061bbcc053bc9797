"""Permissions that answers to uploads need: checked before a promise, and when they are lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.local_discord import LocalDiscord, visible_text
from bot.local_discord.api_types import ApiError
from bot.local_discord.permissions import (
    ADMINISTRATOR,
    ATTACH_FILES,
    CONNECT,
    EMBED_LINKS,
    EVERYONE_PERMISSIONS,
    READ_MESSAGE_HISTORY,
    SEND_MESSAGES,
    SEND_MESSAGES_IN_THREADS,
    VIEW_CHANNEL,
)
from bot.local_discord.state import CATEGORY, FORUM, NEWS, STAGE, VOICE, Channel
from bot.ui.spectrogram_image import Picture
from tests.bot.end_to_end.conftest import World, bot_on, clip, wait_text

NAMES = {
    VIEW_CHANNEL: "View Channel",
    SEND_MESSAGES: "Send Messages",
    SEND_MESSAGES_IN_THREADS: "Send Messages in Threads",
    READ_MESSAGE_HISTORY: "Read Message History",
    ATTACH_FILES: "Attach Files",
    EMBED_LINKS: "Embed Links",
    CONNECT: "Connect",
}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)


def draw(*_: object) -> Picture:
    return Picture(PNG)


def deny(discord: LocalDiscord, channel: Channel, permissions: int) -> None:
    """Deny permissions to the bot in a channel."""
    discord.edit.overwrite(channel, discord.state.bot, deny=permissions)


async def uploads_on(world: World, where: Channel | str = "music", **options: Any) -> str:
    """Use /settings uploads and return the text of its response."""
    used = await world.you.slash("settings uploads", options, channel=where)
    return visible_text(await used.wait_edited())


async def answer(world: World, channel: Channel | str = "music") -> dict[str, Any]:
    return await world.you.wait_message(lambda m: "Jazz" in visible_text(m), channel=channel)


async def in_panel(world: World) -> str:
    return visible_text(await (await world.you.slash("settings show")).wait_edited())


@pytest.mark.parametrize("denied", [VIEW_CHANNEL, SEND_MESSAGES], ids=NAMES.get)
@pytest.mark.parametrize("here", [True, False], ids=["here", "by option"])
async def test_uploads_are_not_promised_where_the_bot_cannot_post(
    world: World, denied: int, here: bool
) -> None:
    music = world.discord.channel("music")
    deny(world.discord, music, denied)
    text = await (uploads_on(world) if here else uploads_on(world, "general", channel=music.id))
    assert "can't post" in text
    assert NAMES[denied] in text
    assert not world.app.guilds.is_upload_channel(int(music.id))
    world.discord.assert_clean()


@pytest.mark.parametrize(
    "denied",
    [READ_MESSAGE_HISTORY, ATTACH_FILES, EMBED_LINKS, SEND_MESSAGES_IN_THREADS],
    ids=NAMES.get,
)
async def test_uploads_with_a_missing_permission_are_promised_with_its_name(
    discord: LocalDiscord, tmp_path: Path, denied: int
) -> None:
    deny(discord, discord.channel("music"), denied)
    async with bot_on(discord, tmp_path, draw=draw, compact=False) as world:
        text = await uploads_on(world)
        assert "now answers" in text
        assert [name for bit, name in NAMES.items() if f"**{name}**" in text] == [NAMES[denied]]
        assert NAMES[denied] in await in_panel(world)
        asked = await world.you.say(uploads=[clip()])
        message = await answer(world)
        referred = (message.get("message_reference") or {}).get("message_id")
        assert referred == (None if denied == READ_MESSAGE_HISTORY else asked["id"])
        assert bool(message["attachments"]) == (denied != ATTACH_FILES)
        assert ("Spectrogram" in visible_text(message)) == (denied != ATTACH_FILES)
        refused = [call for call in discord.requests if call.status in (400, 403)]
        assert refused == []
        discord.assert_clean()


async def test_uploads_in_a_channel_with_all_permissions_are_promised_without_a_warning(
    world: World,
) -> None:
    assert "**" not in await uploads_on(world)
    assert "lacks" not in await in_panel(world)


async def test_watched_channel_whose_history_the_bot_may_not_read(world: World) -> None:
    """Discord refuses the reference although its last event promised the permission."""

    def refuse(_: object, body: dict[str, Any]) -> None:
        if body.get("message_reference"):
            raise ApiError(400, 160002, "Cannot reply without permission to read message history")

    world.discord._context.messages.reply = refuse  # type: ignore[method-assign]
    await uploads_on(world)
    await world.you.say(uploads=[clip()])
    assert not (await answer(world)).get("message_reference")


async def test_error_about_an_upload_without_read_history_refers_to_nothing(world: World) -> None:
    deny(world.discord, world.discord.channel("music"), READ_MESSAGE_HISTORY)
    world.you.user.accepts_direct_messages = False
    bot = world.discord.state.bot
    await world.you.say(f"<@{bot.id}>")
    said = await world.you.wait_message(lambda m: m["author"]["id"] == bot.id)
    assert visible_text(said)
    assert not said.get("message_reference")


async def test_category_overwrites_reach_its_channels_and_are_named(world: World) -> None:
    edit, guild = world.discord.edit, world.discord.guild
    private = edit.channel("staff", CATEGORY)
    edit.overwrite(private, guild.everyone, deny=VIEW_CHANNEL)
    inside = edit.channel("staff-music", parent=private)
    text = await uploads_on(world, inside)
    assert "**View Channel**" in text
    assert "Send Messages" not in text
    edit.overwrite(private, world.discord.state.bot, allow=VIEW_CHANNEL)
    assert "now answers" in await uploads_on(world, inside)
    await world.you.say(uploads=[clip()], channel=inside)
    await answer(world, inside)
    world.discord.assert_clean()


async def test_role_specific_deny_is_named_and_a_members_allow_wins(world: World) -> None:
    edit, music, bot = world.discord.edit, world.discord.channel("music"), world.discord.state.bot
    muted = edit.role("muted bots")
    edit.overwrite(music, muted, deny=SEND_MESSAGES)
    assert "now answers" in await uploads_on(world)
    await uploads_on(world, enabled=False)
    edit.give(bot, muted)
    assert "**Send Messages**" in await uploads_on(world)
    edit.overwrite(music, bot, allow=SEND_MESSAGES)
    assert "now answers" in await uploads_on(world)
    world.discord.assert_clean()


async def test_administrator_needs_no_permission_of_its_own(world: World) -> None:
    edit, bot = world.discord.edit, world.discord.state.bot
    deny(world.discord, world.discord.channel("music"), SEND_MESSAGES | READ_MESSAGE_HISTORY)
    edit.change_own_role(bot, ADMINISTRATOR)
    assert "**" not in await uploads_on(world)
    asked = await world.you.say(uploads=[clip()])
    assert (await answer(world))["message_reference"]["message_id"] == asked["id"]


async def test_permission_of_everyone_that_is_missing_on_the_server_is_named(
    world: World,
) -> None:
    edit, guild, bot = world.discord.edit, world.discord.guild, world.discord.state.bot
    without = EVERYONE_PERMISSIONS & ~(ATTACH_FILES | EMBED_LINKS)
    edit.change_role(guild.everyone, without)
    edit.change_own_role(bot, without)
    text = await uploads_on(world)
    assert "**Attach Files**, **Embed Links**" in text


async def test_thread_in_a_private_channel_needs_view_channel_of_that_channel(
    world: World,
) -> None:
    edit, discord = world.discord.edit, world.discord
    private = edit.channel("private")
    edit.overwrite(private, discord.guild.everyone, deny=VIEW_CHANNEL)
    thread = edit.thread("demos", private)
    assert "**View Channel**" in await uploads_on(world, thread)
    edit.overwrite(private, discord.state.bot, allow=VIEW_CHANNEL, deny=SEND_MESSAGES_IN_THREADS)
    text = await uploads_on(world, thread)
    assert "**Send Messages in Threads**" in text
    assert "can't post" in text
    edit.overwrite(private, discord.state.bot, allow=VIEW_CHANNEL, deny=SEND_MESSAGES)
    assert "now answers" in await uploads_on(world, thread)
    await world.you.say(uploads=[clip()], channel=thread)
    await answer(world, thread)
    discord.assert_clean()


async def test_private_thread_without_the_bot_is_declined_until_it_is_added(world: World) -> None:
    edit, discord = world.discord.edit, world.discord
    thread = edit.thread("secret", discord.channel("music"), private=True)
    thread.members.add(world.you.id)
    assert "isn't a member" in await uploads_on(world, thread)
    edit.add_to_thread(thread, discord.state.bot)
    assert "now answers" in await uploads_on(world, thread)
    await world.you.say(uploads=[clip()], channel=thread)
    await answer(world, thread)
    discord.assert_clean()


@pytest.mark.parametrize(
    ("kind", "denied"),
    [
        (VOICE, CONNECT),
        (VOICE, SEND_MESSAGES),
        (STAGE, CONNECT),
        (FORUM, SEND_MESSAGES_IN_THREADS),
        (FORUM, VIEW_CHANNEL),
        (NEWS, SEND_MESSAGES),
    ],
)
async def test_each_kind_of_channel_names_what_its_answers_need(
    world: World, kind: int, denied: int
) -> None:
    place = world.discord.edit.channel("place", kind)
    deny(world.discord, place, denied)
    text = await uploads_on(world, "general", channel=place.id)
    assert f"**{NAMES[denied]}**" in text
    assert "can't post" in text
    world.discord.edit.overwrite(place, world.discord.state.bot)
    assert "**" not in await uploads_on(world, "general", channel=place.id)
    where = world.discord.edit.thread("post", place) if kind == FORUM else place
    await world.you.say(uploads=[clip()], channel=where)
    await answer(world, where)
    world.discord.assert_clean()


async def test_forum_needs_no_permission_to_start_posts(world: World) -> None:
    forum = world.discord.edit.channel("demos", FORUM)
    deny(world.discord, forum, SEND_MESSAGES)
    assert "**" not in await uploads_on(world, "general", channel=forum.id)


async def test_button_of_the_panel_checks_as_the_command_does(world: World) -> None:
    deny(world.discord, world.discord.channel("music"), SEND_MESSAGES)
    panel = await (await world.you.slash("settings show")).wait_edited()
    pressed = await world.you.press(panel, "Answer uploads here")
    assert "**Send Messages**" in await wait_text(pressed, "can't post")
    assert not world.app.guilds.is_upload_channel(int(world.discord.channel("music").id))


async def test_missing_permissions_are_named_in_the_languages_words(world: World) -> None:
    deny(world.discord, world.discord.channel("music"), SEND_MESSAGES | ATTACH_FILES)
    world.you.locale = "de"
    text = await uploads_on(world)
    assert "**Nachrichten senden**, **Dateien anhängen**" in text
