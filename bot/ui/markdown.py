"""Sanitise untrusted text (file names, tags, page titles) and links for Discord messages.

``clean`` returns plain text for places without markup: alt texts, labels, options, CSV cells.
``escape`` also escapes Discord's Markdown and mentions, for message text.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator
from itertools import islice
from urllib.parse import quote, urlsplit

# Invisible letters and signs: Hangul fillers, the empty Braille cell, soft hyphen.
_BLANK = frozenset("\u00ad\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
# Controls, formats (including bidi), surrogates and private use. Joiners (also Cf) are kept: emoji
# families and several scripts need them. Text of joiners alone counts as empty below.
_HIDDEN = ("Cc", "Cf", "Cs", "Co")
_JOINERS = "\u200c\u200d"
_LINE_CONTROLS = "\t\n\r\x0b\x0c\x85"
_EMOJI_TAGS = range(0xE0020, 0xE0080)
_MARKS_IN_A_ROW = 3
# First characters of Markdown, mentions, timestamps, custom emoji and links; at the start of a line
# also those of headings, lists and quotes.
_MARKUP = re.compile(r"[\\*_~`|<>\[\]]|:(?=//)|^[-+#]")
_NUMBERED = re.compile(r"^(\d+)([.)])(?=\s|$)")
# The start of a path; a slash after a letter is one of a link or of words such as "and/or".
_PATH = re.compile(r"(?<![\w:/.%-])(?:~?/|\.\.[/\\]|[A-Za-z]:[/\\]|\\\\)(?=[^\s/])|\bfile:/", re.I)
_NARROW = frozenset(" ijlftrI.,:;'!|`()[]{}/\\-")
_BROAD = frozenset("mwMW@%&—…")
_ZERO_WIDTH_SPACE = "\u200b"
_MAX_URL = 512
_ROUND = str.maketrans("[]", "()")


def clean(text: str, limit: int, *, otherwise: str = "") -> str:
    """Return one line of at most ``limit`` visible characters, or ``otherwise`` if none is left."""
    raw = text[: 16 * limit + 256]  # bounds the cost: tags may have megabytes
    # Two characters over the limit show that the line must be cut, even if one of them is a space.
    line = "".join(islice(_visible(unicodedata.normalize("NFC", raw)), limit + 2)).strip()
    if not any(unicodedata.category(char)[0] in "LNPS" for char in line):
        return otherwise
    return line if len(line) <= limit else line[: limit - 1].rstrip(" " + _JOINERS) + "…"


def _visible(text: str) -> Iterator[str]:
    """Yield the visible characters, with single spaces between words."""
    previous, marks = " ", 0
    for char in text:
        category = unicodedata.category(char)
        if category.startswith("Z") or char in _LINE_CONTROLS:
            if previous != " ":
                yield " "
            previous, marks = " ", 0
        elif not _is_hidden(char, category):
            marks = marks + 1 if category in ("Mn", "Me") else 0
            if marks <= _MARKS_IN_A_ROW:
                yield char
                previous = char


def _is_hidden(char: str, category: str) -> bool:
    if char in _BLANK or 0xFE00 <= ord(char) <= 0xFE0E or ord(char) in _EMOJI_TAGS:
        return True
    return category in _HIDDEN and char not in _JOINERS


def escape(text: str, limit: int) -> str:
    """Return ``clean`` text with markup, links and mentions escaped; up to twice ``limit`` long."""
    line = _MARKUP.sub(r"\\\g<0>", clean(text, limit))
    return _NUMBERED.sub(r"\1\\\2", line).replace("@", "@" + _ZERO_WIDTH_SPACE)


def width(text: str) -> float:
    """Return the approximate width of a text in a proportional font, in small letters."""
    return round(sum(_width(char) for char in text), 2)


def _width(char: str) -> float:
    if unicodedata.combining(char) or char in _JOINERS:
        return 0.0
    if unicodedata.east_asian_width(char) in "WF":
        return 1.8
    if char in _NARROW:
        return 0.6
    if char in _BROAD:
        return 1.6
    return 1.25 if char.isupper() or char.isdigit() else 1.0


def cut(text: str, limit: float) -> str:
    """Return ``clean`` text of at most ``limit`` in ``width``."""
    line = clean(text, math.ceil(2 * limit))  # few letters are as narrow as half a small one
    if width(line) <= round(limit, 2):
        return line
    while line and width(line) > limit - _width("…"):
        line = line[:-1]
    return line.rstrip(" …-,.;:(" + _JOINERS) + "…"


def escape_width(text: str, limit: float) -> str:
    """Return ``escape`` of the text, cut to at most ``limit`` in ``width``."""
    line = cut(text, limit)
    return escape(line, len(line))


def names_path(text: str) -> bool:
    """Return True if a text may name a file by its path: absolute, from the home or a parent."""
    return _PATH.search(text) is not None


def web_address(text: str) -> str:
    """Return a percent-encoded http or https address, or "" if it is not safe to link."""
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
    """Return the escaped host of a ``web_address`` result, without "www."."""
    return escape((urlsplit(address).hostname or "").removeprefix("www."), 40)


def linked(title: str, address: str) -> str:
    """Return a clean title, escaped, as a link to the address if there is one."""
    limit = len(title)
    if not address:
        return escape(title, limit)
    # Discord shows no link whose label has an odd bracket or looks like an address.
    label = title.translate(_ROUND).replace("://", ": //")
    return f"[{escape(label, len(label))}]({address})"


def query(text: str, limit: int) -> str:
    """Percent-encode text for a URL query, cut after a whole character to at most ``limit``."""
    encoded = ""
    for char in clean(text, max(limit, 0)):
        part = "+" if char == " " else quote(char, safe="")
        if len(encoded) + len(part) > limit:
            break
        encoded += part
    return encoded
