"""Find the tracks that a list only names, among the tracks of some scopes."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from db.connection import SqlSession
from db.details import TrackDetails
from db.generations import UNKNOWN_ARTIST
from db.import_rows import Row
from db.sections import fragment, split_source
from db.tags import clean
from genrec.names import artist_key, fold, name_key

_DASH = re.compile(r"\s+[-\u2013\u2014]\s+")
_NUMBER = re.compile(r"\s*(?:\d{1,4}[.)]|[-*\u2022])\s+")
_MAX_LOCATION = 4096
_ACTIVE = (
    " FROM generation AS g JOIN entry AS e ON e.generation_id = g.id"
    " JOIN track AS t ON t.id = e.track_id LEFT JOIN detail AS d ON d.track_id = t.id"
    " WHERE g.state = 'active' AND g.model_id = ?1 AND e.gone_at IS NULL"
    " AND g.scope IN (SELECT value FROM json_each(?2))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Scopes that are searched, and the files that a location may name.

    ``roots`` are the folders that relative paths belong to. Absolute paths are looked up only with
    ``absolute``: somebody who does not know the operator's files must not probe for them.
    """

    scopes: Sequence[str]
    roots: Sequence[Path] = ()
    absolute: bool = False

    def sources(self, location: str) -> Iterator[str]:
        """Yield the sources that a location may stand for."""
        if not location or len(location) > _MAX_LOCATION:
            return
        if location.startswith(("http://", "https://")):
            yield location
            return
        path, section = split_source(location)
        if path.startswith("file:"):
            path = unquote(urlsplit(path).path)
        part = fragment(section) if section else ""
        if path.startswith("/"):
            if self.absolute:
                yield os.path.normpath(path) + part
            return
        for root in self.roots:
            for name in dict.fromkeys((path, unquote(path))):  # a path, or a URI
                full = os.path.normpath(root / name)
                if Path(full).is_relative_to(root):
                    yield full + part


async def find_listed(
    session: SqlSession, model_id: str, places: Places, rows: Sequence[Row]
) -> list[int | None]:
    """Return the id of the track that each row names; None if there is none.

    A location counts most, then MusicBrainz' id and ISRC, then artist and title without case,
    accents and punctuation. Of several tracks the first scope's counts.
    """
    kinds: tuple[tuple[str, Callable[[Row], Iterator[str]]], ...] = (
        ("t.source", lambda row: places.sources(_text(row.get("location")))),
        ("d.recording_id", _recordings),
        ("d.isrc", _isrcs),
        ("e.folded", _names),
    )
    # In a thread: twenty thousand names take a second.
    keys_of = await asyncio.to_thread(
        lambda: [[tuple(keys(row)) for row in rows] for _, keys in kinds]
    )
    found: list[int | None] = [None] * len(rows)
    for (column, _), keyed in zip(kinds, keys_of, strict=True):
        wanted = [
            key for keys, known in zip(keyed, found, strict=True) if not known for key in keys
        ]
        ids = await _by(session, model_id, places, column, wanted)
        found = [
            known or next((ids[key] for key in keys if key in ids), None)
            for keys, known in zip(keyed, found, strict=True)
        ]
    return found


def describe(row: Row) -> str:
    """Return the words by which a row names its track, for a sentence."""
    title, artist = clean(row.get("title")), clean(row.get("artist"))
    named = f"{artist} - {title}" if artist and title else title
    return named or clean(row.get("names")) or clean(row.get("location")) or "(nothing)"


async def _by(
    session: SqlSession, model_id: str, places: Places, column: str, keys: list[str]
) -> dict[str, int]:
    """Return the ids of the tracks with these values of a column, by value."""
    if not keys:
        return {}
    rows = await session.all(
        f"SELECT {column}, t.id, g.scope{_ACTIVE}"
        f" AND {column} IN (SELECT value FROM json_each(?3)) ORDER BY t.id",
        (model_id, json.dumps(list(places.scopes)), json.dumps(list(dict.fromkeys(keys)))),
    )
    order = {scope: place for place, scope in enumerate(places.scopes)}
    found: dict[str, int] = {}
    for key, track_id, _ in sorted(rows, key=lambda row: order[row[2]]):
        found.setdefault(key, track_id)
    return found


def _recordings(row: Row) -> Iterator[str]:
    found = TrackDetails.of({"recording_id": _text(row.get("recording_id"))}).recording_id
    if found:
        yield found


def _isrcs(row: Row) -> Iterator[str]:
    if found := TrackDetails.of({"isrc": _text(row.get("isrc"))}).isrc:
        yield found


def _names(row: Row) -> Iterator[str]:
    """Yield the folded names of a row, in the form of the catalogue: artist, then title."""
    title, artist = clean(row.get("title")), clean(row.get("artist"))
    if title:
        yield from _folded(artist, title)
    line = clean(row.get("names"))
    for names in dict.fromkeys((line, _NUMBER.sub("", line, count=1))):
        if not names:
            continue
        yield from _folded("", names)
        yield fold(names)  # "Artist - Title": punctuation does not count
        for dash in _DASH.finditer(names):  # "Title - Artist"
            yield fold(f"{names[dash.end() :]} {names[: dash.start()]}")


def _folded(artist: str, title: str) -> Iterator[str]:
    yield name_key(artist if artist_key(artist) else UNKNOWN_ARTIST, title)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
