"""Read the metadata of a web page's head: Open Graph, other meta tags, JSON-LD, the title."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

MAX_JSON_BYTES = 256 << 10
# Python's HTML parser needs quadratic time for some hostile pages, so it gets small pieces, and
# stops after this time or in front of a tag that is longer than any real one.
_PIECE = 4096
_MAX_PARSE_S = 0.5
_MAX_TAG_CHARS = 64 << 10
_MAX_TAGS = 400
_MAX_VALUE = 2000
_MAX_BLOCKS = 16
_MAX_NODES = 300


@dataclass(slots=True)
class PageMetadata:
    """Metadata of a page: the first value of each meta tag, JSON-LD objects, and the title."""

    meta: dict[str, str] = field(default_factory=dict)
    objects: list[dict[str, Any]] = field(default_factory=list)
    title: str = ""

    def first(self, *names: str) -> str:
        """Return the first of the named meta tags that the page has, or ""."""
        return next((self.meta[name] for name in names if self.meta.get(name)), "")


def read_page(body: bytes) -> PageMetadata:
    """Return the metadata of an HTML page; less of them, or none, for a damaged or hostile one."""
    reader = _HeadReader()
    text = body.decode("utf-8", "replace")
    end = time.monotonic() + _MAX_PARSE_S
    try:
        for start in range(0, len(text), _PIECE):
            reader.feed(text[start : start + _PIECE])
            too_long = len(reader.rawdata) > _MAX_TAG_CHARS
            if reader.finished or too_long or time.monotonic() > end:
                break
    except (AssertionError, ValueError):  # how the parser of Python 3.11 reports odd declarations
        pass
    # Without close(), which searches the rest of a broken page again and again.
    return reader.page


def read_json(body: bytes) -> object:
    """Return the value of a JSON text, or None for a damaged or hostile one."""
    if len(body) > MAX_JSON_BYTES:
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


class _HeadReader(HTMLParser):
    """Collects the metadata of a page's head, and is ``finished`` behind it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = PageMetadata()
        self.finished = False
        self._inside = ""  # "title" or "json"
        self._text: list[str] = []
        self._tags = self._blocks = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Read a meta tag, or begin to collect a title or a JSON-LD block."""
        self._tags += 1
        self.finished |= tag == "body" or self._tags > _MAX_TAGS
        if self.finished:
            return
        values = {name: value or "" for name, value in reversed(attrs[:32])}
        if tag == "meta":
            name = values.get("property") or values.get("name") or values.get("itemprop") or ""
            self._add(name, values.get("content", ""))
        elif tag == "link" and "itemprop" in values:
            self._add(f"link:{values['itemprop']}", values.get("content", ""))
        elif tag == "title" and not self.page.title:
            self._inside, self._text = "title", []
        elif tag == "script" and values.get("type", "").strip().lower() == "application/ld+json":
            self._inside, self._text = "json", []

    def handle_data(self, data: str) -> None:
        """Collect the text of a title or a JSON-LD block."""
        if self._inside:
            self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        """End a title or a JSON-LD block, or the head."""
        if tag == "title" and self._inside == "title":
            self.page.title = " ".join("".join(self._text).split())[:_MAX_VALUE]
        elif tag == "script" and self._inside == "json" and self._blocks < _MAX_BLOCKS:
            self._blocks += 1
            value = read_json("".join(self._text).encode("utf-8", "replace"))
            self.page.objects += _objects(value)[:_MAX_NODES]
        self._inside = ""
        self.finished |= tag == "head"

    def _add(self, name: str, value: str) -> None:
        name = name.strip().lower()
        if name and value.strip():
            self.page.meta.setdefault(name[:100], value.strip()[:_MAX_VALUE])


def _objects(value: object) -> list[dict[str, Any]]:
    """Return the objects of a JSON-LD value, those that contain others first."""
    found: list[dict[str, Any]] = []
    waiting = [value]
    for _ in range(_MAX_NODES):
        if not waiting:
            break
        one = waiting.pop(0)
        if isinstance(one, dict):
            found.append(one)
            waiting += [inner for inner in one.values() if isinstance(inner, dict | list)]
        elif isinstance(one, list):
            waiting += [inner for inner in one if isinstance(inner, dict | list)]
    return found
