"""The parts of the local Discord, together, for those who work with several of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.local_discord.cdn import Cdn
    from bot.local_discord.commands import CommandBook
    from bot.local_discord.gateway import Gateway
    from bot.local_discord.interactions import InteractionDesk
    from bot.local_discord.messages import MessageDesk
    from bot.local_discord.state import World


@dataclass
class Services:
    """What the routes and the persons work with."""

    world: World
    cdn: Cdn
    messages: MessageDesk
    commands: CommandBook
    interactions: InteractionDesk
    gateway: Gateway
    token: str
    message_content: bool
