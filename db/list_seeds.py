"""Find the tracks that a list names, so that a question can begin with them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import PurePosixPath

from db.import_export import LIST_COLUMNS, MAX_LISTED
from db.import_rows import Row, read_rows
from db.listed_tracks import Places, describe, find_listed
from db.tracks import Catalogue
from genrec.errors import ClipTooLarge
from genrec.types import Track


async def tracks_of_list(
    catalogue: Catalogue,
    model_id: str,
    text: str,
    filename: str,
    scopes: Sequence[str],
    *,
    places: Places | None = None,
) -> tuple[list[Track], list[str]]:
    """Return the tracks of the scopes that a list names, each once, and the names of the others.

    The tracks are in the order of the list. Of a list that genrec exported, only the names, ids
    and places count, not the embeddings. ``places`` says which paths are looked up, by default
    none: web addresses, ids and names count.

    Raises
    ------
    InputRefused
        The text is no list.
    ClipTooLarge
        The list names more than 20,000 tracks.
    """
    suffix = PurePosixPath(filename).suffix
    # In a thread, because a large file takes a second.
    rows = await asyncio.to_thread(_rows, text, suffix)
    async with catalogue.db.snapshot() as session:
        found = await find_listed(session, model_id, places or Places(scopes=scopes), rows)
    ids = list(dict.fromkeys(track_id for track_id in found if track_id))
    tracks = await catalogue.tracks(model_id, ids)
    unknown = [
        describe(row) for row, track_id in zip(rows, found, strict=True) if track_id not in tracks
    ]
    return [tracks[track_id] for track_id in ids if track_id in tracks], unknown


def _rows(text: str, suffix: str) -> list[Row]:
    rows: list[Row] = []
    for row in read_rows(text, LIST_COLUMNS, suffix=suffix):
        if len(rows) == MAX_LISTED:
            raise ClipTooLarge(
                f"The list names more than {MAX_LISTED:,} tracks, the most that genrec looks up at"
                " a time: split the list."
            )
        # An export of genrec has the place of a track as its source.
        rows.append({"location": row.get("source"), **row} if row.get("source") else row)
    return rows
