"""Layouts as Discord messages, checked against Discord's rules, and test data for them."""

from __future__ import annotations

import unicodedata

from discord import ui

from bot.local_discord.message_components import visible_text, walk
from bot.local_discord.message_limits import check_message
from genrec.types import GenreScore, Neighbour, Recommendation, Track

HOSTILE = (
    "# @everyone <@1234> <@&5> <#6> [free](https://evil.example) `x` ||s|| **b** \u202egnp\u2066\n"
    "> quote\x00\x1b[31m </help:1> <:a:2> <t:0:R> https://evil.example/@here"
)
LONG = "ウ" * 5_000
ZALGO = "e" + "\u0301" * 3_000


def body(view: ui.LayoutView) -> dict:
    """Return the message that is sent for a layout, checked against Discord's rules."""
    sent = {"components": view.to_components(), "flags": 1 << 15}
    check_message(sent, {}, v2=True)
    return sent


def seen(view: ui.LayoutView) -> str:
    """Return the visible text of a layout."""
    return visible_text(body(view))


def components(view: ui.LayoutView, kind: int) -> list[dict]:
    """Return the components of one type."""
    return [c for c in walk(body(view)["components"]) if c["type"] == kind]


def custom_ids(view: ui.LayoutView) -> list[str]:
    """Return the custom ids in reading order."""
    return [c["custom_id"] for c in walk(body(view)["components"]) if "custom_id" in c]


def unescaped(text: str) -> str:
    """Return the text without escaped characters."""
    shown, skip = [], False
    for char in text:
        if skip or char == "\\":
            skip = not skip and char == "\\"
            continue
        shown.append(char)
    return "".join(shown)


def assert_harmless(text: str) -> None:
    """Fail if the text has a live mention, a hostile link, or a bidi or control character."""
    live = unescaped(text)
    for danger in ("@everyone", "@here", "<@", "<#", "</", "<:", "<t:", "||"):
        assert danger not in live, danger
    assert "https://evil" not in live
    for char in text:
        hidden = unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co")
        assert char in "\n\u200b" or not hidden, ascii(char)


def track(number: int = 1, **changes) -> Track:
    """Return a track; any field may be changed."""
    fields = {
        "title": f"Song {number}",
        "artist": f"Band {number}",
        "genre": "rock",
        "source": "starter:x",
    }
    return Track(id=number, **{**fields, **changes})


def recommendation(count: int = 5, **changes) -> Recommendation:
    """Return a recommendation of ``count`` tracks; any field may be changed."""
    scores = (("rock", 0.72), ("metal", 0.2), ("blues", 0.05), ("pop", 0.03))
    fields = {
        "model_id": "vgg16-0123abcd",
        "genre": "rock",
        "unsure": False,
        "scores": tuple(GenreScore(*score) for score in scores),
        "tracks": tuple(Neighbour(track(i), 1.0 - i / 10) for i in range(1, count + 1)),
        "timings_ms": {"total": 840.0},
    }
    return Recommendation(**{**fields, **changes})
