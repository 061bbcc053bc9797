"""Tests of the starter scope: it is replaced as a whole, and only by another catalogue."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from db.connection import Database
from db.details import TrackDetails
from db.starter_scope import replace_starter
from db.tracks import Catalogue
from genrec.errors import CatalogueError
from genrec.preset import StarterCatalogue
from tests.db.fakes import MODEL, description, fingerprint, new_track, unit


def _starter(count: int, offset: int = 0) -> StarterCatalogue:
    seeds = range(offset, offset + count)
    return StarterCatalogue(
        names=[f"blues.{seed:05}" for seed in seeds],
        titles=[f"Title {seed}" if seed % 2 else "" for seed in seeds],
        artists=[f"Artist {seed}" for seed in seeds],
        genres=["blues" for _ in seeds],
        embeddings=np.array([unit(seed) for seed in seeds], dtype=np.float32).reshape(count, -1),
        fingerprints=np.array([fingerprint(seed) for seed in seeds], dtype=np.int8),
    )


async def test_starter_tracks_are_active_beside_the_library(db: Database) -> None:
    catalogue = Catalogue(db)
    await catalogue.add("library", MODEL, [new_track(50)])
    assert await replace_starter(db, MODEL, _starter(4))
    tracks = await catalogue.browse(MODEL, "starter")
    assert [(track.title, track.source) for track in tracks] == [
        ("blues.00000", "starter:blues.00000"),
        ("Title 1", "starter:blues.00001"),
        ("blues.00002", "starter:blues.00002"),
        ("Title 3", "starter:blues.00003"),
    ]
    assert len((await catalogue.load(MODEL)).ids) == 5
    assert len(await catalogue.fingerprints(MODEL, [track.id for track in tracks])) == 4


async def test_same_starter_catalogue_changes_nothing(db: Database) -> None:
    await replace_starter(db, MODEL, _starter(4))
    revision = await Catalogue(db).revision()
    assert not await replace_starter(db, MODEL, _starter(4))
    assert await Catalogue(db).revision() == revision


async def test_another_starter_catalogue_replaces_it_and_keeps_ids(db: Database) -> None:
    catalogue = Catalogue(db)
    await replace_starter(db, MODEL, _starter(4))
    before = {track.source: track.id for track in await catalogue.browse(MODEL, "starter")}
    rows = await catalogue.load(MODEL)
    assert await replace_starter(db, MODEL, _starter(4, offset=2))
    after = {track.source: track.id for track in await catalogue.browse(MODEL, "starter")}
    assert len(after) == 4
    assert {source: before[source] for source in before.keys() & after.keys()} == {
        source: after[source] for source in before.keys() & after.keys()
    }
    assert (await catalogue.changes_since(MODEL, rows.revision)).reload
    assert await db.number("SELECT count(*) FROM embedding") == 4
    assert await db.number("SELECT count(*) FROM generation") == 1


async def test_table_of_the_starter_catalogue_gives_details(db: Database) -> None:
    catalogue = Catalogue(db)
    plain = _starter(3)
    await replace_starter(db, MODEL, plain)
    table = {"blues.00001": {"album": "Blue", "year": "1971", "isrc": "no ISRC"}}
    filled = dataclasses.replace(plain, table=table)
    assert await replace_starter(db, MODEL, filled)
    assert not await replace_starter(db, MODEL, filled)
    ids = {track.source: track.id for track in await catalogue.browse(MODEL, "starter")}
    details = await catalogue.details(ids.values())
    assert details == {ids["starter:blues.00001"]: TrackDetails("Blue", 1971)}
    assert await replace_starter(db, MODEL, plain)
    assert await catalogue.details(ids.values()) == {}


async def test_invalid_starter_catalogue_keeps_the_old_one(db: Database) -> None:
    await replace_starter(db, MODEL, _starter(4))
    bad = _starter(6)
    bad.embeddings[5] = np.nan
    with pytest.raises(CatalogueError, match="length nan instead of 1"):
        await replace_starter(db, MODEL, bad)
    with pytest.raises(CatalogueError, match="empty"):
        await replace_starter(db, MODEL, dataclasses.replace(_starter(1), names=[]))
    assert await Catalogue(db).count(MODEL, "starter") == 4
    assert await db.number("SELECT count(*) FROM generation") == 1


async def test_starter_tracks_get_their_descriptions(db: Database) -> None:
    plain = _starter(4)
    await replace_starter(db, MODEL, plain)
    assert np.isnan((await Catalogue(db).load(MODEL)).descriptions).all()
    described = dataclasses.replace(plain, descriptions={plain.names[0]: description(3)})
    assert await replace_starter(db, MODEL, described)
    rows = await Catalogue(db).load(MODEL)
    found = rows.described(rows.ids.tolist())
    assert list(found.values()) == [description(3)]
    assert not await replace_starter(db, MODEL, described)
