"""The components of a modal with the entered values, as Discord's client submits them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.local_discord.commands import NotOffered
from bot.local_discord.message_components import INTERACTIVE, SELECTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.local_discord.api_types import Json

TEXT_INPUT = 4


def filled_component(component: Json, values: Mapping[str, Any]) -> Json:
    """Return a modal's component as the client submits it, with the entered values."""
    if "component" in component:
        inner = filled_component(component["component"], values)
        return {"type": component["type"], "id": component.get("id", 0), "component": inner}
    if "components" in component:
        inside = [filled_component(inner, values) for inner in component["components"]]
        return {"type": component["type"], "id": component.get("id", 0), "components": inside}
    kind = component["type"]
    if kind not in (TEXT_INPUT, *INTERACTIVE):
        return {"type": kind, "id": component.get("id", 0)}
    custom_id = component["custom_id"]
    entered = {"type": kind, "id": component.get("id", 0), "custom_id": custom_id}
    if kind in SELECTS:
        return entered | {"values": list(values.get(custom_id, []))}
    value = values.get(custom_id, component.get("value") or "")
    if not value and component.get("required", True):
        raise NotOffered(f"Text input {custom_id!r} is required and empty.")
    return entered | {"value": value}
