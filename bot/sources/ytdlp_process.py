"""Run the yt-dlp process: one job, one reply, and never a process left behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

RUNNER = (sys.executable, "-I", "-B", str(Path(__file__).with_name("ytdlp_runner.py")))

_LONGEST_REPLY = 64 * 1024
_WATCH_S = 0.25


class ChildFailedError(Exception):
    """The process ended, or spoke nonsense, instead of replying."""


class ChildStoppedError(Exception):
    """The process was ended because the watch said so."""


async def run_child(
    job: Mapping[str, object],
    *,
    folder: Path,
    environment: Mapping[str, str],
    timeout_s: float,
    over_limit: Callable[[], bool],
    command: Sequence[str] = RUNNER,
) -> dict[str, Any]:
    """Hand ``job`` to a fresh process in ``folder`` and return its reply, which is data to doubt.

    The process leads a group of its own. Whatever happens - a reply, a timeout, a cancel, a limit -
    the group is killed before this returns. TimeoutError, ChildFailedError and
    ChildStoppedError say which.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=folder,
        env=dict(environment),
        start_new_session=True,
        limit=_LONGEST_REPLY,
    )
    try:
        async with asyncio.timeout(timeout_s):
            return await _talk(process, job, over_limit)
    finally:
        await _end(process)


async def _talk(
    process: asyncio.subprocess.Process,
    job: Mapping[str, object],
    over_limit: Callable[[], bool],
) -> dict[str, Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    watch = asyncio.create_task(_watch(over_limit))
    reply = asyncio.create_task(process.stdout.readline())
    try:
        with suppress(OSError):  # it died early: the empty reply says so
            process.stdin.write(json.dumps(job).encode() + b"\n")
            await process.stdin.drain()
        done, _ = await asyncio.wait({watch, reply}, return_when=asyncio.FIRST_COMPLETED)
        if reply not in done:
            raise ChildStoppedError
        found = json.loads(reply.result())
    except ValueError as error:  # nothing, half a line, a line too long, or no JSON
        raise ChildFailedError("the process ended without an answer") from error
    finally:
        for task in (watch, reply):
            task.cancel()
        await asyncio.gather(watch, reply, return_exceptions=True)
    if not isinstance(found, dict):
        raise ChildFailedError("the process answered with something else")
    return found


async def _watch(over_limit: Callable[[], bool]) -> None:
    while not over_limit():  # noqa: ASYNC110 - nothing tells us that a directory has grown
        await asyncio.sleep(_WATCH_S)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill the whole group, also what its leader left behind, and see the leader off."""
    with suppress(ProcessLookupError, PermissionError):  # PermissionError: macOS, all are zombies
        os.killpg(process.pid, signal.SIGKILL)
    ended = asyncio.ensure_future(_see_off(process))
    try:
        await asyncio.shield(ended)
    except asyncio.CancelledError:
        await ended  # a killed process takes no time to end, and must not be left unseen
        raise


async def _see_off(process: asyncio.subprocess.Process) -> None:
    """Read what is left and wait: where the reader's buffer was full, wait alone waits for ever."""
    assert process.stdout is not None
    await process.stdout.read()
    await process.wait()
