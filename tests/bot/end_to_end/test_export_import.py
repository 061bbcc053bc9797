"""Test of an export from Discord that the command line of another genrec imports."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from bot.cli import main as command_line
from bot.config import PREFIX, Settings
from db.address import PostgresAddress
from db.connection import open_db
from db.tracks import Catalogue
from tests.bot.end_to_end.conftest import WAV, World, clip, wait_text
from tests.db.postgres_server import written

pytestmark = pytest.mark.engines

TITLES = ["=1+1", "'Round \u202eMidnight", "Two\nlines", "\U0001f468\u200d\U0001f469", "Plain"]
STORED = ["=1+1", "'Round Midnight", "Two lines", "\U0001f468\u200d\U0001f469", "Plain"]


@pytest.mark.parametrize("form", ["csv", "json", "jspf"])
async def test_export_from_discord_is_imported_by_another_genrec(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys, form: str
) -> None:
    for number, title in enumerate(TITLES):
        data = {"clip": clip(data=WAV + bytes([number])), "title": title, "artist": "@home"}
        await wait_text(await world.you.slash("library add", data), "Added")
    used = await world.you.slash("library export", {"format": form})
    sent = await used.wait_until(lambda m: m["attachments"])
    path = tmp_path / f"tracks.{form}"
    path.write_bytes(world.discord.cdn.read(sent["attachments"][0]["url"]))
    assert "sha256:" not in path.read_text(encoding="utf-8")

    other = tmp_path / "other.db"
    await run_import(monkeypatch, tmp_path, other, path)
    expected = {"imported": len(TITLES), "known": 0, "refused": [], "unknown": []}
    assert json.loads(capsys.readouterr().out) == expected

    model_id = world.app.resources.preset.model_id
    catalogue = world.app.resources.recommender.catalogue
    (guild,) = await scopes(catalogue, model_id)
    async with open_db(other) as db:
        imported = await vectors(Catalogue(db), model_id, "library")
    assert imported == await vectors(catalogue, model_id, guild)
    assert sorted(imported) == sorted(STORED)
    world.discord.assert_clean()


@pytest.mark.parametrize("form", ["csv", "json", "jspf"])
async def test_export_of_a_server_brings_its_removed_tracks_back(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    for number, title in enumerate(TITLES):
        data = {"clip": clip(data=WAV + bytes([number])), "title": title, "artist": "@home"}
        await wait_text(await world.you.slash("library add", data), "Added")
    sent = await (await world.you.slash("library export", {"format": form})).wait_until(
        lambda m: m["attachments"]
    )
    path = tmp_path / f"tracks.{form}"
    path.write_bytes(world.discord.cdn.read(sent["attachments"][0]["url"]))
    catalogue = world.app.resources.recommender.catalogue
    model_id = world.app.resources.preset.model_id
    (guild,) = await scopes(catalogue, model_id)
    before = await vectors(catalogue, model_id, guild)
    tracks = await catalogue.browse(model_id, guild)
    await catalogue.remove(guild, [track.id for track in tracks])
    assert await wait_text(await world.you.slash("library list"), "no tracks yet")

    await run_import(monkeypatch, tmp_path, world.app.resources.settings.database, path, guild)
    assert await vectors(catalogue, model_id, guild) == before
    assert await wait_text(await world.you.slash("library list"), f"{len(TITLES)} tracks")
    again = await world.you.slash("library add", {"clip": clip(data=WAV + bytes([4]))})
    assert "**Plain**" in await wait_text(again, "Already")
    world.discord.assert_clean()


async def run_import(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    database: Path | PostgresAddress,
    file: Path,
    *scope: str,
) -> None:
    """Run ``genrec library import`` on a database, with ``--scope`` if one is given."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"{PREFIX}{name.upper()}", raising=False)
    monkeypatch.setenv("GENREC_DATABASE", written(database))
    monkeypatch.setenv("GENREC_PRESET", str(folder / "preset"))
    options = ["--scope", *scope] if scope else []
    monkeypatch.setattr(sys, "argv", ["genrec", "library", "import", str(file), "--json", *options])
    with pytest.raises(SystemExit) as left:
        await asyncio.to_thread(command_line.main)
    assert left.value.code == 0


async def scopes(catalogue: Catalogue, model_id: str) -> list[str]:
    by_scope = (await catalogue.stats(model_id)).by_scope
    return [scope for scope in by_scope if scope.startswith("guild:")]


async def vectors(catalogue: Catalogue, model_id: str, scope: str) -> dict[str, list[float]]:
    """Return the embedding of each track of a scope by its title."""
    rows = await catalogue.load(model_id)
    place = {int(track_id): row for row, track_id in enumerate(rows.ids)}
    tracks = await catalogue.browse(model_id, scope)
    assert len(await catalogue.fingerprints(model_id, [track.id for track in tracks])) == len(
        tracks
    )
    return {track.title: rows.matrix[place[track.id]].tolist() for track in tracks}
