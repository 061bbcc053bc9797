"""A bot killed at random moments: the next start leaves no message unfinished."""

from __future__ import annotations

import asyncio
import random
import signal
from pathlib import Path

import pytest

from bot.local_discord import LocalDiscord
from tests.attacks.conftest import Budget
from tests.bot.end_to_end.conftest import COMMANDS
from tests.bot.end_to_end.test_killed import finish, fresh_clip, is_final, start, unfinished


@pytest.mark.alone
@pytest.mark.slow
async def test_killed_bot_leaves_no_message_unfinished(
    tmp_path: Path, budget: Budget, rng: random.Random
) -> None:
    acknowledged = replied = answered = 0
    async with LocalDiscord(ack_deadline_s=15) as discord:
        people = [discord.person(f"p{n}") for n in range(20)]
        process = await start(discord, tmp_path, 0.05)
        await discord.wait_commands(*COMMANDS, timeout_s=60)
        for _ in budget.rounds():
            await discord.wait_ready(60)
            asking, sending = rng.randrange(1, 21), rng.randrange(0, 11)
            used = [await who.slash("genre", {"clip": fresh_clip()}) for who in people[:asking]]
            uploads = [
                await who.say(uploads=[fresh_clip()], channel="dm") for who in people[-sending:]
            ]
            await asyncio.sleep(rng.uniform(0, 0.6))
            await finish(process, signal.SIGKILL)
            await discord.wait_for(lambda: not discord.online, 30)
            final = {one.token: one.original for one in used if is_final(one.original)}
            process = await start(discord, tmp_path, 0.05)
            for one in used:
                if one.acked_at is not None:
                    await one.wait_until(is_final, 60)
                    acknowledged += 1
            ids = {upload["id"] for upload in uploads}
            await discord.wait_for(lambda ids=ids: not unfinished(people, ids), 60)
            replied += len(ids)
            assert {one.token: one.original for one in used if one.token in final} == final
            answered += len(final)
        await discord.wait_ready(60)
        await finish(process, signal.SIGTERM)
    print(  # noqa: T201 - the result of an attack
        f"{budget.count} kills: {acknowledged} acknowledged requests and {replied} uploads, each"
        f" with a final message or none; {answered} responses before a kill, none changed"
    )
    assert process.returncode == 0
