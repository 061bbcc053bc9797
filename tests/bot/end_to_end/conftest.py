"""The bot on the local Discord, with a fake pool."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot import sharding
from bot.config import Settings
from bot.local_discord import Interaction, LocalDiscord, Person, Upload, buttons, visible_text
from bot.local_discord.schema import Schema
from bot.runtime.app import local_policy
from bot.runtime.lifecycle import run_until_stopped
from bot.runtime.wiring import App, open_app
from tests.bot.end_to_end.fakes import FakePool, make_preset, opener
from tests.db.postgres_server import database_in

OPENAPI = Path(__file__).resolve().parents[4] / "shared" / "discord" / "openapi.json"
WAV = b"RIFF" + bytes(2000)
START_S = 60  # a busy machine starts a bot late, not wrongly
COMMANDS = (
    "recommend",
    "mix",
    "path",
    "radio",
    "genre",
    "genres",
    "library",
    "reindex",
    "settings",
    "about",
    "privacy",
    "notagain",
    "foryou",
    "help",
)


def clip(name: str = "clip.wav", data: bytes = WAV, **lies: object) -> Upload:
    return Upload(name, data, **lies)


async def wait_response(used: Interaction, timeout_s: float = 15.0) -> dict[str, Any]:
    """Wait for the response to a clip: the message with thumbs, after any progress."""
    return await used.wait_until(
        lambda m: any(b["custom_id"].startswith("thumb:") for b in buttons(m)), timeout_s
    )


async def wait_text(used: Interaction, words: str, timeout_s: float = 15.0) -> str:
    """Wait until the message contains a text, and return the whole text."""
    message = await used.wait_until(lambda m: words in visible_text(m), timeout_s)
    return visible_text(message)


async def details(world: World, answer: dict[str, Any]) -> dict[str, Any]:
    """Press Details and return the full layout, which only the user gets."""
    pressed = await world.you.press(answer, "Details")
    full = await wait_response(pressed)
    assert pressed.ephemeral
    return full


@dataclass
class World:
    """A running bot and its local Discord."""

    discord: LocalDiscord
    app: App
    pool: FakePool
    stop: asyncio.Event
    running: asyncio.Task[None]

    @property
    def you(self) -> Person:
        return self.discord.you

    async def settled(self) -> None:
        """Wait until no request is running."""
        async with asyncio.timeout(10):
            while self.app.admission.running:  # noqa: ASYNC110 - admission has no event for it
                await asyncio.sleep(0.01)

    async def end(self) -> None:
        """Stop the bot as a signal does."""
        self.stop.set()
        await self.running


@asynccontextmanager
async def bot_on(
    discord: LocalDiscord, folder: Path, *, songs: int = 12, floor: float = -1.0,
    pool: FakePool | None = None, draw=None, measure_sandbox=None, progress_every_s: float = 3.0,
    **settings: object,
) -> AsyncIterator[World]:  # fmt: skip
    pool = pool or FakePool()
    given = {"cooldown_s": 0, "http_port": 0, "database": database_in(folder)}
    given |= {"link_lookup": False} | settings  # no test asks a site
    preset = folder / "preset"
    if not preset.exists():
        make_preset(preset, songs=songs, floor=floor)
    given["preset"] = preset
    config = Settings(_env_file=None, **given)
    with discord.patch_discord_py():
        async with open_app(
            config,
            policy=local_policy(config, discord),
            open_pool=opener(pool),
            draw=draw,
            measure_sandbox=measure_sandbox,
            progress_every_s=progress_every_s,
        ) as app:
            stop = asyncio.Event()
            running = asyncio.create_task(run_until_stopped(app, discord.token, stop=stop))
            world = World(discord, app, pool, stop, running)
            try:
                await _serves(discord, running)
                yield world
            finally:
                await world.end()


async def _serves(discord: LocalDiscord, running: asyncio.Task[None]) -> None:
    """Wait until the bot is connected and has its commands; raise the error that ended it."""
    ready = asyncio.create_task(discord.wait_ready(START_S))
    try:
        await asyncio.wait((ready, running), return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        await ready
        await discord.wait_commands(*COMMANDS, timeout_s=START_S)
    finally:
        ready.cancel()


@pytest.fixture(autouse=True)
def no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take free shards at once: each of these bots has its database for itself."""
    monkeypatch.setattr(sharding, "GRACE_S", 0.0)


@pytest.fixture(scope="session")
def schema() -> Schema | None:
    """Return Discord's OpenAPI description, if it is on this machine."""
    return Schema(OPENAPI) if OPENAPI.exists() else None


@pytest.fixture
async def discord(schema: Schema | None) -> AsyncIterator[LocalDiscord]:
    async with LocalDiscord(schema=schema) as local:
        yield local


@pytest.fixture
async def world(discord: LocalDiscord, tmp_path: Path) -> AsyncIterator[World]:
    async with bot_on(discord, tmp_path) as running:
        yield running
