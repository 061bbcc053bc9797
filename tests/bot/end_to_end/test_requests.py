"""Requests over the wire: commands, menus, uploads and buttons."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest

from bot.local_discord import LocalDiscord, buttons, visible_text
from bot.ui.spectrogram_image import Picture
from tests.bot.end_to_end.conftest import (
    WAV,
    World,
    bot_on,
    clip,
    details,
    wait_response,
    wait_text,
)

pytestmark = pytest.mark.engines


async def test_recommend_response_has_the_genre_and_five_tracks(world: World) -> None:
    used = await world.you.slash("recommend", {"clip": clip()})
    assert await used.wait_ack() < 1.0
    answer = await wait_response(used)
    text = visible_text(answer)
    assert "Jazz" in text
    assert text.count("Artist ") == 5
    assert [b["custom_id"].partition(":")[0] for b in buttons(answer)] == [
        "details", "thumb", "thumb",
    ]  # fmt: skip
    world.discord.assert_clean()


async def test_details_show_the_full_response_to_the_user(world: World) -> None:
    answer = await wait_response(await world.you.slash("recommend", {"clip": clip()}))
    full = await details(world, answer)
    text = visible_text(full)
    assert "Analysed 30 s of **clip**" in text
    assert text.count("similarity ") == text.count("Artist ") == 5
    songs = re.findall(r"Song \d+", visible_text(answer))
    assert re.findall(r"Song \d+", text) == songs
    assert [b["custom_id"].partition(":")[0] for b in buttons(full)] == [
        *["more"] * 5, "thumb", "thumb", "export",
    ]  # fmt: skip
    world.discord.assert_clean()


async def test_details_work_after_a_restart(discord: LocalDiscord, tmp_path: Path) -> None:
    async with bot_on(discord, tmp_path) as world:
        answer = await wait_response(await world.you.slash("recommend", {"clip": clip()}))
    async with bot_on(discord, tmp_path) as world:
        assert "similarity " in visible_text(await details(world, answer))
        assert not world.pool.analyzed


async def test_details_of_a_forgotten_analysis_are_declined(world: World) -> None:
    answer = await wait_response(await world.you.slash("recommend", {"clip": clip()}))
    await world.app.resources.db.run("DELETE FROM analysis")
    pressed = await world.you.press(answer, "Details")
    await pressed.wait_until(lambda m: "no longer available" in visible_text(m))
    assert pressed.ephemeral


async def test_private_and_direct_responses_are_full(world: World) -> None:
    hidden = await world.you.slash("recommend", {"clip": clip(), "private": True})
    assert "similarity " in visible_text(await wait_response(hidden))
    direct = await world.you.slash("recommend", {"clip": clip()}, channel="dm")
    assert "similarity " in visible_text(await wait_response(direct))
    world.discord.assert_clean()


async def test_layout_is_the_servers_else_the_operators(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    async with bot_on(discord, tmp_path, compact=False) as world:

        async def is_compact() -> bool:
            answer = await wait_response(await world.you.slash("recommend", {"clip": clip()}))
            return any(b.get("label") == "Details" for b in buttons(answer))

        assert not await is_compact()
        saved = await (await world.you.slash("settings layout", {"short": True})).wait_edited()
        assert "Saved" in visible_text(saved)
        assert await is_compact()
        panel = await (await world.you.slash("settings show")).wait_edited()
        assert "Answers are short" in visible_text(panel)
        await wait_text(await world.you.press(panel, "Show full answers"), "Answers are full")
        assert not await is_compact()
        discord.assert_clean()


async def test_recommend_with_count_and_genre_returns_those_tracks(world: World) -> None:
    used = await world.you.slash("recommend", {"clip": clip(), "count": 2, "genre": "metal"})
    text = visible_text(await wait_response(used))
    assert text.count("Artist ") == 2
    assert {f"Song {n}" for n in range(12) if f"Song {n}\n" in text or f"Song {n}*" in text} <= {
        f"Song {n}" for n in (2, 5, 8, 11)
    }


async def test_genre_autocomplete_and_an_unknown_genre(world: World) -> None:
    choices = await world.you.autocomplete("recommend", "genre", "me")
    assert [choice["value"] for choice in choices] == ["metal"]
    used = await world.you.slash("recommend", {"clip": clip(), "genre": "polka"})
    assert "polka" in visible_text(await used.wait_edited())
    assert used.ephemeral


async def test_genre_response_has_no_tracks(world: World) -> None:
    used = await world.you.slash("genre", {"clip": clip()})
    answer = await wait_response(used)
    assert "Jazz" in visible_text(answer)
    assert "Artist" not in visible_text(answer)
    assert [b["custom_id"].partition(":")[0] for b in buttons(answer)] == ["thumb", "thumb"]
    world.discord.assert_clean()


async def test_private_response_is_ephemeral(world: World) -> None:
    used = await world.you.slash("recommend", {"clip": clip(), "private": True})
    await wait_response(used)
    assert used.ephemeral
    used = await world.you.slash("recommend", {"clip": clip()})
    await wait_response(used)
    assert not used.ephemeral


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Recommend from this message", "Artist"), ("What genre is this?", "Jazz")],
    ids=["recommend", "genre"],
)
async def test_message_menu_responds_to_another_users_clip(
    world: World, name: str, expected: str
) -> None:
    sam = world.discord.person("sam")
    message = await sam.say("listen", uploads=[clip()])
    used = await world.you.menu(name, message)
    assert expected in visible_text(await wait_response(used))
    world.discord.assert_clean()


async def test_message_menu_without_a_clip_is_declined(world: World) -> None:
    message = await world.you.say("hello")
    used = await world.you.menu("What genre is this?", message)
    assert "no audio" in visible_text(await used.wait_edited())
    assert used.ephemeral


async def test_upload_gets_a_reply_in_an_upload_channel_only(world: World) -> None:
    silent = await world.you.say(uploads=[clip()])
    await (await world.you.slash("settings uploads")).wait_edited()
    message = await world.you.say(uploads=[clip()])
    answer = await world.you.wait_message(lambda m: "Jazz" in visible_text(m))
    assert answer["message_reference"]["message_id"] == message["id"]
    assert not answer["mentions"]
    replied = [m for m in world.you.messages() if m.get("message_reference")]
    assert all(m["message_reference"]["message_id"] != silent["id"] for m in replied)
    world.discord.assert_clean()


async def test_mention_with_a_clip_gets_a_reply_in_any_channel(world: World) -> None:
    bot = world.discord.state.bot.id
    await world.you.say(f"<@{bot}> what is it?", uploads=[clip()], channel="general")
    answer = await world.you.wait_message(lambda m: "Jazz" in visible_text(m), channel="general")
    assert answer["message_reference"]


async def test_mention_without_a_clip_is_declined(world: World) -> None:
    bot = world.discord.state.bot.id
    asked = await world.you.say(f"<@{bot}> hello")
    refused = await world.you.wait_message(lambda m: "no audio" in visible_text(m), channel="dm")
    assert f"[your message](https://discord.com/channels/{world.discord.guild.id}/" in (
        visible_text(refused)
    )
    channel = world.discord.channel("music")
    mine = world.discord.state.message(channel.id, asked["id"])
    await world.discord.wait_for(lambda: mine.data.get("reactions"), 5)
    assert [m for m in world.you.messages() if m["author"]["bot"]] == []


async def test_direct_message_upload_and_command_get_a_response(world: World) -> None:
    await world.you.say(uploads=[clip()], channel="dm")
    await world.you.wait_message(lambda m: "Jazz" in visible_text(m), channel="dm")
    used = await world.you.slash("recommend", {"clip": clip()}, channel="dm")
    await wait_response(used)
    world.discord.assert_clean()


async def test_more_like_this_responds_with_five_other_tracks(world: World) -> None:
    used = await world.you.slash("recommend", {"clip": clip()})
    answer = await wait_response(used)
    first = re.search(r"Song \d+", visible_text(answer))[0]
    pressed = await world.you.press(await details(world, answer), "More like this")
    more = visible_text(await pressed.wait_until(lambda m: "Artist" in visible_text(m)))
    assert first in more
    assert more.count("Artist ") == 6  # the track itself, and five others
    world.discord.assert_clean()


async def test_more_like_a_removed_track_is_declined(world: World) -> None:
    used = await world.you.slash("recommend", {"clip": clip()})
    answer = await wait_response(used)
    answer = await details(world, answer)
    button = buttons(answer)[0]["custom_id"]
    await world.app.resources.recommender.catalogue.remove("starter", [int(button.split(":")[1])])
    pressed = await world.you.press(answer, button)
    text = await pressed.wait_until(lambda m: "no longer" in visible_text(m))
    assert text


async def test_thumbs_are_stored_counted_and_withdrawn(world: World) -> None:
    used = await world.you.slash("recommend", {"clip": clip()})
    answer = await wait_response(used)
    up, down = (b["custom_id"] for b in buttons(answer) if b["custom_id"].startswith("thumb"))
    for button, verdict in ((up, "good"), (down, "bad"), (down, "removed"), (up, "good")):
        pressed = await world.you.press(answer, button)
        await pressed.wait_until(lambda m, verdict=verdict: verdict in visible_text(m))
        assert pressed.ephemeral
    about = await (await world.you.slash("about")).wait_edited()
    assert "1 up, 0 down" in visible_text(about)
    assert b'genrec_votes_total{verdict="up"} 2.0' in world.app.metrics.text()


async def test_export_button_sends_the_tracks_of_the_response(world: World) -> None:
    used = await world.you.slash("recommend", {"clip": clip()})
    answer = await wait_response(used)
    pressed = await world.you.press(await details(world, answer), "Export")
    offered = await pressed.wait_until(lambda m: "Choose a format" in visible_text(m))
    # The starter catalogue has nothing that a player could open.
    assert [b["label"] for b in buttons(offered)] == [
        "playlist (JSPF)",
        "table (CSV)",
        "plain text",
    ]
    chosen = await world.you.press(offered, "playlist (JSPF)")
    sent = await chosen.wait_until(lambda m: m["attachments"])
    attached = sent["attachments"][0]
    assert attached["filename"] == "tracks.jspf"
    playlist = json.loads(world.discord.cdn.read(attached["url"]))["playlist"]
    assert [track["creator"][:6] for track in playlist["track"]] == ["Artist"] * 5
    chosen = await world.you.press(offered, "plain text")
    shown = visible_text(await chosen.wait_until(lambda m: "```" in visible_text(m)))
    assert shown.count("\nArtist ") == 5
    world.discord.assert_clean()


async def test_same_bytes_are_analyzed_once(world: World) -> None:
    for _ in range(2):
        await wait_response(await world.you.slash("recommend", {"clip": clip()}))
    assert len(world.pool.analyzed) == 1


async def test_response_is_in_the_users_language(world: World) -> None:
    world.you.locale = "de"
    used = await world.you.slash("recommend")
    assert world.app.translations.text("refusals.no_source", "de") in visible_text(
        await used.wait_edited()
    )


async def test_hostile_file_name_is_escaped(world: World) -> None:
    name = "@everyone <@1> **x** [a](https:__evil.example) \u202etxt.wav"
    used = await world.you.slash("recommend", {"clip": clip(name)})
    answer = await wait_response(used)
    text = visible_text(answer)
    assert "\u202e" not in text
    assert "**x**" not in text
    assert "[a](" not in text
    assert not answer["mention_everyone"]
    assert not answer["mentions"]
    world.discord.assert_clean()


async def test_picture_has_alt_text(discord: LocalDiscord, tmp_path: Path) -> None:
    png = b"\x89PNG\r\n\x1a\n" + bytes(64)
    async with bot_on(discord, tmp_path, draw=lambda *_: Picture(png)) as world:
        used = await world.you.slash("recommend", {"clip": clip()})
        answer = await details(world, await wait_response(used))
        assert answer["attachments"][0]["filename"] == "spectrogram.png"
        assert "Spectrogram of clip" in visible_text(answer)
        discord.assert_clean()


# Of two that are analysed and two that wait, each asked after the other.
PROGRESS = ("Analysing", "Analysing", "next in the queue", "position 2")


async def test_progress_shows_stage_and_place_before_the_response(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    async with bot_on(discord, tmp_path, progress_every_s=0.2) as world:
        world.pool.gate = asyncio.Event()
        people = (world.you, discord.person("sam"), discord.person("kim"), discord.person("lee"))
        used = []
        for n, (who, shown) in enumerate(zip(people, PROGRESS, strict=True)):
            used.append(await who.slash("recommend", {"clip": clip(data=WAV + bytes([n]))}))
            await used[n].wait_until(lambda m, shown=shown: shown in visible_text(m))
        world.pool.gate.set()
        for one in used:
            await wait_response(one)
        discord.assert_clean()
