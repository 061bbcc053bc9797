"""Tests of opening the resources of the bot and of ``genrec index``."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

from bot.config import Settings
from bot.runtime.resources import open_recommender
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
