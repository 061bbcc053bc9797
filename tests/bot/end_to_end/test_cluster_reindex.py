"""/reindex on a Dask cluster: progress, result and failures as with the local pool."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.local_discord import LocalDiscord, visible_text
from tests.bot.end_to_end.conftest import bot_on
from tests.bot.end_to_end.fakes import make_preset
from tests.dask_cluster import DaskCluster

DONE = {"en-US": "6 added", "de": "6 hinzugefügt"}
LOST = {"en-US": "can't be reached right now", "de": "gerade nicht erreichbar"}


@pytest.mark.parametrize("locale", DONE)
async def test_reindex_uses_the_cluster_and_says_when_it_is_lost(
    discord: LocalDiscord, tmp_path: Path, locale: str
) -> None:
    library = tmp_path / "music"
    library.mkdir()
    for number in range(6):
        (library / f"file{number}.wav").write_text(f"ok {number}")
    (library / "silent.wav").write_text("refuse")
    model_id = make_preset(tmp_path / "preset").model_id
    with DaskCluster(tmp_path / "cluster", model_id=model_id) as cluster:
        cluster.wait_for(cluster.start_worker())
        async with bot_on(
            discord, tmp_path, library=library, cluster=cluster.address, progress_every_s=0.2
        ) as world:
            world.you.locale = locale
            used = await world.you.slash("reindex")
            done = await used.wait_until(lambda m: DONE[locale] in visible_text(m), 60)
            listed = await used.wait_followup()
            name = discord.cdn.read(listed["attachments"][0]["url"]).decode()
            assert "silent.wav" in name
            assert str(tmp_path) not in visible_text(done) + name
            assert world.pool.analyzed == []  # the bot's own workers had nothing to do

            cluster.kill_scheduler()
            (library / "file9.wav").write_text("ok 9")
            again = await world.you.slash("reindex")
            await again.wait_until(lambda m: LOST[locale] in visible_text(m), 60)
