"""Run a peer (a library that genrec is compared with) in a process of its own.

Native code that does not suit this processor ends with a signal. In a process of its own it ends
one benchmark and not the run.
"""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import IO

from tests.repository import ROOT

IMPORT_FAILED = 3
"""Exit status of a process whose peer is not installed or does not import."""

Seconds = Callable[[Path], float]
"""Answers a clip and returns the seconds that it took."""

_ENVIRONMENT = {"TF_CPP_MIN_LOG_LEVEL": "3"}


class LeftOutError(Exception):
    """A peer does not run on this machine; the message is the line to print."""


def python(*arguments: object) -> list[str]:
    """Return the command line of this Python with arguments."""
    return [sys.executable, *map(str, arguments)]


def import_peer(name: str) -> ModuleType:
    """Import a peer; exit with status ``IMPORT_FAILED`` where that fails."""
    try:
        return importlib.import_module(name)
    except (ImportError, OSError) as error:  # OSError: a shared library is missing
        sys.stderr.write(f"{error}\n")
        sys.exit(IMPORT_FAILED)


def run_peer(peer: str, command: Sequence[str]) -> str:
    """Return the output of a command; raise LeftOutError if the peer does not run here."""
    with tempfile.TemporaryFile("w+") as errors:
        done = subprocess.run(
            command, cwd=ROOT, env=os.environ | _ENVIRONMENT, stdout=subprocess.PIPE,
            stderr=errors, text=True, check=False,
        )  # fmt: skip
        check_exit(peer, done.returncode, errors)
    return done.stdout


@contextmanager
def clip_process(
    peer: str, command: Sequence[str], environment: Mapping[str, str] | None = None
) -> Iterator[Seconds]:
    """Start a process that reads one path a line and writes the seconds of each answer.

    ``environment`` replaces that of this process.
    """
    if environment is None:
        environment = os.environ | _ENVIRONMENT
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=errors, text=True,
        ) as process,
    ):  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        paths, answers = process.stdin, process.stdout

        def answer(path: Path) -> float:
            try:
                print(path, file=paths, flush=True)
                line = answers.readline()
            except BrokenPipeError:
                line = ""
            if not line:
                check_exit(peer, process.wait(), errors)
                raise AssertionError(f"{peer} ended without an answer and without an error.")
            return float(line)

        try:
            yield answer
        finally:
            try:
                paths.close()
            except BrokenPipeError:  # the process has ended, and a path was not flushed
                process.kill()


def check_exit(peer: str, status: int, errors: IO[str]) -> None:
    """Raise LeftOutError for a signal or a failed import, AssertionError for another failure."""
    errors.seek(0)
    text = errors.read().strip()
    if status < 0:
        number = -status
        name = next((s.name for s in signal.Signals if s == number), f"signal {number}")
        raise LeftOutError(f"{peer} is left out: {name} ended its process on this processor.")
    if status == IMPORT_FAILED:
        last = text.splitlines()[-1] if text else "import failed"
        raise LeftOutError(f"{peer} is left out: it does not import ({last}); see `make peers`.")
    assert status == 0, f"{peer} exited with status {status}: {text[-2000:]}"


def answer_clips(answer: Callable[[Path], None]) -> None:
    """Answer the paths on standard input, one a line; write the seconds of each."""
    for line in sys.stdin:
        path = Path(line.strip())
        start = time.perf_counter()
        answer(path)
        sys.stdout.write(f"{time.perf_counter() - start}\n")
        sys.stdout.flush()
