"""Run commands of ``genrec`` in the process of a test."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.cli import main as command_line
from bot.config import PREFIX, Settings

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run_command(monkeypatch: pytest.MonkeyPatch, capsys) -> Run:
    """Return a function that runs a command and returns exit code, stdout and stderr.

    The environment has no settings until the test sets them.
    """
    for name in Settings.model_fields:
        monkeypatch.delenv(f"{PREFIX}{name.upper()}", raising=False)

    def run(*words: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["genrec", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            command_line.main()
        written = capsys.readouterr()
        return int(left.value.code or 0), written.out, written.err

    return run
