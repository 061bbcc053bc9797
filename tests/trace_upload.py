"""Count the code that one upload and one /recommend run through: ``python -m tests.trace_upload``.

Few files and few moves between files keep a request easy to follow. The bot, its worker pool and
the shipped preset run on the local Discord. Counted are the functions of ``bot``, ``db`` and
``genrec`` that the event loop's thread enters or resumes, without ``bot.local_discord`` and without
the worker processes. A move is an entry into another file than the one before it. A request ends
when its pending reply is deleted, which is after its response is visible.
"""

from __future__ import annotations

import asyncio
import io
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import soundfile

from bot.config import Settings
from bot.local_discord import LocalDiscord, Upload, buttons
from bot.runtime.app import open_local
from bot.runtime.lifecycle import run_until_stopped
from bot.runtime.wiring import App
from tests.repository import ROOT
from tests.synth import music

PACKAGES = tuple(f"{ROOT / package}/" for package in ("bot", "db", "genrec"))
LEFT_OUT = f"{ROOT / 'bot' / 'local_discord'}/"
SR = 22050
WAIT_S = 60.0
ROUNDS = 3


@dataclass
class Trace:
    """Counts of one request."""

    files: set[str] = field(default_factory=set)
    functions: set[tuple[str, str]] = field(default_factory=set)
    calls: int = 0
    moves: int = 0
    _last: str = ""

    def event(self, frame: FrameType, event: str, _: object) -> None:
        """Count the entry of a function; for ``sys.setprofile``."""
        if event != "call":
            return
        file = frame.f_code.co_filename
        if not file.startswith(PACKAGES) or file.startswith(LEFT_OUT):
            return
        if frame.f_back is not None and frame.f_back.f_code.co_filename == __file__:
            return  # of `settled`
        self.files.add(file)
        self.functions.add((file, frame.f_code.co_qualname))
        self.calls += 1
        self.moves += bool(self._last) and self._last != file
        self._last = file

    async def run(self, request: Awaitable[object]) -> None:
        """Await a request and count meanwhile."""
        sys.setprofile(self.event)
        try:
            await request
        finally:
            sys.setprofile(None)

    def __str__(self) -> str:
        return (
            f"{len(self.files)} files, {len(self.functions)} functions,"
            f" {self.calls} calls, {self.moves} moves"
        )


class InlineExecutor(ThreadPoolExecutor):
    """Run ``asyncio.to_thread`` on the calling thread, so that the trace records it in order."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call at once and return the finished future."""
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - the caller gets it from the future
            done.set_exception(error)
        return done


def clip(seed: int, title: str = "") -> Upload:
    """Return 10 s of synthetic music as an upload; another title makes other bytes of it."""
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", SR, 1, format="FLAC") as flac:
        flac.title = title or f"clip {seed}"
        flac.write(music(seed, 10.0, SR))
    return Upload(f"clip {seed}.flac", file.getvalue())


def is_final(message: dict[str, Any]) -> bool:
    """Return whether a message is a response and not progress: it has thumbs."""
    return any(b.get("custom_id", "").startswith("thumb:") for b in buttons(message))


@asynccontextmanager
async def app_on_local_discord(folder: Path) -> AsyncIterator[tuple[LocalDiscord, App]]:
    """Run the bot on the local Discord and yield both."""
    settings = Settings(
        _env_file=None,
        database=folder / "genrec.db",
        http_port=0,
        local_discord_port=0,
        cooldown_s=0,
        workers=1,
    )
    async with open_local(settings) as (discord, app):
        stop = asyncio.Event()
        running = asyncio.create_task(run_until_stopped(app, discord.token, stop=stop))
        try:
            await discord.wait_ready(WAIT_S)
            await discord.wait_commands("recommend", timeout_s=WAIT_S)
            yield discord, app
        finally:
            stop.set()
            await running


@asynccontextmanager
async def bot_on_local_discord(folder: Path) -> AsyncIterator[LocalDiscord]:
    """Run the bot on the local Discord."""
    async with app_on_local_discord(folder) as (discord, _):
        yield discord


async def upload(discord: LocalDiscord, file: Upload) -> None:
    """Upload a clip in #music and wait for the response."""
    uploaded = await discord.you.say(uploads=[file])

    def is_response(message: dict[str, Any]) -> bool:
        reference = message.get("message_reference") or {}
        return is_final(message) and reference.get("message_id") == uploaded["id"]

    await discord.you.wait_message(is_response, timeout_s=WAIT_S)


async def recommend(discord: LocalDiscord, file: Upload) -> None:
    """Use /recommend and wait for the response."""
    used = await discord.you.slash("recommend", {"clip": file})
    await used.wait_until(is_final, WAIT_S)


async def finished(request: Awaitable[None], app: App) -> None:
    """Await a request, and then what the bot does after its response is visible."""
    await request
    await settled(app)


async def settled(app: App) -> None:
    """Wait until no request is running."""
    while app.admission.running:  # noqa: ASYNC110 - admission has no event for it
        await asyncio.sleep(0.01)


async def trace() -> dict[str, Trace]:
    """Return the counts of an upload and of a /recommend, each the lowest of ``ROUNDS``.

    A round on a busy machine counts more, because the bot then also shows progress.
    """
    asyncio.get_running_loop().set_default_executor(InlineExecutor())
    rounds: dict[str, list[Trace]] = {"upload": [], "/recommend": []}
    with tempfile.TemporaryDirectory(prefix="genrec-trace-") as folder:
        async with app_on_local_discord(Path(folder)) as (discord, app):
            # Once without counting: caches are filled, and the worker has loaded its libraries.
            await upload(discord, clip(0))
            await recommend(discord, clip(1))
            await settled(app)
            for number in range(ROUNDS):
                for name, request in (("upload", upload), ("/recommend", recommend)):
                    counts = Trace()
                    await counts.run(finished(request(discord, clip(2 + number, name)), app))
                    rounds[name].append(counts)
    return {name: min(found, key=lambda counts: counts.moves) for name, found in rounds.items()}


def main() -> None:
    """Print the counts."""
    for name, counts in asyncio.run(trace()).items():
        sys.stdout.write(f"{name}: {counts}\n")


if __name__ == "__main__":
    main()
