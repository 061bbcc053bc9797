"""Tests of the deletion of unused models: rows that can be computed again go after 30 days."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from db import unused_models
from db.analyses import AnalysisCache
from db.connection import Database, open_db
from db.key_values import get_value
from db.tracks import Catalogue
from db.unused_models import UNUSED_AFTER_S, delete_unused_models, model_in_use
from genrec.errors import CatalogueError
from tests.db.fakes import MODEL, fake_analysis, new_track, until

OLD = "fake@000000000002"
GUILD = "guild:1"
NOW = 2e9
LATER = NOW + UNUSED_AFTER_S + 1


async def _fill(db: Database, model_id: str) -> None:
    catalogue = Catalogue(db)
    for scope in ("library", "starter", GUILD):
        await catalogue.add(scope, model_id, [new_track(1), new_track(2)])
    await AnalysisCache(db).put("a" * 64, fake_analysis(b"a clip", model_id))
    await db.run("INSERT INTO failure VALUES ('library', ?, '/a.mp3', 1, 1, 'c', 'r')", (model_id,))


async def _counts(db: Database, model_id: str) -> dict[str, int]:
    by_scope = dict((await Catalogue(db).stats(model_id)).by_scope)
    for table in ("analysis", "failure"):
        sql = f"SELECT count(*) FROM {table} WHERE model_id = ?"
        by_scope[table] = await db.number(sql, (model_id,))
    return by_scope


WHOLE = {"library": 2, "starter": 2, GUILD: 2, "analysis": 1, "failure": 1}


async def test_model_without_a_record_keeps_its_rows_for_30_days(db: Database) -> None:
    await _fill(db, OLD)
    await delete_unused_models(db, MODEL, now=NOW)
    await delete_unused_models(db, MODEL, now=NOW + UNUSED_AFTER_S)
    assert await _counts(db, OLD) == WHOLE


async def test_unused_model_loses_what_can_be_made_again(db: Database) -> None:
    await _fill(db, OLD)
    await _fill(db, MODEL)
    catalogue = Catalogue(db)
    # /reindex has analysed one of the guild's two tracks again with the used model.
    second = (await catalogue.browse(MODEL, GUILD))[1]
    await db.run(
        "DELETE FROM entry WHERE track_id = ? AND generation_id ="
        " (SELECT id FROM generation WHERE scope = ? AND model_id = ?)",
        (second.id, GUILD, MODEL),
    )
    await db.run(
        "UPDATE generation SET tracks = 1 WHERE scope = ? AND model_id = ?", (GUILD, MODEL)
    )
    await delete_unused_models(db, MODEL, now=NOW)
    await delete_unused_models(db, MODEL, now=LATER)
    assert await _counts(db, OLD) == {GUILD: 1, "analysis": 0, "failure": 0}
    assert [track.id for track in await catalogue.browse(OLD, GUILD)] == [second.id]
    assert await _counts(db, MODEL) == {**WHOLE, GUILD: 1}
    assert len((await catalogue.load(MODEL)).ids) == 5
    assert len((await catalogue.load(OLD)).ids) == 1
    assert await db.number("SELECT count(*) FROM generation WHERE state = 'retired'") == 0
    assert await db.number("SELECT count(*) FROM embedding WHERE model_id = ?", (OLD,)) == 1


async def test_guild_track_goes_after_its_reindex(db: Database) -> None:
    await _fill(db, OLD)
    await delete_unused_models(db, MODEL, now=NOW)
    await delete_unused_models(db, MODEL, now=LATER)
    assert await _counts(db, OLD) == {GUILD: 2, "analysis": 0, "failure": 0}
    await Catalogue(db).add(GUILD, MODEL, [new_track(1), new_track(2)])
    await delete_unused_models(db, MODEL, now=LATER + 1)
    assert await _counts(db, OLD) == {"analysis": 0, "failure": 0}
    assert await Catalogue(db).count(MODEL, GUILD) == 2
    assert await db.number("SELECT count(*) FROM generation WHERE model_id = ?", (OLD,)) == 0
    await delete_unused_models(db, MODEL, now=LATER + 2)
    assert set(json.loads(await get_value(db, "models_last_used") or "")) == {MODEL}


async def test_model_that_is_used_again_keeps_its_rows(db: Database) -> None:
    await _fill(db, OLD)
    await _fill(db, MODEL)
    await delete_unused_models(db, MODEL, now=NOW)
    await delete_unused_models(db, OLD, now=NOW + UNUSED_AFTER_S)
    await delete_unused_models(db, MODEL, now=LATER)
    assert await _counts(db, OLD) == await _counts(db, MODEL) == WHOLE


async def test_clock_that_was_ahead_does_not_keep_rows_for_ever(db: Database) -> None:
    await _fill(db, OLD)
    await delete_unused_models(db, OLD, now=NOW * 2)
    await delete_unused_models(db, MODEL, now=NOW)
    await delete_unused_models(db, MODEL, now=LATER)
    assert (await _counts(db, OLD))["analysis"] == 0


async def test_cancelled_deletion_is_completed_by_the_next_pass(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _fill(db, OLD)
    await delete_unused_models(db, MODEL, now=NOW)

    async def cancelled(_: Database) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr("db.generations.sweep", cancelled)
        with pytest.raises(asyncio.CancelledError):
            await delete_unused_models(db, MODEL, now=LATER)
    assert await db.number("SELECT count(*) FROM entry") == 6
    await delete_unused_models(db, MODEL, now=LATER)
    assert await db.number("SELECT count(*) FROM entry") == 2


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Repeat passes every millisecond, and list the models of each."""
    made: list[str] = []
    run = delete_unused_models

    async def counted(db: Database, model_id: str) -> None:
        made.append(model_id)
        if len(made) == 2:
            raise CatalogueError("The disk is full.")
        await run(db, model_id)

    monkeypatch.setattr(unused_models, "_INTERVAL_S", 0.001)
    monkeypatch.setattr(unused_models, "delete_unused_models", counted)
    return made


async def test_use_is_recorded_again_and_a_failed_pass_is_only_logged(
    tmp_path: Path, passes: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    async with open_db(tmp_path / "a.db") as db:
        with caplog.at_level(logging.WARNING):
            async with model_in_use(db, MODEL):
                await until(lambda: len(passes) >= 4)
        assert set(json.loads(await get_value(db, "models_last_used") or "")) == {MODEL}
    assert set(passes) == {MODEL}
    assert "deletion of unused models failed" in caplog.text
