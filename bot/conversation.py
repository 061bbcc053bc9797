"""What ``genrec demo`` shows: the real bot and one person on a local Discord, step by step."""

from __future__ import annotations

import asyncio
import io
import json
import re
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import soundfile

from bot.app import open_locally
from bot.band import STYLES, music
from bot.config import Settings, load_settings
from bot.connection import converse
from bot.demo import SECONDS, SEED, SR
from bot.sandbox import LocalDiscord, Upload, buttons, visible_text
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One turn of the conversation.

    Attributes
    ----------
    you
        What the person does.
    answer
        What the bot answers, as plain text.
    seconds
        From the one to the other.
    """

    you: str
    answer: str
    seconds: float


def show(*, as_json: bool) -> None:
    """Hold the conversation and print it, turn by turn or as JSON at its end.

    Raises
    ------
    GenrecError
        As `conversation`.
    """
    asyncio.run(_show(as_json=as_json))


async def _show(*, as_json: bool) -> None:
    steps = []
    if not as_json:
        sys.stdout.write(f"{TELL}\n")
    async with aclosing(conversation()) as turns:
        async for step in turns:
            steps.append(asdict(step))
            if not as_json:
                sys.stdout.write(f"\n{_as_text(step)}\n")
                sys.stdout.flush()
    if as_json:
        sys.stdout.write(json.dumps({"steps": steps}, ensure_ascii=False, indent=2) + "\n")


async def conversation() -> AsyncGenerator[Step, None]:
    """Hold the conversation: an upload, /recommend, More like this.

    Everything is the real thing but Discord: an unmodified discord.py client, the worker pool and
    the preset of the settings. The catalogue is a fresh one and goes with the conversation.

    Raises
    ------
    DemoFailed
        A step was not answered within a minute.
    GenrecError
        The bot could not start.
    """
    with tempfile.TemporaryDirectory(prefix="genrec-demo-") as folder:
        async with _on_local_discord(_settings(Path(folder))) as local:
            you = local.you
            started = time.perf_counter()
            said = await you.say(uploads=[_clip(SEED)])
            found = await _answer(
                you.wait_message(lambda m: _replies(m, said) and _done(m), timeout_s=ANSWER_S)
            )
            yield _step(f"drop {_name(SEED)} into #music", found, started)

            started = time.perf_counter()
            used = await you.slash("recommend", {"clip": _clip(SECOND_SEED)})
            found = await _answer(used.wait_until(_done, ANSWER_S))
            yield _step(f"use /recommend clip:{_name(SECOND_SEED)}", found, started)

            if not any(button.get("label") == MORE for button in buttons(found)):
                raise DemoFailed("The answer to /recommend has no tracks to ask more about.")
            started = time.perf_counter()
            used = await you.press(found, MORE)
            found = await _answer(used.wait_until(_done, ANSWER_S))
            yield _step(f"press {MORE} beside the first track", found, started)


def _as_text(step: Step) -> str:
    """Return a turn as the terminal shows it."""
    answer = "\n".join(f"  {line}" for line in step.answer.splitlines())
    return f"you {step.you}\ngenrec, {step.seconds:.1f} s later\n\n{answer}"


def plain(markdown: str) -> str:
    """Return Discord's markdown as plain text: no marks, links by their words alone."""
    text = markdown.replace("\u200b", "")
    text = re.sub(r"\[([^\]]+)\]\(<?[^)]*>?\)", r"\1", text)
    text = re.sub(r"^(#{1,3}|-#|>) ", "", text, flags=re.MULTILINE)
    text = re.sub(r"(?<!\\)(\*\*|__|~~|`+|(?<!\w)\*|\*(?!\w))", "", text)
    return re.sub(r"\\([^\w\s])", r"\1", text)


@asynccontextmanager
async def _on_local_discord(settings: Settings) -> AsyncIterator[LocalDiscord]:
    """Run the bot on a local Discord until the block ends."""
    async with open_locally(settings) as (local, app):
        stop = asyncio.Event()
        running = asyncio.create_task(converse(app, local.token, stop=stop))
        ready = asyncio.create_task(local.wait_ready(ANSWER_S))
        try:
            await asyncio.wait((ready, running), return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
            await _answer(ready)
            await _answer(local.wait_commands("recommend", timeout_s=ANSWER_S))
            yield local
        finally:
            ready.cancel()
            stop.set()
            await running


def _settings(folder: Path) -> Settings:
    """Return the operator's settings, but for what a demo must not touch."""
    return load_settings().model_copy(
        update={
            "discord_token": None,
            "database": folder / "genrec.db",
            "sandbox_port": 0,
            "http_port": 0,
            "cooldown_s": 0.0,
        }
    )


def _name(seed: int) -> str:
    return f"{STYLES[seed % len(STYLES)].name}.flac"


def _clip(seed: int) -> Upload:
    file = io.BytesIO()
    soundfile.write(file, music(seed, SECONDS, SR), SR, format="FLAC")
    return Upload(_name(seed), file.getvalue())


def _replies(message: dict[str, Any], to: dict[str, Any]) -> bool:
    return bool((message.get("message_reference") or {}).get("message_id") == to["id"])


def _done(message: dict[str, Any]) -> bool:
    """Tell an answer from progress: it has thumbs under it."""
    return any(b.get("custom_id", "").startswith("thumb:") for b in buttons(message))


async def _answer(waiting: Any) -> Any:
    try:
        return await waiting
    except TimeoutError as error:
        raise DemoFailed(
            f"The bot did not answer within {ANSWER_S:.0f} s; `genrec doctor` may say why."
        ) from error


def _step(you: str, message: dict[str, Any], started: float) -> Step:
    seconds = round(time.perf_counter() - started, 3)
    lines = plain(visible_text(message)).splitlines()
    # The picture's alt text says nothing where there is no picture.
    told = [line for line in lines if not line.startswith("Spectrogram of ")]
    return Step(you=you, answer="\n".join(told), seconds=seconds)
