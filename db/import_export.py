"""Export tracks as m3u8, CSV or JSON, and import the CSV and JSON files."""

from __future__ import annotations

import asyncio
import base64
import binascii
import csv
import io
import json
import re
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from db.details import TrackDetails
from db.generations import BATCH, CONTENT_SOURCE, NewTrack
from db.import_rows import FORMULA, read_rows
from db.sections import split_source
from db.tags import clean
from db.tracks import STARTER, Catalogue
from db.vectors import pack_vector, unpack_fingerprint, unpack_vector
from genrec.errors import CatalogueError, InputRefused, ModelMismatch
from genrec.fingerprint import BANDS

Format = Literal["m3u8", "csv", "json"]
Row = dict[str, Any]

_COLUMNS = (
    "model_id", "title", "artist", "genre", "label", "source", "scope", "duration_s",
    "embedding", "fingerprint",
)  # fmt: skip
_NEEDED = frozenset(_COLUMNS) - {"scope"}
# Not in exports of earlier versions.
_DETAILS = ("album", "year", "isrc", "recording_id", "release_id", "artist_id")
_TEXTS = ("title", "artist", "genre", "label")
_MAX_SOURCE = 4096
_MAX_FINGERPRINT_COLUMNS = 4096
_LINE_BREAK = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_NOT_IN_FILE_NAMES = str.maketrans(dict.fromkeys('/\\:*?"<>|', "_"))
_SELECT = (
    "SELECT t.id, g.model_id, e.title, e.artist, e.genre, e.label, t.source, t.scope,"
    " m.duration_s, m.vector, f.print, coalesce(d.album, ''), coalesce(d.year, 0),"
    " coalesce(d.isrc, ''), coalesce(d.recording_id, ''), coalesce(d.release_id, ''),"
    " coalesce(d.artist_id, '') FROM generation AS g"
    " JOIN entry AS e ON e.generation_id = g.id JOIN track AS t ON t.id = e.track_id"
    " JOIN embedding AS m ON m.id = e.embedding_id"
    " LEFT JOIN fingerprint AS f ON f.embedding_id = m.id"
    " LEFT JOIN detail AS d ON d.track_id = t.id"
    " WHERE g.state = 'active' AND g.model_id = ? AND e.gone_at IS NULL"
)


_SOURCE = 1 + _COLUMNS.index("source")  # in a row of _SELECT, which begins with the id


@dataclass(frozen=True, slots=True)
class ImportResult:
    """Result of an import: ids of the tracks, and in ``refused`` a sentence per rejected row."""

    ids: tuple[int, ...]
    refused: tuple[str, ...]


async def export_tracks(
    catalogue: Catalogue,
    model_id: str,
    form: Format,
    *,
    scope: str | None = None,
    ids: Sequence[int] | None = None,
    public_source: Callable[[str], str] | None = None,
    fingerprints: bool = True,
    only: Callable[[str], bool] | None = None,
) -> AsyncGenerator[str]:
    """Yield an export file in pieces: all active tracks, one scope's, or ``ids`` in their order.

    CSV and JSON contain embeddings and fingerprints, and ``import_tracks`` reads them. For a file
    that leaves the operator's hands, ``public_source`` maps each source to a public address or "".
    Tracks for whose source ``only`` returns False are left out.
    """
    write = {"m3u8": _m3u8, "csv": _csv, "json": _json}[form]

    def text(page: list[tuple[Any, ...]], *, first: bool) -> str:
        rows = [
            _row(values, fingerprints=fingerprints)
            for values in page
            if only is None or only(values[_SOURCE])
        ]
        if public_source is not None:
            for row in rows:
                row["source"] = public_source(row["source"])
                if form == "m3u8" and not row["source"]:
                    row["source"] = _file_name(row)  # a player may find it by name
        return write(rows, model_id, first)

    first = True
    pages = _pages(catalogue, model_id, scope) if ids is None else _chosen(catalogue, model_id, ids)
    async for page in pages:
        # In a thread, because a page takes tens of milliseconds, too long for the event loop.
        piece = await asyncio.to_thread(text, page, first=first)
        if piece:
            yield piece
            first = False
    if first:
        yield text([], first=True)
    if form == "json":
        yield "\n]}\n"


async def import_tracks(
    catalogue: Catalogue,
    text: str,
    *,
    scope: str,
    model_id: str,
    dimension: int,
    public_source: Callable[[str], str] | None = None,
) -> ImportResult:
    """Add the tracks of a CSV or JSON export to a scope; return their ids and the rejected rows.

    A track replaces the track of the scope with the same source, or without a source the one with
    the same embedding. So a second import of a file adds nothing. An export of another model raises
    ModelMismatch, and a text that is no export InputRefused. For a file that the operator does not
    know, ``public_source`` maps each source to one that may be stored or "".
    """
    # In a thread, because a large file takes a second.
    tracks, refused = await asyncio.to_thread(_tracks, text, model_id, dimension)
    if public_source is not None:
        tracks = [replace(track, source=public_source(track.source)) for track in tracks]
    tracks = await _with_known_sources(catalogue, scope, model_id, tracks)
    ids: list[int] = []
    for start in range(0, len(tracks), BATCH):
        ids += await catalogue.add(scope, model_id, tracks[start : start + BATCH])
    return ImportResult(tuple(ids), tuple(refused))


def csv_text(head: Sequence[str] | None, rows: Iterable[Iterable[object]]) -> str:
    """Return rows as CSV with formula cells escaped; ``head`` is the header line or None."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if head is not None:
        writer.writerow(head)
    writer.writerows([_escape_formula(str(cell)) for cell in row] for row in rows)
    return text.getvalue()


async def _pages(
    catalogue: Catalogue, model_id: str, scope: str | None
) -> AsyncIterator[list[tuple[Any, ...]]]:
    last = 0
    while rows := await catalogue.db.all(
        f"{_SELECT} AND (?2 IS NULL OR g.scope = ?2) AND e.track_id > ?3"
        " ORDER BY e.track_id LIMIT ?4",
        (model_id, scope, last, BATCH),
    ):
        last = rows[-1][0]
        yield rows


async def _chosen(
    catalogue: Catalogue, model_id: str, ids: Sequence[int]
) -> AsyncIterator[list[tuple[Any, ...]]]:
    for start in range(0, len(ids), BATCH):
        wanted = ids[start : start + BATCH]
        rows = await catalogue.db.all(
            f"{_SELECT} AND e.track_id IN (SELECT value FROM json_each(?2))",
            (model_id, json.dumps(wanted)),
        )
        by_id = {row[0]: row for row in rows}
        if rows:
            yield [by_id[track_id] for track_id in wanted if track_id in by_id]


def _row(values: tuple[Any, ...], *, fingerprints: bool) -> Row:
    row = dict(zip((*_COLUMNS, *_DETAILS), values[1:], strict=True))
    row |= {column: clean(row[column]) for column in (*_TEXTS, "album")}
    if not fingerprints:
        row["fingerprint"] = None
    for column in ("embedding", "fingerprint"):
        row[column] = base64.b64encode(row[column] or b"").decode("ascii")
    return row


def _m3u8(rows: Iterable[Row], _model_id: str, first: bool) -> str:
    lines = ["#EXTM3U\n"] if first else []
    for row in rows:
        source = row["source"]
        # A starter track has no sound file, and the file of an uploaded clip is not stored.
        playable = not source.startswith((f"{STARTER}:", CONTENT_SOURCE))
        if playable and not _LINE_BREAK.search(source):
            seconds = round(row["duration_s"]) or -1
            lines.append(f"#EXTINF:{seconds},{row['artist']} - {row['title']}\n")
            path, section = split_source(source)
            if section is not None:  # as VLC and its like read it
                lines.append(f"#EXTVLCOPT:start-time={section.start_s:g}\n")
                if section.end_s is not None:
                    lines.append(f"#EXTVLCOPT:stop-time={section.end_s:g}\n")
            lines.append(f"{path}\n")
    return "".join(lines)


def _csv(rows: Iterable[Row], _model_id: str, first: bool) -> str:
    return csv_text((*_COLUMNS, *_DETAILS) if first else None, (row.values() for row in rows))


def _json(rows: Iterable[Row], model_id: str, first: bool) -> str:
    lines = ",\n".join(
        json.dumps({key: value for key, value in row.items() if key != "model_id"}) for row in rows
    )
    if first:
        return f'{{"model_id": {json.dumps(model_id)}, "tracks": [\n{lines}'
    return f",\n{lines}"


def _file_name(row: Row) -> str:
    name = f"{row['artist']} - {row['title']}".translate(_NOT_IN_FILE_NAMES).lstrip("#. ")
    return f"{name}.mp3"


def _escape_formula(cell: str) -> str:
    return f"'{cell}" if FORMULA.match(cell) else cell


def _tracks(text: str, model_id: str, dimension: int) -> tuple[list[NewTrack], list[str]]:
    """Return the tracks of an export, and a sentence for each rejected row."""
    tracks: list[NewTrack] = []
    refused: list[str] = []
    for number, row in enumerate(read_rows(text, _NEEDED), start=1):
        if row.get("model_id") != model_id:
            raise ModelMismatch(
                f"The export is of the model {row.get('model_id') or '(none)'}, and this genrec"
                f" uses {model_id}: use the same preset for both."
            )
        try:
            tracks.append(_track(row, dimension))
        except (InputRefused, CatalogueError) as error:
            refused.append(f"Row {number}: {error}")
    return tracks, refused


def _track(row: Mapping[str, object], dimension: int) -> NewTrack:
    """Return the track of an imported row, or raise InputRefused if a field is invalid.

    A content hash in the row is ignored, because it may be forged.
    """
    title, genre = clean(row.get("title")), clean(row.get("genre"))
    if not title:
        raise InputRefused("The track has no title: give it one.")
    vector = unpack_vector(_bytes(row, "embedding"))
    if vector.shape != (dimension,):
        raise InputRefused(
            f"The embedding has {len(vector)} numbers instead of {dimension}: export it again."
        )
    pack_vector(vector)  # raises unless its length is 1
    return NewTrack(
        title=title,
        artist=clean(row.get("artist")),
        genre=genre,
        label=clean(row.get("label")) or genre,
        source=clean(row.get("source"), _MAX_SOURCE),
        embedding=vector,
        fingerprint=_fingerprint(_bytes(row, "fingerprint")),
        duration_s=_seconds(row.get("duration_s")),
        details=_details(row),
    )


def _details(row: Mapping[str, object]) -> TrackDetails | None:
    """Return the details of a row; None for an export that has none."""
    if not any(name in row for name in _DETAILS):
        return None
    return TrackDetails.of({name: clean(str(row.get(name) or "")) for name in _DETAILS})


def _fingerprint(blob: bytes) -> NDArray[np.int8] | None:
    if not blob:
        return None
    fingerprint = unpack_fingerprint(blob)
    bands, columns = fingerprint.shape
    if bands != BANDS - 1 or not 1 <= columns <= _MAX_FINGERPRINT_COLUMNS:
        raise InputRefused(
            f"The fingerprint has {bands} bands and {columns} columns instead of {BANDS - 1} and"
            f" 1..{_MAX_FINGERPRINT_COLUMNS}: export it again."
        )
    return fingerprint


def _bytes(row: Mapping[str, object], column: str) -> bytes:
    value = row.get(column)
    try:
        return base64.b64decode(value if isinstance(value, str) else "", validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputRefused(f"The {column} is not base64: export it again.") from error


def _seconds(value: object) -> float:
    try:
        seconds = float(str(value).replace(",", "."))  # spreadsheets of some countries
    except ValueError:
        return 0.0
    return seconds if 0.0 <= seconds < float("inf") else 0.0


async def _with_known_sources(
    catalogue: Catalogue, scope: str, model_id: str, tracks: list[NewTrack]
) -> list[NewTrack]:
    """Return the tracks; those without a source get the one of an equal track of the scope.

    Tracks are equal if their embeddings are.
    """
    wanted = [pack_vector(track.embedding).hex().upper() for track in tracks if not track.source]
    if not wanted:
        return tracks
    rows = await catalogue.db.all(
        "SELECT m.vector, t.source, m.content FROM generation AS g"
        " JOIN entry AS e ON e.generation_id = g.id JOIN track AS t ON t.id = e.track_id"
        " JOIN embedding AS m ON m.id = e.embedding_id"
        " WHERE g.state = 'active' AND g.scope = ? AND g.model_id = ?"
        " AND hex(m.vector) IN (SELECT value FROM json_each(?))",
        (scope, model_id, json.dumps(wanted)),
    )
    known = {vector: (source, content) for vector, source, content in rows}
    result = []
    for track in tracks:
        if not track.source:
            source, content = known.get(pack_vector(track.embedding), ("", ""))
            track = replace(track, source=source, content=content)  # noqa: PLW2901
        result.append(track)
    return result
