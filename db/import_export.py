"""Export tracks as a list of any format, and import the lists again."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from db.details import TrackDetails
from db.generations import BATCH, CONTENT_SOURCE, NewTrack
from db.import_rows import read_rows
from db.list_writers import ANALYSIS, COLUMNS, DETAILS, LOCATION, WRITERS, Format, Row, end
from db.listed_tracks import Places, describe, find_listed
from db.music_columns import MUSIC, music_cells, music_of
from db.sections import fragment, path_below, split_source
from db.tagging.genre_names import genre_key
from db.tags import clean
from db.tracks import STARTER, Catalogue
from db.vectors import pack_vector, unpack_fingerprint, unpack_vector
from genrec.errors import CatalogueError, ClipTooLarge, InputRefused, ModelMismatch
from genrec.fingerprint import BANDS

LIST_COLUMNS = frozenset(COLUMNS) - {"scope", "tagged"} - set(DETAILS) - set(MUSIC)
_TEXTS = ("title", "artist", "genre", "label")
_MAX_SOURCE = 4096
# Rows of one list that only name a track: each is looked up in four ways.
MAX_LISTED = 20_000
_MAX_FINGERPRINT_COLUMNS = 4096
_SELECT = (
    "SELECT t.id, g.model_id, e.title, e.artist, e.genre, e.label, t.source, t.scope,"
    " m.duration_s, m.vector, f.print, coalesce(d.album, ''), coalesce(d.year, 0),"
    " coalesce(d.isrc, ''), coalesce(d.recording_id, ''), coalesce(d.release_id, ''),"
    " coalesce(d.artist_id, ''), coalesce(d.page, ''), e.tagged, m.description"
    " FROM generation AS g"
    " JOIN entry AS e ON e.generation_id = g.id JOIN track AS t ON t.id = e.track_id"
    " JOIN embedding AS m ON m.id = e.embedding_id"
    " LEFT JOIN fingerprint AS f ON f.embedding_id = m.id"
    " LEFT JOIN detail AS d ON d.track_id = t.id"
    " WHERE g.state = 'active' AND g.model_id = ? AND e.gone_at IS NULL"
)


Numbered = tuple[int, Mapping[str, object]]
"""Number of a row, from 1, and the row."""

_SOURCE = 1 + COLUMNS.index("source")  # in a row of _SELECT, which begins with the id


@dataclass(frozen=True, slots=True)
class ImportResult:
    """Result of an import: ids of the tracks, and a sentence for each row that gave none.

    Rows in ``refused`` cannot be read. Those in ``unknown`` name a track that no scope has.
    """

    ids: tuple[int, ...]
    refused: tuple[str, ...]
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadList:
    """Rows of a list: tracks with an embedding, rows that name a track, and rejected rows."""

    tracks: list[NewTrack]
    listed: list[Numbered]
    refused: list[str]


async def export_tracks(
    catalogue: Catalogue,
    model_id: str,
    form: Format,
    *,
    scope: str | None = None,
    ids: Sequence[int] | None = None,
    public_source: Callable[[str], str] | None = None,
    fingerprints: bool = True,
    analyses: bool = True,
    only: Callable[[str], bool] | None = None,
    root: Path | None = None,
) -> AsyncGenerator[str]:
    """Yield an export file in pieces: all active tracks, one scope's, or ``ids`` in their order.

    CSV, JSON and JSPF contain embeddings and fingerprints, without ``analyses`` only names and
    details. ``import_tracks`` reads every format.
    For a file that leaves the operator's hands, ``public_source`` maps each source to a public
    address or "". Tracks for whose source ``only`` returns False are left out. The paths of m3u8
    and JSPF are relative to ``root``, for files below it.
    """
    write = WRITERS[form]

    def text(page: list[tuple[Any, ...]], *, first: bool) -> str:
        rows = [
            _row(values, fingerprints=fingerprints)
            for values in page
            if only is None or only(values[_SOURCE])
        ]
        for row in rows:
            if not analyses:
                for column in ANALYSIS:
                    del row[column]
            row[LOCATION] = _location(row["source"], root, public_source)
            if public_source is not None:
                row["source"] = public_source(row["source"])
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
    if closing := end(form):
        yield closing


async def import_tracks(
    catalogue: Catalogue,
    text: str,
    *,
    scope: str,
    model_id: str,
    dimension: int,
    public_source: Callable[[str], str] | None = None,
    suffix: str = "",
    places: Places | None = None,
) -> ImportResult:
    """Add the tracks of a list to a scope; return their ids and the rejected rows.

    A track replaces the track of the scope with the same source, or without a source the one with
    the same embedding. So a second import of a file adds nothing. A row without an embedding names
    a track: it is copied from one of the scopes in ``places``, by default this scope. ``suffix`` is
    that of the file's name.

    An export of another model raises ModelMismatch, and a text that is no list InputRefused. For a
    file that the operator does not know, ``public_source`` maps each source to one that may be
    stored or "".
    """
    # In a thread, because a large file takes a second.
    read = await asyncio.to_thread(_tracks, text, model_id, dimension, suffix)
    places = places or Places(scopes=(scope,))
    copies, known, unknown = await _listed(catalogue, model_id, scope, places, read.listed)
    tracks = read.tracks + [_track(row, dimension) for row in copies]
    if public_source is not None:
        tracks = [replace(track, source=public_source(track.source)) for track in tracks]
    tracks = await _with_known_sources(catalogue, scope, model_id, tracks)
    ids: list[int] = []
    for start in range(0, len(tracks), BATCH):
        ids += await catalogue.add(scope, model_id, tracks[start : start + BATCH])
    return ImportResult((*ids, *known), tuple(read.refused), tuple(unknown))


async def _listed(
    catalogue: Catalogue, model_id: str, scope: str, places: Places, rows: Sequence[Numbered]
) -> tuple[list[Row], list[int], list[str]]:
    """Return the rows of tracks to copy, the ids of those in the scope, and unknown rows."""
    if not rows:
        return [], [], []
    if len(rows) > MAX_LISTED:
        raise ClipTooLarge(
            f"The list names {len(rows):,} tracks and genrec looks up at most {MAX_LISTED:,} at a"
            " time: split the list."
        )
    listed = [row for _, row in rows]
    async with catalogue.db.snapshot() as session:
        found = await find_listed(session, model_id, places, listed)
    unknown = [
        f"Row {number}: no track is known as {describe(row)!r}: index its file, or add it."
        for (number, row), track_id in zip(rows, found, strict=True)
        if track_id is None
    ]
    copies: list[Row] = []
    known: list[int] = []
    async for page in _chosen(catalogue, model_id, list(dict.fromkeys(filter(None, found)))):
        for values in page:
            row = _row(values, fingerprints=True)
            if row["scope"] == scope:
                known.append(values[0])
            else:
                copies.append(row)
    return copies, known, unknown


async def _pages(
    catalogue: Catalogue, model_id: str, scope: str | None
) -> AsyncIterator[list[tuple[Any, ...]]]:
    last = 0
    while rows := await catalogue.db.all(
        f"{_SELECT} AND (CAST(?2 AS text) IS NULL OR g.scope = ?2) AND e.track_id > ?3"
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
            f"{_SELECT} AND e.track_id IN (SELECT CAST(value AS bigint) FROM json_each(?2))",
            (model_id, json.dumps(wanted)),
        )
        by_id = {row[0]: row for row in rows}
        if rows:
            yield [by_id[track_id] for track_id in wanted if track_id in by_id]


def _row(values: tuple[Any, ...], *, fingerprints: bool) -> Row:
    stored = (name for name in COLUMNS if name not in MUSIC)
    row = dict(zip(stored, values[1:-1], strict=True)) | music_cells(values[-1])
    row |= {column: clean(row[column]) for column in (*_TEXTS, "album")}
    if not fingerprints:
        row["fingerprint"] = None
    for column in ("embedding", "fingerprint"):
        row[column] = base64.b64encode(row[column] or b"").decode("ascii")
    return row


def _location(source: str, root: Path | None, public_source: Callable[[str], str] | None) -> str:
    """Return the path or address of a track for a playlist; "" if it has none.

    A starter track has no sound file, and the file of an uploaded clip is not stored.
    """
    if source.startswith((f"{STARTER}:", CONTENT_SOURCE)):
        return ""
    if root is not None and (below := path_below(source, root)):
        section = split_source(source)[1]
        return below + (fragment(section) if section else "")
    return source if public_source is None else public_source(source)


def _tracks(text: str, model_id: str, dimension: int, suffix: str) -> ReadList:
    """Return the tracks of a list, the rows that only name a track, and the rejected rows."""
    read = ReadList([], [], [])
    for number, row in enumerate(read_rows(text, LIST_COLUMNS, suffix=suffix), start=1):
        same_model = row.get("model_id") == model_id
        if "embedding" not in row or (row.get("playlist") and not same_model):
            read.listed.append((number, row))
            continue
        if not same_model:
            raise ModelMismatch(
                f"The export is of the model {row.get('model_id') or '(none)'}, and this genrec"
                f" uses {model_id}: use the same preset for both."
            )
        try:
            read.tracks.append(_track(row, dimension))
        except (InputRefused, CatalogueError) as error:
            read.refused.append(f"Row {number}: {error}")
    return read


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
        label=(label := clean(row.get("label")) or genre),
        tagged=_is_tagged(row, genre, label),
        source=clean(row.get("source"), _MAX_SOURCE),
        embedding=vector,
        fingerprint=_fingerprint(_bytes(row, "fingerprint")),
        duration_s=_seconds(row.get("duration_s")),
        details=_details(row),
        description=music_of(row),
    )


def _is_tagged(row: Mapping[str, object], genre: str, label: str) -> bool:
    """Return whether the genre of a row is from a tag; in older exports, if that is certain."""
    if "tagged" in row:
        return bool(genre) and str(row["tagged"]).strip() in ("1", "True", "true")
    return genre_key(genre) != genre_key(label)


def _details(row: Mapping[str, object]) -> TrackDetails | None:
    """Return the details of a row; None for an export that has none."""
    if not any(name in row for name in DETAILS):
        return None
    return TrackDetails.of({name: clean(str(row.get(name) or "")) for name in DETAILS})


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
