"""The bot as a process: killed during a request, stopped, started twice, under load."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any

import pytest

from bot.local_discord import Interaction, LocalDiscord, Person, Upload, visible_text
from bot.local_discord.permissions import READ_MESSAGE_HISTORY
from bot.ui.components import UNFINISHED_ID
from tests.bot.end_to_end.conftest import COMMANDS, clip, wait_response, wait_text
from tests.bot.end_to_end.fakes import make_preset

log = logging.getLogger(__name__)

RUN_BOT = Path(__file__).parent / "run_bot.py"


async def start(discord: LocalDiscord, folder: Path, delay_s: float) -> Process:
    if not (folder / "preset").exists():
        make_preset(folder / "preset")
    return await asyncio.create_subprocess_exec(
        sys.executable, str(RUN_BOT), discord.url, discord.token, str(folder), str(delay_s),
        stderr=PIPE,
    )  # fmt: skip


async def finish(process: Process, by: signal.Signals) -> str:
    process.send_signal(by)
    _, errors = await process.communicate()
    return errors.decode()


async def test_restart_corrects_the_messages_of_a_killed_bot(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    process = await start(discord, tmp_path, 3600)
    await discord.wait_commands(*COMMANDS, timeout_s=60)
    await discord.wait_ready(60)
    used = await discord.you.slash("recommend", {"clip": clip()})
    await used.wait_ack()
    await discord.you.say(uploads=[clip()], channel="dm")
    sam = discord.person("sam")
    other = await sam.slash("genre", {"clip": clip()})
    await other.wait_ack()
    waiting = await discord.you.wait_message(lambda m: m["components"], channel="dm")
    assert "earlier clip" in visible_text(waiting)
    # The pending reply is stored by then, but perhaps not at the acknowledgement.
    for one in (used, other):
        await wait_text(one, "Analysing", 30)
    await finish(process, signal.SIGKILL)
    await discord.wait_for(lambda: not discord.online, 30)
    assert "Analysing" in visible_text(used.original)

    process = await start(discord, tmp_path, 0)
    try:
        for one in (used, other):
            await one.wait_until(lambda m: "restarted" in visible_text(m), 60)
        await discord.you.wait_message(lambda m: "restarted" in visible_text(m), channel="dm")
        await discord.wait_ready(60)
        await wait_response(await discord.you.slash("recommend", {"clip": clip()}), 30)
    finally:
        log = await finish(process, signal.SIGTERM)
    assert process.returncode == 0
    assert used.token not in log
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    assert any(line.get("request") for line in lines)
    discord.assert_clean()


async def test_restart_corrects_the_second_clip_of_a_message_only(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    process = await start(discord, tmp_path, 4)
    await discord.wait_commands(*COMMANDS, timeout_s=60)
    await discord.wait_ready(60)
    await discord.you.say(uploads=[fresh_clip(), fresh_clip()], channel="dm")
    message = await discord.you.say(uploads=[fresh_clip(), fresh_clip()])
    used = await discord.person("sam").menu("What genre is this?", message)

    def answers() -> list[dict[str, Any]]:
        return [m for m in discord.you.messages("dm") if m["author"]["bot"]]

    await discord.wait_for(lambda: len(answers()) == 2 and used.followups, 60)
    await asyncio.sleep(1.5)  # until both ids are saved
    await finish(process, signal.SIGKILL)
    await discord.wait_for(lambda: not discord.online, 30)

    process = await start(discord, tmp_path, 0)
    try:
        for read in (lambda: answers()[1], lambda: used.followups[0]):
            await discord.wait_for(lambda read=read: "restarted" in visible_text(read()), 60)
    finally:
        await finish(process, signal.SIGTERM)
    assert "Jazz" in visible_text(answers()[0])
    assert "Jazz" in visible_text(used.original)
    discord.assert_clean()


async def test_answer_without_read_history_is_corrected_after_a_kill(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    """No reference leads to it, so the restarted bot finds it by its nonce."""
    denied, bot = READ_MESSAGE_HISTORY, discord.state.bot
    discord.edit.overwrite(discord.channel("music"), bot, deny=denied)
    process = await start(discord, tmp_path, 3600)
    await discord.wait_commands(*COMMANDS, timeout_s=60)
    await discord.wait_ready(60)
    await (await discord.you.slash("settings uploads")).wait_edited()
    await discord.you.say(uploads=[clip()])
    shown = await discord.you.wait_message(
        lambda m: m["author"]["id"] == bot.id and not is_final(m), timeout_s=60
    )
    assert not shown.get("message_reference")
    await finish(process, signal.SIGKILL)
    await discord.wait_for(lambda: not discord.online, 30)

    process = await start(discord, tmp_path, 0)
    try:
        found = await discord.you.wait_message(
            lambda m: "restarted" in visible_text(m), timeout_s=60
        )
        assert found["id"] == shown["id"]
    finally:
        await finish(process, signal.SIGTERM)
    discord.assert_clean()


async def test_restart_corrects_the_progress_of_a_watched_upload(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    process = await start(discord, tmp_path, 3600)
    await discord.wait_commands(*COMMANDS, timeout_s=60)
    await discord.wait_ready(60)
    await wait_text(await discord.you.slash("settings uploads"), "now answers clips", 30)
    upload = await discord.you.say(uploads=[clip()])
    progress = await discord.you.wait_message(lambda m: "Analysing" in visible_text(m))
    assert progress["message_reference"]["message_id"] == upload["id"]
    await finish(process, signal.SIGKILL)
    await discord.wait_for(lambda: not discord.online, 30)
    process = await start(discord, tmp_path, 3600)
    corrected = await discord.you.wait_message(
        lambda m: "restarted" in visible_text(m), timeout_s=60
    )
    await finish(process, signal.SIGTERM)
    assert corrected["id"] == progress["id"]


async def test_upload_whose_bot_was_killed_before_its_progress_gets_a_reply(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    """The pending reply is stored by then, and nothing is posted that could be corrected."""
    guilds = {"restarted": discord.guild, "neu gestartet": discord.add_guild("Zweiter")}
    guilds["neu gestartet"].locale = "de"
    process = await start(discord, tmp_path, 0)
    await discord.wait_commands(*COMMANDS, timeout_s=60)
    await discord.wait_ready(60)
    discord.faults.server_error("POST", r"/channels/\d+/messages", 502, times=1000)
    mention = f"<@{discord.state.bot.id}>"
    uploads = {
        words: await discord.you.say(mention, uploads=[clip()], channel=guild.channel("music"))
        for words, guild in guilds.items()
    }
    for guild in guilds.values():
        path = f"/channels/{guild.channel('music').id}/messages"
        await discord.wait_for(lambda path=path: discord.calls("POST", path), 30)
    await finish(process, signal.SIGKILL)
    await discord.wait_for(lambda: not discord.online, 30)
    discord.faults.clear()

    process = await start(discord, tmp_path, 0)
    try:
        for words, guild in guilds.items():
            reply = await discord.you.wait_message(
                lambda m: m["author"]["bot"], channel=guild.channel("music"), timeout_s=60
            )
            assert words in visible_text(reply)
            assert reply["message_reference"]["message_id"] == uploads[words]["id"]
        await discord.wait_ready(60)
    finally:
        await finish(process, signal.SIGTERM)
    own = [
        message
        for guild in guilds.values()
        for message in discord.you.messages(guild.channel("music"))
        if message["author"]["bot"]
    ]
    assert len(own) == len(guilds)
    discord.assert_clean()


@pytest.mark.alone
@pytest.mark.slow
async def test_bursts_cut_by_kills_leave_no_message_unfinished(tmp_path: Path) -> None:
    async with LocalDiscord(ack_deadline_s=15) as discord:
        people = [discord.person(f"p{n}") for n in range(20)]
        process = await start(discord, tmp_path, 0.05)
        await discord.wait_commands(*COMMANDS, timeout_s=60)
        for kill in range(6):
            await discord.wait_ready(60)
            used = [await who.slash("genre", {"clip": fresh_clip()}) for who in people]
            uploads = [
                await who.say(uploads=[fresh_clip()], channel="dm") for who in people[: 3 * kill]
            ]
            acked = 3 + 3 * kill
            await discord.wait_for(lambda n=acked, used=used: acknowledged(used) >= n, 30)
            await finish(process, signal.SIGKILL)
            await discord.wait_for(lambda: not discord.online, 30)
            process = await start(discord, tmp_path, 0.05)
            for one in used:
                if one.acked_at is not None:
                    await one.wait_until(is_final, 60)
            replied = {upload["id"] for upload in uploads}
            await discord.wait_for(lambda ids=replied: not unfinished(people, ids), 60)
        await discord.wait_ready(60)
        await finish(process, signal.SIGTERM)
    assert process.returncode == 0


def fresh_clip() -> Upload:
    """Return a clip that no request has had, so that its analysis is not cached."""
    return clip(data=secrets.token_bytes(2000))


def acknowledged(used: list[Interaction]) -> int:
    return sum(one.acked_at is not None for one in used)


def is_final(message: dict[str, Any] | None) -> bool:
    """Return whether a message has components, none of them those of an unfinished one."""
    components = (message or {}).get("components") or []
    return bool(components) and all(one.get("id") != UNFINISHED_ID for one in components)


def unfinished(people: list[Person], upload_ids: set[str]) -> list[dict[str, Any]]:
    """Return the bot's replies to these uploads that are not final."""
    return [
        message
        for who in people
        for message in who.messages("dm")
        if (message.get("message_reference") or {}).get("message_id") in upload_ids
        and not is_final(message)
    ]


async def test_sigterm_stops_the_bot_within_20_seconds(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    process = await start(discord, tmp_path, 3600)
    await discord.wait_commands(*COMMANDS, timeout_s=60)
    await discord.wait_ready(60)
    used = await discord.you.slash("recommend", {"clip": clip()})
    await used.wait_ack()
    began = time.monotonic()
    await finish(process, signal.SIGTERM)
    assert time.monotonic() - began < 20
    assert process.returncode == 0
    assert "restarted" in visible_text(used.original)


async def test_second_bot_with_the_same_database_exits(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    first = await start(discord, tmp_path, 0)
    try:
        await discord.wait_ready(60)
        second = await start(discord, tmp_path, 0)
        _, errors = await second.communicate()
        assert second.returncode != 0
        assert "Another bot is running" in errors.decode()
        await wait_response(await discord.you.slash("recommend", {"clip": clip()}), 30)
    finally:
        await finish(first, signal.SIGTERM)


async def test_100_simultaneous_requests_are_acknowledged_in_time(tmp_path: Path, caplog) -> None:
    caplog.set_level(logging.INFO, log.name)
    async with LocalDiscord() as discord:
        people = [discord.person(f"p{n}") for n in range(100)]
        process = await start(discord, tmp_path, 0)
        try:
            await discord.wait_commands(*COMMANDS, timeout_s=60)
            await discord.wait_ready(60)
            await wait_response(await discord.you.slash("recommend", {"clip": clip()}), 30)
            used = [
                await who.slash("recommend", {"clip": clip(data=bytes([n]) * 2000)})
                for n, who in enumerate(people)
            ]
            waits = sorted([await one.wait_ack(10) for one in used])
            for one in used:
                await one.wait_until(
                    lambda m: "Jazz" in visible_text(m) or "waiting" in visible_text(m), 60
                )
        finally:
            await finish(process, signal.SIGTERM)
    figures = (waits[50], waits[98], waits[99])
    log.info("acknowledged within: median %.3f s, 99th %.3f s, worst %.3f s", *figures)
    # Under 1 s on an idle machine; a test machine may be busy, and Discord's own limit is 3 s.
    assert waits[-1] < 3.0
    assert not any(one.failed for one in used)
