"""The token leaves the process's environment, as other processes see it, once it is read."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.repository import ROOT

TOKEN = "not.a.real.token-of-a-bot"

# The bot up to its connection: what it does there instead of connecting is to show itself.
START = """
import asyncio, ctypes, os, sys
from pathlib import Path
from bot.config import load_settings
from bot.runtime import app

async def serve(settings):
    libc = ctypes.CDLL(None)
    libc.getenv.restype = ctypes.c_char_p
    print("token read:", sys.argv[1] in settings.secrets)
    print("in os.environ:", sys.argv[1] in os.environ.values())
    print("in the C library:", libc.getenv(sys.argv[2].encode()))
    print("dumpable:", libc.prctl(3, 0, 0, 0, 0))
    for process in ("self", "thread-self"):
        try:
            shown = Path(f"/proc/{process}/environ").read_bytes()
        except PermissionError:
            shown = b""
        print("in /proc:", sys.argv[1].encode() in shown, b"KEPT=kept" in shown or not shown)
    child = await asyncio.create_subprocess_exec("env", stdout=-1)
    print("in a child:", sys.argv[1].encode() in (await child.communicate())[0])

app.serve = serve
app.warn_of_old_ytdlp = lambda settings: None
app.run(load_settings(env_file=None))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize(
    "variable", ["GENREC_DISCORD_TOKEN", "genrec_discord_token", "GENREC_HTTP_API_TOKEN"]
)
def test_started_bot_shows_its_token_nowhere(variable: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", START, TOKEN, variable],
        env={"PATH": os.defpath, "KEPT": "kept", variable: TOKEN, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "token read: True",
        "in os.environ: False",
        "in the C library: None",
        "dumpable: 0",
        "in /proc: False True",
        "in /proc: False True",
        "in a child: False",
    ]
