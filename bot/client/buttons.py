"""Dispatch buttons and select menus by their custom_id, so that they work after a restart."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Self

import discord
from discord import ui

from bot.client.dedup import EventDedup
from bot.client.error_handler import ErrorHandler

OnPress = Callable[[discord.Interaction, tuple[str, ...]], Awaitable[None]]
"""Callback of a control: gets the interaction and the custom_id's parts after the first."""


def control_class(
    callbacks: Mapping[str, OnPress], *, dedup: EventDedup, errors: ErrorHandler
) -> type[ui.DynamicItem[ui.Item[Any]]]:
    """Return one DynamicItem class for all controls; it dispatches by a custom_id's first part.

    discord.py makes items from the class alone, so the class closes over their dependencies.
    """
    names = "|".join(map(re.escape, callbacks))
    pattern = re.compile(rf"(?P<name>{names}):(?P<rest>.{{1,95}})")

    class Control(ui.DynamicItem[ui.Item[Any]], template=pattern):
        """A button or a select menu of one of the bot's messages."""

        def __init__(self, item: ui.Item[Any], name: str, rest: str) -> None:
            super().__init__(item)
            self._on_press, self._parts = callbacks[name], tuple(rest.split(":"))

        @classmethod
        async def from_custom_id(
            cls, interaction: discord.Interaction, item: ui.Item[Any], match: re.Match[str], /
        ) -> Self:
            return cls(item, match["name"], match["rest"])

        async def interaction_check(self, interaction: discord.Interaction, /) -> bool:
            return dedup.is_new(interaction.id)

        async def callback(self, interaction: discord.Interaction) -> None:
            async with errors.interaction(interaction):
                await self._on_press(interaction, self._parts)

    return Control


def selected(interaction: discord.Interaction) -> list[str]:
    """Return the values selected in a menu."""
    data: Mapping[str, Any] = interaction.data or {}
    return [str(value) for value in data.get("values", ())]
