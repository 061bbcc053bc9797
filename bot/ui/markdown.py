"""Strange text made harmless: names, tags and titles as a message, a label or a file name may show.

Whoever names a file, tags a track or titles a page may be hostile. ``clean`` leaves plain text for
places without markup (alt texts, labels, options, CSV); ``escape`` is ``clean`` for message text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import islice
from urllib.parse import quote, urlsplit

# Letters and signs that show nothing: Hangul fillers, the empty Braille cell, soft hyphen.
_BLANK = frozenset("\u00ad\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
# Controls, formats (bidi among them), surrogates and private use. Joiners (Cf too) are kept: emoji
# families and several scripts need them, and a name of nothing else is refused below.
_HIDDEN = ("Cc", "Cf", "Cs", "Co")
_JOINERS = "\u200c\u200d"
_LINE_CONTROLS = "\t\n\r\x0b\x0c\x85"
_EMOJI_TAGS = range(0xE0020, 0xE0080)
_MARKS_IN_A_ROW = 3
# What Markdown, mentions, timestamps, custom emoji and links start from, anywhere; and at a line's
# start, headings, lists and quotes.
_MARKUP = re.compile(r"[\\*_~`|<>\[\]]|:(?=//)|^[-+#]")
_NUMBERED = re.compile(r"^(\d+)([.)])(?=\s|$)")
_ZERO_WIDTH_SPACE = "\u200b"
_MAX_URL = 512


def clean(text: str, limit: int, *, otherwise: str = "") -> str:
    """Return one line of at most ``limit`` visible characters; ``otherwise`` where none is left."""
    raw = text[: 16 * limit + 256]  # enough to fill the limit; megabytes of tag are not normalised
    # Two more than the limit tell that it has to be cut, also if one of them is a space.
    line = "".join(islice(_visible(unicodedata.normalize("NFC", raw)), limit + 2)).strip()
    if not any(unicodedata.category(char)[0] in "LNPS" for char in line):
        return otherwise
    return line if len(line) <= limit else line[: limit - 1].rstrip(" " + _JOINERS) + "…"


def _visible(text: str) -> Iterator[str]:
    """Give the characters that show, with single spaces between words."""
    before, marks = " ", 0
    for char in text:
        category = unicodedata.category(char)
        if category.startswith("Z") or char in _LINE_CONTROLS:
            if before != " ":
                yield " "
            before, marks = " ", 0
        elif not _is_hidden(char, category):
            marks = marks + 1 if category in ("Mn", "Me") else 0
            if marks <= _MARKS_IN_A_ROW:
                yield char
                before = char


def _is_hidden(char: str, category: str) -> bool:
    if char in _BLANK or 0xFE00 <= ord(char) <= 0xFE0E or ord(char) in _EMOJI_TAGS:
        return True
    return category in _HIDDEN and char not in _JOINERS


def escape(text: str, limit: int, *, otherwise: str = "") -> str:
    """Return ``clean`` text in which no markup, link or mention works; it may be twice as long."""
    line = _MARKUP.sub(r"\\\g<0>", clean(text, limit, otherwise=otherwise))
    return _NUMBERED.sub(r"\1\\\2", line).replace("@", "@" + _ZERO_WIDTH_SPACE)


def web_address(text: str) -> str:
    """Return the address if it is a plain http or https one that a link may carry, or ""."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or "@" in parts.netloc or not _is_host(host):
        return ""
    safe = quote(text, safe=":/?#&=%+,;~!$'*@-._")
    return safe if len(safe) <= _MAX_URL else ""


def _is_host(host: str) -> bool:
    return re.fullmatch(r"[a-z0-9]([a-z0-9.\-]*[a-z0-9])?", host) is not None and "." in host


def host_of(address: str) -> str:
    """Return the host of an address from ``web_address``, without www, escaped."""
    return escape((urlsplit(address).hostname or "").removeprefix("www."), 40)


def query(text: str, limit: int) -> str:
    """Return ``text`` percent-encoded for a URL, cut between characters to ``limit`` in all."""
    encoded = ""
    for char in clean(text, max(limit, 0)):
        part = "+" if char == " " else quote(char, safe="")
        if len(encoded) + len(part) > limit:
            break
        encoded += part
    return encoded
