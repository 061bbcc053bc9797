"""The parent's side of the yt-dlp process, tested with other programs in its place."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bot.sources.page import fetch_page
from bot.sources.policy import check_url
from bot.sources.sites import SITES
from bot.sources.ytdlp_process import YtdlpExitedError, YtdlpStoppedError, run_ytdlp
from genrec.errors import ClipTooLarge, GenrecError, LinkRefused, UnsupportedFormat
from tests.bot.sources.hostile import processes_in, wait_until, wav


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-c", "import os, sys, time\n" + code)


async def call(code: str, folder: Path, **settings: object) -> dict[str, object]:
    settings = {"timeout_s": 10.0, "over_limit": lambda: False} | settings
    return await run_ytdlp(
        {"a": 1}, folder=folder, environment={}, command=python(code), **settings
    )


async def test_process_reply_is_returned(root):
    code = "print(sys.stdin.readline().strip(), flush=True); time.sleep(600)"
    assert await call(code, root) == {"a": 1}


@pytest.mark.parametrize(
    "code",
    [
        "sys.exit(3)",
        "os.close(1); time.sleep(0.1)",
        "print('no json', flush=True)",
        "print('[1]', flush=True)",
        "sys.stdout.write('{\"half\":'); sys.stdout.flush(); os._exit(0)",
        "os.write(1, b'x' * 500_000); time.sleep(600)",
        "os.write(1, b'\\xff\\xfe\\n')",
        "os.kill(os.getpid(), 9)",
        "raise SystemExit",
    ],
)
async def test_process_without_valid_reply_raises_exited(code, root):
    with pytest.raises(YtdlpExitedError):
        await call(code, root)


async def test_process_without_reply_times_out(root):
    with pytest.raises(TimeoutError):
        await call("time.sleep(600)", root, timeout_s=0.3)


async def test_process_over_limit_is_stopped(root):
    with pytest.raises(YtdlpStoppedError):
        await call("time.sleep(600)", root, over_limit=lambda: True)


async def test_process_that_reads_no_stdin_times_out(root):
    with pytest.raises(TimeoutError):
        await run_ytdlp(
            {"a": "x" * 1_000_000},
            folder=root,
            environment={},
            timeout_s=0.3,
            over_limit=lambda: False,
            command=python("time.sleep(600)"),
        )


async def test_grandchildren_of_exited_process_are_killed(root):
    code = (
        "import subprocess\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print('{}', flush=True)"
    )
    assert await call(code, root) == {}
    await asyncio.sleep(0.05)
    assert processes_in(root) == []


async def test_process_is_killed_when_cancelled_twice(root):
    # The process exists before its start is confirmed, so wait until it has read its stdin.
    code = "sys.stdin.readline(); open('started', 'w').close(); time.sleep(600)"
    task = asyncio.create_task(call(code, root))
    await wait_until((root / "started").exists)
    (root / "started").unlink()
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert processes_in(root) == []


def test_runner_exits_when_its_parent_is_killed(root):
    """A parent killed by SIGKILL cannot stop the runner, so the runner must detect it."""
    runner = Path(sys.modules["bot.sources.ytdlp_process"].__file__).with_name("ytdlp_runner.py")
    (root / "yt_dlp.py").write_text("import time\ntime.sleep(600)\n")
    given = {"max_bytes": 1000, "ytdlp_dir": str(root), "readable": [str(root)]}
    unset = ("url", "extractors", "own_ca", "js_runtime", "channel", "report")
    job = json.dumps(given | dict.fromkeys(unset))
    code = (
        "import subprocess, sys, time\n"
        "p = subprocess.Popen(sys.argv[1:3], stdin=-1, stdout=-1, start_new_session=True)\n"
        "p.stdin.write(sys.argv[3].encode() + b'\\n'); p.stdin.flush(); time.sleep(600)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, sys.executable, str(runner), job], cwd=root
    )
    try:
        deadline = time.monotonic() + 10
        while len(processes_in(root)) < 2:
            assert time.monotonic() < deadline, "the runner did not start"
            time.sleep(0.02)
        time.sleep(0.3)
        assert len(processes_in(root)) == 2
    finally:
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
    while processes_in(root):
        assert time.monotonic() < deadline, "the runner outlived its parent"
        time.sleep(0.02)
    (root / "yt_dlp.py").unlink()


# --- a compromised process: its reply and its files are untrusted data --------------------------


async def error_of(code: str, policy, dns, root) -> GenrecError:
    """Return the error of a page fetch whose process runs ``code`` instead of yt-dlp."""
    url = check_url("http://someone.bandcamp.com/track/x", policy)
    folder = root / "job"
    folder.mkdir()
    try:
        with pytest.raises(GenrecError) as caught:
            await fetch_page(
                url,
                SITES["bandcamp"],
                folder,
                policy=policy,
                resolve=dns,
                command=python("import json\n" + code),
            )
    finally:
        shutil.rmtree(folder)
    return caught.value


SAY = "print(json.dumps({'file': %s, 'title': 'x'}), flush=True); time.sleep(600)"


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "../../../etc/passwd", "clip.mp3", "", ".", "clip..", "clip.a/../../x", "c\0"],
)
async def test_reported_file_name_outside_the_folder_is_refused(name, policy, dns, root):
    error = await error_of(SAY % repr(name), policy, dns, root)
    assert type(error) is LinkRefused


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        ("os.symlink('/etc/passwd', 'clip.mp3')", LinkRefused),
        ("os.mkdir('clip.mp3')", LinkRefused),
        ("os.mkfifo('clip.mp3')", LinkRefused),
        ("open('clip.mp3', 'wb').truncate(200_001)", ClipTooLarge),
        ("open('clip.mp3', 'w').write('ffconcat version 1.0')", UnsupportedFormat),
        ("open('clip.mp3', 'w')", UnsupportedFormat),
    ],
)
async def test_reported_file_of_wrong_type_is_refused(make, kind, policy, dns, root):
    error = await error_of(make + "\n" + SAY % "'clip.mp3'", policy, dns, root)
    assert isinstance(error, kind)


async def test_process_that_fills_the_disk_is_stopped(policy, dns, root):
    code = "n = 0\nwhile True:\n open(f'f{n}', 'wb').write(b'x' * 100_000); n += 1; time.sleep(.01)"
    assert isinstance(await error_of(code, policy, dns, root), ClipTooLarge)


async def test_reported_page_that_is_not_a_valid_link_is_dropped(policy, dns, root):
    (root / "job").mkdir()
    body = repr(wav())
    for page in ("javascript:alert(1)", "http://127.0.0.1/", "http://u:p@music.test/", None):
        code = (
            f"import json; open('clip.wav', 'wb').write({body})\n"
            f"print(json.dumps({{'file': 'clip.wav', 'page': {page!r}}}), flush=True)"
        )
        url = check_url("http://someone.bandcamp.com/track/x", policy)
        clip = await fetch_page(
            url,
            SITES["bandcamp"],
            root / "job",
            policy=policy,
            resolve=dns,
            command=python(code),
        )
        assert clip.source == str(url)
        shutil.rmtree(root / "job" / "page")
    (root / "job").rmdir()
