"""How long people on Discord wait: one, ten and a hundred who use /recommend at once."""

from __future__ import annotations

import asyncio
import io
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from pytest_benchmark.fixture import BenchmarkFixture

from bot.app import open_locally
from bot.config import Settings
from bot.connection import converse
from bot.sandbox import Interaction, Upload, buttons, visible_text
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
    capsys: pytest.CaptureFixture[str],
    seconds: float,
    people: int,
    timed: bool,
) -> None:
    """The real bot, pool and preset on the local Discord, from its start to its stop."""
    clips = [clip(number, seconds) for number in range(people if timed else min(people, 3))]
    acknowledged, answered = benchmark.pedantic(
        lambda: asyncio.run(_ask(tmp_path, clips)), rounds=1
    )
    p50, p95, p99 = (float(np.percentile(acknowledged, q)) for q in (50, 95, 99))
    figures = {"p50_s": p50, "p95_s": p95, "p99_s": p99, "answered": sum(answered)}
    benchmark.extra_info |= figures | {"people": len(clips)}
    busy = len(clips) - sum(answered)
    with capsys.disabled():
        sys.stdout.write(
            f"\n{len(clips)} at once: acknowledged in {p50:.3f} s (p50), {p95:.3f} s (p95),"
            f" {p99:.3f} s (p99); {sum(answered)} answered, {busy} told busy\n"
        )
    assert len(acknowledged) == len(answered) == len(clips)  # none is lost


async def _ask(folder: Path, clips: list[Upload]) -> tuple[list[float], list[bool]]:
    """Return how many seconds each acknowledgement took, and who was answered."""
    settings = Settings(
        _env_file=None,
        database=folder / "genrec.db",
        http_port=0,
        sandbox_port=0,
        jobs_per_server=1000,
    )
    async with open_locally(settings) as (local, app):
        stop = asyncio.Event()
        running = asyncio.create_task(converse(app, local.token, stop=stop))
        try:
            await local.wait_ready(60)
            await local.wait_commands("recommend", timeout_s=60)
            people = [local.person(f"p{n}") for n in range(len(clips))]
            used = [
                await who.slash("recommend", {"clip": each})
                for who, each in zip(people, clips, strict=True)
            ]
            acknowledged = [await one.wait_ack(LIMIT_S) for one in used]
            return acknowledged, [await _ended(one) for one in used]
        finally:
            stop.set()
            await running


async def _ended(used: Interaction) -> bool:
    """Return whether a question was answered (thumbs are under it); else it was told "busy"."""

    def ended(message: dict[str, object]) -> bool:
        thumbs = any(b.get("custom_id", "").startswith("thumb:") for b in buttons(message))
        return (
            thumbs
            or "clips waiting" in visible_text(message)
            or "clips are waiting" in visible_text(message)
        )

    message = await used.wait_until(ended, LIMIT_S)
    return any(b.get("custom_id", "").startswith("thumb:") for b in buttons(message))
