"""/settings, /library and /reindex, and their permissions."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from bot.local_discord import LocalDiscord, NotOffered, buttons, visible_text
from bot.ui.custom_ids import DetailsSource, details_id, response_key
from tests.bot.end_to_end.conftest import WAV, World, bot_on, clip, wait_response, wait_text

pytestmark = pytest.mark.engines

MANAGE_SERVER = 1 << 5
EPHEMERAL = 1 << 6


async def test_library_add_list_export_and_remove(world: World) -> None:
    added = await world.you.slash(
        "library add", {"clip": clip(), "title": "=Blue *Note*", "artist": "@everyone"}
    )
    assert "Blue" in await wait_text(added, "Added")
    listed = await wait_text(await world.you.slash("library list"), "one track")
    assert "Blue" in listed
    assert "**=Blue" not in listed or "*Note*" not in listed
    answer = await wait_response(
        await world.you.slash("recommend", {"clip": clip(data=WAV + b"2")})
    )
    assert "Artist" in visible_text(answer)
    sent = await (await world.you.slash("library export", {"format": "csv"})).wait_until(
        lambda m: m["attachments"]
    )
    table = world.discord.cdn.read(sent["attachments"][0]["url"]).decode("utf-8-sig")
    assert "'=Blue" in table
    assert "'@everyone" in table
    choices = await world.you.autocomplete("library remove", "track", "blue")
    assert len(choices) == 1
    removed = await world.you.slash("library remove", {"track": choices[0]["value"]})
    assert await wait_text(removed, "Removed")
    assert await wait_text(await world.you.slash("library list"), "There are no tracks yet")
    world.discord.assert_clean()


async def test_tracks_of_one_guild_are_not_recommended_in_another(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    other = discord.add_guild("Other")
    elsewhere = next(iter(other.channels.values()))
    async with bot_on(discord, tmp_path, songs=0) as world:
        added = {"clip": clip(data=WAV + b"3"), "title": "Ours", "artist": "Us"}
        await wait_text(await world.you.slash("library add", added), "Added")
        here = await wait_response(await world.you.slash("recommend", {"clip": clip()}))
        assert "Ours" in visible_text(here)
        there = await world.you.slash("recommend", {"clip": clip()}, channel=elsewhere)
        assert "Ours" not in await wait_text(there, "There are no tracks yet")


async def test_library_list_next_shows_page_two(world: World) -> None:
    for n in range(11):
        data = {
            "clip": clip(data=WAV + bytes([n])),
            "title": f"Title {n:02}",
            "artist": f"By {n:02}",
        }
        await wait_text(await world.you.slash("library add", data), "Added")
    listed = await world.you.slash("library list")
    first = await listed.wait_until(lambda m: "page 1" in visible_text(m))
    assert "Title 10" not in visible_text(first)
    await world.you.press(first, "Next")
    second = await listed.wait_until(lambda m: "page 2" in visible_text(m))
    assert "Title 10" in visible_text(second)
    world.discord.assert_clean()


async def test_remove_of_another_guilds_or_a_starter_track_by_id_is_declined(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    other = discord.add_guild("Other")
    elsewhere = next(iter(other.channels.values()))
    async with bot_on(discord, tmp_path, compact=False) as world:
        catalogue = world.app.resources.recommender.catalogue
        model_id = world.app.resources.preset.model_id
        added = {"clip": clip(), "title": "Theirs", "artist": "Them"}
        await wait_text(await world.you.slash("library add", added, channel=elsewhere), "Added")
        tracks = await catalogue.browse(model_id)
        other_guilds_track = next(track for track in tracks if track.title == "Theirs")
        starter = next(track for track in tracks if track.scope == "starter")
        assert other_guilds_track.scope == f"guild:{other.id}"
        for track in (other_guilds_track, starter):
            used = await world.you.slash("library remove", {"track": str(track.id)})
            await wait_text(used, "wasn't found")
        assert await catalogue.browse(model_id) == tracks
        listed = await world.you.slash("library list")
        assert "Theirs" not in await wait_text(listed, "There are no tracks yet")
        exported = await world.you.slash("library export")
        await wait_text(exported, "no tracks yet")


async def test_library_remove_of_an_unknown_track_is_declined(world: World) -> None:
    used = await world.you.slash("library remove", {"track": "9999"})
    assert await wait_text(used, "wasn't found")


async def test_library_remove_by_text_needs_exactly_one_match(world: World) -> None:
    for n, title in enumerate(("Blue Train", "Blue Monday")):
        data = {"clip": clip(data=WAV + bytes([n])), "title": title}
        assert "Unknown artist" in await wait_text(
            await world.you.slash("library add", data), "Added"
        )
    ambiguous = await world.you.slash("library remove", {"track": "blue"})
    assert await wait_text(ambiguous, "wasn't found")
    removed = await world.you.slash("library remove", {"track": "train"})
    assert "Blue Train" in await wait_text(removed, "Removed")


async def test_settings_panel_changes_uploads_count_and_privacy(world: World) -> None:
    used = await world.you.slash("settings show")
    panel = await used.wait_edited()
    assert "aren't answered in any channel" in visible_text(panel)
    assert "Message Content" not in visible_text(panel)
    await world.you.press(panel, "Answer uploads here")
    panel = await used.wait_until(lambda m: "answered in:" in visible_text(m))
    await world.you.select(panel, "settings:count", ["3"])
    panel = await used.wait_until(lambda m: "answer: 3" in visible_text(m))
    await world.you.press(panel, "Make answers private")
    await used.wait_until(lambda m: "Answers are private" in visible_text(m))
    used = await world.you.slash("recommend", {"clip": clip()})
    assert visible_text(await wait_response(used)).count("Artist ") == 3
    assert used.ephemeral
    world.discord.assert_clean()


@pytest.mark.parametrize(
    ("path", "options", "shown"),
    [
        ("settings count", {"count": 7}, "answer: 7"),
        ("settings answers", {"private": True}, "Answers are private"),
        ("settings access", {}, "everyone"),
        ("settings uploads", {"enabled": True}, "answered in: <#"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.startswith("settings") else "",
)
async def test_settings_command_changes_the_panel(
    world: World, path: str, options: dict[str, object], shown: str
) -> None:
    await (await world.you.slash(path, options)).wait_edited()
    panel = await (await world.you.slash("settings show")).wait_edited()
    assert shown in visible_text(panel)
    world.discord.assert_clean()


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("settings show", {}),
        ("settings uploads", {}),
        ("reindex", {}),
        ("library add", {"clip": clip()}),
        ("library remove", {"track": "1"}),
        ("library export", {}),
        ("library import", {"file": clip("tracks.csv")}),
        ("library duplicates", {}),
    ],
)
async def test_admin_command_without_manage_server_is_declined(
    world: World, path: str, options: dict[str, object]
) -> None:
    sam = world.discord.person("sam")
    with pytest.raises(NotOffered):
        await sam.slash(path, options)
    used = await sam.slash(path, options, force=True)
    assert await wait_text(used, "Manage Server permission")
    assert used.ephemeral


async def test_reindex_without_a_music_folder_is_declined(world: World) -> None:
    used = await world.you.slash("reindex")
    assert await wait_text(used, "No music folder")
    assert used.ephemeral


def music(folder: Path, count: int) -> Path:
    library = folder / "music"
    library.mkdir()
    for n in range(count):
        (library / f"file{n:02}.wav").write_bytes(WAV + bytes([n]))
    return library


async def test_reindex_shows_progress_and_lists_failures(
    discord: LocalDiscord, tmp_path: Path, caplog
) -> None:
    from genrec.errors import UnreadableAudio

    caplog.set_level(logging.INFO)
    library = music(tmp_path, 6)
    (library / "old.ape").write_bytes(b"MAC " + bytes(100))
    (library / "cover.jpg").write_bytes(b"\xff\xd8\xff")

    async with bot_on(discord, tmp_path, library=library, progress_every_s=0.2) as world:
        world.pool.gate = asyncio.Event()

        def fail_third(path: Path) -> None:
            world.pool.error = UnreadableAudio("No sound.") if path.name == "file02.wav" else None

        world.pool.on_analyze = fail_third
        used = await world.you.slash("reindex", {"scope": "library"})
        running = await used.wait_until(lambda m: "of 6 files" in visible_text(m))
        assert buttons(running)[0]["label"] == "Cancel"
        sam = discord.person("sam", permissions=MANAGE_SERVER | 0x80000C00)
        refused = await sam.slash("reindex", {"scope": "library"})
        assert await wait_text(refused, "Only the bot's operator")
        assert await wait_text(await world.you.slash("reindex"), "already")
        world.pool.gate.set()
        done = await used.wait_until(lambda m: "up to date" in visible_text(m), 30)
        assert "5 added" in visible_text(done)
        assert not done["attachments"]
        listed = await used.wait_followup()
        assert listed["flags"] & EPHEMERAL
        table = discord.cdn.read(listed["attachments"][0]["url"]).decode("utf-8-sig")
        assert "\nfile02.wav,unreadable_audio" in table
        assert "\nold.ape,unread_format,genrec does not read this format" in table
        assert "cover.jpg" not in table
        assert "One file was left out" in visible_text(done)
        assert "Monkey's Audio: 1" in visible_text(done)
        shown = [visible_text(m) for m in used.history]
        assert not any(str(tmp_path) in text for text in (table, *shown))
        assert any("re-index started: scope library" in r.getMessage() for r in caplog.records)
        discord.assert_clean()


async def test_cancel_button_stops_a_reindex(discord: LocalDiscord, tmp_path: Path) -> None:
    library = music(tmp_path, 6)
    async with bot_on(discord, tmp_path, library=library, progress_every_s=0.2) as world:
        world.pool.gate = asyncio.Event()
        used = await world.you.slash("reindex")
        running = await used.wait_until(buttons)
        sam = discord.person("sam")
        assert await wait_text(await sam.press(running, "Cancel"), "Manage Server permission")
        ana = discord.person("ana", permissions=MANAGE_SERVER | 0x80000C00)
        assert await wait_text(await ana.press(running, "Cancel"), "Only the bot's operator")
        await wait_text(await world.you.press(running, "Cancel"), "Stopping")
        await used.wait_until(lambda m: "Indexing cancelled" in visible_text(m))
        world.pool.gate.set()
        again = await world.you.slash("reindex")
        await again.wait_until(lambda m: "up to date" in visible_text(m), 30)
        discord.assert_clean()


async def test_reindex_of_a_guilds_tracks_counts_them_unchanged(world: World) -> None:
    await wait_text(await world.you.slash("library add", {"clip": clip()}), "Added")
    used = await world.you.slash("reindex", {"scope": "server"})
    assert "1 unchanged" in await wait_text(used, "up to date")


async def test_only_the_operator_and_chosen_servers_reindex_the_library(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    library = music(tmp_path, 1)
    sam = discord.person("sam", permissions=MANAGE_SERVER | 0x80000C00)
    async with bot_on(discord, tmp_path, library=library, admin_servers="42") as world:
        assert await wait_text(await sam.slash("reindex"), "operator has chosen")
        assert await wait_text(await world.you.slash("reindex"), "up to date")
    chosen = str(discord.guild.id)
    async with bot_on(discord, tmp_path, library=library, admin_servers=chosen):
        assert await wait_text(await sam.slash("reindex"), "up to date")


async def test_reindex_of_an_unmounted_folder_names_no_path(
    discord: LocalDiscord, tmp_path: Path, caplog
) -> None:
    library = music(tmp_path, 2)
    async with bot_on(discord, tmp_path, library=library) as world:
        await wait_text(await world.you.slash("reindex"), "up to date")
        for file in library.iterdir():
            file.unlink()
        refused = await wait_text(await world.you.slash("reindex"), "can't be read")
        assert str(tmp_path) not in refused
        assert str(library) in caplog.text
        library.rmdir()
        assert await wait_text(await world.you.slash("reindex"), "can't be read")


async def test_buttons_of_foreign_tracks_are_declined(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    other = discord.add_guild("Other")
    elsewhere = next(iter(other.channels.values()))
    async with bot_on(discord, tmp_path, compact=False) as world:
        catalogue = world.app.resources.recommender.catalogue
        model_id = world.app.resources.preset.model_id
        added = {"clip": clip(), "title": "Theirs", "artist": "Them"}
        await wait_text(await world.you.slash("library add", added, channel=elsewhere), "Added")
        (foreign,) = await catalogue.browse(model_id, f"guild:{other.id}")
        answer = await wait_response(await world.you.slash("recommend", {"clip": clip()}))
        message = discord.state.message(answer["channel_id"], answer["id"])
        keys = {"more": f"more:{foreign.id}", "export": f"export:{response_key([foreign.id])}"}
        for button in buttons(message.data):  # as a modified client would send them
            name = button["custom_id"].partition(":")[0]
            button["custom_id"] = keys.pop(name, button["custom_id"])
        assert not keys
        more = await world.you.press(message.data, f"more:{foreign.id}")
        assert "Theirs" not in await wait_text(more, "no longer available")
        exported = await world.you.press(message.data, f"export:{response_key([foreign.id])}")
        assert "Theirs" not in await wait_text(exported, "no longer available")
        (button,) = (b for b in buttons(message.data) if b["custom_id"].startswith("thumb:up"))
        button["custom_id"] = details_id(
            DetailsSource(track_id=foreign.id), response_key([foreign.id])
        )
        shown = await world.you.press(message.data, button["custom_id"])
        assert "Theirs" not in await wait_text(shown, "no longer available")
