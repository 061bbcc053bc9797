"""Read the rows of a track list: CSV, also as spreadsheets save it, JSON, JSPF, m3u8 or text.

A row of an export has an ``embedding``. A row without that key only names a track: with ``title``
and ``artist``, a line of ``names``, a ``location`` or published ids.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from db.sections import section_source
from genrec.errors import InputRefused
from genrec.types import Section

Row = Mapping[str, object]

JSPF_EXTENSION = "urn:x-genrec:track"
"""Key of genrec's extension of a JSPF playlist and its tracks; XSPF demands a URI."""

MUSICBRAINZ_RECORDING = "https://musicbrainz.org/recording/"
"""Start of the identifier of a recording, as in playlists of ListenBrainz."""

# Spreadsheets run cells with these first characters as formulas; an apostrophe makes them text.
FORMULA = re.compile(r"'*[=+\-@\t\r\n\uff0b\uff0d\uff1d\uff20]")
# A spreadsheet of a country with a decimal comma saves a CSV file with semicolons.
_DELIMITERS = ",;\t"
_PLAYLIST = re.compile(r"#EXTM3U(?:[ \t]+[\w-]+=.*)?[ \t]*(?:\r?\n|$)")
# Columns of tables that other programs export, folded to lower case.
_FOREIGN = {
    "title": ("title", "track name", "track", "song", "name"),
    "artist": ("artist", "artist name(s)", "artist name", "artists", "creator"),
    "isrc": ("isrc",),
    "recording_id": ("recording_id", "recording mbid", "mbid"),
}
_VLC_OPTION = re.compile(r"#EXTVLCOPT:(start|stop)-time=(\d{1,6}(?:\.\d{1,3})?)\s*")
_EXPORT_AGAIN = "import a file that genrec exported, or a list of artists and titles"


def read_rows(text: str, columns: Collection[str], *, suffix: str = "") -> Iterator[Row]:
    """Yield the rows of a list, by column; raise InputRefused for anything else.

    ``columns`` are those that a CSV export must have. ``suffix`` is that of the file's name: only a
    ``.txt`` file is read as lines of names. Rows without any text are left out.
    """
    body = text.lstrip("\ufeff \t\r\n")
    if suffix.lower() == ".txt":
        yield from ({"names": line} for line in body.splitlines() if line.strip())
    elif _PLAYLIST.match(body) or suffix.lower() in (".m3u", ".m3u8"):
        yield from _read_playlist(body)
    elif body.startswith("{"):
        yield from _read_json(body)
    else:
        yield from _read_table(body, columns)


def _read_table(body: str, columns: Collection[str]) -> Iterator[Row]:
    try:
        reader = csv.DictReader(
            io.StringIO(body, newline=""), delimiter=_delimiter(body, columns), strict=True
        )
        missing = set(columns) - set(reader.fieldnames or ())
        foreign = _foreign_columns(reader.fieldnames or ()) if "embedding" in missing else {}
        if missing and not {"title", "artist"} <= foreign.keys():
            raise InputRefused(
                f"The table lacks the columns {', '.join(sorted(missing))}: {_EXPORT_AGAIN}."
            )
        for row in reader:
            cells = {column: _unescape_formula(cell) for column, cell in row.items()}
            if missing:
                cells = {name: cells[column] for name, column in foreign.items()}
            if any(cells.values()):
                yield cells
    except csv.Error as error:
        raise InputRefused(f"The table cannot be read ({error}): export it again.") from error


def _foreign_columns(head: Collection[str]) -> dict[str, str]:
    """Return the columns of another program's table by their names here."""
    by_name = {column.strip().casefold(): column for column in head}
    found: dict[str, str] = {}
    for name, spellings in _FOREIGN.items():
        for spelling in spellings:
            if spelling in by_name:
                found.setdefault(name, by_name[spelling])
    return found


def _delimiter(body: str, columns: Collection[str]) -> str:
    """Return the delimiter that splits the head of a table into the most of the columns."""
    head = body.partition("\n")[0].strip()
    known = set(columns).union(*_FOREIGN.values())

    def found(delimiter: str) -> int:
        names = {name.strip('"').casefold() for name in head.split(delimiter)}
        return len(names & known)

    return max(_DELIMITERS, key=found)


def _read_playlist(body: str) -> Iterator[Row]:
    """Yield location and names of an m3u8 playlist, with VLC's times of a section."""
    names, times = "", dict[str, str]()
    for raw in body.splitlines():
        line = raw.strip("\r\n")
        if line.startswith("#EXTINF:"):
            names = line.partition(",")[2].strip()
        elif option := _VLC_OPTION.fullmatch(line):
            times[option[1]] = option[2]
        elif line.strip() and not line.startswith("#"):
            yield {"location": _with_times(line, times), "names": names}
            names, times = "", {}


def _with_times(location: str, times: Mapping[str, str]) -> str:
    if "start" not in times:
        return location
    stop = times.get("stop")
    return section_source(location, Section(float(times["start"]), float(stop) if stop else None))


def _read_json(body: str) -> Iterator[Row]:
    try:
        whole = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _not_json() from error
    if "playlist" in whole:
        yield from _read_jspf(whole["playlist"])
        return
    if "tracks" not in whole:
        raise _not_json()
    tracks = whole["tracks"]
    if not isinstance(tracks, list) or not all(isinstance(row, dict) for row in tracks):
        raise InputRefused("The file's tracks are not a list of objects: export it again.")
    for row in tracks:
        yield {**row, "model_id": whole.get("model_id")}


def _not_json() -> InputRefused:
    return InputRefused(
        "The file is neither a JSON export of genrec nor a JSPF playlist, or is incomplete: export"
        " it again."
    )


def _read_jspf(playlist: object) -> Iterator[Row]:
    tracks = playlist.get("track") if isinstance(playlist, dict) else None
    if not isinstance(tracks, list) or not all(isinstance(row, dict) for row in tracks):
        raise InputRefused("The playlist's track is not a list of objects: export it again.")
    model_id = _extension(playlist).get("model_id")
    for track in tracks:
        own = _extension(track)
        ids = [each for each in _texts(track.get("identifier")) if MUSICBRAINZ_RECORDING in each]
        row: dict[str, object] = {
            **own,
            "title": track.get("title"),
            "artist": track.get("creator"),
            "album": track.get("album"),
            "page": track.get("info"),
            "location": next(iter(_texts(track.get("location"))), ""),
            "recording_id": next(iter(ids), ""),
            "model_id": model_id,
            "playlist": True,
        }
        yield row


def _extension(of: Any) -> dict[str, Any]:
    """Return genrec's extension of a playlist or track; empty if there is none."""
    extensions = of.get("extension") if isinstance(of, dict) else None
    own = extensions.get(JSPF_EXTENSION) if isinstance(extensions, dict) else None
    if isinstance(own, list):  # JSPF also knows lists of extensions
        own = next(iter(own), None)
    return own if isinstance(own, dict) else {}


def _texts(value: object) -> list[str]:
    """Return the texts of a JSPF field, which may be one text or a list."""
    values = value if isinstance(value, list) else [value]
    return [each for each in values if isinstance(each, str)]


def _unescape_formula(cell: object) -> object:
    if isinstance(cell, str) and cell.startswith("'") and FORMULA.match(cell):
        return cell[1:]
    return cell
