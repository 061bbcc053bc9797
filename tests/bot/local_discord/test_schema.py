"""Request and response bodies match Discord's OpenAPI description."""

from __future__ import annotations

from pathlib import Path

import pytest
from discord import TextChannel

from bot.local_discord import LocalDiscord, Upload, visible_text
from bot.local_discord.schema import Schema
from tests.bot.local_discord.small_bot import running

pytestmark = pytest.mark.shared

MESSAGES = "/channels/{channel_id}/messages"
CALLBACK = "/interactions/{interaction_id}/{interaction_token}/callback"


@pytest.fixture(scope="module")
def schema(shared: Path) -> Schema:
    return Schema(shared / "discord" / "openapi.json")


@pytest.mark.parametrize(
    ("template", "body", "expected"),
    [
        (MESSAGES, {"content": "x", "contents": "y"}, "unknown key 'contents'"),
        (MESSAGES, {"content": 3}, "content: type"),
        (MESSAGES, {"components": [{"type": 10, "content": ""}]}, "minLength"),
        (CALLBACK, {"type": 4, "data": {"contend": "x"}}, "unknown key 'contend'"),
        ("/channels/{channel_id}/message", {}, "not in the description"),
    ],
)
def test_request_errors_name_the_field(
    schema: Schema, template: str, body: dict[str, object], expected: str
) -> None:
    errors = schema.request_errors("POST", template, body)
    assert any(expected in error for error in errors), errors


def test_request_errors_of_a_valid_body_are_empty(schema: Schema) -> None:
    assert schema.request_errors("POST", MESSAGES, {"content": "x", "flags": 64}) == []


async def test_requests_of_the_small_bot_match_the_description(schema: Schema) -> None:
    clip = Upload("clip.wav", bytes(2_000))
    async with LocalDiscord(schema=schema) as discord, running(discord):
        you = discord.you
        used = await you.slash("identify", {"clip": clip})
        answer = await used.wait_edited()
        await (await you.press(answer, "more:0")).wait_edited()
        await (await you.press(answer, "like:0")).wait_until(lambda m: "again" in visible_text(m))
        posted = await you.say("a clip", uploads=[clip])
        await you.wait_message(lambda m: m.get("message_reference"))
        await (await you.menu("What genre is this?", posted)).wait_edited()
        await you.autocomplete("identify", "genre", "m")
        noted = await you.slash("note")
        field = (await noted.wait_modal())["components"][0]["component"]["custom_id"]
        await (await you.submit(noted, {field: "loud"})).wait_edited()
        await (await you.slash("reindex")).wait_followup()
        await (await you.slash("library add", {"title": "x"})).wait_edited()
        discord.assert_clean()


async def test_responses_of_the_local_discord_match_the_description(schema: Schema) -> None:
    async with LocalDiscord(schema=schema) as discord, running(discord) as bot:
        await bot.application_info()
        person = await bot.fetch_user(int(discord.you.id))
        await (await person.create_dm()).send("psst")
        guild = await bot.fetch_guild(int(discord.guild.id))
        await guild.fetch_member(person.id)
        channel = await bot.fetch_channel(int(discord.channel("music").id))
        assert isinstance(channel, TextChannel)
        message = await channel.send("hi")
        await message.add_reaction("👍")
        await message.edit(content="ho")
        assert [m.content async for m in channel.history()] == ["ho"]
        await (await channel.fetch_message(message.id)).delete()
        assert {c.name for c in await bot.tree.fetch_commands()} >= {"identify", "library"}
        discord.assert_clean()
