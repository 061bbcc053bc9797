"""How long people on Discord wait: one, ten and a hundred who use /recommend at once."""

from __future__ import annotations

import asyncio
import io
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from pytest_benchmark.fixture import BenchmarkFixture

from bot.config import Settings
from bot.local_discord import Interaction, Upload, buttons, visible_text
from bot.runtime.app import open_local
from bot.runtime.lifecycle import run_until_stopped
from tests.benchmarks.figures import Reached
from tests.synth import music

SR = 22050
PEOPLE = (1, 10, 100)
LIMIT_S = 240.0


def clip(number: int, seconds: float) -> Upload:
    """Return a clip that nobody sent before."""
    file = io.BytesIO()
    y = music(number % 5, seconds, SR) * np.float32(1 - 0.001 * number)
    soundfile.write(file, y, SR, format="FLAC")
    return Upload(f"clip {number}.flac", file.getvalue())


@pytest.mark.benchmark(group="8 discord")
@pytest.mark.parametrize("people", PEOPLE)
def test_people_at_once(
    benchmark: BenchmarkFixture,
    tmp_path: Path,
    seconds: float,
    people: int,
    timed: bool,
    reached: Reached,
) -> None:
    """The real bot, pool and preset on the local Discord, from its start to its stop."""
    clips = [clip(number, seconds) for number in range(people if timed else min(people, 3))]
    waited = benchmark.pedantic(lambda: asyncio.run(_ask(tmp_path, clips)), rounds=1)
    assert any(each.answered for each in waited)
    seconds_of = {
        "acknowledged": [each.acknowledged_s for each in waited],
        "answered": [each.ended_s for each in waited if each.answered],
        "told busy": [each.ended_s for each in waited if not each.answered],
    }
    for what, taken in seconds_of.items():
        if taken:
            p50, p95, p99 = (float(np.percentile(taken, q)) for q in (50, 95, 99))
            figures = {"count": len(taken), "p50_s": p50, "p95_s": p95, "p99_s": p99}
            benchmark.extra_info[what] = figures
            name = f"{len(clips)} at once, {len(taken)} {what}, p50 / p95 / p99"
            wanted, met = (
                ("3 s, Discord's limit", p99 < 3) if what == "acknowledged" else ("", None)
            )
            reached(name, wanted, f"{p50:.3f} / {p95:.3f} / {p99:.3f} s", met)


@dataclass(frozen=True, slots=True)
class Waited:
    """How long one person waited, and whether for an answer or to be told that it is busy."""

    acknowledged_s: float
    ended_s: float
    answered: bool


async def _ask(folder: Path, clips: list[Upload]) -> list[Waited]:
    """Let everybody use /recommend at once, and see how long each waits."""
    settings = Settings(
        _env_file=None,
        database=folder / "genrec.db",
        http_port=0,
        local_discord_port=0,
        jobs_per_server=1000,
    )
    async with open_local(settings) as (local, app):
        stop = asyncio.Event()
        running = asyncio.create_task(run_until_stopped(app, local.token, stop=stop))
        try:
            await local.wait_ready(60)
            await local.wait_commands("recommend", timeout_s=60)
            people = [local.person(f"p{n}") for n in range(len(clips))]
            used = [
                (await who.slash("recommend", {"clip": each}), time.perf_counter())
                for who, each in zip(people, clips, strict=True)
            ]
            return await asyncio.gather(*(_ended(one, since) for one, since in used))
        finally:
            stop.set()
            await running


async def _ended(used: Interaction, since: float) -> Waited:
    """Wait for the end: thumbs are under an answer; else it was told "busy"."""

    def ended(message: dict[str, object]) -> bool:
        return (
            _has_thumbs(message)
            or "clips waiting" in visible_text(message)
            or "clips are waiting" in visible_text(message)
        )

    acknowledged_s = await used.wait_ack(LIMIT_S)
    message = await used.wait_until(ended, LIMIT_S)
    ended_s = time.perf_counter() - since
    return Waited(acknowledged_s, ended_s, _has_thumbs(message))


def _has_thumbs(message: dict[str, object]) -> bool:
    return any(b.get("custom_id", "").startswith("thumb:") for b in buttons(message))
