"""Test that counters, full-text index and index in memory agree with the tracks."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from db import folders, generations
from db.connection import Database
from db.index.live import LiveIndex
from db.ingest.run import IngestJob, ingest
from db.tracks import Catalogue
from genrec.errors import InputRefused
from genrec.names import artist_key
from tests.db.fakes import DIMENSION, MODEL, FakeAnalyzer, content, fill, new_track

OTHER_MODEL = "fake@000000000002"
SCOPES = ("library", "guild:1", "guild:2")


async def _check(db: Database) -> None:
    await generations.sweep(db)
    rows = await db.all(
        "SELECT g.id, g.state, g.model_id, e.track_id, e.label, e.artist, e.gone_at IS NULL"
        " FROM generation AS g JOIN entry AS e ON e.generation_id = g.id"
    )
    served = [row for row in rows if row[6]]
    counts = dict(await db.all("SELECT id, tracks FROM generation"))
    assert Counter(row[0] for row in served) == +Counter(counts)
    active = [row for row in served if row[1] == "active"]
    for model_id in (MODEL, OTHER_MODEL):
        mine = [row for row in active if row[2] == model_id]
        stats = await Catalogue(db).stats(model_id)
        assert stats.tracks == len(mine)
        assert stats.by_genre == Counter(row[4] for row in mine)
        assert stats.artists == len({artist_key(row[5]) for row in mine} - {""})
        await Catalogue(db).load(model_id)
    column = {"sqlite": "rowid", "postgres": "generation_id << 40 | track_id"}[db.engine]
    words = await db.all(f"SELECT {column} FROM entry_words")
    assert sorted(words) == sorted((row[0] << 40 | row[3],) for row in rows)
    for table in ("track", "embedding"):
        unused = f"SELECT count(*) FROM {table} WHERE id NOT IN (SELECT {table}_id FROM entry)"
        assert await db.number(unused) == 0


class _Changes:
    """Random changes of a catalogue and of the folders it was indexed from."""

    def __init__(self, db: Database, top: Path, seed: int) -> None:
        self.db = db
        self.catalogue = Catalogue(db)
        self.chance = random.Random(seed)
        self.places = [top / "a", top / "b"]
        for number, place in enumerate(self.places):
            fill(place, 8, start=100 * number)

    async def step(self) -> None:
        """Make one change; folders are indexed most often."""
        index, files = self.index, self.change_files
        changes = (index, index, index, files, files, self.add, self.add, self.remove, self.move,
                   self.forget, self.remove_scope, self.delete_models)  # fmt: skip
        await self.chance.choice(changes)()

    async def index(self) -> None:
        job = IngestJob(
            folder=self.chance.choice(self.places), model_id=MODEL, dimension=DIMENSION,
            allow_empty=self.chance.random() < 0.2,
        )  # fmt: skip
        await ingest(self.db, FakeAnalyzer(), job)

    async def add(self) -> None:
        names = ("", "The Band", "band", "Artist 1", "Artist 2")
        tracks = [
            new_track(number, artist=self.chance.choice(names))
            for number in self.chance.sample(range(12), 3)
        ]
        model_id = self.chance.choice([MODEL, OTHER_MODEL])
        await self.catalogue.add(self.chance.choice(SCOPES), model_id, tracks)

    async def remove(self) -> None:
        found = await self.catalogue.browse(MODEL, limit=50)
        for track in self.chance.sample(found, min(2, len(found))):
            await self.catalogue.remove(track.scope, [track.id])

    async def remove_scope(self) -> None:
        await self.catalogue.remove_scope(self.chance.choice(SCOPES))

    async def delete_models(self) -> None:
        await self.catalogue.delete_models([OTHER_MODEL])

    async def forget(self) -> None:
        place = str(self.chance.choice(self.places))
        if await folders.has_tracks(self.db, "library", place):
            await folders.forget_folder(self.db, "library", place)

    async def move(self) -> None:
        old = self.chance.choice(self.places)
        new = old.with_name(f"moved {self.chance.random()}")
        old.rename(new)
        self.places[self.places.index(old)] = new
        known = await folders.has_tracks(self.db, "library", str(old))
        if known and self.chance.random() < 0.5:
            await folders.move_folder(self.db, "library", str(old), str(new))

    async def change_files(self) -> None:
        files = sorted(self.chance.choice(self.places).iterdir())
        for path in self.chance.sample(files, min(2, len(files))):
            if self.chance.random() < 0.5:
                path.unlink()
            else:
                name = f"Renamed {self.chance.random()} - Song.mp3"
                path.rename(self.chance.choice(self.places) / name)
        fill(self.chance.choice(self.places), 2, start=self.chance.randrange(200, 900))


@pytest.mark.parametrize("seed", range(3))
async def test_counters_agree_with_the_tracks_after_any_changes(
    db: Database, tmp_path: Path, seed: int
) -> None:
    changes, index = _Changes(db, tmp_path, seed), LiveIndex(db, MODEL)
    for _ in range(40):
        # Refused: an empty folder, or a move to a folder without the files.
        with suppress(InputRefused):
            await changes.step()
        await _check(db)
        assert content(await index.rows()) == content(await Catalogue(db).load(MODEL))
