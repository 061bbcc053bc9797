"""Find the tracks that a list names, so that a question can begin with them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import PurePosixPath

from db.import_export import MAX_LISTED
from db.import_rows import read_rows
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

    ``places`` says which paths are looked up, by default none: web addresses, ids and names count.

    Raises
    ------
    InputRefused
        The text is no list.
    ClipTooLarge
        The list names more than 20,000 tracks.
    """
    suffix = PurePosixPath(filename).suffix
    # In a thread, because a large file takes a second.
    rows = await asyncio.to_thread(lambda: list(read_rows(text, (), suffix=suffix)))
    if len(rows) > MAX_LISTED:
        raise ClipTooLarge(
            f"The list names {len(rows):,} tracks and genrec looks up at most {MAX_LISTED:,} at a"
            " time: split the list."
        )
    async with catalogue.db.snapshot() as session:
        found = await find_listed(session, model_id, places or Places(scopes=scopes), rows)
    unknown = [describe(row) for row, track_id in zip(rows, found, strict=True) if not track_id]
    tracks = await catalogue.tracks(model_id, list(dict.fromkeys(filter(None, found))))
    return list(tracks.values()), unknown
