"""Every accepted question is answered or corrected, whatever Discord and the wire do."""

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
from genrec.errors import WorkerUnavailable
from tests.bot.end_to_end.conftest import COMMANDS, WAV, World, answered, bot_on, clip, said
from tests.bot.end_to_end.fakes import FakePool, make_preset

CALLBACK, ORIGINAL = "/interactions/.*/callback", "/messages/@original"


async def recommend(world: World):
    return await world.you.slash("recommend", {"clip": clip()})


async def test_an_acknowledgement_whose_answer_was_lost(world: World) -> None:
    world.discord.faults.lost_response("POST", CALLBACK)
    await answered(await recommend(world))
    assert [c.status for c in world.discord.calls("POST", CALLBACK)] == [502, 400]


async def test_an_error_after_a_lost_acknowledgement_is_still_told(world: World) -> None:
    world.discord.faults.lost_response("POST", CALLBACK)
    used = await world.you.slash("recommend")
    assert await said(used, "Add a clip")


@pytest.mark.parametrize(
    "fault", ["reset", "reset after", "5xx", "429", "429 without via", "html 429", "html via"]
)
async def test_the_answer_survives(world: World, fault: str) -> None:
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
    await answered(await recommend(world), 20)
    await world.settled()
    assert len(world.discord.calls("PATCH", ORIGINAL)) >= 2


async def test_workers_start_before_the_first_question(world: World) -> None:
    async with asyncio.timeout(10):
        await world.pool.warmed.wait()
    assert not world.pool.heard


async def test_a_bot_whose_workers_do_not_start_says_so_and_goes_on(
    discord: LocalDiscord, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pool = FakePool()
    pool.cold = WorkerUnavailable("No worker could be started: no memory is left.")
    async with bot_on(discord, tmp_path, pool=pool) as world:
        await answered(await recommend(world))
    told = [r for r in caplog.records if r.name == "bot.runtime.lifecycle"]
    assert [r.levelname for r in told] == ["WARNING"]
    assert "the next clip retries: No worker could be started" in told[0].getMessage()


async def test_a_reset_acknowledgement_is_sent_again(world: World) -> None:
    world.discord.faults.reset("POST", CALLBACK)
    await answered(await recommend(world))


async def test_an_upload_is_answered_once_though_the_wire_breaks(world: World) -> None:
    world.discord.faults.reset("POST", "/channels/.*/messages", applied=True)
    await world.you.say(uploads=[clip()], channel="dm")
    await world.you.wait_message(lambda m: "Jazz" in visible_text(m), channel="dm")
    await world.settled()
    replies = [m for m in world.you.sees("dm") if m.get("message_reference")]
    assert len(replies) == 1


async def test_a_token_that_runs_out_falls_back_to_the_channel(world: World) -> None:
    world.pool.gate = asyncio.Event()
    used = await recommend(world)
    await used.wait_ack()
    await asyncio.sleep(0.3)
    used.expire()
    world.pool.gate.set()
    message = await world.you.wait_message(lambda m: "Jazz" in visible_text(m))
    assert message["id"] == used.original["id"], "the same message, edited as a message"
    await world.settled()


async def test_a_token_that_runs_out_in_private_is_only_logged(world: World, caplog) -> None:
    world.pool.gate = asyncio.Event()
    used = await world.you.slash("recommend", {"clip": clip(), "private": True})
    await used.wait_ack()
    used.expire()
    world.pool.gate.set()
    await world.settled()
    assert not [m for m in world.you.sees() if "Jazz" in visible_text(m)]
    assert "reply token expired" in caplog.text


async def test_repeated_events_are_answered_once(world: World) -> None:
    used = await recommend(world)
    world.discord.gateway.repeat_last()
    await answered(used)
    await world.settled()
    assert len(world.discord.calls("POST", CALLBACK)) == 1
    await world.you.say(uploads=[clip()], channel="dm")
    world.discord.gateway.repeat_last()
    await world.you.wait_message(lambda m: "Jazz" in visible_text(m), channel="dm")
    await world.settled()
    assert len([m for m in world.you.sees("dm") if m.get("message_reference")]) == 1
    assert b"genrec_repeated_events_total" in world.app.metrics.text()


async def test_reconnecting_and_a_new_session(world: World) -> None:
    world.discord.gateway.reconnect()
    await world.discord.wait_for(
        lambda: any(e.get("op") == 6 for e in world.discord.gateway.log), 20
    )
    await answered(await recommend(world))
    with world.discord.gateway.losing():
        used = await recommend(world)
    world.discord.gateway.reconnect()
    await answered(used, 20)


async def test_a_refused_intent_is_said_once_and_lived_without(
    tmp_path: Path, schema, caplog
) -> None:
    local = LocalDiscord(message_content=False, schema=schema)
    async with local as discord, bot_on(discord, tmp_path) as world:
        assert caplog.text.count("Discord refused the Message Content intent") == 1
        panel = await (await world.you.slash("settings show")).wait_edited()
        assert "Message Content Intent" in visible_text(panel)
        await answered(await recommend(world))
        await world.you.say(f"<@{discord.state.bot.id}>", uploads=[clip()])
        await world.you.wait_message(lambda m: "Jazz" in visible_text(m) and m["type"] == 19)
        await world.settled()
        message = await world.you.say(uploads=[clip(data=WAV + b"4")])
        await answered(await world.you.menu("What genre is this?", message))
        discord.assert_clean()


async def test_a_wrong_token_is_a_sentence(discord: LocalDiscord, tmp_path: Path) -> None:
    discord.token, wrong = "wrong.token.value", discord.token
    with pytest.raises(SettingsError, match="GENREC_DISCORD_TOKEN") as refused:
        async with bot_on(discord, tmp_path):
            pass
    assert discord.token not in str(refused.value)
    assert isinstance(refused.value.__cause__, library.LoginFailure)
    assert wrong


async def test_commands_are_registered_only_when_they_change(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    for _ in range(2):
        async with bot_on(discord, tmp_path):
            pass
    assert len(discord.calls("PUT", "/commands")) == 1


async def test_sync_registers_the_commands_and_stays_off_the_gateway(
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
    ("token", "says"), [(None, "no token"), ("wrong.token.value", "GENREC_DISCORD_TOKEN")]
)
async def test_sync_without_a_token_that_discord_takes_is_a_sentence(
    discord: LocalDiscord, tmp_path: Path, token: str | None, says: str
) -> None:
    make_preset(tmp_path / "preset")
    settings = Settings(
        _env_file=None, discord_token=token, preset=tmp_path / "preset", http_port=0
    )
    with discord.patch_discord_py(), pytest.raises(SettingsError, match=says):
        await asyncio.to_thread(sync, settings)
    assert not discord.calls("PUT", "/commands")


async def test_stopping_lets_a_running_question_finish(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    async with bot_on(discord, tmp_path) as world:
        world.pool.gate = asyncio.Event()
        used = await recommend(world)
        await used.wait_ack()
        world.stop.set()
        sam = discord.person("sam")
        assert await said(await sam.slash("recommend", {"clip": clip()}), "restarting")
        world.pool.gate.set()
        await answered(used)
        await world.running


async def test_stopping_corrects_what_does_not_finish(
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


async def test_secrets_stay_out_of_the_log(discord: LocalDiscord, tmp_path: Path, capsys) -> None:
    from bot.logs import set_up_logs

    root = logging.getLogger()
    level = root.level
    handler = set_up_logs(form="text", level="DEBUG", secrets=[discord.token])
    try:
        async with bot_on(discord, tmp_path) as world:
            world.pool.error = RuntimeError(f"with the token {discord.token}")
            used = await recommend(world)
            await said(used, "our side")
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    written = capsys.readouterr().err
    assert "unhandled error" in written
    assert discord.token not in written
    assert used.token not in written
