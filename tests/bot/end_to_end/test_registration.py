"""Commands that Discord does not register: the bot serves the others and tries again."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from unittest.mock import AsyncMock

import pytest

from bot.client import client as bot_client
from bot.config import Settings
from bot.local_discord import LocalDiscord, Upload
from bot.runtime.app import local_policy
from bot.runtime.lifecycle import run_until_stopped
from bot.runtime.wiring import open_app
from tests.bot.end_to_end.conftest import COMMANDS, WAV, bot_on, clip, wait_text
from tests.bot.end_to_end.fakes import FakePool, make_preset, opener


@pytest.mark.parametrize("status", [400, 403, 503])
async def test_bot_serves_uploads_while_commands_are_not_registered(
    discord: LocalDiscord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog, status: int
) -> None:
    monkeypatch.setattr(bot_client.keep_syncing, "__kwdefaults__", {
        "guild_id": None, "first_pause_s": 0.5,
    })  # fmt: skip
    fault = discord.faults.server_error("PUT", "/applications/.*/commands", status, times=6)
    make_preset(tmp_path / "preset", songs=12)
    settings = Settings(
        _env_file=None, cooldown_s=0, http_port=0, database=tmp_path / "genrec.db",
        preset=tmp_path / "preset",
    )  # fmt: skip
    with discord.patch_discord_py():
        async with open_app(
            settings, policy=local_policy(settings, discord), open_pool=opener(FakePool())
        ) as app:
            stop = asyncio.Event()
            running = asyncio.create_task(run_until_stopped(app, discord.token, stop=stop))
            try:
                await discord.wait_ready(60)
                assert "commands not registered, serving" in caplog.text
                await discord.you.say("", uploads=[Upload("a.wav", WAV)], channel="dm")
                await discord.you.wait_message(
                    lambda m: m["author"]["id"] == discord.state.bot.id, channel="dm", timeout_s=15
                )
                fault.times = 0
                await discord.wait_commands(*COMMANDS, timeout_s=15)
                await wait_text(await discord.you.slash("genre", {"clip": clip()}), "Analysed")
            finally:
                stop.set()
                await running


async def test_bot_that_starts_too_late_for_its_test_is_ended_with_it(
    discord: LocalDiscord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discord, "wait_commands", AsyncMock(side_effect=TimeoutError))
    with pytest.raises(TimeoutError):
        async with bot_on(discord, tmp_path):
            pass
    assert not discord.online
    heartbeats = [one for one in threading.enumerate() if one.name.startswith("keep-alive-handler")]
    for thread in heartbeats:
        thread.join(10)
    assert not [one for one in heartbeats if one.is_alive()], "later tests would fail for it"
