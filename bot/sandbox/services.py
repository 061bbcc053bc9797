"""The parts of the local Discord, together, for those who work with several of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.sandbox.cdn import Cdn
    from bot.sandbox.commands import CommandBook
    from bot.sandbox.gateway import Gateway
    from bot.sandbox.interactions import InteractionDesk
    from bot.sandbox.messages import MessageDesk
    from bot.sandbox.state import World


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
