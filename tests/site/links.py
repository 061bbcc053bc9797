"""Links and loaded files of built HTML pages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {"img", "script", "source", "iframe", "audio", "video"}


@dataclass
class Page:
    """Ids, links and loaded files of an HTML page."""

    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)


class _Reader(HTMLParser):
    """Collects a Page."""

    def __init__(self) -> None:
        super().__init__()
        self.page = Page()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record the element's id and address."""
        given = {name: value or "" for name, value in attrs}
        self.page.ids |= {given[name] for name in ("id", "name") if given.get(name)}
        address = given.get("href") or given.get("src")
        if not address:
            return
        loaded = tag in LOADED or (tag == "link" and "canonical" not in given.get("rel", ""))
        (self.page.loaded if loaded else self.page.links).append(address)


@cache
def read(path: Path) -> Page:
    """Return what a page has and needs."""
    reader = _Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    return reader.page


def broken(site: Path) -> Iterator[str]:
    """Yield each link and loaded file that leads nowhere, or to a heading that is not there.

    The page of error 404 is served at any address, so its links begin at the site's root.
    """
    for path in sorted(set(site.rglob("*.html")) - {site / "404.html"}):
        page = read(path)
        for address in (*page.links, *page.loaded):
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            goal = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            goal = goal / "index.html" if goal.is_dir() else goal
            if not goal.is_file():
                yield f"{path.relative_to(site)}: {address}"
            elif goal.suffix == ".html" and unquote(parts.fragment) not in {"", *read(goal).ids}:
                yield f"{path.relative_to(site)}: {address} (no such heading)"


def foreign(site: Path) -> Iterator[str]:
    """Yield each file that a page loads from elsewhere."""
    for path in sorted(site.rglob("*.html")):
        for address in read(path).loaded:
            if urlsplit(address).scheme not in {"", "data"} or urlsplit(address).netloc:
                yield f"{path.relative_to(site)}: {address}"
