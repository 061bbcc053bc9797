"""Time of an upload, alone and while people of another server send slow and hanging links."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

from bot.config import Settings
from bot.local_discord import LocalDiscord, Upload, buttons
from bot.runtime.app import open_local
from bot.runtime.lifecycle import run_until_stopped
from bot.sources import resolver
from tests.benchmarks.figures import RecordFigure
from tests.bot.sources.hostile import name_server
from tests.synth import music

SR = 22050
LIMIT_S = 240.0
AGAIN_S = 5.0  # until a person sends the same link again
PAUSE_S = 0.5  # between uploads
ROUNDS = 15


@pytest.mark.alone
@pytest.mark.benchmark(group="8 discord")
@pytest.mark.parametrize("limits", ["default", "no"])
def test_starve_upload_beside_100_slow_links(
    benchmark: BenchmarkFixture,
    tmp_path: Path,
    seconds: float,
    limits: str,
    timed: bool,
    record_figure: RecordFigure,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The real bot, pool and preset; every second link hangs in DNS, the others send slowly.

    Without limits on requests all links run, so only disk, look-ups and the event loop are shared.
    """
    people, rounds = (100, ROUNDS) if timed else (4, 1)
    y = music(0, seconds, SR)
    clips = [_clip(y, number) for number in range(1 + 2 * rounds)]
    changed = {"jobs_per_server": 1000, "jobs_in_all": 10_000} if limits == "no" else {}
    settings = Settings(
        _env_file=None,
        database=tmp_path / "genrec.db",
        http_port=0,
        local_discord_port=0,
        cooldown_s=0,
        **changed,
    )
    alone, attacked = benchmark.pedantic(
        lambda: asyncio.run(_measure(settings, monkeypatch, clips, people)), rounds=1
    )
    assert min(alone, attacked) > 0
    ratio = attacked / alone
    benchmark.extra_info |= {"alone_s": alone, "attacked_s": attacked, "ratio": ratio}
    record_figure(
        f"an upload beside {people} slow links of one server, {limits} limits: alone / then, ratio",
        "2 times",
        f"{alone:.2f} / {attacked:.2f} s, {ratio:.2f}",
        ratio <= 2,
    )


def _clip(y: NDArray[np.float32], number: int) -> Upload:
    """Return a clip whose content hash is new."""
    file = io.BytesIO()
    soundfile.write(file, y * np.float32(1 - 0.001 * number), SR, format="FLAC")
    return Upload("clip.flac", file.getvalue())


async def _measure(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, clips: list[Upload], people: int
) -> tuple[float, float]:
    """Return the median time of an upload, alone and beside the links."""
    first, *clips = clips
    half = len(clips) // 2
    async with name_server(hanging={"test"}) as names, open_local(settings) as (local, app):
        monkeypatch.setattr(resolver, "_system_servers", lambda _: [names.address])
        stop = asyncio.Event()
        running = asyncio.create_task(run_until_stopped(app, local.token, stop=stop))
        try:
            await local.wait_ready(60)
            await local.wait_commands("recommend", timeout_s=60)
            await _upload(local, first)  # the worker starts
            alone = [await _upload(local, clip) for clip in clips[:half]]
            async with _links(local, people):
                attacked = [await _upload(local, clip) for clip in clips[half:]]
        finally:
            stop.set()
            await running
    return float(np.median(alone)), float(np.median(attacked))


async def _upload(local: LocalDiscord, clip: Upload) -> float:
    """Send a clip, and return the seconds until its answer."""
    started = time.perf_counter()
    used = await local.you.slash("recommend", {"clip": clip})
    await used.wait_until(
        lambda m: any(b.get("custom_id", "").startswith("thumb:") for b in buttons(m)), LIMIT_S
    )
    seconds = time.perf_counter() - started
    await asyncio.sleep(PAUSE_S)
    return seconds


@asynccontextmanager
async def _links(local: LocalDiscord, people: int) -> AsyncIterator[None]:
    """Let people of another server send their links again and again during the block."""
    channel = local.add_guild("Server B").channel("music")

    async def slow() -> AsyncIterator[bytes]:
        yield b"ID3\4\0\0" + bytes(60_000)
        while True:
            await asyncio.sleep(0.5)
            yield bytes(4_500)

    async def send(number: int) -> None:
        link = f"https://a{number}.slow.test/x.mp3"
        if number % 2:
            link = local.cdn.attach(channel.id, Upload("s.mp3", b"", stream=slow))["url"]
        person = local.person(f"b{number}")
        while True:
            await person.slash("recommend", {"link": link}, channel=channel)
            await asyncio.sleep(AGAIN_S)

    tasks = [asyncio.create_task(send(number)) for number in range(people)]
    try:
        await asyncio.sleep(2)
        yield
        if failed := [task for task in tasks if task.done()]:
            failed[0].result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
