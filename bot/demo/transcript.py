"""Print the steps of the demo, with Discord's Markdown as terminal styles or plain text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.style import Style
from rich.text import Text

from bot.local_discord.message_components import TEXT_DISPLAY, walk

WIDTH = 80
LEAST_S = 0.1
_NO_MENTION = "\u200b"  # zero-width space that the bot puts after an @ against mentions
_LINE_PREFIX = re.compile(r"(#{1,3}|-#|>) ")
_LINE_STYLES = {"-#": "dim", ">": "italic"}
_MARKS = re.compile(
    r"\\(?P<letter>[^\w\s]|_)|\[(?P<label>(?:\\.|[^\]\\])+)\]\(<?(?P<url>[^\s)>]*)>?\)"
    r"|(?P<mark>\*\*|__|~~|`+|\*)"
)
_STYLES = {"**": Style(bold=True), "__": Style(underline=True), "*": Style(italic=True)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the conversation.

    Attributes
    ----------
    you
        The person's action.
    message
        The payload of the bot's response.
    seconds
        Time from the action to the response.
    """

    you: str
    message: dict[str, Any]
    seconds: float


def as_json(step: Step) -> dict[str, Any]:
    """Return a step as the JSON object of docs/cli.md."""
    return {"you": step.you, "answer": message_text(step.message).plain, "seconds": step.seconds}


def print_step(console: Console, step: Step) -> None:
    """Print a step, in a coloured frame on a terminal and as plain text elsewhere."""
    # The bot's own footer never shows 0.0 s, so the heading does not either.
    heading = f"genrec, {max(step.seconds, LEAST_S):.1f} s later"
    text = message_text(step.message)
    console.print()
    console.print(Text.assemble(("you ", "bold"), step.you), soft_wrap=True)
    if console.is_terminal:
        frame = Panel(
            text,
            title=Text(heading, "bold"),
            title_align="left",
            border_style=_colour(step.message),
            width=min(WIDTH, console.width),
        )
        console.print(frame)
        return
    console.print(f"{heading}\n", markup=False, soft_wrap=True)
    for line in text.split("\n"):
        console.print(Text("  ") + line, soft_wrap=True)


def message_text(message: dict[str, Any]) -> Text:
    """Return the text of a message, with Discord's Markdown as styles."""
    texts = [c["content"] for c in walk(message["components"]) if c["type"] == TEXT_DISPLAY]
    lines, code = "\n".join(texts).replace(_NO_MENTION, "").splitlines(), _colour(message)
    return Text("\n").join(_line(line, code) for line in lines)


def _line(markdown: str, code: Style) -> Text:
    prefix = _LINE_PREFIX.match(markdown)
    if prefix is None:
        return _inline(markdown, code)
    line = _inline(markdown[prefix.end() :], code)
    line.stylize_before(_LINE_STYLES.get(prefix[1], "bold"))
    return line


def _inline(markdown: str, code: Style) -> Text:
    """Return inline markdown as styled text; each mark opens or closes its style."""
    out, style, at = Text(), Style(), 0
    opened: set[str] = set()
    for found in _MARKS.finditer(markdown):
        out.append(markdown[at : found.start()], style)
        at = found.end()
        if mark := found["mark"]:
            opened ^= {mark}
            styles = [code if m[0] == "`" else _STYLES[m] for m in opened]
            style = Style.combine([Style(), *styles])
        elif found["label"]:
            link = Style(underline=True, link=found["url"])
            out.append(_inline(found["label"], code).plain, style + link)
        else:
            out.append(found["letter"], style)
    out.append(markdown[at:], style)
    return out


def _colour(message: dict[str, Any]) -> Style:
    """Return the accent colour of a message."""
    colours = [c["accent_color"] for c in message["components"] if c.get("accent_color")]
    return Style(color=f"#{colours[0]:06x}") if colours else Style()
