"""Slow links of one server and of direct messages, beside an upload on another server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from bot.local_discord import Interaction, Upload, visible_text
from tests.bot.end_to_end.conftest import World, clip, wait_response


def _is_declined(used: Interaction) -> bool:
    return used.original is not None and "Too many links" in visible_text(used.original)


@pytest.mark.alone
async def test_slow_links_of_a_server_and_of_direct_messages_delay_no_upload(world: World) -> None:
    """Ten such links had reserved all disk space, and uploads waited until they were refused."""
    over = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"ID3\4\0\0" + bytes(60_000)
        while not over.is_set():
            await asyncio.sleep(0.1)
            yield bytes(900)

    channel = world.discord.add_guild("Server B").channel("music")
    link = world.discord.cdn.attach(channel.id, Upload("s.mp3", b"", stream=slow))["url"]
    held = []
    for number in range(24):
        place = channel if number < 12 else "dm"
        person = world.discord.person(f"b{number}")
        held.append(await person.slash("recommend", {"link": link}, channel=place))
    for half in (held[:12], held[12:]):  # those of a half may be admitted in any order
        await world.discord.wait_for(lambda half=half: sum(map(_is_declined, half)) == 5, 15)
    await wait_response(await world.you.slash("recommend", {"clip": clip()}), 8)
    assert world.app.admission.running >= 14
    over.set()
