"""A server adds the bot: its first message, the button, and the invite addresses for admins."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bot.i18n import LANGUAGES
from bot.local_discord import LocalDiscord, buttons, visible_text
from bot.local_discord.permissions import (
    EVERYONE_PERMISSIONS,
    SEND_MESSAGES,
    VIEW_CHANNEL,
    Overwrite,
)
from bot.local_discord.state import NEWS, Channel, Guild
from db.key_values import get_value
from tests.bot.end_to_end.conftest import World, bot_on, clip
from tests.bot.end_to_end.test_permissions import answer

TO_SERVER = (
    "https://discord.com/oauth2/authorize?client_id=1100000000000000001"
    "&scope=bot+applications.commands&permissions=274878024704&integration_type=0"
)
TO_ACCOUNT = (
    "https://discord.com/oauth2/authorize?client_id=1100000000000000001"
    "&scope=applications.commands&integration_type=1"
)


async def join(world: World, guild: Guild, **options: str) -> None:
    """Add the bot to a guild once its client is ready, which Discord's event needs."""
    name = f"guilds:{world.discord.state.bot.id}"
    async with asyncio.timeout(10):
        while await get_value(world.app.resources.db, name) is None:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.02)
    world.discord.edit.add_bot(guild, **options)


def new_guild(discord: LocalDiscord, *channels: str) -> Guild:
    return discord.add_guild("Club", with_bot=False, channels=channels or ("general", "music"))


async def welcome(world: World, channel: Channel, timeout_s: float = 10) -> dict[str, Any]:
    """Wait for the first message of the bot in a channel."""
    bot = world.discord.state.bot.id
    return await world.you.wait_message(
        lambda m: m["author"]["id"] == bot, channel=channel, timeout_s=timeout_s
    )


def said(world: World, guild: Guild) -> list[str]:
    bot = world.discord.state.bot.id
    channels = guild.channels.values()
    return [
        visible_text(message.data)
        for channel in channels
        for message in channel.messages.values()
        if message.data["author"]["id"] == bot and message.only_for is None
    ]


async def wait_log(caplog: pytest.LogCaptureFixture, text: str) -> None:
    async with asyncio.timeout(10):
        for _ in iter(lambda: text in caplog.text, True):
            await asyncio.sleep(0.01)


async def test_new_server_gets_three_lines_and_its_button_answers_uploads_there(
    world: World,
) -> None:
    guild = new_guild(world.discord)
    general = guild.channel("general")
    guild.system_channel = guild.channel("music")
    await join(world, guild)
    message = await welcome(world, guild.channel("music"))
    lines = visible_text(message).splitlines()
    assert lines[0].startswith("**genrec** recognises music by its sound")
    assert lines[1].startswith("Use `/recommend` with a clip or a link, or mention **@")
    assert lines[2].startswith("Admins can also let genrec answer every clip")
    pressed = await world.you.press(message, "Answer uploads here")
    done = await pressed.wait_edited()
    assert visible_text(done) == "genrec now answers clips uploaded in that channel."
    assert done["flags"] & 64  # only the presser sees it
    await world.you.say(uploads=[clip()], channel=guild.channel("music"))
    assert "Artist" in visible_text(await answer(world, guild.channel("music")))
    assert not general.messages
    world.discord.assert_clean()


async def test_button_is_for_admins_only(world: World) -> None:
    guild = new_guild(world.discord)
    await join(world, guild)
    message = await welcome(world, guild.channel("general"))
    sam = world.discord.person("sam", permissions=EVERYONE_PERMISSIONS)
    pressed = await sam.press(message, "Answer uploads here")
    assert "Manage Server" in visible_text(await pressed.wait_edited())
    assert not world.app.guilds.is_upload_channel(int(guild.channel("general").id))


async def test_welcome_goes_to_the_first_open_channel(world: World) -> None:
    guild = new_guild(world.discord, "rules", "moderators", "hidden", "silent", "chat")
    state, everyone = world.discord.state, guild.everyone.id
    state.add_channel(guild, "news", kind=NEWS)
    guild.rules_channel = guild.channel("rules")
    guild.public_updates_channel = guild.channel("moderators")
    guild.system_channel = guild.channel("news")
    guild.channel("hidden").overwrites[everyone] = Overwrite(0, VIEW_CHANNEL)
    guild.channel("silent").overwrites[everyone] = Overwrite(0, SEND_MESSAGES)
    await join(world, guild)
    await welcome(world, guild.channel("chat"))
    assert len(said(world, guild)) == 1


async def test_refused_message_goes_to_the_next_channel(world: World) -> None:
    guild = new_guild(world.discord, "one", "two")
    one = guild.channel("one")
    world.discord.faults.server_error("POST", f"/channels/{one.id}/messages", 403)
    await join(world, guild)
    await welcome(world, guild.channel("two"))
    assert not one.messages


async def test_server_without_an_open_channel_gets_no_message(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    guild = new_guild(world.discord, "closed")
    guild.everyone.permissions = EVERYONE_PERMISSIONS & ~SEND_MESSAGES
    world.discord.state.add_user("other")
    guild.channel("closed").overwrites[guild.everyone.id] = Overwrite(0, SEND_MESSAGES)
    await join(world, guild)
    await wait_log(caplog, "no channel takes one")
    assert said(world, guild) == []
    world.discord.assert_clean()


async def test_repeated_event_and_restart_post_no_second_message(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    guild = new_guild(discord)
    async with bot_on(discord, tmp_path) as world:
        await join(world, guild)
        await welcome(world, guild.channel("general"))
        discord.gateway.repeat_last()
    async with bot_on(discord, tmp_path) as world:
        await join(world, guild)
        await asyncio.sleep(0.5)
        assert len(said(world, guild)) == 1


async def test_old_server_gets_no_message_after_an_outage(world: World) -> None:
    guild = new_guild(world.discord)
    member = world.discord.state.bot
    await join(world, guild)
    await welcome(world, guild.channel("general"))
    old = new_guild(world.discord)
    old.name = "Old"
    await join(world, old, joined_at="2024-01-01T00:00:00+00:00")
    await asyncio.sleep(0.5)
    assert said(world, old) == []
    assert old.members[member.id].joined_at.startswith("2024")


async def test_without_the_message_content_intent_there_is_no_button(tmp_path: Path) -> None:
    async with LocalDiscord(message_content=False) as discord, bot_on(discord, tmp_path) as world:
        guild = new_guild(discord)
        await join(world, guild)
        message = await welcome(world, guild.channel("general"))
        assert len(visible_text(message).splitlines()) == 2
        assert buttons(message) == []


async def test_welcome_is_in_the_language_of_the_server(world: World) -> None:
    for code in LANGUAGES:
        guild = new_guild(world.discord)
        guild.locale = {"en": "en-US", "es": "es-ES"}.get(code, code)
        await join(world, guild)
        message = await welcome(world, guild.channel("general"))
        texts = world.app.translations.by_code[code].texts
        assert visible_text(message).startswith(str(texts["welcome.hello"])), code
        assert buttons(message)[0]["label"] == texts["button.uploads_on"], code


# Invite addresses


@pytest.mark.parametrize("command", ["about", "help"])
async def test_admins_see_the_invite_addresses_and_others_do_not(
    world: World, command: str
) -> None:
    text = visible_text(await (await world.you.slash(command)).wait_edited())
    assert f"[to a server]({TO_SERVER}) or [to your account]({TO_ACCOUNT})" in text
    sam = world.discord.person("sam", permissions=EVERYONE_PERMISSIONS)
    text = visible_text(await (await sam.slash(command)).wait_edited())
    assert "oauth2" not in text
    world.discord.assert_clean()


async def test_operator_sees_the_invite_addresses_in_direct_messages(world: World) -> None:
    text = visible_text(await (await world.you.slash("about", channel="dm")).wait_edited())
    assert TO_SERVER in text


async def test_invite_addresses_are_logged_at_the_start(
    discord: LocalDiscord, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with bot_on(discord, tmp_path):
        assert "invite address" not in caplog.text, "that of the local Discord leads nowhere"
    async with bot_on(discord, tmp_path, discord_token="x"):
        pass
    assert caplog.messages.count(f"invite address: to a server: {TO_SERVER}") == 1
    assert caplog.messages.count(f"invite address: to an account: {TO_ACCOUNT}") == 1
