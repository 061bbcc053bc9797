"""Commands on a disk that is really full: one sentence that says so, and an exit code."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repository import ROOT

ON_FULL_DISK = """
mount -t tmpfs -o size=96k none disk
head -c 200000 /dev/zero > disk/fill 2> /dev/null
exec "$@"
"""
# The wizard writes its file after a question to Discord.
WRITE_ENV = """
from pathlib import Path
from bot.setup.env_file import write_env
write_env(Path("disk/.env"), "A=1")
"""


def may_mount() -> bool:
    """Return whether this user may mount a disk in a namespace of its own."""
    if shutil.which("unshare") is None:
        return False
    command = ["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(command, capture_output=True).returncode == 0


pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not may_mount(), reason="this user may not mount a small disk"
)


def run(folder: Path, *arguments: str, database: str = "disk/genrec.db", full: bool = True):
    """Run Python in a folder whose subfolder ``disk`` is full."""
    (folder / "disk").mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GENREC_")}
    own = {"GENREC_DATABASE": database, "GENREC_HTTP_PORT": "0", "GENREC_LOCAL_DISCORD_PORT": "0"}
    own["PYTHONPATH"] = str(ROOT)
    before = ["unshare", "-rm", "bash", "-c", ON_FULL_DISK, "-"] if full else []
    return subprocess.run(
        [*before, sys.executable, *arguments], cwd=folder, env=kept | own,
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize("words", [("run",), ("library", "stats")], ids=" ".join)
def test_full_disk_of_the_database_is_named(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = run(tmp_path, "-m", "bot", *words)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "The catalogue disk/genrec.db could not be written, because the disk is full: free disk"
        " space and try again."
    )
    assert "Traceback" not in done.stderr


def test_full_disk_of_a_backup_is_named(tmp_path: Path) -> None:
    assert run(tmp_path, "-m", "bot", "library", "stats", database="a.db", full=False).stdout
    done = run(tmp_path, "-m", "bot", "backup", "disk/copy.db", database="a.db")
    assert done.returncode == 1
    assert done.stderr == (
        "The backup disk/copy.db cannot be written (No space left on device): free disk space, or"
        " name a file in a writable folder.\n"
    )


def test_full_disk_of_the_settings_is_named(tmp_path: Path) -> None:
    done = run(tmp_path, "-c", WRITE_ENV)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith(
        "disk/.env cannot be written (No space left on device): free disk space, or make the file"
        " and its folder writable."
    )
