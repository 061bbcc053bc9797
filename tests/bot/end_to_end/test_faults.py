"""Every admitted request gets a response or a correction, despite faults of Discord."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path

import discord as library
import pytest

from bot.config import Settings
from bot.errors import SettingsError
from bot.local_discord import LocalDiscord, visible_text
from bot.runtime.app import sync
from db.pending_replies import interrupted_replies
from genrec.errors import CatalogueError, WorkerUnavailable
from tests.bot.end_to_end.conftest import (
    COMMANDS,
    WAV,
    World,
    bot_on,
    clip,
    wait_response,
    wait_text,
)
from tests.bot.end_to_end.fakes import FakePool, make_preset

CALLBACK, ORIGINAL = "/interactions/.*/callback", "/messages/@original"


async def recommend(world: World):
    return await world.you.slash("recommend", {"clip": clip()})


async def test_acknowledgement_with_a_lost_reply_still_gets_the_response(world: World) -> None:
    world.discord.faults.lost_response("POST", CALLBACK)
    await wait_response(await recommend(world))
    assert [c.status for c in world.discord.calls("POST", CALLBACK)] == [502, 400]


async def test_error_message_after_a_lost_acknowledgement_is_sent(world: World) -> None:
    world.discord.faults.lost_response("POST", CALLBACK)
    used = await world.you.slash("recommend")
    assert await wait_text(used, "Add a clip")


@pytest.mark.parametrize(
    "fault", ["reset", "reset after", "5xx", "429", "429 without via", "html 429", "html via"]
)
async def test_response_is_sent_despite_a_fault(world: World, fault: str) -> None:
    faults = world.discord.faults
    if fault.startswith("reset"):
        faults.reset("PATCH", ORIGINAL, applied=fault == "reset after")
    elif fault == "5xx":
        faults.server_error("PATCH", ORIGINAL, 503)
    elif fault == "html 429":
        faults.cloudflare_ban("PATCH", ORIGINAL)
    elif fault == "html via":
        faults.cloudflare_ban("PATCH", ORIGINAL).headers["Via"] = "1.1 google"
    else:
        faults.rate_limited("PATCH", ORIGINAL, via=fault == "429")
    await wait_response(await recommend(world), 20)
    await world.settled()
    assert len(world.discord.calls("PATCH", ORIGINAL)) >= 2


async def test_workers_start_before_the_first_request(world: World) -> None:
    async with asyncio.timeout(10):
        await world.pool.warmed.wait()
    assert not world.pool.analyzed


async def test_failed_worker_start_is_logged_and_the_bot_runs(
    discord: LocalDiscord, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pool = FakePool()
    pool.start_error = WorkerUnavailable("No worker could be started: no memory is left.")
    async with bot_on(discord, tmp_path, pool=pool) as world:
        await wait_response(await recommend(world))
    records = [r for r in caplog.records if r.name == "bot.runtime.lifecycle"]
    assert [r.levelname for r in records] == ["WARNING"]
    assert "worker start failed at warm-up: No worker could be started" in records[0].getMessage()


async def test_reset_acknowledgement_is_retried(world: World) -> None:
    world.discord.faults.reset("POST", CALLBACK)
    assert "Jazz" in visible_text(await wait_response(await recommend(world)))


async def test_upload_gets_one_reply_despite_a_reset(world: World) -> None:
    world.discord.faults.reset("POST", "/channels/.*/messages", applied=True)
    await world.you.say(uploads=[clip()], channel="dm")
    await world.you.wait_message(lambda m: "Jazz" in visible_text(m), channel="dm")
    await world.settled()
    replies = [m for m in world.you.messages("dm") if m.get("message_reference")]
    assert len(replies) == 1


async def test_expired_token_edits_the_message_in_the_channel(world: World) -> None:
    world.pool.gate = asyncio.Event()
    used = await recommend(world)
    await used.wait_ack()
    await asyncio.sleep(0.3)
    used.expire()
    world.pool.gate.set()
    message = await world.you.wait_message(lambda m: "Jazz" in visible_text(m))
    assert message["id"] == used.original["id"], "the same message, edited as a message"
    await world.settled()


async def test_expired_token_of_a_private_response_is_logged(world: World, caplog) -> None:
    world.pool.gate = asyncio.Event()
    used = await world.you.slash("recommend", {"clip": clip(), "private": True})
    await used.wait_ack()
    used.expire()
    world.pool.gate.set()
    await world.settled()
    assert not [m for m in world.you.messages() if "Jazz" in visible_text(m)]
    assert "reply token expired" in caplog.text


async def test_repeated_event_gets_one_response(world: World) -> None:
    used = await recommend(world)
    world.discord.gateway.repeat_last()
    await wait_response(used)
    await world.settled()
    assert len(world.discord.calls("POST", CALLBACK)) == 1
    await world.you.say(uploads=[clip()], channel="dm")
    world.discord.gateway.repeat_last()
    await world.you.wait_message(lambda m: "Jazz" in visible_text(m), channel="dm")
    await world.settled()
    assert len([m for m in world.you.messages("dm") if m.get("message_reference")]) == 1
    assert b"genrec_repeated_events_total" in world.app.metrics.text()


async def test_requests_work_after_a_reconnect_and_a_new_session(world: World) -> None:
    world.discord.gateway.reconnect()
    await world.discord.wait_for(
        lambda: any(e.get("op") == 6 for e in world.discord.gateway.log), 20
    )
    await wait_response(await recommend(world))
    with world.discord.gateway.losing():
        used = await recommend(world)
    world.discord.gateway.reconnect()
    assert "Jazz" in visible_text(await wait_response(used, 20))


async def test_refused_intent_is_logged_once_and_the_bot_runs(
    tmp_path: Path, schema, caplog
) -> None:
    local = LocalDiscord(message_content=False, schema=schema)
    async with local as discord, bot_on(discord, tmp_path) as world:
        assert caplog.text.count("message content intent refused") == 1
        panel = await (await world.you.slash("settings show")).wait_edited()
        assert "Message Content Intent" in visible_text(panel)
        await wait_response(await recommend(world))
        await world.you.say(f"<@{discord.state.bot.id}>", uploads=[clip()])
        await world.you.wait_message(lambda m: "Jazz" in visible_text(m) and m["type"] == 19)
        await world.settled()
        message = await world.you.say(uploads=[clip(data=WAV + b"4")])
        await wait_response(await world.you.menu("What genre is this?", message))
        discord.assert_clean()


async def test_wrong_token_raises_a_settings_error(discord: LocalDiscord, tmp_path: Path) -> None:
    discord.token, wrong = "wrong.token.value", discord.token
    with pytest.raises(SettingsError, match="GENREC_DISCORD_TOKEN") as refused:
        async with bot_on(discord, tmp_path):
            pass
    assert discord.token not in str(refused.value)
    assert isinstance(refused.value.__cause__, library.LoginFailure)
    assert wrong


async def test_commands_are_registered_only_if_they_changed(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    for _ in range(2):
        async with bot_on(discord, tmp_path):
            pass
    assert len(discord.calls("PUT", "/commands")) == 1


async def test_sync_registers_the_commands_without_the_gateway(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    make_preset(tmp_path / "preset")
    settings = Settings(
        _env_file=None, discord_token=discord.token, preset=tmp_path / "preset", http_port=0
    )
    with discord.patch_discord_py():
        await asyncio.to_thread(sync, settings)
    await discord.wait_commands(*COMMANDS)
    assert len(discord.calls("PUT", "/commands")) == 1
    assert not discord.online
    discord.assert_clean()


@pytest.mark.parametrize(
    ("token", "expected"),
    [(None, "without a token"), ("wrong.token.value", "GENREC_DISCORD_TOKEN")],
)
async def test_sync_without_a_valid_token_raises_a_settings_error(
    discord: LocalDiscord, tmp_path: Path, token: str | None, expected: str
) -> None:
    make_preset(tmp_path / "preset")
    settings = Settings(
        _env_file=None, discord_token=token, preset=tmp_path / "preset", http_port=0
    )
    with discord.patch_discord_py(), pytest.raises(SettingsError, match=expected):
        await asyncio.to_thread(sync, settings)
    assert not discord.calls("PUT", "/commands")


async def test_stop_lets_a_running_request_finish(discord: LocalDiscord, tmp_path: Path) -> None:
    async with bot_on(discord, tmp_path) as world:
        world.pool.gate = asyncio.Event()
        used = await recommend(world)
        await used.wait_ack()
        world.stop.set()
        sam = discord.person("sam")
        assert await wait_text(await sam.slash("recommend", {"clip": clip()}), "restarting")
        world.pool.gate.set()
        await wait_response(used)
        await world.running


async def test_stop_corrects_the_message_of_an_unfinished_request(
    discord: LocalDiscord, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr("bot.runtime.lifecycle.FINISH_S", 0.3)
    async with bot_on(discord, tmp_path) as world:
        world.pool.gate = asyncio.Event()
        used = await recommend(world)
        await used.wait_ack()
        began = time.monotonic()
        await world.end()
        assert time.monotonic() - began < 20
    assert "restarted" in visible_text(used.original)


async def test_log_contains_no_secret(discord: LocalDiscord, tmp_path: Path, capsys) -> None:
    from bot.logs import set_up_logs

    root = logging.getLogger()
    level = root.level
    handler = set_up_logs(form="text", level="DEBUG", secrets=[discord.token])
    try:
        async with bot_on(discord, tmp_path) as world:
            world.pool.error = RuntimeError(f"with the token {discord.token}")
            used = await recommend(world)
            await wait_text(used, "Something went wrong")
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    written = capsys.readouterr().err
    assert "unhandled error" in written
    assert discord.token not in written
    assert used.token not in written


async def test_acknowledgement_confirmed_too_late_still_gets_the_response(world: World) -> None:
    world.discord.faults.late_response("POST", CALLBACK, 3.5)
    used = await recommend(world)
    await wait_response(used, 30)
    assert not used.failed


@pytest.mark.parametrize("kind", ["command", "upload"])
async def test_client_that_replaces_another_one_finishes_its_requests(
    world: World, kind: str
) -> None:
    world.pool.gate = asyncio.Event()
    if kind == "command":
        used = await recommend(world)
        await used.wait_ack()
    else:
        await world.you.say(uploads=[clip()], channel="dm")
        await world.you.wait_message(lambda m: m["components"], channel="dm")
    await world.discord.gateway.close(4014)
    await world.discord.wait_for(lambda: not world.discord.online, 20)
    world.pool.gate.set()
    if kind == "command":
        await wait_response(used, 60)
    else:
        await world.you.wait_message(lambda m: "Song" in visible_text(m), channel="dm")
    await world.settled()
    assert await interrupted_replies(world.app.resources.db, "another process") == []


async def test_full_disk_delays_no_response(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def full(*_: object) -> None:
        raise CatalogueError("The disk is full.")

    monkeypatch.setattr("bot.jobs.recovery.save_reply_changes", full)
    monkeypatch.setattr("db.analyses.AnalysisCache.put", full)
    for _ in range(2):
        await wait_response(await recommend(world))
        await world.settled()
    assert "genrec_database_writable 0.0" in world.app.metrics.text().decode()
    errors = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert ["database not writable" in r.getMessage() for r in errors] == [True]
