"""Response times of /recommend on the local Discord for 1, 10 and 100 people at once."""

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
from tests.benchmarks.figures import RecordFigure
from tests.synth import music

SR = 22050
PEOPLE = (1, 10, 100)
LIMIT_S = 240.0


def clip(number: int, seconds: float) -> Upload:
    """Return a clip whose content hash is new."""
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
    record_figure: RecordFigure,
) -> None:
    """The real bot, pool and preset, from the start of the local Discord to its stop."""
    clips = [clip(number, seconds) for number in range(people if timed else min(people, 3))]
    waited = benchmark.pedantic(lambda: asyncio.run(_use_recommend(tmp_path, clips)), rounds=1)
    assert any(each.answered for each in waited)
    seconds_of = {
        "acknowledged": [each.acknowledged_s for each in waited],
        "answered": [each.ended_s for each in waited if each.answered],
        "rejected as busy": [each.ended_s for each in waited if not each.answered],
    }
    for event, taken in seconds_of.items():
        if taken:
            p50, p95, p99 = (float(np.percentile(taken, q)) for q in (50, 95, 99))
            figures = {"count": len(taken), "p50_s": p50, "p95_s": p95, "p99_s": p99}
            benchmark.extra_info[event] = figures
            name = f"{len(clips)} at once, {len(taken)} {event}, p50 / p95 / p99"
            target, met = (
                ("3 s, Discord's limit", p99 < 3) if event == "acknowledged" else ("", None)
            )
            record_figure(name, target, f"{p50:.3f} / {p95:.3f} / {p99:.3f} s", met)


@dataclass(frozen=True, slots=True)
class Waited:
    """Seconds to the acknowledgement and to the final message; ``answered`` is False if busy."""

    acknowledged_s: float
    ended_s: float
    answered: bool


async def _use_recommend(folder: Path, clips: list[Upload]) -> list[Waited]:
    """Send one /recommend a person at the same time; return the waiting time of each."""
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
    """Wait for the final message: an answer has thumbs, a rejection names the waiting clips."""

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
