"""A database with rows in every table, also with values that a copy might change."""

from __future__ import annotations

from typing import Any

from db.analyses import AnalysisCache
from db.connection import Database
from db.details import TrackDetails
from db.not_again import ListOwner, add_artist, add_song
from db.taught_genres import TaughtClip, teach
from db.tracks import Catalogue
from tests.db.fakes import MODEL, fake_analysis, new_track, unit

ODD = "Ænima \t\\N\n'\"; ☃ 🎷 日本語"
SNOWFLAKE = 2**63 - 1

# Rows of the tables that no function below fills, as a bot writes them over months.
_ROWS: dict[str, tuple[dict[str, Any], ...]] = {
    "failure": (
        {
            "scope": "library", "model_id": MODEL, "path": f"/music/{ODD}.mp3", "size": 2**40,
            "mtime_ns": 1_700_000_000_123_456_789, "code": "not_audio", "reason": ODD,
        },
    ),
    "folder": ({"scope": "library", "path": f"/music/{ODD}", "indexed_at": 1.7e9 + 0.1},),
    "guild": (
        {"guild_id": SNOWFLAKE, "default_count": 5, "private": 1, "allowed_role": None},
        {"guild_id": 7, "default_count": 3, "private": 0, "allowed_role": 9, "compact": 1},
    ),
    "upload_channel": ({"channel_id": 8, "guild_id": 7},),
    "feedback": (
        {"message_id": 1, "user_id": 2, "guild_id": None, "model_id": MODEL, "verdict": -1},
    ),
    "track_vote": (
        {
            "message_id": 1, "user_id": 2, "track_id": 1, "guild_id": 7, "model_id": MODEL,
            "verdict": 1, "shared": 5, "rank": 2, "reasons": "tempo key", "cast_at": 1.7e9 + 1 / 3,
        },
    ),
    "taste": ({"user_id": 2},),
    "taste_shown": ({"user_id": 2, "track_id": 1, "shown_at": 1.7e9},),
    "job": (
        {
            "run_id": "a", "kind": "recommend", "user_id": 2, "guild_id": 7, "channel_id": 8,
            "message_id": None, "application_id": 9, "token": "aW50ZXJhY3Rpb24=",
            "created_at": 1.7e9, "upload_id": None,
        },
    ),
    "kept_value": ({"name": "commands", "value": ODD},),
}  # fmt: skip


async def fill_every_table(db: Database, tracks: int = 40) -> None:
    """Write rows into every table, and delete some, so that sequences are ahead of the rows."""
    catalogue = Catalogue(db)
    details = TrackDetails(album=ODD, year=1999)
    added = await catalogue.add(
        "library",
        MODEL,
        [new_track(seed, title=f"{ODD} {seed}", details=details) for seed in range(tracks)],
    )
    await catalogue.add("guild:7", MODEL, [new_track(seed) for seed in range(100, 105)])
    await catalogue.remove("library", added[-3:])
    await AnalysisCache(db).put("ab" * 32, fake_analysis(b"clip"))
    await teach(db, "guild:7", MODEL, ODD, [TaughtClip("cd" * 32, unit(3), added_by=2)])
    await add_song(db, ListOwner("user", 2), added[0], ODD)
    await add_artist(db, ListOwner("guild", 7), "Artist 3")
    async with db.transaction() as tx:
        for table, rows in _ROWS.items():
            for row in rows:
                await tx.copy(table, tuple(row), [tuple(row.values())])
        # Pending replies that were sent: their ids are never given again.
        await tx.run("DELETE FROM maybe_unused WHERE id = (SELECT max(id) FROM maybe_unused)")
