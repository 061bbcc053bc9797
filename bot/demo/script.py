"""What ``genrec demo`` shows: the real bot and one person on a local Discord, step by step."""

from __future__ import annotations

import asyncio
import io
import json
import signal
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import soundfile
from rich.console import Console

from bot.config import Settings, load_settings
from bot.demo.clip import SECONDS, SEED, SR
from bot.demo.synth import STYLES, music
from bot.demo.transcript import Step, as_json, put, read
from bot.local_discord import LocalDiscord, Upload, buttons
from bot.runtime.app import open_local
from bot.runtime.lifecycle import run_until_stopped
from bot.ui.components import QUIET
from genrec.errors import GenrecError

ANSWER_S = 60.0
SECOND_SEED = SEED + 2
MORE = "More like this"
TELL = (
    "The real bot on a Discord of its own, on this machine alone. The clips are made on the spot:"
    f"\n{SECONDS:.0f} s each of a small synthesised band, so the genre it hears is a guess."
)


class DemoFailed(GenrecError):
    """The bot did not answer as it should."""

    code = "demo"


def show(*, for_program: bool) -> None:
    """Hold the conversation and print it, turn by turn or as JSON at its end.

    Raises
    ------
    GenrecError
        As `conversation`.
    """
    asyncio.run(_show(for_program=for_program))


async def _show(*, for_program: bool) -> None:
    # Whoever ends it does what Ctrl-C does, so that nothing is left behind.
    asyncio.get_running_loop().add_signal_handler(
        signal.SIGTERM, signal.raise_signal, signal.SIGINT
    )
    console = Console(highlight=False, quiet=for_program)
    console.print(TELL, soft_wrap=True)
    steps = []
    async with aclosing(conversation()) as turns:
        async for step in turns:
            put(console, step)
            steps.append(as_json(step))
    if for_program:
        sys.stdout.write(json.dumps({"steps": steps}, ensure_ascii=False, indent=2) + "\n")


async def conversation() -> AsyncGenerator[Step, None]:
    """Hold the conversation: an upload, /recommend, More like this.

    Everything is the real thing but Discord: an unmodified discord.py client, the worker pool and
    the preset of the settings. The catalogue is a fresh one and goes with the conversation.

    Raises
    ------
    DemoFailed
        A step was refused, or not answered within a minute.
    GenrecError
        The bot could not start.
    """
    with tempfile.TemporaryDirectory(prefix="genrec-demo-") as folder:
        async with _on_local_discord(_settings(Path(folder))) as local:
            you = local.you
            started = time.perf_counter()
            said = await you.say(uploads=[_clip(SEED)])
            found = await _in_time(
                you.wait_message(lambda m: _replies(m, said) and _final(m), timeout_s=ANSWER_S)
            )
            yield _step(f"drop {_name(SEED)} into #music", found, started)

            started = time.perf_counter()
            used = await you.slash("recommend", {"clip": _clip(SECOND_SEED)})
            found = await _in_time(used.wait_until(_final, ANSWER_S))
            yield _step(f"use /recommend clip:{_name(SECOND_SEED)}", found, started)

            if not any(button.get("label") == MORE for button in buttons(found)):
                raise DemoFailed("The answer to /recommend has no tracks to ask more about.")
            started = time.perf_counter()
            used = await you.press(found, MORE)
            found = await _in_time(used.wait_until(_final, ANSWER_S))
            yield _step(f"press {MORE} beside the first track", found, started)


@asynccontextmanager
async def _on_local_discord(settings: Settings) -> AsyncIterator[LocalDiscord]:
    """Run the bot on a local Discord until the block ends."""
    async with open_local(settings) as (local, app):
        stop = asyncio.Event()
        running = asyncio.create_task(run_until_stopped(app, local.token, stop=stop))
        ready = asyncio.create_task(local.wait_ready(ANSWER_S))
        try:
            await asyncio.wait((ready, running), return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
            await _in_time(ready)
            await _in_time(local.wait_commands("recommend", timeout_s=ANSWER_S))
            yield local
        finally:
            ready.cancel()
            stop.set()
            await running


def _settings(folder: Path) -> Settings:
    """Return the operator's model and processes; all else is for their real server."""
    given = load_settings()
    return Settings.model_construct(
        preset=given.preset,
        workers=given.workers,
        database=folder / "genrec.db",
        local_discord_port=0,
        http_port=0,
        cooldown_s=0.0,
    )


def _name(seed: int) -> str:
    return f"{STYLES[seed % len(STYLES)].name}.flac"


def _clip(seed: int) -> Upload:
    file = io.BytesIO()
    soundfile.write(file, music(seed, SECONDS, SR), SR, format="FLAC")
    return Upload(_name(seed), file.getvalue())


def _replies(message: dict[str, Any], to: dict[str, Any]) -> bool:
    return bool((message.get("message_reference") or {}).get("message_id") == to["id"])


def _final(message: dict[str, Any]) -> bool:
    """Tell an answer or a refusal from progress, which alone is quiet and without thumbs."""
    edges = [c.get("accent_color") for c in message["components"]]
    return _answered(message) or bool(edges and edges[0] != QUIET)


def _answered(message: dict[str, Any]) -> bool:
    return any(b.get("custom_id", "").startswith("thumb:") for b in buttons(message))


async def _in_time(waiting: Any) -> Any:
    try:
        return await waiting
    except TimeoutError as error:
        raise DemoFailed(
            f"The bot did not answer within {ANSWER_S:.0f} s; `genrec doctor` may say why."
        ) from error


def _step(you: str, message: dict[str, Any], started: float) -> Step:
    seconds = round(time.perf_counter() - started, 3)
    if not _answered(message):
        said = " ".join(read(message).plain.split())
        raise DemoFailed(f"You {you}, and the bot refused: {said}")
    return Step(you=you, message=message, seconds=seconds)
