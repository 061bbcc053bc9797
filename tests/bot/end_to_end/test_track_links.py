"""/settings links and the titles of answers, as people of two servers see them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bot.local_discord import LocalDiscord, visible_text
from db.generations import NewTrack
from tests.bot.end_to_end.conftest import World, bot_on, clip, wait_response, wait_text
from tests.bot.end_to_end.fakes import unit


async def test_server_chooses_where_titles_link_to(discord: LocalDiscord, tmp_path: Path) -> None:
    other = discord.add_guild("Other")
    elsewhere = next(iter(other.channels.values()))
    async with bot_on(discord, tmp_path, track_links="bandcamp") as world:
        await wait_text(await world.you.slash("settings links", {"site": "deezer"}), "Deezer")
        here = await wait_response(await world.you.slash("recommend", {"clip": clip()}))
        assert "](https://www.deezer.com/search/Artist%20" in visible_text(here)
        asked = await world.you.slash("recommend", {"clip": clip()}, channel=elsewhere)
        assert "](https://bandcamp.com/search?" in visible_text(await wait_response(asked))
        shown = await world.you.slash("settings show")
        panel = await shown.wait_until(lambda m: "link to: Deezer" in visible_text(m))
        used = await world.you.select(panel, "settings:links", ["spotify"])
        await used.wait_until(lambda m: "link to: Spotify" in visible_text(m))
        await wait_text(await world.you.slash("settings links", {"site": "off"}), "no longer links")
        plain = await wait_response(await world.you.slash("recommend", {"clip": clip()}))
        assert "](http" not in visible_text(plain)
        await wait_text(await world.you.slash("settings links"), "link to Bandcamp")
        world.discord.assert_clean()


async def test_template_of_a_server_is_checked_and_filled(world: World) -> None:
    refused = await world.you.slash("settings links", {"template": "https://{title}.example/"})
    assert "`https://music.example/" in await wait_text(refused, "fixed host")
    world.you.locale = "de"
    refused = await world.you.slash("settings links", {"template": "https://a.example/{name}"})
    assert "`{title}`" in await wait_text(refused, "Platzhalter")
    refused = await world.you.slash("settings links", {"template": "https://a.example/{path}"})
    text = await wait_text(refused, "keinen Ordner")
    assert text.count("{path}") == 1
    assert "{title}" in text
    used = {"template": "https://a.example/{artist}/{title}"}
    await wait_text(await world.you.slash("settings links", used), "a.example")
    answer = await wait_response(await world.you.slash("recommend", {"clip": clip()}))
    assert "](https://a.example/Artist%20" in visible_text(answer)
    world.discord.assert_clean()


@pytest.mark.parametrize("with_root", [True, False])
async def test_path_of_a_file_needs_the_operators_root(
    discord: LocalDiscord, tmp_path: Path, with_root: bool
) -> None:
    music = tmp_path / "secret"
    root = {"path_root": music} if with_root else {}
    async with bot_on(discord, tmp_path, songs=0, **root) as world:
        # Stored while there was a root.
        await world.app.guilds.save(
            replace(
                await world.app.guilds.settings(int(world.discord.guild.id)),
                link_template="https://a.example/{path}",
            )
        )
        track = NewTrack(
            title="Song", artist="Band", genre="jazz", embedding=unit(1),
            source=str(music / "Band" / "1.flac"), content="0" * 64,
        )  # fmt: skip
        resources = world.app.resources
        await resources.recommender.catalogue.add("library", resources.preset.model_id, [track])
        await resources.recommender.reload()
        answer = await wait_response(await world.you.slash("recommend", {"clip": clip()}))
        shown = visible_text(answer)
        assert ("](https://a.example/Band/1.flac)" in shown) is with_root
        assert "secret" not in shown
