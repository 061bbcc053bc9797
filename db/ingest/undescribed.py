"""Find the tracks without a music description, for an indexing run that measures them."""

from __future__ import annotations

from dataclasses import replace

from db.connection import Database
from db.generations import Generation
from db.ingest.plan import IndexedTrack


async def mark_undescribed(
    db: Database, generation: Generation | None, tracks: dict[str, IndexedTrack]
) -> None:
    """Mark a generation's tracks without a description, so that the plan analyses them again."""
    if generation is None:
        return
    rows = await db.all(
        "SELECT e.track_id FROM entry AS e JOIN embedding AS m ON m.id = e.embedding_id"
        " WHERE e.generation_id = ? AND m.description IS NULL",
        (generation.id,),
    )
    undescribed = {track_id for (track_id,) in rows}
    for path, track in tracks.items():
        if track.track_id in undescribed:
            tracks[path] = replace(track, damaged=True)
