"""Helpers for the tests of ways to ask: what the bot answers to a message."""

from __future__ import annotations

import asyncio

from bot.local_discord import Upload, visible_text
from tests.bot.end_to_end.conftest import World, clip

SONG = b"fLaC" + bytes(2000)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
YOUTUBE = "https://youtu.be/dQw4w9WgXcQ"
MENU = "What genre is this?"


def mention(world: World, text: str = "genre?") -> str:
    return f"<@{world.discord.state.bot.id}> {text}"


def link_to(world: World, name: str = "song.mp3", data: bytes = SONG) -> str:
    """Return a link to a sound file on the local Discord's server."""
    url: str = world.discord.cdn.attach("1", Upload(name, data))["url"]
    return url


def answers(world: World, to: dict, channel: str = "music") -> list[str]:
    """Return the texts of the finished messages that refer to a message, and of its refusals."""
    found = [
        visible_text(m)
        for m in world.you.messages(channel)
        if (m.get("message_reference") or {}).get("message_id") == to["id"]
        and m["author"]["id"] == world.discord.state.bot.id
        and "replace this message" not in visible_text(m)
    ]
    return found + refusals(world, to)


def refusals(world: World, to: dict) -> list[str]:
    """Return the texts of the direct messages to the author about a message, without the link."""
    direct = [c for c in world.discord.state.channels.values() if c.recipient is not None]
    sent = [visible_text(m.data) for channel in direct for m in channel.messages.values()]
    texts = [text.rpartition("\n") for text in sent]
    return [text for text, _, note in texts if f"/{to['id']})" in note]


async def assert_answered(
    world: World, to: dict, words: str = "Jazz", *, count: int = 1, channel: str = "music"
) -> list[str]:
    """Wait until ``count`` messages of the bot about a message contain a text."""

    def enough() -> list[str]:
        texts = [text for text in answers(world, to, channel) if words in text]
        return texts if len(texts) >= count else []

    texts = await world.discord.wait_for(enough, 5)
    await world.settled()
    assert len(texts) == count
    return texts


async def assert_silent(world: World, to: dict, channel: str = "music") -> None:
    """Check that a message gets no answer: one that is sent later is answered first."""
    probe = await world.discord.person("probe").say(mention(world), uploads=[clip()])
    await assert_answered(world, probe)
    await asyncio.sleep(0.05)
    assert not answers(world, to, channel)


async def assert_answered_once(world: World, message: dict) -> None:
    await asyncio.sleep(0.2)
    await world.settled()
    assert len(answers(world, message)) == 1
