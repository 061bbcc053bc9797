"""The users, roles and channels that options and menus name, as Discord resolves them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.local_discord import payloads
from bot.local_discord.commands import NotOffered

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bot.local_discord.api_types import Json
    from bot.local_discord.state import Channel, DiscordState

# What a value names, by the type of an option and by the type of a select menu.
OPTION_NAMES = {6: ("users",), 7: ("channels",), 8: ("roles",), 9: ("users", "roles")}
MENU_NAMES = {5: ("users",), 6: ("roles",), 7: ("users", "roles"), 8: ("channels",)}


def offered(state: DiscordState, channel: Channel) -> Mapping[str, Mapping[str, Json]]:
    """Return the users, roles and channels of a channel's server, by kind and id."""
    guild = channel.guild
    if guild is None:
        people = [person for person in (channel.recipient, state.bot) if person]
        return {"users": {p.id: payloads.user(p) for p in people}, "roles": {}, "channels": {}}
    roles = {role.id: payloads.role(role, at) for at, role in enumerate(payloads.roles(guild))}
    return {
        "users": {id_: payloads.user(member.user) for id_, member in guild.members.items()},
        "roles": roles,
        "channels": {
            id_: payloads.channel(each, state.bot) | {"permissions": "0"}
            for id_, each in guild.channels.items()
        },
    }


def resolve(
    state: DiscordState, channel: Channel, chosen: Iterable[tuple[tuple[str, ...], str]]
) -> Json:
    """Return the ``resolved`` of chosen values; each is the kinds it may name, and an id.

    An id that names nothing of these kinds is an action that Discord's client does not offer.
    """
    known = offered(state, channel)
    found: Json = {}
    for kinds, value in chosen:
        kind = next((kind for kind in kinds if value in known[kind]), None)
        if kind is None:
            raise NotOffered(f"{value!r} is none of the {' or '.join(kinds)} of this server.")
        found.setdefault(kind, {})[value] = known[kind][value]
    return found


def check_channel_types(declared: Iterable[Json], given: Mapping[str, object], known: Json) -> None:
    """Raise NotOffered for a channel of a type that its option does not take."""
    for option in declared:
        types = option.get("channel_types") or ()
        place = known.get("channels", {}).get(given.get(option["name"])) if types else None
        if place is not None and place["type"] not in types:
            raise NotOffered(f"{option['name']} takes channels of the types {types} only.")
