"""``genrec setup`` in a thread of this process: what it shows, and answers to its questions."""

from __future__ import annotations

import asyncio
import io
import os
import queue
import sys
import threading
import time
from contextlib import ExitStack, chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Self
from unittest import mock

from bot.cli import main as command_line
from bot.local_discord import patch_discord_py
from bot.setup import terminal
from tests.bot.setup.typist import one_line, pattern_of

_SECONDS = 30.0


class QuestionsUnanswered(Exception):
    """The test ended before the wizard."""


class QueuedTerminal(terminal.Terminal):
    """A terminal whose answers come from a queue; None ends the wizard."""

    def __init__(self, typed: queue.Queue[str | None], *, asks: bool) -> None:
        super().__init__(asks=asks)
        self._typed = typed

    def confirm(self, question: str, *, default: bool, unasked: bool = False) -> bool:
        if not self.asks:
            return unasked
        return (self._answer(question) or ("y" if default else "n")) == "y"

    def ask(self, question: str, *, default: str = "") -> str:
        return self._answer(question) or default

    def ask_secret(self, question: str) -> str:
        return self._answer(question)

    def _answer(self, question: str) -> str:
        self.line(question)
        answer = self._typed.get(timeout=_SECONDS)
        if answer is None:
            raise QuestionsUnanswered
        return answer


class Conversation:
    """A running wizard and the person who answers it; faster than a ``Typist``."""

    def __init__(self, url: str, *words: str, folder: Path, **variables: str) -> None:
        self._typed: queue.Queue[str | None] = queue.Queue()
        self._out = io.StringIO()
        self._read_to = 0
        self._code: object = None
        self._patches = ExitStack()
        kept = {name: value for name, value in os.environ.items() if "GENREC" not in name}
        for patch in (
            patch_discord_py(url),
            mock.patch.dict("os.environ", kept | variables, clear=True),
            mock.patch.object(sys, "argv", ["genrec", *words]),
            mock.patch.object(terminal, "require_terminal"),
            mock.patch.object(
                terminal, "Terminal", lambda *, asks: QueuedTerminal(self._typed, asks=asks)
            ),
            chdir(folder),
            redirect_stdout(self._out),
            redirect_stderr(self._out),
        ):
            self._patches.enter_context(patch)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            command_line.main()
        except SystemExit as left:
            self._code = left.code
        except QuestionsUnanswered:
            return

    @property
    def shown(self) -> str:
        """Everything shown."""
        return self._out.getvalue()

    @property
    def text(self) -> str:
        """Everything shown, as one line."""
        return one_line(self.shown)

    async def reads(self, words: str) -> Self:
        """Wait until the words are shown, after those of the last call."""
        until, pattern = time.monotonic() + _SECONDS, pattern_of(words)
        while not (found := pattern.search(self.shown, self._read_to)):
            waits = self._thread.is_alive() and time.monotonic() < until
            assert waits, f"{words!r} is not shown: {self.shown[self._read_to :]}"
            await asyncio.sleep(0.01)
        self._read_to = found.end()
        return self

    async def types(self, text: str) -> Self:
        """Answer a question."""
        self._typed.put(text)
        return self

    async def answers(self, question: str, text: str) -> Self:
        """Wait for a question and answer it."""
        await self.reads(question)
        return await self.types(text)

    async def ends(self) -> object:
        """Wait for the end of the wizard and return its exit code."""
        await asyncio.to_thread(self._thread.join, _SECONDS)
        assert not self._thread.is_alive(), f"the wizard has not ended: {self.shown}"
        self.leave()
        return self._code or 0

    def leave(self) -> None:
        """End the wizard, also one that a failed test has left at a question."""
        self._typed.put(None)
        self._thread.join(_SECONDS)
        self._patches.close()
