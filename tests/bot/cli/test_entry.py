"""The ``genrec`` command itself: completion in the shell, and systems on which it cannot run."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.repository import ROOT

AS_ON_WINDOWS = """
import asyncio, json, sqlite3, sys, typer  # as on this platform
sys.modules |= {"fcntl": None, "pwd": None, "resource": None}
sys.platform = "win32"
sys.argv = ["genrec", "run"]
from bot.cli.main import main
main()
"""


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_windows_gets_one_sentence() -> None:
    done = run("-c", AS_ON_WINDOWS)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("genrec runs on Linux and macOS, not on Windows: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "completed"), [("genrec rec", "recommend"), ("genrec library st", "stats")]
)
def test_shell_completes_commands(words: str, completed: str) -> None:
    code = "import sys; sys.argv[0] = 'genrec'; from bot.cli.main import main; main()"
    done = run(
        "-c", code, _GENREC_COMPLETE="complete_bash",
        COMP_WORDS=words, COMP_CWORD=str(words.count(" ")),
    )  # fmt: skip
    assert done.stdout.split() == [completed]
    assert done.stderr == ""
