"""Tests of opening the resources of the bot and of ``genrec index``."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest

from bot.config import Settings
from bot.runtime.resources import open_recommender, outdated_sentence
from db.connection import open_db
from db.key_values import get_value, set_value
from db.tracks import Catalogue
from db.unused_models import UNUSED_AFTER_S
from tests.bot.end_to_end.fakes import FakePool, make_preset, opener
from tests.db.fakes import MODEL, new_track


async def test_opening_deletes_tracks_of_a_model_that_was_not_used_for_30_days(
    tmp_path: Path,
) -> None:
    preset = make_preset(tmp_path / "preset")
    async with open_db(tmp_path / "a.db") as db:
        await Catalogue(db).add("library", MODEL, [new_track(1)])
        old = {MODEL: time.time() - UNUSED_AFTER_S - 60}
        await set_value(db, "models_last_used", json.dumps(old))
    settings = Settings(_env_file=None, database=tmp_path / "a.db", preset=tmp_path / "preset")
    async with open_recommender(settings, open_pool=opener(FakePool())) as resources:
        async with asyncio.timeout(60):  # the deletion runs in the background
            while await Catalogue(resources.db).count(MODEL):  # noqa: ASYNC110 - a row, no event
                await asyncio.sleep(0.01)
        last_used = json.loads(await get_value(resources.db, "models_last_used") or "")
        assert time.time() - last_used[preset.model_id] < 60
        assert await Catalogue(resources.db).count(preset.model_id) == 12


async def test_opening_a_database_of_another_preset_says_how_to_bring_it_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_preset(tmp_path / "preset")
    async with open_db(tmp_path / "a.db") as db:
        await Catalogue(db).add("library", MODEL, [new_track(1), new_track(2)])
        await Catalogue(db).add("guild:5", MODEL, [new_track(3)])
    settings = Settings(_env_file=None, database=tmp_path / "a.db", preset=tmp_path / "preset")
    async with open_recommender(settings, open_pool=opener(FakePool())):
        pass
    assert (
        "tracks of another model: another preset analysed 2 of the library and 1 of 1 Discord"
        " servers, so these tracks are not recommended; run `genrec index` and let an admin of"
        " each server run /reindex to analyse them again." in caplog.messages
    )


def test_outdated_sentence_names_only_what_is_there() -> None:
    assert outdated_sentence({}) == ""
    assert "/reindex" not in outdated_sentence({"library": 1_234})
    assert "1,234 of the library" in outdated_sentence({"library": 1_234})
    assert "genrec index" not in outdated_sentence({"guild:1": 2, "guild:2": 3})
    assert "5 of 2 Discord servers" in outdated_sentence({"guild:1": 2, "guild:2": 3})
