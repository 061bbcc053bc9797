"""``make bots``: two bots and a spare on real engines, what it tells, and that all of it ends."""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests import shared_bots
from tests.repository import ROOT


class Told:
    """The lines of a running command, one after the other."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.seen: list[str] = []
        self._lines: queue.Queue[str] = queue.Queue()
        assert process.stdout is not None
        stdout = process.stdout
        threading.Thread(
            target=lambda: [self._lines.put(line) for line in stdout], daemon=True
        ).start()

    def wait_for(self, *texts: str, after: int = 0) -> None:
        """Wait until each text was told, in any order; lines before ``after`` do not count."""
        while not all(any(text in line for line in self.seen[after:]) for text in texts):
            try:
                self.seen.append(self._lines.get(timeout=120))
            except queue.Empty:
                raise AssertionError(f"not told: {texts}, but {self.seen}") from None

    @property
    def pids(self) -> list[int]:
        return [int(found) for found in re.findall(r"has the process id (\d+)", "".join(self.seen))]


@contextmanager
def running_bots(*options: str) -> Iterator[Told]:
    """Run the command; at the end press Ctrl-C, and check that nothing that it started is left."""
    command = [sys.executable, "-m", "tests.shared_bots", "--port", "0", *options]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        told = Told(process)
        try:
            yield told
        finally:
            family = descendants(process.pid)
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0, "".join(told.seen)
    end = time.monotonic() + 20
    while (left := [pid for pid in family if alive(pid)]) and time.monotonic() < end:
        time.sleep(0.1)
    assert not left


def descendants(pid: int) -> list[int]:
    """Return the processes that a process started, and those that they started."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *descendants(child)]
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.slow
def test_spare_takes_over_and_ctrl_c_ends_all_processes() -> None:
    with running_bots() as told:
        told.wait_for("Open http://127.0.0.1:", "Spare bot 3 has the process id")
        first, second, spare = told.pids
        before = len(told.seen)
        os.kill(first, signal.SIGKILL)
        told.wait_for(
            f"Bot 1 (process id {first}) was ended by SIGKILL.",
            "The spare takes over what it served, and no spare is left.",
            "Connected shards: 0, 1.\n",
            after=before,
        )
        os.kill(second, signal.SIGKILL)
        told.wait_for("No spare is left, so 1 of 2 shards have no bot.")
        assert {second, spare} <= {*descendants(told.process.pid), second}


@pytest.mark.slow
def test_ctrl_c_while_the_bots_start_ends_all_processes() -> None:
    with running_bots() as told:
        told.wait_for("Bot 1 has the process id")
        assert len(told.pids) < 3, "the spare has not started"


def test_each_end_is_told_once_with_the_spares_that_are_left(
    capsys: pytest.CaptureFixture[str],
) -> None:
    processes = [SimpleNamespace(pid=pid, returncode=None) for pid in (11, 12, 13, 14)]
    bots = [shared_bots.Bot(number, process) for number, process in enumerate(processes, 1)]  # type: ignore[arg-type]
    expected = (
        (
            0,
            -9,
            "Bot 1 (process id 11) was ended by SIGKILL.",
            "it served; spares left: 1.",
        ),
        (3, 1, "Bot 4 (process id 14) ended with exit code 1.", "and no spare is left."),
        (1, -15, "Bot 2 (process id 12) was ended by SIGTERM.", "1 of 2 shards have no bot."),
        (2, 0, "Bot 3 (process id 13) ended with exit code 0.", "No bot is left: press Ctrl-C"),
    )
    for place, code, *words in expected:
        processes[place].returncode = code
        shared_bots.tell_dead(bots)
        shared_bots.tell_dead(bots)
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == 2
        assert all(word in line for word, line in zip(words, lines, strict=True)), lines
