"""Read a message payload: its visible text, its buttons and its select menus."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.local_discord.api_types import Json

ACTION_ROW, BUTTON, TEXT_DISPLAY, MEDIA_GALLERY, FILE = 1, 2, 10, 12, 13
SELECTS = (3, 5, 6, 7, 8)
INTERACTIVE = (BUTTON, *SELECTS)


def walk(components: list[Json]) -> Iterator[Json]:
    """Yield all components in reading order, including nested ones."""
    for component in components:
        yield component
        yield from walk(component.get("components") or [])
        for key in ("accessory", "component"):
            if key in component:
                yield from walk([component[key]])


def visible_text(message: Json) -> str:
    """Return a message's text: content, embeds, text displays, alt texts and file names."""
    lines = [message.get("content") or ""]
    for embed in message.get("embeds") or []:
        lines += [embed.get("title") or "", embed.get("description") or ""]
        lines += [f"{f['name']}\n{f['value']}" for f in embed.get("fields") or []]
        lines.append((embed.get("footer") or {}).get("text") or "")
    for component in walk(message.get("components") or []):
        if component["type"] == TEXT_DISPLAY:
            lines.append(component["content"])
        elif component["type"] == MEDIA_GALLERY:
            lines += [item.get("description") or "" for item in component["items"]]
        elif component["type"] == FILE:
            lines.append(component.get("name") or "")
    return "\n".join(line for line in lines if line)


def buttons(message: Json) -> list[Json]:
    """Return the buttons in reading order, including section accessories."""
    return [c for c in walk(message.get("components") or []) if c["type"] == BUTTON]


def selects(message: Json) -> list[Json]:
    """Return the select menus in reading order."""
    return [c for c in walk(message.get("components") or []) if c["type"] in SELECTS]
