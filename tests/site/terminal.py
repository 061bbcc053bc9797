"""Text of a terminal as a page, for a picture of it."""

from __future__ import annotations

import html
import re
import textwrap

_COLOURS = {"1": "font-weight: bold", "31": "color: #ff7b86", "32": "color: #3fbf7f",
            "33": "color: #e8b84a", "36": "color: #6cc7e6"}  # fmt: skip
_CODE = re.compile(r"\x1b\[([\d;]*)m")
_OTHER_CODES = re.compile(r"\x1b\[[\d;?]*[A-Za-ln-z]")
_PAGE = """<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; background: #17181c; }}
pre {{ display: inline-block; margin: 0; padding: 18px 22px; min-width: 640px; color: #e4e5ea;
  font: 13px/1.5 "DejaVu Sans Mono", monospace; background: #17181c; }}
b {{ color: #8f75ff; }}
</style><pre>{body}</pre>"""


def page(command: str, shown: str, *, width: int = 100) -> str:
    """Return a page with a command and what the terminal shows after it; long lines are wrapped."""
    lines = [
        part
        for line in _OTHER_CODES.sub("", shown).strip("\n").splitlines()
        for part in (textwrap.wrap(line, width, drop_whitespace=False) or [""])
    ]
    return _PAGE.format(body=f"<b>$ {html.escape(command)}</b>\n{_spans(chr(10).join(lines))}")


def _spans(text: str) -> str:
    """Replace the codes of bold and coloured text by elements."""
    parts = _CODE.split(text)
    shown, opened = [html.escape(parts[0])], False
    for codes, words in zip(parts[1::2], parts[2::2], strict=True):
        styles = [_COLOURS[code] for code in codes.split(";") if code in _COLOURS]
        shown.append("</span>" * opened)
        opened = bool(styles)
        shown.append(f'<span style="{"; ".join(styles)}">' * opened + html.escape(words))
    return "".join(shown) + "</span>" * opened
