"""Hide the content of messages from a bot without the Message Content intent."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.local_discord.api_types import Json

HIDDEN: Json = {"content": "", "embeds": [], "attachments": [], "components": []}


def without_content(message: Json, bot_id: str) -> Json:
    """Return a guild's message as a bot without Message Content receives it.

    The content of messages that the bot sent, or that mention it, stays. The messages that a
    message forwards share its rule, and the one it replies to has a rule of its own.
    """
    author, mentions = message["author"]["id"], message["mentions"]
    seen = dict(message)
    if author != bot_id and all(user["id"] != bot_id for user in mentions):
        seen |= HIDDEN
        if "message_snapshots" in message:
            seen["message_snapshots"] = [
                {"message": each["message"] | HIDDEN} for each in message["message_snapshots"]
            ]
    if message.get("referenced_message"):
        seen["referenced_message"] = without_content(message["referenced_message"], bot_id)
    return seen
