"""Another bot on the local Discord, which posts cards with embeds and components."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.local_discord.message_components import ACTION_ROW
from bot.local_discord.message_limits import COMPONENTS_V2

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.local_discord.api_types import Json
    from bot.local_discord.cdn import Upload
    from bot.local_discord.server_context import ServerContext
    from bot.local_discord.state import Channel, User


class OtherApp:
    """Posts messages as another bot of the guild."""

    def __init__(self, context: ServerContext, user: User) -> None:
        self._context = context
        self.user = user

    def post(
        self,
        channel: Channel,
        text: str = "",
        *,
        embeds: Sequence[Json] = (),
        components: Sequence[Json] = (),
        uploads: Sequence[Upload] = (),
        reply_to: Json | None = None,
    ) -> Json:
        """Post a message and return it; components other than action rows make it Components V2."""
        body: Json = {"embeds": list(embeds), "components": list(components)}
        if text:
            body["content"] = text
        if any(component["type"] != ACTION_ROW for component in components):
            body["flags"] = COMPONENTS_V2
        if reply_to is not None:
            body["message_reference"] = {"message_id": reply_to["id"]}
        files = {f"files[{n}]": (each.filename, each.data) for n, each in enumerate(uploads)}
        message = self._context.messages.write(self.user, channel, body, files)
        self._context.messages.reply(message, body)
        return self._context.state.post(message).data
