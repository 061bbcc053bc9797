"""Formats of exported track lists: m3u8, CSV, JSON, JSPF and plain text.

A writer returns the text of one page of rows. ``first`` is True for the first page.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from db.import_rows import FORMULA, JSPF_EXTENSION, MUSICBRAINZ_RECORDING
from db.music_columns import MUSIC
from db.sections import fragment, seconds_text, split_source
from genrec.names import artist_key

Format = Literal["m3u8", "csv", "json", "jspf", "txt"]
FORMATS: tuple[Format, ...] = ("m3u8", "csv", "json", "jspf", "txt")
Row = dict[str, Any]
# The columns of CSV and JSON are those of a row, without its location.
LOCATION = "location"
DETAILS = ("album", "year", "isrc", "recording_id", "release_id", "artist_id", "page")
"""Columns that exports of earlier versions lack."""

ANALYSIS = ("model_id", "embedding", "fingerprint")
"""Columns that only an import of genrec can use; a list to listen to lacks them."""

COLUMNS = (
    "model_id", "title", "artist", "genre", "label", "source", "scope", "duration_s",
    "embedding", "fingerprint", *DETAILS, *MUSIC, "tagged",
)  # fmt: skip

_LINE_BREAK = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_IN_JSPF = frozenset({"title", "artist", "album", "duration_s", "recording_id", "page", LOCATION})


def m3u8(rows: Iterable[Row], _model_id: str, first: bool) -> str:
    """Return a playlist of the rows with a path or an address, as players read it."""
    lines = ["#EXTM3U\n"] if first else []
    for row in rows:
        location = row[LOCATION]
        if not location or _LINE_BREAK.search(location):
            continue
        seconds = round(row["duration_s"]) or -1
        lines.append(f"#EXTINF:{seconds},{row['artist']} - {row['title']}\n")
        path, section = split_source(location)
        if section is not None:  # as VLC and its like read it
            lines.append(f"#EXTVLCOPT:start-time={seconds_text(section.start_s)}\n")
            if section.end_s is not None:
                lines.append(f"#EXTVLCOPT:stop-time={seconds_text(section.end_s)}\n")
        # A line that begins with # is a comment.
        lines.append(f"./{path}\n" if path.startswith("#") else f"{path}\n")
    return "".join(lines)


def csv_rows(rows: Iterable[Row], _model_id: str, first: bool) -> str:
    """Return a CSV table of the rows, with formula cells escaped."""
    listed = list(rows)
    columns = [key for key in COLUMNS if not listed or key in listed[0]]
    return csv_text(columns if first else None, ([row[key] for key in columns] for row in listed))


def csv_text(head: Sequence[str] | None, rows: Iterable[Iterable[object]]) -> str:
    """Return rows as CSV with formula cells escaped; ``head`` is the header line or None."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if head is not None:
        writer.writerow(head)
    writer.writerows([_escape_formula(str(cell)) for cell in row] for row in rows)
    return text.getvalue()


def json_rows(rows: Iterable[Row], model_id: str, first: bool) -> str:
    """Return the rows as a JSON list; the last page needs `end`."""
    lines = ",\n".join(
        json.dumps({key: row[key] for key in row if key not in ("model_id", LOCATION)})
        for row in rows
    )
    if first:
        return f'{{"model_id": {json.dumps(model_id)}, "tracks": [\n{lines}'
    return f",\n{lines}"


def jspf(rows: Iterable[Row], model_id: str, first: bool) -> str:
    """Return the rows as a JSPF playlist (XSPF 1 as JSON); the last page needs `end`.

    What XSPF has no field for, such as the embedding, is in genrec's extension of a track.
    """
    lines = ",\n".join(json.dumps(_jspf_track(row), ensure_ascii=False) for row in rows)
    if first:
        extension = json.dumps({JSPF_EXTENSION: {"model_id": model_id}})
        head = f'"title": "genrec", "extension": {extension}, "track": ['
        return f'{{"playlist": {{{head}\n{lines}'
    return f",\n{lines}"


def txt(rows: Iterable[Row], _model_id: str, _first: bool) -> str:
    """Return a line ``Artist - Title`` for each row; without a known artist, the title."""
    return "".join(f"{name_line(row['artist'], row['title'])}\n" for row in rows)


def name_line(artist: str, title: str) -> str:
    """Return ``Artist - Title``, or the title if the artist is unknown."""
    return f"{artist} - {title}" if artist_key(artist) else title


def end(form: Format) -> str:
    """Return the text after the last page."""
    return {"json": "\n]}\n", "jspf": "\n]}}\n"}.get(form, "")


WRITERS = {"m3u8": m3u8, "csv": csv_rows, "json": json_rows, "jspf": jspf, "txt": txt}


def _jspf_track(row: Row) -> Mapping[str, Any]:
    ids = [MUSICBRAINZ_RECORDING + row["recording_id"]] if row["recording_id"] else []
    fields = {
        "title": row["title"],
        "creator": row["artist"],
        "album": row["album"],
        "duration": round(1000 * row["duration_s"]),
        "location": list(_uri(row[LOCATION])),
        "identifier": ids,
        "info": row["page"],
    }
    own = {key: row[key] for key in row if key not in _IN_JSPF and key != "model_id" and row[key]}
    own["duration_s"] = row["duration_s"]
    return {key: value for key, value in fields.items() if value} | {
        "extension": {JSPF_EXTENSION: own}
    }


def _uri(location: str) -> Iterator[str]:
    """Yield a location as a URI, if there is one; a section is its media fragment."""
    if "://" in location:
        yield location
    elif location:
        path, section = split_source(location)
        part = fragment(section) if section else ""
        # A first segment with a colon would be read as a scheme.
        relative = quote(path) if ":" not in path.partition("/")[0] else f"./{quote(path)}"
        yield (Path(path).as_uri() if path.startswith("/") else relative) + part


def _escape_formula(cell: str) -> str:
    return f"'{cell}" if FORMULA.match(cell) else cell
