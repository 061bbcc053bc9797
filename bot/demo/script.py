"""The steps of ``genrec demo``: one person and the bot on a local Discord."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from bot.config import Settings, load_settings
from bot.demo.clip_audio import SECONDS, STYLES, flac
from bot.demo.transcript import Step, as_json, message_text, print_step
from bot.errors import DemoFailed
from bot.local_discord import LocalDiscord, Person, Upload, buttons
from bot.runtime.app import open_local
from bot.runtime.lifecycle import run_until_stopped
from bot.runtime.secrets import protect_secrets
from bot.ui.components import QUIET

RESPONSE_S = 60.0
SEEDS = (0, 2)  # of the upload and of /recommend
DETAILS, MORE = "Details", "More like this"
INTRODUCTION = (
    "The bot runs here with a local Discord, on this machine only. The clips are synthetic music"
    f"\nof {SECONDS:.0f} s each, so their genre is only a guess."
)


def show(*, for_program: bool) -> None:
    """Run the conversation and print it, step by step or as JSON at its end.

    Raises
    ------
    GenrecError
        As for `conversation`.
    """
    asyncio.run(_show(for_program=for_program))


async def _show(*, for_program: bool) -> None:
    # SIGTERM behaves like Ctrl-C, so that temporary files are removed.
    asyncio.get_running_loop().add_signal_handler(
        signal.SIGTERM, signal.raise_signal, signal.SIGINT
    )
    console = Console(highlight=False, quiet=for_program)
    console.print(INTRODUCTION, soft_wrap=True)
    steps = []
    async with aclosing(conversation()) as each:
        async for step in each:
            print_step(console, step)
            steps.append(as_json(step))
    if for_program:
        sys.stdout.write(json.dumps({"steps": steps}, ensure_ascii=False, indent=2) + "\n")


async def conversation() -> AsyncGenerator[Step, None]:
    """Run the conversation and yield its steps: an upload, /recommend, Details, More like this.

    Only Discord is imitated. The discord.py client, the worker pool and the preset of the settings
    are real. The catalogue is temporary.

    Raises
    ------
    DemoFailed
        The bot declined the request of a step, or did not respond within a minute.
    GenrecError
        The bot could not start.
    """
    with tempfile.TemporaryDirectory(prefix="genrec-demo-") as folder:
        async with _on_local_discord(_settings(Path(folder))) as local:
            you = local.you
            started = time.perf_counter()
            sent = await you.say(uploads=[_clip(SEEDS[0])])
            found = await _with_limit(_answer_to(sent, you))
            yield _step(f"drop {_name(SEEDS[0])} into #music", found, started)

            started = time.perf_counter()
            used = await you.slash("recommend", {"clip": _clip(SEEDS[1])})
            found = await _with_limit(used.wait_until(_is_final, RESPONSE_S))
            yield _step(f"use /recommend clip:{_name(SEEDS[1])}", found, started)

            for label, action in (
                (DETAILS, f"press {DETAILS}"),
                (MORE, f"press {MORE} beside the first track"),
            ):
                if not any(button.get("label") == label for button in buttons(found)):
                    raise DemoFailed(f"The response to /recommend has no button {label!r}.")
                started = time.perf_counter()
                used = await you.press(found, label)
                found = await _with_limit(used.wait_until(_is_final, RESPONSE_S))
                yield _step(action, found, started)


@asynccontextmanager
async def _on_local_discord(settings: Settings) -> AsyncIterator[LocalDiscord]:
    """Run the bot on a local Discord for the block, and yield the local Discord."""
    async with open_local(settings) as (local, app):
        stop = asyncio.Event()
        running = asyncio.create_task(run_until_stopped(app, local.token, stop=stop))
        ready = asyncio.create_task(local.wait_ready(RESPONSE_S))
        try:
            await asyncio.wait((ready, running), return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
            await _with_limit(ready)
            await _with_limit(local.wait_commands("recommend", timeout_s=RESPONSE_S))
            yield local
        finally:
            ready.cancel()
            stop.set()
            await running


def _settings(folder: Path) -> Settings:
    """Return settings for the demo: the operator's preset and workers, and defaults otherwise."""
    operator = load_settings()
    protect_secrets()
    return Settings.model_construct(
        preset=operator.preset,
        workers=operator.workers,
        database=folder / "genrec.db",
        local_discord_port=0,
        http_port=0,
        cooldown_s=0.0,
    )


def _name(seed: int) -> str:
    return f"{STYLES[seed % len(STYLES)].name}.flac"


def _clip(seed: int) -> Upload:
    return Upload(_name(seed), flac(seed))


def _is_reply(message: dict[str, Any], *, to: dict[str, Any]) -> bool:
    return bool((message.get("message_reference") or {}).get("message_id") == to["id"])


async def _answer_to(sent: dict[str, Any], you: Person) -> dict[str, Any]:
    """Return the reply to an upload, or the direct message that declines it."""
    waits = [
        asyncio.create_task(
            you.wait_message(lambda m: _is_reply(m, to=sent) and _is_final(m), timeout_s=RESPONSE_S)
        ),
        asyncio.create_task(you.wait_message(_is_final, channel="dm", timeout_s=RESPONSE_S)),
    ]
    done, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    return done.pop().result()


def _is_final(message: dict[str, Any]) -> bool:
    """Return True for a result or an error, and False for progress, which has a quiet colour."""
    colours = [c.get("accent_color") for c in message["components"]]
    return _is_result(message) or bool(colours and colours[0] != QUIET)


def _is_result(message: dict[str, Any]) -> bool:
    return any(b.get("custom_id", "").startswith("thumb:") for b in buttons(message))


async def _with_limit(awaitable: Any) -> Any:
    try:
        return await awaitable
    except TimeoutError as error:
        raise DemoFailed(
            f"The bot did not respond within {RESPONSE_S:.0f} s. Run `genrec doctor` to find the"
            " cause."
        ) from error


def _step(you: str, message: dict[str, Any], started: float) -> Step:
    seconds = round(time.perf_counter() - started, 3)
    if not _is_result(message):
        text = " ".join(message_text(message).plain.split())
        raise DemoFailed(f"Step {you!r}: the bot declined the request: {text}")
    return Step(you=you, message=message, seconds=seconds)
