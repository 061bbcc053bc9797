"""The parts of the local Discord that routes and persons share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.local_discord.cdn import Cdn
    from bot.local_discord.commands import CommandRegistry
    from bot.local_discord.gateway import Gateway
    from bot.local_discord.interactions import InteractionRegistry
    from bot.local_discord.message_writer import MessageWriter
    from bot.local_discord.state import DiscordState


@dataclass
class ServerContext:
    """The parts of one local Discord server."""

    state: DiscordState
    cdn: Cdn
    messages: MessageWriter
    commands: CommandRegistry
    interactions: InteractionRegistry
    gateway: Gateway
    token: str
    message_content: bool
