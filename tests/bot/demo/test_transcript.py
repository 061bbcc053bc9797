"""The text of a bot message, and its form on a terminal, in a pipe and in JSON."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from bot.demo.transcript import Step, as_json, message_text, print_step
from bot.ui.markdown import escape

BLUE = 0x3B82F6


def message(*texts: str) -> dict[str, object]:
    picture = {"type": 12, "items": [{"description": "Spectrogram of it"}]}
    shown = [{"type": 10, "content": text} for text in texts]
    return {
        "components": [{"type": 17, "accent_color": BLUE, "components": [picture, *shown]}],
    }


def printed(step: Step, *, terminal: bool, width: int = 60) -> str:
    file = io.StringIO()
    colours = "truecolor" if terminal else None
    console = Console(file=file, force_terminal=terminal, width=width, color_system=colours)
    print_step(console, step)
    return file.getvalue()


ANSWER = message(
    "## Blues\n-# Analysed 30 s of **it**\n`███░` **Blues** 63%",
    "**1. Sugar \\*\\* Baby**\nSomebody\n-# similarity 0.9 · [search](https://example.org/a_b*c)",
)


def test_markdown_becomes_styles_and_text_stays() -> None:
    text = message_text(ANSWER)
    assert text.plain.splitlines() == [
        "Blues",
        "Analysed 30 s of it",
        "███░ Blues 63%",
        "1. Sugar ** Baby",
        "Somebody",
        "similarity 0.9 · search",
    ]
    links = {
        text.plain[s.start : s.end]: s.style.link for s in text.spans if hasattr(s.style, "link")
    }
    assert links["search"] == "https://example.org/a_b*c"


@pytest.mark.parametrize(
    "name", ["a*b_c`d~e|f", "[x](https://example.org)", "# one", "[live] (2024)", "[red]", "C:\\x"]
)
def test_escaped_name_is_printed_as_it_was(name: str) -> None:
    assert message_text(message(f"**1. {escape(name, 80)}**")).plain == f"1. {name}"


def test_pipe_gets_plain_text() -> None:
    out = printed(Step(you="ask [bold]", message=ANSWER, seconds=0.02), terminal=False, width=20)
    lines = out.splitlines()
    assert lines[:4] == ["", "you ask [bold]", "genrec, 0.1 s later", ""]
    assert lines[-1] == "  similarity 0.9 · search"
    assert "\x1b" not in out


@pytest.mark.parametrize("width", [30, 60, 200])
def test_terminal_gets_a_frame_in_the_accent_colour(width: int) -> None:
    out = printed(Step(you="ask", message=ANSWER, seconds=2.0), terminal=True, width=width)
    assert "genrec, 2.0 s later" in out
    assert "\x1b[38;2;59;130;246m╭" in out
    assert "\x1b[1m1. Sugar" in out
    assert max(map(len, re.sub(r"\x1b(\[[\d;]*m|].*?\\)", "", out).splitlines())) == min(width, 80)


def test_json_has_the_plain_text() -> None:
    step = Step(you="ask", message=message("**Blues**"), seconds=2.0)
    assert as_json(step) == {"you": "ask", "answer": "Blues", "seconds": 2.0}
