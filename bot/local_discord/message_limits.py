"""Limits on message bodies that Discord enforces and its OpenAPI description omits."""

from __future__ import annotations

from bot.local_discord.api_types import ApiError, Files, Json, invalid_body
from bot.local_discord.message_components import (
    ACTION_ROW,
    BUTTON,
    INTERACTIVE,
    SELECTS,
    TEXT_DISPLAY,
    walk,
)

EPHEMERAL, LOADING, COMPONENTS_V2 = 1 << 6, 1 << 7, 1 << 15
MAX_CONTENT = 2_000
MAX_EMBED_CHARACTERS = 6_000
MAX_COMPONENTS = 40
MAX_V2_CHARACTERS = 4_000
MAX_FILE_BYTES = 10 << 20


def check_message(body: Json, files: Files, *, v2: bool, empty_allowed: bool = False) -> None:
    """Raise ApiError for a body that Discord rejects; ``v2`` means it uses Components V2."""
    if any(len(data) > MAX_FILE_BYTES for _, data in files.values()):
        raise ApiError(413, 40005, "Request entity too large")
    if len(body.get("content") or "") > MAX_CONTENT:
        raise invalid_body("content", f"Must be {MAX_CONTENT} or fewer in length.")
    _check_embeds(body.get("embeds") or [])
    components = body.get("components") or []
    if v2:
        for key in ("content", "embeds", "poll", "sticker_ids"):
            if body.get(key):
                raise invalid_body(key, "Cannot be used with MessageFlags.IS_COMPONENTS_V2.")
    elif any(c["type"] != ACTION_ROW for c in components) or len(components) > 5:
        raise invalid_body("components", "Only up to 5 action rows without IS_COMPONENTS_V2.")
    _check_components(components)
    anything = any(body.get(key) for key in ("content", "embeds", "components", "poll"))
    if not (anything or files or empty_allowed):
        raise ApiError(400, 50006, "Cannot send an empty message")


def _check_embeds(embeds: list[Json]) -> None:
    if len(embeds) > 10:
        raise invalid_body("embeds", "Must be 10 or fewer in length.")
    total = 0
    for embed in embeds:
        fields = embed.get("fields") or []
        total += sum(len(embed.get(key) or "") for key in ("title", "description"))
        total += len((embed.get("footer") or {}).get("text") or "")
        total += len((embed.get("author") or {}).get("name") or "")
        total += sum(len(f["name"]) + len(f["value"]) for f in fields)
        if any(not f["name"].strip() or not f["value"].strip() for f in fields):
            raise invalid_body("embeds", "A field needs a name and a value.")
    if total > MAX_EMBED_CHARACTERS:
        raise invalid_body("embeds", "Embed size exceeds maximum size of 6000.")


def _check_components(components: list[Json]) -> None:
    everything = list(walk(components))
    if len(everything) > MAX_COMPONENTS:
        raise invalid_body(
            "components",
            f"{len(everything)} components, nested ones included; at most {MAX_COMPONENTS}.",
        )
    texts = [c["content"] for c in everything if c["type"] == TEXT_DISPLAY]
    total = sum(map(len, texts))
    if total > MAX_V2_CHARACTERS:
        raise invalid_body(
            "components", f"{total} characters of text; at most {MAX_V2_CHARACTERS}."
        )
    if any(not text.strip() for text in texts):
        raise invalid_body("components", "A text display needs text.")
    ids = [c["custom_id"] for c in everything if "custom_id" in c]
    if len(ids) != len(set(ids)):
        raise invalid_body("components", f"Component custom id cannot be duplicated: {ids}.")
    for component in everything:
        _check_one(component)


def _check_one(component: Json) -> None:
    kind = component["type"]
    if len(component.get("custom_id") or "") > 100:
        raise invalid_body("custom_id", "Must be 100 or fewer in length.")
    if kind == BUTTON:
        _check_button(component)
    elif kind in SELECTS:
        options = component.get("options") or []
        if kind == 3 and not 1 <= len(options) <= 25:
            raise invalid_body(
                "options", f"A string select has {len(options)} options; it takes 1 to 25."
            )
        values = [option["value"] for option in options]
        if len(values) != len(set(values)):
            raise invalid_body("options", "The value of option is already used.")
    elif kind == ACTION_ROW:
        inside = [c["type"] for c in component["components"]]
        too_many = 1 if any(k in SELECTS for k in inside) else 5
        if not 1 <= len(inside) <= too_many or any(k not in (*INTERACTIVE, 4) for k in inside):
            raise invalid_body(
                "components",
                f"An action row has the component types {inside}; it takes 1 to 5 buttons, or one"
                " select.",
            )
    elif kind == 9 and not 1 <= len(component["components"]) <= 3:
        raise invalid_body(
            "components",
            f"A section has {len(component['components'])} text displays; it takes 1 to 3.",
        )
    elif kind == 12 and not 1 <= len(component["items"]) <= 10:
        raise invalid_body(
            "items", f"A media gallery has {len(component['items'])} items; it takes 1 to 10."
        )


def _check_button(button: Json) -> None:
    if len(button.get("label") or "") > 80:
        raise invalid_body("label", "Must be 80 or fewer in length.")
    if not button.get("label") and not button.get("emoji") and button.get("style") != 6:
        raise invalid_body("label", "A button needs a label or an emoji.")
    link = button.get("style") == 5
    if link != ("url" in button) or link == ("custom_id" in button):
        raise invalid_body("url", "A link button needs a url, and other buttons need a custom_id.")
