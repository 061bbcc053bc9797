"""The picture of a clip, from what was heard to the message, and from what was kept as well."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from bot.local_discord import LocalDiscord
from genrec.types import Analysis
from tests.bot.end_to_end.conftest import World, answered, bot_on, clip
from tests.bot.end_to_end.fakes import FakePool


class SeeingPool(FakePool):
    """Hears as its parent, and keeps a preview of it."""

    async def analyze(self, path: Path) -> Analysis:
        preview = np.random.default_rng(1).integers(0, 256, (64, 200)).astype(np.uint8)
        return replace(await super().analyze(path), preview=preview)


async def picture(world: World, command: str) -> tuple[str, int, int, int]:
    """Ask about a clip and return the picture's name, size in pixels and bytes."""
    answer = await answered(await world.you.slash(command, {"clip": clip()}))
    (file,) = answer["attachments"]
    return file["filename"], file["width"], file["height"], file["size"]


async def test_the_spectrogram_is_drawn_also_after_a_restart(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    first, second = SeeingPool(), SeeingPool()
    async with bot_on(discord, tmp_path, pool=first) as world:
        name, width, height, size = await picture(world, "recommend")
        assert (name, width, height) == ("spectrogram.png", 800, 340)
        assert 10_000 < size < 150_000
        assert await picture(world, "genre") == (name, width, height, size)
    async with bot_on(discord, tmp_path, pool=second) as world:
        assert await picture(world, "recommend") == (name, width, height, size)
    assert (len(first.heard), len(second.heard)) == (1, 0)
    discord.assert_clean()


async def test_where_there_is_no_preview_there_is_no_picture(world: World) -> None:
    answer = await answered(await world.you.slash("recommend", {"clip": clip()}))
    assert answer["attachments"] == []
