"""A person at a terminal: a process on a pseudo-terminal, its output, and what is typed."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

RUN = Path(__file__).with_name("run_setup.py")
_SECONDS = 30.0


def pattern_of(words: str | None) -> re.Pattern[str]:
    """Return a pattern of words that may be on several lines; None never matches."""
    return re.compile("(?!)" if words is None else r"\s+".join(map(re.escape, words.split())))


def one_line(text: str) -> str:
    """Return a text with one space in place of each line break."""
    return re.sub(r"\s+", " ", text)


class Typist:
    """A started ``genrec`` command and the person who uses it."""

    def __init__(self, url: str, *words: str, folder: Path, **variables: str) -> None:
        self._own, theirs = pty.openpty()
        kept = {name: value for name, value in os.environ.items() if "GENREC" not in name}
        self._process = subprocess.Popen(
            [sys.executable, str(RUN), url, *words],
            stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder, start_new_session=True,
            env=kept | {"TERM": "dumb", "COLUMNS": "200"} | variables,
        )  # fmt: skip
        os.close(theirs)
        self.shown = ""
        self._read_to = 0

    async def reads(self, words: str) -> Self:
        """Wait until the terminal shows the words, after those of the last call."""
        await asyncio.to_thread(self._wait_for, words)
        return self

    async def types(self, text: str) -> Self:
        """Type a line."""
        os.write(self._own, f"{text}\n".encode())
        return self

    async def answers(self, question: str, text: str) -> Self:
        """Wait for a question and type the answer."""
        await self.reads(question)
        return await self.types(text)

    async def presses_ctrl_c(self) -> Self:
        """Press Ctrl-C at a question."""
        await asyncio.sleep(0.5)  # between its words and `input` a signal would wait for a key
        os.killpg(self._process.pid, signal.SIGINT)
        return self

    def leave(self) -> None:
        """End the process if a test failed before its end."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
            os.close(self._own)

    async def ends(self) -> int:
        """Wait for the end of the process and return its exit code."""
        await asyncio.to_thread(self._wait_for, None)
        code = await asyncio.to_thread(self._process.wait, _SECONDS)
        os.close(self._own)
        return code

    def _wait_for(self, words: str | None) -> None:
        until, pattern = time.monotonic() + _SECONDS, pattern_of(words)
        while not (found := pattern.search(self.shown, self._read_to)):
            left = until - time.monotonic()
            ready = select.select([self._own], [], [], max(0.0, left))[0]
            try:
                data = os.read(self._own, 4096) if ready else b""
            except OSError:  # the other end is closed
                data = b""
            if not data:
                assert words is None, f"{words!r} is not shown: {self.shown[self._read_to :]}"
                assert ready, f"the process has not ended: {self.shown[self._read_to :]}"
                return
            self.shown += data.decode(errors="replace").replace("\r\n", "\n")
        self._read_to = found.end()

    @property
    def text(self) -> str:
        """Everything shown, as one line."""
        return one_line(self.shown)
