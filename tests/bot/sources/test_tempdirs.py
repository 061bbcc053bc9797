"""Temporary directories: only those of killed processes are removed."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import time

from bot.sources import Sources
from bot.sources.tempdirs import PREFIX, clip_dir, directory_size, remove_stale

HERE = pathlib.Path(__file__).parent


def age(folder: pathlib.Path) -> None:
    os.utime(folder, (time.time() - 3600,) * 2)


async def test_stale_directories_are_removed_and_nothing_else(root, policy):
    killed, fresh, other = root / f"{PREFIX}killed", root / "genrec-new-fresh", root / "other"
    for folder in (killed, fresh, other):
        folder.mkdir()
        (folder / "clip.mp3").write_bytes(b"x")
    age(killed)
    age(other)
    link = root / f"{PREFIX}link"
    link.symlink_to(other)
    with clip_dir(root) as busy:
        age(busy)
        async with Sources(policy):
            pass
        assert {path.name for path in root.iterdir()} == {
            busy.name, fresh.name, other.name, link.name,
        }  # fmt: skip
    link.unlink()
    for folder in (fresh, other):
        (folder / "clip.mp3").unlink()
        age(folder)
    assert remove_stale(root) == 1
    other.rmdir()


def test_directory_of_killed_process_is_removed(root):
    code = (
        "import sys, time, pathlib; from bot.sources.tempdirs import clip_dir\n"
        "with clip_dir(pathlib.Path(sys.argv[1])): print('in', flush=True); time.sleep(600)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(root)], stdout=subprocess.PIPE, cwd=HERE.parents[2]
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"in\n"
    (left,) = root.iterdir()
    age(left)
    assert remove_stale(root) == 0  # still alive
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert remove_stale(root) == 1


def test_directory_size(root):
    with clip_dir(root) as folder:
        (folder / "a").mkdir()
        (folder / "a" / "b").write_bytes(b"123")
        (folder / "c").symlink_to("/etc/passwd")
        assert 3 <= directory_size(folder) < 100
    assert directory_size(folder) == 0
