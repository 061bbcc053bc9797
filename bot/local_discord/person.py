"""A person on the local Discord: messages, uploads, commands, buttons and modals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.local_discord.cdn import Upload
from bot.local_discord.commands import (
    ATTACHMENT,
    MESSAGE_MENU,
    SLASH,
    NotOffered,
    check_options,
    nested,
)
from bot.local_discord.interactions import AUTOCOMPLETE, COMMAND, COMPONENT, MODAL, Interaction
from bot.local_discord.message_components import BUTTON, SELECTS, walk
from bot.local_discord.modals import filled_component
from bot.local_discord.permissions import ATTACH_FILES
from bot.local_discord.resolved import MENU_NAMES, OPTION_NAMES, check_channel_types, resolve
from bot.local_discord.state import Channel, Message, User

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bot.local_discord.api_types import Json
    from bot.local_discord.server_context import ServerContext

LINK_BUTTON = 5


class Person:
    """Acts as one user, limited to the actions that Discord's own client offers."""

    def __init__(self, context: ServerContext, user: User) -> None:
        self._context = context
        self.user = user

    @property
    def id(self) -> str:
        """The user's id."""
        return self.user.id

    @property
    def locale(self) -> str:
        """The locale of the person's client."""
        return self.user.locale

    @locale.setter
    def locale(self, value: str) -> None:
        """Set the locale of the person's client."""
        self.user.locale = value

    def find_channel(self, channel: Channel | str) -> Channel:
        """Return a channel by name or id; "dm" is the direct message channel with the bot."""
        state = self._context.state
        if isinstance(channel, Channel):
            return channel
        if channel == "dm":
            return state.dm(self.user)
        found = state.channels.get(channel)
        if found is None:
            found = next((c for c in state.guild.channels.values() if c.name == channel), None)
        if found is None or found.recipient not in (None, self.user):
            raise NotOffered(f"There is no channel {channel!r} for {self.user.name}.")
        return found

    def messages(self, channel: Channel | str = "music") -> list[Json]:
        """Return the channel's messages that are visible to this person, oldest first."""
        found = self.find_channel(channel).messages.values()
        return [m.data for m in found if m.only_for in (None, self.user)]

    async def say(
        self,
        text: str = "",
        *,
        uploads: Sequence[Upload] = (),
        channel: Channel | str = "music",
        reply_to: Json | None = None,
        voice: bool = False,
    ) -> Json:
        """Post a message and return it; with ``voice`` its upload is a voice message."""
        if not text and not uploads:
            raise NotOffered("An empty message cannot be sent.")
        location = self._writable(channel)
        state = self._context.state
        if uploads and not state.permissions(self.user, location) & ATTACH_FILES:
            raise NotOffered(f"{self.user.name} may not attach files in {location.name}.")
        original = location.messages.get(reply_to["id"]) if reply_to else None
        message = self._context.messages.say(
            self.user, location, text, list(uploads), original, voice=voice
        )
        return message.data

    async def forward(self, message: Json, *, channel: Channel | str = "music") -> Json:
        """Forward a message to a channel and return the new message."""
        location, original = self._writable(channel), self._find(message["id"])
        return self._context.messages.forward(self.user, location, original).data

    async def edit(self, message: Json, text: str) -> Json:
        """Replace the text of an own message and return it."""
        found = self._find(message["id"])
        if found.data["author"]["id"] != self.id:
            raise NotOffered(f"{self.user.name} cannot edit another user's message.")
        self._context.messages.rewrite(found, text)
        return found.data

    def _writable(self, channel: Channel | str) -> Channel:
        location = self.find_channel(channel)
        if not self._context.state.may_post(self.user, location):
            raise NotOffered(f"{self.user.name} has no permission to write in {location.name}.")
        return location

    async def slash(
        self,
        path: str,
        options: Mapping[str, Any] | None = None,
        *,
        channel: Channel | str = "music",
        force: bool = False,
    ) -> Interaction:
        """Use a slash command, even a hidden one with ``force``; return the interaction."""
        location, given = self.find_channel(channel), dict(options or {})
        book = self._context.commands
        command, inside, declared = book.find(path, SLASH, self.user, location, force=force)
        check_options(path, declared, given)
        interaction = self._open(COMMAND, path, location)
        data = self._command_data(command, inside, declared, given, location)
        return self._send(interaction, data)

    async def menu(
        self, name: str, message: Json, *, kind: int = MESSAGE_MENU, force: bool = False
    ) -> Interaction:
        """Use Apps > ``name`` of a message; return the interaction."""
        found = self._find(message["id"])
        location = found.channel
        command, _, _ = self._context.commands.find(name, kind, self.user, location, force=force)
        interaction = self._open(COMMAND, name, location)
        data = self._head(command) | {
            "target_id": found.id,
            "resolved": {"messages": {found.id: found.data}},
        }
        return self._send(interaction, data)

    async def autocomplete(
        self,
        path: str,
        option: str,
        typed: str,
        options: Mapping[str, Any] | None = None,
        *,
        channel: Channel | str = "music",
        timeout_s: float = 10.0,
    ) -> list[Json]:
        """Return the autocomplete choices for a partly typed option."""
        location = self.find_channel(channel)
        book = self._context.commands
        command, inside, declared = book.find(path, SLASH, self.user, location)
        kinds = {o["name"]: o for o in declared}
        if not kinds.get(option, {}).get("autocomplete"):
            raise NotOffered(f"{path} does not autocomplete {option!r}.")
        interaction = self._open(AUTOCOMPLETE, path, location)
        given = {k: v for k, v in (options or {}).items() if k in kinds and k != option}
        data = self._command_data(command, inside, declared, given, location)
        focused = {"name": option, "type": kinds[option]["type"], "value": typed, "focused": True}
        innermost = data["options"]
        for _ in inside:
            innermost = innermost[0]["options"]
        innermost.append(focused)
        self._send(interaction, data)
        return await interaction.wait_choices(timeout_s)

    async def press(self, message: Json, button: str) -> Interaction:
        """Press the button with this label or custom_id; return the interaction."""
        found = self._find(message["id"])
        for component in walk(found.data["components"]):
            if component["type"] == BUTTON and button in (
                component.get("custom_id"),
                component.get("label"),
            ):
                break
        else:
            raise NotOffered(f"The message has no button {button!r}.")
        if component.get("style") == LINK_BUTTON:
            raise NotOffered(f"{button!r} is a link button, which sends no interaction.")
        return self._use(found, component, {})

    async def select(self, message: Json, custom_id: str, values: Sequence[str]) -> Interaction:
        """Choose values in a select menu; return the interaction."""
        found = self._find(message["id"])
        for component in walk(found.data["components"]):
            if component["type"] in SELECTS and component["custom_id"] == custom_id:
                break
        else:
            raise NotOffered(f"The message has no menu {custom_id!r}.")
        offered = [option["value"] for option in component.get("options") or []]
        low, high = component.get("min_values", 1), component.get("max_values", 1)
        if not low <= len(values) <= high or (offered and not set(values) <= set(offered)):
            raise NotOffered(f"The menu takes {low} to {high} of {offered}, not {list(values)}.")
        extra: Json = {"values": list(values)}
        if component["type"] in MENU_NAMES:
            chosen = [(MENU_NAMES[component["type"]], value) for value in values]
            extra["resolved"] = resolve(self._context.state, found.channel, chosen)
        return self._use(found, component, extra)

    def _use(self, message: Message, component: Json, extra: Json) -> Interaction:
        if component.get("disabled"):
            raise NotOffered(f"{component['custom_id']} is disabled.")
        interaction = self._open(
            COMPONENT, component.get("label") or component["custom_id"], message.channel, message
        )
        data = {
            "component_type": component["type"],
            "custom_id": component["custom_id"],
            "id": component["id"],
        }
        return self._send(interaction, data | extra)

    async def submit(self, opened: Interaction, values: Mapping[str, Any]) -> Interaction:
        """Submit the modal that the bot opened in response to ``opened``.

        ``values`` are the entered values by custom_id. The new interaction is returned.
        """
        if opened.modal is None:
            raise NotOffered(f"{opened.name} has opened no modal.")
        interaction = self._open(MODAL, opened.name, opened.channel, opened.source)
        interaction.opened_by = opened
        components = [filled_component(c, values) for c in opened.modal["components"]]
        data = {"custom_id": opened.modal["custom_id"], "components": components}
        return self._send(interaction, data)

    async def wait_message(
        self,
        test: Callable[[Json], object],
        *,
        channel: Channel | str = "music",
        timeout_s: float = 15.0,
    ) -> Json:
        """Wait until a message satisfies ``test``; return the newest such message."""

        def newest() -> Json | None:
            return next((m for m in reversed(self.messages(channel)) if test(m)), None)

        found = await self._context.state.wait_for(newest, timeout_s)
        assert found is not None
        return found

    def _find(self, message_id: str) -> Message:
        for channel in self._context.state.channels.values():
            found = channel.messages.get(message_id)
            if found is not None and found.only_for in (None, self.user):
                return found
        raise NotOffered(
            f"{self.user.name} cannot read message {message_id}: it does not exist or is private."
        )

    def _open(
        self, kind: int, name: str, location: Channel, source: Message | None = None
    ) -> Interaction:
        if not self._context.gateway.sessions:
            raise NotOffered("The bot is not connected. Start it first.")
        return self._context.interactions.open(kind, name, self.user, location, source)

    def _send(self, interaction: Interaction, data: Json) -> Interaction:
        payload = self._context.interactions.payload(interaction, data, self.locale)
        self._context.gateway.dispatch("INTERACTION_CREATE", payload, interaction.channel)
        return interaction

    @staticmethod
    def _head(command: Json) -> Json:
        head: Json = {"id": command["id"], "name": command["name"], "type": command["type"]}
        return head | ({"guild_id": command["guild_id"]} if "guild_id" in command else {})

    def _command_data(
        self,
        command: Json,
        inside: list[str],
        declared: list[Json],
        given: Mapping[str, Any],
        location: Channel,
    ) -> Json:
        kinds = {option["name"]: option["type"] for option in declared}
        attachments: dict[str, Json] = {}
        options: list[Json] = []
        for name, value in given.items():
            sent = value
            if kinds[name] == ATTACHMENT and isinstance(value, Upload):
                stored = self._context.cdn.attach(location.id, value, ephemeral=True)
                attachments[stored["id"]] = stored
                sent = stored["id"]
            options.append({"name": name, "type": kinds[name], "value": sent})
        data = self._head(command) | {"options": nested(inside, options)}
        resolved: Json = {"attachments": attachments} if attachments else {}
        chosen = [(OPTION_NAMES[k], given[n]) for n, k in kinds.items()
                  if k in OPTION_NAMES and n in given]  # fmt: skip
        mentioned = resolve(self._context.state, location, chosen)
        check_channel_types(declared, given, mentioned)
        if resolved | mentioned:
            data["resolved"] = resolved | mentioned
        return data
