"""Run the yt-dlp process: send its parameters, read its reply, and always kill its group."""

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

_MAX_REPLY_BYTES = 64 * 1024
_CHECK_INTERVAL_S = 0.25


class YtdlpExitedError(Exception):
    """The process exited without a reply, or its reply was not a JSON object."""


class YtdlpStoppedError(Exception):
    """The process exceeded a limit and was killed."""


async def run_ytdlp(
    params: Mapping[str, object],
    *,
    folder: Path,
    environment: Mapping[str, str],
    timeout_s: float,
    over_limit: Callable[[], bool],
    command: Sequence[str] = RUNNER,
    pass_fds: Sequence[int] = (),
) -> dict[str, Any]:
    """Start a process in ``folder``, send it ``params``, and return its untrusted reply.

    The process leads its own group, which is always killed before this returns or raises.
    ``over_limit`` is polled while the process runs.

    Raises TimeoutError after ``timeout_s``, YtdlpExitedError without a valid reply, and
    YtdlpStoppedError once ``over_limit`` returns True.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=folder,
        env=dict(environment),
        start_new_session=True,
        pass_fds=pass_fds,
        limit=_MAX_REPLY_BYTES,
    )
    try:
        async with asyncio.timeout(timeout_s):
            return await _exchange(process, params, over_limit)
    finally:
        await _kill_group(process)


async def _exchange(
    process: asyncio.subprocess.Process,
    params: Mapping[str, object],
    over_limit: Callable[[], bool],
) -> dict[str, Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    watch = asyncio.create_task(_wait_until_over_limit(over_limit))
    reply = asyncio.create_task(process.stdout.readline())
    try:
        with suppress(OSError):  # it exited early, which the empty reply shows
            process.stdin.write(json.dumps(params).encode() + b"\n")
            await process.stdin.drain()
        done, _ = await asyncio.wait({watch, reply}, return_when=asyncio.FIRST_COMPLETED)
        if reply not in done:
            raise YtdlpStoppedError
        parsed = json.loads(reply.result())
    except ValueError as error:  # an empty, cut off or overlong line, or invalid JSON
        raise YtdlpExitedError("yt-dlp process: exited without a JSON reply") from error
    finally:
        for task in (watch, reply):
            task.cancel()
        await asyncio.gather(watch, reply, return_exceptions=True)
    if not isinstance(parsed, dict):
        raise YtdlpExitedError(f"yt-dlp process: reply is a {type(parsed).__name__}, not an object")
    return parsed


async def _wait_until_over_limit(over_limit: Callable[[], bool]) -> None:
    while not over_limit():  # noqa: ASYNC110 - a directory sends no event when it grows
        await asyncio.sleep(_CHECK_INTERVAL_S)


async def _kill_group(process: asyncio.subprocess.Process) -> None:
    """Kill the whole process group, including orphans, and wait for its leader."""
    # PermissionError comes from macOS, if all processes of the group are zombies.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    ended = asyncio.ensure_future(_reap(process))
    try:
        await asyncio.shield(ended)
    except asyncio.CancelledError:
        await ended  # a killed process ends at once, and must not stay a zombie
        raise


async def _reap(process: asyncio.subprocess.Process) -> None:
    """Read the rest and wait; with a full read buffer, ``wait`` alone would never return."""
    assert process.stdout is not None
    await process.stdout.read()
    await process.wait()
