"""Tracks out of the catalogue and into it: playlists, tables, and files another genrec reads."""

from __future__ import annotations

import base64
import binascii
import csv
import io
import json
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from db.generations import BATCH, NewTrack
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
_LONGEST_SOURCE = 4096
_MOST_COLUMNS = 4096
# Spreadsheets run cells that start like this; the apostrophe makes them text.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import did: the tracks' ids, and a sentence for each row that was left out."""

    ids: tuple[int, ...]
    refused: tuple[str, ...]


async def export_tracks(
    catalogue: Catalogue, model_id: str, form: Format, scope: str | None = None
) -> AsyncIterator[str]:
    """Write served tracks out, piece by piece: all of them, or one scope's.

    CSV and JSON carry embeddings and fingerprints, and ``import_tracks`` reads them.
    """
    write = {"m3u8": _m3u8, "csv": _csv, "json": _json}[form]
    first = True
    async for rows in _pages(catalogue, model_id, scope):
        yield write(rows, model_id, first)
        first = False
    if first:
        yield write([], model_id, first)
    if form == "json":
        yield "\n]}\n"


async def import_tracks(
    catalogue: Catalogue, text: str, *, scope: str, model_id: str, dimension: int
) -> ImportResult:
    """Add the tracks of a CSV or JSON export to a scope; refuse one of another model."""
    tracks: list[NewTrack] = []
    refused: list[str] = []
    for number, row in enumerate(_read(text), start=1):
        if row.get("model_id") != model_id:
            raise ModelMismatch(
                f"The export was made by the model {row.get('model_id') or 'of no name'} and this"
                f" is {model_id}: export it again with this model."
            )
        try:
            tracks.append(_track(row, dimension))
        except (InputRefused, CatalogueError) as error:
            refused.append(f"Row {number}: {error}")
    ids: list[int] = []
    for start in range(0, len(tracks), BATCH):
        ids += await catalogue.add(scope, model_id, tracks[start : start + BATCH])
    return ImportResult(tuple(ids), tuple(refused))


async def _pages(
    catalogue: Catalogue, model_id: str, scope: str | None
) -> AsyncIterator[list[Row]]:
    last = 0
    while True:
        rows = await catalogue.db.all(
            "SELECT t.id, g.model_id, e.title, e.artist, e.genre, e.label, t.source, t.scope,"
            " m.duration_s, m.vector, f.print FROM generation AS g"
            " JOIN entry AS e ON e.generation_id = g.id JOIN track AS t ON t.id = e.track_id"
            " JOIN embedding AS m ON m.id = e.embedding_id"
            " LEFT JOIN fingerprint AS f ON f.embedding_id = m.id"
            " WHERE g.state = 'active' AND g.model_id = ?1 AND (?2 IS NULL OR g.scope = ?2)"
            " AND e.track_id > ?3 ORDER BY e.track_id LIMIT ?4",
            (model_id, scope, last, BATCH),
        )
        if not rows:
            return
        last = rows[-1][0]
        yield [_row(values) for _, *values in rows]


def _row(values: list[Any]) -> Row:
    row = dict(zip(_COLUMNS, values, strict=True))
    for column in ("embedding", "fingerprint"):
        row[column] = base64.b64encode(row[column] or b"").decode("ascii")
    return row


def _m3u8(rows: Iterable[Row], _model_id: str, first: bool) -> str:
    lines = ["#EXTM3U\n"] if first else []
    for row in rows:
        # A starter track is a name without sound, and an uploaded clip is not kept.
        if not row["source"].startswith((f"{STARTER}:", "sha256:")):
            seconds = round(row["duration_s"]) or -1
            lines.append(f"#EXTINF:{seconds},{row['artist']} - {row['title']}\n{row['source']}\n")
    return "".join(lines)


def _csv(rows: Iterable[Row], _model_id: str, first: bool) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    if first:
        writer.writeheader()
    for row in rows:
        writer.writerow({column: _guard(str(value)) for column, value in row.items()})
    return text.getvalue()


def _json(rows: Iterable[Row], model_id: str, first: bool) -> str:
    lines = ",\n".join(
        json.dumps({key: value for key, value in row.items() if key != "model_id"}) for row in rows
    )
    if first:
        return f'{{"model_id": {json.dumps(model_id)}, "tracks": [\n{lines}'
    return f",\n{lines}"


def _guard(cell: str) -> str:
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _unguard(cell: object) -> object:
    if isinstance(cell, str) and cell.startswith("'") and _FORMULA.match(cell):
        return cell[1:]
    return cell


def _read(text: str) -> Iterator[Mapping[str, object]]:
    body = text.lstrip("\ufeff \t\r\n")
    if body.startswith("{"):
        yield from _read_json(body)
        return
    try:
        reader = csv.DictReader(io.StringIO(body, newline=""), strict=True)
        missing = set(_COLUMNS) - {"scope"} - set(reader.fieldnames or ())
        if missing:
            raise InputRefused(
                f"The table lacks the columns {', '.join(sorted(missing))}: import a CSV or JSON"
                " file that genrec exported."
            )
        for row in reader:
            yield {column: _unguard(cell) for column, cell in row.items()}
    except csv.Error as error:
        raise InputRefused(f"The table cannot be read ({error}): export it again.") from error


def _read_json(body: str) -> Iterator[Mapping[str, object]]:
    try:
        whole = json.loads(body)
        tracks = whole["tracks"]
    except (ValueError, KeyError, RecursionError) as error:
        raise InputRefused(
            "The file is not a JSON export of genrec, or is cut off: export it again."
        ) from error
    if not isinstance(tracks, list) or not all(isinstance(row, dict) for row in tracks):
        raise InputRefused("The file's tracks are not a list of objects: export it again.")
    for row in tracks:
        yield {**row, "model_id": whole.get("model_id")}


def _track(row: Mapping[str, object], dimension: int) -> NewTrack:
    """Check a row as what it is: a stranger's. Its content hash is our own, never the file's."""
    title, genre = clean(row.get("title")), clean(row.get("genre"))
    if not title:
        raise InputRefused("The track has no title: give it one.")
    vector = unpack_vector(_bytes(row.get("embedding")))
    if vector.shape != (dimension,):
        raise InputRefused(
            f"The embedding has {len(vector)} numbers instead of {dimension}: export it again."
        )
    pack_vector(vector)  # refuses what no cosine can be taken of
    return NewTrack(
        title=title,
        artist=clean(row.get("artist")),
        genre=genre,
        label=clean(row.get("label")) or genre,
        source=clean(row.get("source"), _LONGEST_SOURCE),
        embedding=vector,
        fingerprint=_fingerprint(_bytes(row.get("fingerprint"))),
        duration_s=_seconds(row.get("duration_s")),
    )


def _fingerprint(printed: bytes) -> NDArray[np.int8] | None:
    if not printed:
        return None
    fingerprint = unpack_fingerprint(printed)
    bands, columns = fingerprint.shape
    if bands != BANDS - 1 or not 1 <= columns <= _MOST_COLUMNS:
        raise InputRefused(
            f"The fingerprint has {bands} bands and {columns} columns, which no analysis makes:"
            " export it again."
        )
    return fingerprint


def _bytes(value: object) -> bytes:
    try:
        return base64.b64decode(value if isinstance(value, str) else "", validate=True)
    except binascii.Error as error:
        raise InputRefused("The embedding or fingerprint is garbled: export it again.") from error


def _seconds(value: object) -> float:
    try:
        seconds = float(str(value))
    except ValueError:
        return 0.0
    return seconds if 0.0 <= seconds < float("inf") else 0.0
