"""Lists of tracks as files that other programs read: m3u8, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence

from bot.ui.markdown import clean, web_address
from genrec.types import Track

_LONGEST = 300
# A cell that begins so is run as a formula by Excel, LibreOffice and Google Sheets.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_m3u8(tracks: Iterable[Track]) -> bytes:
    """Return a playlist; a track without an address is named as its file might be."""
    lines = ["#EXTM3U"]
    for track in tracks:
        name = _name(track)
        lines += [f"#EXTINF:-1,{name}", web_address(track.source) or f"{_file_name(name)}.mp3"]
    return ("\n".join(lines) + "\n").encode()


def as_csv(tracks: Iterable[Track]) -> bytes:
    """Return a table of title, artist, genre and source."""
    rows = [(t.title, t.artist, t.genre, web_address(t.source)) for t in tracks]
    return table(("title", "artist", "genre", "source"), rows)


def as_json(tracks: Iterable[Track]) -> bytes:
    """Return an array of objects."""
    rows = [
        {
            "title": clean(track.title, _LONGEST),
            "artist": clean(track.artist, _LONGEST),
            "genre": clean(track.genre, _LONGEST),
            "source": web_address(track.source),
        }
        for track in tracks
    ]
    return json.dumps(rows, ensure_ascii=False, indent=1).encode()


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """Return CSV that no spreadsheet runs, with the mark that Excel wants before UTF-8."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(head)
    for row in rows:
        writer.writerow([_cell(value) for value in row])
    return out.getvalue().encode("utf-8-sig")


def _cell(value: str) -> str:
    text = clean(value, _LONGEST)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _name(track: Track) -> str:
    artist, title = clean(track.artist, _LONGEST), clean(track.title, _LONGEST)
    return f"{artist} - {title}" if artist else title


def _file_name(name: str) -> str:
    kept = "".join(char if char not in '/\\:*?"<>|' else "_" for char in name)
    return kept.lstrip("#. ") or "track"


WRITERS = {"m3u8": as_m3u8, "csv": as_csv, "json": as_json}
