"""Buttons and menus under the bot's messages: they act by their custom_id, also after a restart."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Self

import discord
from discord import ui

from bot.client.dedup import EventDedup
from bot.client.error_handler import ErrorHandler

Press = Callable[[discord.Interaction, tuple[str, ...]], Awaitable[None]]
"""What a button does: it gets the parts of the custom_id after the first."""


def control_class(
    presses: Mapping[str, Press], *, dedup: EventDedup, errors: ErrorHandler
) -> type[ui.DynamicItem[ui.Item[Any]]]:
    """Return the class for ``client.add_dynamic_items``: one for all, told apart by a word.

    discord.py makes its items from the class alone, so what they need is closed over here.
    """
    words = "|".join(re.escape(word) for word in presses)
    pattern = re.compile(rf"(?P<word>{words}):(?P<rest>.{{1,95}})")

    class Control(ui.DynamicItem[ui.Item[Any]], template=pattern):
        """A button or a select menu of one of our messages."""

        def __init__(self, item: ui.Item[Any], word: str, rest: str) -> None:
            super().__init__(item)
            self._press, self._parts = presses[word], tuple(rest.split(":"))

        @classmethod
        async def from_custom_id(
            cls, interaction: discord.Interaction, item: ui.Item[Any], match: re.Match[str], /
        ) -> Self:
            return cls(item, match["word"], match["rest"])

        async def interaction_check(self, interaction: discord.Interaction, /) -> bool:
            return dedup.is_new(interaction.id)

        async def callback(self, interaction: discord.Interaction) -> None:
            async with errors.answering(interaction):
                await self._press(interaction, self._parts)

    return Control


def chosen(interaction: discord.Interaction) -> list[str]:
    """Return what was chosen in a select menu."""
    data: Mapping[str, Any] = interaction.data or {}
    return [str(value) for value in data.get("values", ())]
