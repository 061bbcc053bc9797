"""Test of the migration that counts, indexes and checks the tracks of an older database."""

from __future__ import annotations

from pathlib import Path

import aiosqlite

from db.connection import open_db
from db.ingest.run import IngestJob, ingest
from db.migrate import load_migrations, migrate
from db.tracks import Catalogue
from genrec.names import fold
from tests.db.fakes import DIMENSION, MODEL, FakeAnalyzer, fill, unit

_BEFORE = next(m.version for m in load_migrations() if m.name.endswith("_counts")) - 1


async def _old_database(path: Path, names: list[tuple[str, str]]) -> None:
    """Write a database of the schema before, with an interrupted run and two unused rows."""
    async with aiosqlite.connect(path, isolation_level=None) as connection:
        await migrate(connection, load_migrations()[:_BEFORE])
        await connection.execute_fetchall(
            "INSERT INTO generation (scope, model_id, dimension, state, tracks) VALUES"
            " ('library', ?1, ?2, 'active', ?3), ('library', ?1, ?2, 'building', 0)",
            (MODEL, DIMENSION, len(names)),
        )
        for number, (artist, title) in enumerate([*names, ("New", "One"), ("Unused", "One")], 1):
            await connection.execute_fetchall(
                "INSERT INTO track (scope, source) VALUES ('library', ?)", (f"/gone/{number}.mp3",)
            )
            await connection.execute_fetchall(
                "INSERT INTO embedding (content, model_id, vector, heard, duration_s)"
                " VALUES (?, ?, ?, 'rock', 30)",
                (str(number), MODEL, unit(number).tobytes()),
            )
            if artist != "Unused":
                await connection.execute_fetchall(
                    "INSERT INTO entry (generation_id, track_id, embedding_id, title, artist,"
                    " genre, label, folded) VALUES (?, ?, ?, ?, ?, 'rock', 'rock', ?)",
                    (
                        2 if artist == "New" else 1, number, number, title, artist,
                        fold(f"{artist} {title}"),
                    ),
                )  # fmt: skip


async def test_tracks_of_an_older_database_are_counted_and_found(tmp_path: Path) -> None:
    names = [
        ("The Band", "One"),
        ("band", "Two"),
        ("周杰伦", "青花瓷"),
        ("Unknown artist", "Three"),
    ]
    await _old_database(tmp_path / "a.db", names)
    async with open_db(tmp_path / "a.db") as db:
        catalogue = Catalogue(db)
        stats = await catalogue.stats(MODEL)
        assert (stats.tracks, stats.artists, stats.by_genre) == (4, 2, {"rock": 4})
        assert len((await catalogue.load(MODEL)).ids) == 4
        assert [t.title for t in await catalogue.browse(MODEL, text="杰伦")] == ["青花瓷"]
        assert await catalogue.count(MODEL, text="one") == 1
        assert await db.all("SELECT tracks FROM generation ORDER BY id") == [(4,), (1,)]
        fill(tmp_path / "music", 3)
        job = IngestJob(folder=tmp_path / "music", model_id=MODEL, dimension=DIMENSION)
        assert (await ingest(db, FakeAnalyzer(), job)).tracks == 3
        stats = await catalogue.stats(MODEL)
        assert (stats.tracks, stats.artists) == (3, 3)
        # The interrupted run's track and the unused one are gone; the hidden ones stay for a while.
        assert await db.number("SELECT count(*) FROM track") == 4 + 3
        assert await db.number("SELECT count(*) FROM embedding") == 4 + 3
        assert await db.number("SELECT count(*) FROM maybe_unused") == 0
