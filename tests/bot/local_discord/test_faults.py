"""Injected faults and their effect on an unmodified discord.py client."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import aiohttp
import discord as library
import pytest

from bot.local_discord import LocalDiscord, NotOffered, Upload, visible_text
from bot.local_discord.cdn import drip, endless
from tests.bot.local_discord.small_bot import SmallBot, running

CLIP = Upload("clip.wav", bytes(2_000))
CALLBACK, ORIGINAL = "/interactions/.*/callback", "/messages/@original"
ROOT = Path(__file__).resolve().parents[3]


def statuses(discord: LocalDiscord, method: str, path: str) -> list[int | str | None]:
    return [call.status for call in discord.calls(method, path)]


@pytest.mark.usefixtures("bot")
async def test_429_with_via_is_retried_after_its_delay(discord: LocalDiscord) -> None:
    discord.faults.rate_limited("PATCH", ORIGINAL, 0.7)
    used = await discord.you.slash("identify", {"clip": CLIP})
    await used.wait_edited()
    first, second = discord.calls("PATCH", ORIGINAL)
    assert (first.status, second.status) == (429, 200)
    assert second.at - first.at >= 0.7


@pytest.mark.parametrize("ban", ["without via", "html"])
@pytest.mark.usefixtures("bot")
async def test_cloudflare_ban_is_not_retried(discord: LocalDiscord, ban: str) -> None:
    if ban == "html":
        discord.faults.cloudflare_ban("PATCH", ORIGINAL)
    else:
        discord.faults.rate_limited("PATCH", ORIGINAL, via=False)
    used = await discord.you.slash("identify", {"clip": CLIP})
    await discord.wait_for(lambda: statuses(discord, "PATCH", ORIGINAL) == [429])
    await asyncio.sleep(0.3)
    assert used.thinking
    assert statuses(discord, "PATCH", ORIGINAL) == [429], "discord.py gives up"


@pytest.mark.usefixtures("bot")
async def test_5xx_is_retried(discord: LocalDiscord) -> None:
    discord.faults.server_error("PATCH", ORIGINAL, 503)
    used = await discord.you.slash("identify", {"clip": CLIP})
    await used.wait_edited()
    assert statuses(discord, "PATCH", ORIGINAL) == [503, 200]


@pytest.mark.usefixtures("bot")
async def test_lost_acknowledgement_response_gives_40060_on_retry(discord: LocalDiscord) -> None:
    discord.faults.lost_response("POST", CALLBACK)
    used = await discord.you.slash("identify", {"clip": CLIP})
    await used.wait_ack()
    await discord.wait_for(lambda: statuses(discord, "POST", CALLBACK) == [502, 400])
    error = discord.calls("POST", CALLBACK)[1].error
    assert error is not None
    assert error["code"] == 40060
    with pytest.raises(AssertionError, match="acknowledged twice"):
        discord.assert_clean()


@pytest.mark.usefixtures("bot")
async def test_connection_reset_fails_the_call(discord: LocalDiscord) -> None:
    discord.faults.reset("PATCH", ORIGINAL)
    used = await discord.you.slash("identify", {"clip": CLIP})
    await discord.wait_for(lambda: statuses(discord, "PATCH", ORIGINAL) == ["reset"])
    await asyncio.sleep(0.2)
    assert used.thinking


async def test_late_acknowledgement_is_an_unknown_interaction() -> None:
    async with LocalDiscord(ack_deadline_s=0.1) as discord, running(discord):
        discord.faults.delay("POST", CALLBACK, 0.3)
        used = await discord.you.slash("note")
        await discord.wait_for(lambda: statuses(discord, "POST", CALLBACK) == [404])
        assert used.failed
        assert used.original is None
        with pytest.raises(AssertionError, match=r"acknowledged after \d+\.\d+ s"):
            discord.assert_clean()


@pytest.mark.usefixtures("bot")
async def test_expired_token_cannot_edit(discord: LocalDiscord) -> None:
    used = await discord.you.slash("identify", {"clip": CLIP})
    await used.wait_edited()
    used.expire()
    address = f"{discord.url}/api/v10/webhooks/{discord.state.bot.id}/{used.token}"
    async with aiohttp.ClientSession() as session:
        answer = await session.patch(f"{address}/messages/@original", json={"content": "late"})
        assert (answer.status, (await answer.json())["code"]) == (401, 50027)


@pytest.mark.parametrize("kind", ["endless", "drip", "truncated", "gone", "elsewhere"])
async def test_attachment_with_fault_is_served_faulty(discord: LocalDiscord, kind: str) -> None:
    upload = {
        "endless": Upload("a.wav", size=10, stream=endless),
        "drip": Upload("a.wav", size=10, stream=drip),
        "truncated": Upload("a.wav", bytes(1_000), truncate_at=100),
        "gone": Upload("a.wav", status=404),
        "elsewhere": Upload("a.wav", status=302, location="http://169.254.169.254/"),
    }[kind]
    posted = await discord.you.say(uploads=[upload])
    url = posted["attachments"][0]["url"]
    async with aiohttp.ClientSession() as session, session.get(url, allow_redirects=False) as got:
        if kind == "endless":
            assert len(await got.content.readexactly(1 << 20)) == 1 << 20
        elif kind == "drip":
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(got.read(), 0.5)
        elif kind == "truncated":
            with pytest.raises(aiohttp.ClientError):
                await got.read()
        else:
            assert got.status == upload.status
            assert got.headers.get("Location") == upload.location


async def test_attachment_url_with_wrong_signature_is_404(discord: LocalDiscord) -> None:
    posted = await discord.you.say(uploads=[CLIP])
    url = posted["attachments"][0]["url"]
    async with aiohttp.ClientSession() as session:
        assert (await session.get(url)).status == 200
        assert (await session.get(url[:-2] + "zz")).status == 404
        assert (await session.get(url.replace("ex=", "ex=f"))).status == 404


async def test_op_7_resume_replays_withheld_events(discord: LocalDiscord, bot: SmallBot) -> None:
    with discord.gateway.losing():
        used = await discord.you.slash("identify", {"clip": CLIP})
    discord.gateway.reconnect()
    await used.wait_edited()
    assert bot.events == ["ready", "resumed"]
    assert [e["op"] for e in discord.gateway.log if e["event"] == "received"] == [2, 6]


@pytest.mark.usefixtures("bot")
async def test_op_9_leads_to_a_new_identify(discord: LocalDiscord) -> None:
    discord.gateway.invalidate()
    ops = lambda: [e["op"] for e in discord.gateway.log if e["event"] == "received"]  # noqa: E731
    await discord.wait_for(lambda: ops().count(2) == 2, 15)
    await discord.wait_ready()
    used = await discord.you.slash("identify", {"clip": CLIP})
    assert await used.wait_edited()


async def test_aborted_gateway_connection_is_resumed(discord: LocalDiscord, bot: SmallBot) -> None:
    discord.gateway.abort()
    await discord.wait_for(lambda: "resumed" in bot.events, 30)
    assert discord.online


async def test_heartbeats_are_counted_and_acknowledged(discord: LocalDiscord) -> None:
    async with running(discord) as bot:
        await discord.wait_for(lambda: discord.gateway.connections[0].heartbeats >= 2)
        assert bot.latency < 1


async def test_acknowledged_heartbeat_counts_from_its_own_sending(discord: LocalDiscord) -> None:
    async with running(discord) as bot:
        for beats in range(1, 9):
            await discord.wait_for(lambda n=beats: discord.gateway.connections[0].heartbeats >= n)
            await asyncio.sleep(0.1)
            assert bot.latency < 0.15, "0.2 s is the pause between heartbeats"


async def test_repeated_event_reaches_the_bot_twice(discord: LocalDiscord, bot: SmallBot) -> None:
    await discord.you.say("once")
    discord.gateway.repeat_last()
    await discord.wait_for(lambda: len(bot.messages) >= 2)
    assert [m.content for m in bot.messages] == ["once", "once"]


async def test_refused_privileged_intent_closes_with_4014() -> None:
    async with LocalDiscord(message_content=False) as discord:
        with discord.patch_discord_py():
            async with SmallBot() as refused:
                with pytest.raises(library.PrivilegedIntentsRequired):
                    await refused.start(discord.token)
        async with running(discord, message_content=False) as bot:
            assert not bot.application_flags.gateway_message_content_limited
    async with LocalDiscord() as discord, running(discord) as bot:
        assert bot.application_flags.gateway_message_content_limited


async def test_wrong_token_fails_login(discord: LocalDiscord) -> None:
    with discord.patch_discord_py():
        async with SmallBot() as refused:
            with pytest.raises(library.LoginFailure):
                await refused.start("wrong")


@pytest.mark.parametrize("compression", [True, False], ids=["compressed", "plain"])
async def test_gateway_compression_follows_the_client(compression: bool) -> None:
    async with LocalDiscord() as discord:
        discord.gateway.compression = compression
        async with running(discord):
            used = await discord.you.slash("identify", {"clip": CLIP})
            await used.wait_edited()
            requested = discord.gateway.log[0]["query"]["compress"]
            assert requested in ("zlib-stream", "zstd-stream")
            used_compression = discord.gateway.connections[0].compress
            assert used_compression == (requested if compression else "")


async def test_gateway_supports_zlib_stream(
    discord: LocalDiscord, monkeypatch: pytest.MonkeyPatch
) -> None:
    import zlib

    class Zlib:
        COMPRESSION_TYPE = "zlib-stream"

        def __init__(self) -> None:
            self._inflate = zlib.decompressobj()

        def decompress(self, data: bytes) -> str | None:
            assert data[-4:] == b"\0\0\xff\xff"
            return self._inflate.decompress(data).decode()

    monkeypatch.setattr(library.utils, "_ActiveDecompressionContext", Zlib)
    async with running(discord):
        assert discord.gateway.connections[0].compress == "zlib-stream"


async def test_two_bots_at_once_acknowledge_an_interaction_once(discord: LocalDiscord) -> None:
    async with running(discord), running(discord):
        assert len(discord.gateway.connections) == 2
        used = await discord.you.slash("identify", {"clip": CLIP})
        await used.wait_edited()
        await discord.wait_for(lambda: sorted(statuses(discord, "POST", CALLBACK)) == [200, 400])


async def test_shards_receive_only_their_guilds(discord: LocalDiscord) -> None:
    discord.gateway.shards = 2
    with discord.patch_discord_py():
        client = library.AutoShardedClient(intents=library.Intents.default())
        task = asyncio.create_task(client.start(discord.token))
        try:
            await discord.wait_for(lambda: len(discord.gateway.connections) == 2, 20)
            await asyncio.wait_for(client.wait_until_ready(), 20)
            assert [g.shard_id for g in client.guilds] == [(int(discord.guild.id) >> 22) % 2]
        finally:
            await client.close()
            await task


async def test_command_without_a_connected_bot_is_not_acknowledged(discord: LocalDiscord) -> None:
    with pytest.raises(NotOffered, match="No command"):
        await discord.you.slash("identify", {"clip": CLIP})
    async with running(discord):
        pass
    used = await discord.you.slash("note")
    assert not used.failed
    assert used.acked_at is None


async def test_bot_process_can_be_killed_and_restarted() -> None:
    script = (
        "import sys; from bot.local_discord import patch_discord_py;"
        "from tests.bot.local_discord.small_bot import SmallBot\n"
        "with patch_discord_py(sys.argv[1]): SmallBot().run(sys.argv[2], log_handler=None)"
    )

    async with LocalDiscord() as discord:

        async def start() -> asyncio.subprocess.Process:
            return await asyncio.create_subprocess_exec(
                sys.executable, "-c", script, discord.url, discord.token, cwd=ROOT
            )

        process = await start()
        await discord.wait_commands("identify", timeout_s=30)
        await discord.wait_ready(30)
        used = await discord.you.slash("identify", {"clip": Upload("a.wav", stream=drip)})
        await used.wait_ack()
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
        await discord.wait_for(lambda: not discord.online)
        assert used.thinking, "a pending reply that a restart must correct"
        process = await start()
        try:
            await discord.wait_ready(30)
            again = await discord.you.slash("identify", {"clip": CLIP})
            assert "clip.wav" in visible_text(await again.wait_edited(20))
        finally:
            process.terminate()
            await process.wait()


@pytest.mark.usefixtures("bot")
async def test_wait_ack_returns_the_elapsed_time(discord: LocalDiscord) -> None:
    discord.faults.delay("POST", CALLBACK, 0.4)
    begun = time.monotonic()
    used = await discord.you.slash("note")
    assert 0.4 <= await used.wait_ack() <= time.monotonic() - begun
