"""The spectrogram picture of a response, from a new and from a cached analysis."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from bot.local_discord import LocalDiscord
from genrec.types import Analysis, Section
from tests.bot.end_to_end.conftest import World, bot_on, clip, wait_response
from tests.bot.end_to_end.fakes import FakePool


class PreviewPool(FakePool):
    """A FakePool whose analyses have a preview."""

    async def analyze(self, path: Path, section: Section | None = None) -> Analysis:
        preview = np.random.default_rng(1).integers(0, 256, (64, 200)).astype(np.uint8)
        return replace(await super().analyze(path, section), preview=preview)


async def picture(world: World, command: str) -> tuple[str, int, int, int]:
    """Use a command on a clip and return the picture's name, size in pixels and bytes."""
    answer = await wait_response(await world.you.slash(command, {"clip": clip()}))
    (file,) = answer["attachments"]
    return file["filename"], file["width"], file["height"], file["size"]


async def test_spectrogram_is_drawn_from_the_cache_after_a_restart(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    first, second = PreviewPool(), PreviewPool()
    async with bot_on(discord, tmp_path, pool=first, compact=False) as world:
        name, width, height, size = await picture(world, "recommend")
        assert (name, width, height) == ("spectrogram.png", 800, 340)
        assert 10_000 < size < 150_000
        assert await picture(world, "genre") == (name, width, height, size)
    async with bot_on(discord, tmp_path, pool=second, compact=False) as world:
        assert await picture(world, "recommend") == (name, width, height, size)
    assert (len(first.analyzed), len(second.analyzed)) == (1, 0)
    discord.assert_clean()


async def test_response_without_a_preview_has_no_picture(world: World) -> None:
    answer = await wait_response(await world.you.slash("recommend", {"clip": clip()}))
    assert answer["attachments"] == []
