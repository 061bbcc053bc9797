"""Registered application commands, and the checks of Discord's client before it sends one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.local_discord.api_types import Json, invalid_body, snowflake
from bot.local_discord.cdn import Upload

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.local_discord.state import Channel, DiscordState, User

SLASH, USER_MENU, MESSAGE_MENU = 1, 2, 3
SUBCOMMAND, GROUP = 1, 2
STRING, INTEGER, BOOLEAN, NUMBER, ATTACHMENT = 3, 4, 5, 10, 11
LIMITS = {SLASH: 100, USER_MENU: 15, MESSAGE_MENU: 15}


class NotOffered(Exception):
    """An action that Discord's own client does not offer; the message gives the reason."""


class CommandRegistry:
    """Registered commands by scope: None for global commands, or a guild's id."""

    def __init__(self, state: DiscordState) -> None:
        self._state = state
        self._scopes: dict[str | None, dict[str, Json]] = {}
        self.writes = 0

    def all(self, scope: str | None = None) -> list[Json]:
        """Return the commands of a scope."""
        return list(self._scopes.get(scope, {}).values())

    def get(self, scope: str | None, command_id: str) -> Json | None:
        """Return the command with this id, or None."""
        return self._scopes.get(scope, {}).get(command_id)

    def replace(self, scope: str | None, bodies: list[Json]) -> list[Json]:
        """Replace all commands of a scope and return them; the same name and type keep their id."""
        old = {(c["name"], c["type"]): c["id"] for c in self.all(scope)}
        stored = [self._stored(scope, body, old) for body in bodies]
        for kind, limit in LIMITS.items():
            names = [c["name"] for c in stored if c["type"] == kind]
            if len(names) > limit or len(names) != len(set(names)):
                raise invalid_body(
                    "name",
                    f"{len(names)} commands of type {kind}: {names}. At most {limit}, each once.",
                )
        self._scopes[scope] = {c["id"]: c for c in stored}
        self._changed()
        return stored

    def add(self, scope: str | None, body: Json) -> Json:
        """Register and return one command; it replaces the one of the same name and type."""
        old = {(c["name"], c["type"]): c["id"] for c in self.all(scope)}
        command = self._stored(scope, body, old)
        self._scopes.setdefault(scope, {})[command["id"]] = command
        self._changed()
        return command

    def remove(self, scope: str | None, command_id: str) -> None:
        """Delete the command with this id, if it exists."""
        self._scopes.get(scope, {}).pop(command_id, None)
        self._changed()

    def _changed(self) -> None:
        self.writes += 1
        self._state.touch()

    def _stored(self, scope: str | None, body: Json, old: Mapping[tuple[str, int], str]) -> Json:
        kind = body.get("type") or SLASH
        permissions = body.get("default_member_permissions")
        stored: Json = {
            "description": "",
            "options": [],
            "nsfw": False,
            "integration_types": [0],
            "contexts": None,
            **{key: value for key, value in body.items() if value is not None},
            "type": kind,
            "id": old.get((body["name"], kind)) or snowflake(),
            "application_id": self._state.bot.id,
            "version": snowflake(),
            "default_member_permissions": None if permissions is None else str(permissions),
        }
        if scope:
            stored["guild_id"] = scope
        else:
            stored["dm_permission"] = body.get("dm_permission") is not False
        return stored

    def offered(self, person: User, channel: Channel) -> list[Json]:
        """Return the commands that Discord shows to this person in this channel."""
        guild = channel.guild
        everything = self.all() + (self.all(guild.id) if guild else [])
        return [c for c in everything if self.refusal(c, person, channel) is None]

    def refusal(self, command: Json, person: User, channel: Channel) -> str | None:
        """Return the reason for which Discord hides a command, or None."""
        name, guild = command["name"], channel.guild
        context = 0 if guild else 1
        contexts = command["contexts"]
        if contexts is None:
            contexts = [0, 1] if command.get("dm_permission", True) else [0]
        if context not in contexts:
            return f"{name} is not available in {'servers' if guild else 'direct messages'}."
        if guild and not guild.with_bot and 1 not in command["integration_types"]:
            return f"{name} needs the bot to be a member of the server."
        needed = command["default_member_permissions"]
        if guild and needed is not None:
            have = self._state.permissions(person, channel)
            if (int(needed) & have) != int(needed) or (int(needed) == 0 and not have & 8):
                return f"{name} is hidden from {person.name}, who lacks the permission."
        return None

    def find(
        self, path: str, kind: int, person: User, channel: Channel, *, force: bool = False
    ) -> tuple[Json, list[str], list[Json]]:
        """Return command, subcommand path and declared options of a path like "library add"."""
        for length in range(len(path.split()), 0, -1):
            words = path.split() if kind == SLASH else [path]
            name, inside = (" ".join(words[:length]), words[length:])
            command = self._named(name, kind, channel)
            if command is not None:
                break
        else:
            registered = sorted(c["name"] for scope in self._scopes for c in self.all(scope))
            raise NotOffered(
                f"No command {path!r} is registered. Registered commands: {registered}."
            )
        if not force and (sentence := self.refusal(command, person, channel)):
            raise NotOffered(sentence)
        options = command["options"]
        for word in inside:
            step = next((o for o in options if o["name"] == word and o["type"] <= GROUP), None)
            if step is None:
                raise NotOffered(f"{command['name']} has no subcommand {word!r}.")
            options = step.get("options") or []
        if any(o["type"] <= GROUP for o in options):
            raise NotOffered(f"{path} needs one of {[o['name'] for o in options]}.")
        return command, inside, options

    def _named(self, name: str, kind: int, channel: Channel) -> Json | None:
        scopes = ([channel.guild.id] if channel.guild else []) + [None]
        for scope in scopes:
            for command in self.all(scope):
                if command["name"] == name and command["type"] == kind:
                    return command
        return None


def check_options(path: str, declared: list[Json], given: Mapping[str, Any]) -> None:
    """Raise NotOffered for options of the command ``path`` that Discord's client does not send."""
    by_name = {option["name"]: option for option in declared}
    if unknown := sorted(set(given) - set(by_name)):
        raise NotOffered(f"/{path}: no such option: {unknown}; the options are {sorted(by_name)}.")
    missing = [o["name"] for o in declared if o.get("required") and o["name"] not in given]
    if missing:
        raise NotOffered(f"/{path}: required option {', '.join(missing)} is missing.")
    for name, value in given.items():
        _check_value(by_name[name], value)


def _check_value(option: Json, value: object) -> None:
    name, kind = option["name"], option["type"]
    types: dict[int, tuple[type, ...]] = {
        STRING: (str,),
        INTEGER: (int,),
        BOOLEAN: (bool,),
        NUMBER: (int, float),
        ATTACHMENT: (Upload,),
    }
    fits = isinstance(value, types.get(kind, (str,)))
    if not fits or (isinstance(value, bool) and kind != BOOLEAN):
        raise NotOffered(f"{name}: {value!r} has the wrong type for this option.")
    choices = option.get("choices")
    if choices and value not in [choice["value"] for choice in choices]:
        raise NotOffered(f"{name}: {value!r} is not one of {[c['value'] for c in choices]}.")
    if isinstance(value, int | float) and kind in (INTEGER, NUMBER):
        low, high = option.get("min_value"), option.get("max_value")
        if (low is not None and value < low) or (high is not None and value > high):
            raise NotOffered(f"{name}: {value} is outside {low} to {high}.")
    if isinstance(value, str):
        shortest, longest = option.get("min_length", 0), option.get("max_length", 6000)
        if not shortest <= len(value) <= longest:
            raise NotOffered(f"{name}: {len(value)} characters, expected {shortest} to {longest}.")


def nested(inside: list[str], options: list[Json]) -> list[Json]:
    """Return the options wrapped in their subcommand (and group)."""
    for depth, word in reversed(list(enumerate(inside))):
        kind = GROUP if len(inside) == 2 and depth == 0 else SUBCOMMAND
        options = [{"name": word, "type": kind, "options": options}]
    return options
