"""Own tracks for the tests of the HTTP interface."""

from __future__ import annotations

from pathlib import Path

from db.connection import open_db
from db.generations import NewTrack
from db.tracks import Catalogue
from genrec.preset import Preset
from tests.bot.end_to_end.fakes import unit


async def add_tracks(database: Path, preset: Path, scope: str, *titles: str) -> None:
    """Add tracks with files to a scope."""
    model_id = Preset.load(preset).model_id
    async with open_db(database) as db:
        await Catalogue(db).add(
            scope,
            model_id,
            [
                NewTrack(
                    title=title,
                    artist=f"Own {number}",
                    genre="jazz",
                    embedding=unit(900 + number, near=1),
                    source=f"/music/{number}.mp3",
                )
                for number, title in enumerate(titles)
            ],
        )
