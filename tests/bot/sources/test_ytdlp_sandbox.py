"""Code inside the yt-dlp process, which stands for a bad release or a bug, reaches nothing."""

from __future__ import annotations

import ctypes
import dataclasses
import errno
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bot.sources import fetch, ytdlp_sandbox
from bot.sources.page import measure_page_sandbox
from genrec.workers import landlock, seccomp
from tests.bot.sources.hostile import LOCAL_SITE, processes_in, with_local_site

ABI = landlock.version(ctypes.CDLL(None, use_errno=True)) if sys.platform == "linux" else 0
ENFORCED = bool(ABI) and platform.machine() in seccomp.MACHINES
needs_kernel = pytest.mark.skipif(not ENFORCED, reason="needs Landlock and seccomp")

SOUND = {"url": "http://music.test/x.mp3", "ext": "mp3", "vcodec": "none", "acodec": "mp3"}
MP3 = b"ID3\4\0\0" + b"\0" * 5000


@pytest.fixture
def local(policy, origin, dns):
    """Return a policy for the test extractor, with its page's host and sound."""
    dns.set("pages.test", [("127.0.0.1", origin.port)])
    origin.serve("/x.mp3", MP3)
    return with_local_site(policy)


async def results(page: dict[str, object], policy, origin, dns) -> dict[str, str]:
    """Fetch a page whose extractor runs attempts; return the result of each by its name."""
    origin.serve("/page", json.dumps({**SOUND, **page}).encode())
    async with fetch("http://pages.test/page", policy=policy, resolve=dns) as clip:
        assert clip.path.read_bytes() == MP3  # the download itself works
        printed = clip.path.with_name("results.json").read_text()
    return json.loads(printed)


@needs_kernel
async def test_native_code_in_the_process_reaches_nothing(
    local, origin, forbidden, dns, tmp_path, monkeypatch
):
    monkeypatch.setenv("GENREC_DISCORD_TOKEN", "token.of.a.bot")
    for host in ("thief.test", "music.test.thief.test"):
        dns.set(host, [("127.0.0.1", origin.port)])
    origin.serve("/steal", b"thanks")
    files = {name: tmp_path / name for name in ("env", "database", "removed", "renamed")}
    for path in files.values():
        path.write_text("GENREC_DISCORD_TOKEN=token.of.a.bot")
        path.chmod(0o600)
    modified = files["env"].stat().st_mtime
    page = {
        "do": "break_out",
        "files": {name: str(path) for name, path in files.items()},
        "new": str(tmp_path / "new"),
        "port": forbidden.port,
        "bot": os.getpid(),
    }
    found = await results(page, local, origin, dns)
    assert len(found) >= 30
    assert {name: result for name, result in found.items() if result != "refused"} == {}
    assert origin.hits["/steal"] == 0
    assert not dns.lookups["thief.test"]
    assert all(path.exists() for path in files.values())
    assert list(tmp_path.glob("new*")) == []
    assert files["env"].stat().st_mode & 0o777 == 0o600
    assert files["env"].stat().st_mtime == modified
    assert os.getpriority(os.PRIO_PROCESS, 0) == 0


@needs_kernel
async def test_process_changes_files_of_its_own_folder(local, origin, dns):
    found = await results({"do": "own_folder"}, local, origin, dns)
    assert found == {"own folder": "done"}


def copied_program(name: str, folder: Path) -> Path:
    """Copy a program of this machine into ``folder``, so that its path is not under /usr."""
    program = shutil.which(name)
    assert program is not None
    return Path(shutil.copy(os.path.realpath(program), folder / name))


def as_youtube(policy, runtime: Path):
    """Return the policy with the test extractor as YouTube, the only site with a runtime."""
    site = dataclasses.replace(LOCAL_SITE, name="youtube")
    larger = {"max_bytes": 8_000_000, "max_disk_bytes": 24_000_000}  # Deno writes a cache
    return dataclasses.replace(policy, extra_sites=(site,), js_runtime=runtime, **larger)


@needs_kernel
async def test_process_starts_its_runtime_and_no_other_program(
    local, origin, forbidden, dns, tmp_path
):
    runtime, other = copied_program("cat", tmp_path), copied_program("true", tmp_path)
    (tmp_path / "secret").write_text("of the bot")
    page = {
        "do": "programs",
        "runtime": str(runtime),
        "others": [str(other), "/bin/sh", sys.executable],
        "secret": str(tmp_path / "secret"),
        "port": forbidden.port,
        "bot": os.getpid(),
    }
    found = await results(page, as_youtube(local, runtime), origin, dns)
    assert found.pop("runtime") == "0 written to its stdin"
    assert found.pop("runtime reads a secret").startswith("1 ")
    assert len(found) == 3 + 4
    assert {name: result for name, result in found.items() if result != "refused"} == {}


@needs_kernel
@pytest.mark.skipif(not shutil.which("deno"), reason="needs Deno on the PATH")
@pytest.mark.parametrize(
    ("script", "printed"),
    [
        ("console.log([1, 2, 3].map(x => x * x).join())", "0 1,4,9"),
        ("console.log(await Deno.readTextFile('/etc/passwd'))", "1 "),
        ("await Deno.connect({hostname: '127.0.0.1', port: PORT})", "1 "),
        ("await new Deno.Command('/bin/true').output(); console.log('ran')", "1 "),
    ],
)
async def test_deno_with_all_its_permissions_only_computes(
    script, printed, local, origin, forbidden, dns
):
    deno = Path(os.path.realpath(str(shutil.which("deno"))))
    page = {
        "do": "runtime",
        "argv": [str(deno), "run", "--allow-all", "--no-remote", "--ext=js", "-"],
        "input": script.replace("PORT", str(forbidden.port)),
    }
    found = await results(page, as_youtube(local, deno), origin, dns)
    assert found["runtime"].startswith(printed)


def test_runtime_ends_with_the_bot(root, tmp_path):
    """A bot killed by SIGKILL leaves neither the yt-dlp process nor its JavaScript runtime."""
    runner = Path(ytdlp_sandbox.__file__).with_name("ytdlp_runner.py")
    sleep = copied_program("sleep", tmp_path)
    (root / "yt_dlp.py").write_text(f"import subprocess\nsubprocess.run([{str(sleep)!r}, '600'])\n")
    given = {"max_bytes": 1000, "ytdlp_dir": str(root), "readable": [str(root)]}
    given["js_runtime"] = str(sleep)
    unset = ("url", "extractors", "own_ca", "channel", "report")
    job = json.dumps(given | dict.fromkeys(unset))
    code = (
        "import subprocess, sys, time\n"
        "p = subprocess.Popen(sys.argv[1:3], stdin=-1, stdout=-1, start_new_session=True)\n"
        "p.stdin.write(sys.argv[3].encode() + b'\\n'); p.stdin.flush(); time.sleep(600)"
    )
    bot = subprocess.Popen([sys.executable, "-c", code, sys.executable, str(runner), job], cwd=root)
    deadline = time.monotonic() + 20
    try:
        while len(processes_in(root)) < 3:
            assert time.monotonic() < deadline, "the runtime did not start"
            time.sleep(0.02)
        runner_pid = next(
            pid for pid in processes_in(root) if pid != bot.pid and parent(pid) == bot.pid
        )
        os.kill(runner_pid, signal.SIGKILL)  # as the kernel does when the bot is killed
        while len(processes_in(root)) > 1:
            assert time.monotonic() < deadline, "the runtime outlived the yt-dlp process"
            time.sleep(0.02)
    finally:
        bot.kill()
        bot.wait()
    while processes_in(root):
        assert time.monotonic() < deadline, "a process outlived the bot"
        time.sleep(0.02)
    (root / "yt_dlp.py").unlink()


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


async def test_report_names_each_measure_and_attempt(policy, tmp_path, root):
    secret = tmp_path / "genrec.db"
    secret.write_text("tracks")
    measures = await measure_page_sandbox(policy, private=[secret, tmp_path / "missing"])
    found = {measure.name: measure for measure in measures}
    assert {"limits", "files", "system calls", "no new privileges"} <= found.keys()
    assert f"cannot read {secret}" in found
    assert not any("missing" in name for name in found)
    if ENFORCED:
        assert all(measure.in_force for measure in measures), measures


async def test_report_without_a_process_is_one_failed_measure(policy, root, monkeypatch):
    monkeypatch.setattr("bot.sources.page.REPORT_COMMAND", (sys.executable, "-c", ""))
    (measure,) = await measure_page_sandbox(policy)
    assert not measure.in_force
    assert "could not be tested" in measure.note


@pytest.mark.parametrize("name", seccomp.MACHINES)
@pytest.mark.parametrize("programs", [False, True])
def test_filter_of_the_process_on_each_architecture(name, programs):
    machine = seccomp.MACHINES[name]
    lines = ytdlp_sandbox.call_filter(machine, 77, programs=programs)
    assert len(seccomp.assemble(lines)) < 8 * 4096  # limit of the kernel

    def decide(call: tuple[int, int], *arguments: int) -> str:
        return run_filter(lines, machine, call[machine.column], arguments)

    table = seccomp.DENIED
    for call in ("socket", "connect", "bind", "ptrace", "mount", "unshare", "bpf", "keyctl"):
        assert decide(table[call]) == "refuse"
    for call, numbers in ytdlp_sandbox._DENIED.items():
        if numbers[machine.column] >= 0:
            assert decide(numbers) == "refuse", call
    assert decide(table["sendto"]) == "allow"
    for call in ("execve", "fork", "vfork"):
        if table[call][machine.column] >= 0:
            assert decide(table[call]) == ("allow" if programs else "refuse")
    thread, process, namespace = 0x3D0F00, 17, 0x10000011
    assert decide(seccomp.CLONE, thread) == "allow"
    assert decide(seccomp.CLONE, process) == ("allow" if programs else "refuse")
    assert decide(seccomp.CLONE, namespace) == "refuse"
    stream, datagram = 1 | 0x80000, 2
    assert decide(table["socketpair"], 1, stream) == ("allow" if programs else "refuse")
    assert decide(table["socketpair"], 1, datagram) == "refuse"
    kill = seccomp.OWN_PROCESS["kill"]
    assert decide(kill, 77, 9) == "allow"
    assert decide(kill, 78, 9) == "refuse"
    assert decide(kill, 0, 9) == ("allow" if programs else "refuse")
    assert decide(ytdlp_sandbox._PRCTL, 1, 9) == "allow"
    assert decide(ytdlp_sandbox._PRCTL, 1, 0) == "refuse"
    assert decide(ytdlp_sandbox._PRCTL, 38, 1) == "allow"
    assert decide(ytdlp_sandbox._FCNTL, 5, 8) == "refuse"
    assert decide(ytdlp_sandbox._FCNTL, 5, 4) == "allow"
    reading, truncating, writing, both = 0o2000000, 0o2001000, 0o2000101, 0o2001101
    for flags in (reading, writing, both):
        assert decide(ytdlp_sandbox._OPENAT, -100, 1, flags) == "allow"
    assert decide(ytdlp_sandbox._OPENAT, -100, 1, truncating) == "refuse"
    if ytdlp_sandbox._OPEN[machine.column] >= 0:
        assert decide(ytdlp_sandbox._OPEN, 1, truncating) == "refuse"
        assert decide(ytdlp_sandbox._OPEN, 1, both) == "allow"
    assert decide(ytdlp_sandbox._IOCTL, 5, 0x8901) == "refuse"


def run_filter(lines, machine, number: int, arguments: tuple[int, ...]) -> str:
    """Run a filter and return its decision."""
    data = {4: machine.audit_arch, 0: number}
    data |= {16 + 8 * index: value for index, value in enumerate(arguments)}
    names = {0x7FFF0000: "allow", 0x50000 | errno.EPERM: "refuse", 0x50000 | errno.ENOSYS: "absent"}
    at, register = 0, 0
    while True:
        code, if_true, if_false, operand = lines[at]
        at += 1
        if code == 0x20:
            register = data.get(operand, 0)
        elif code == 0x06:
            return names[operand]
        else:
            tests = {0x15: register == operand, 0x35: register >= operand}
            tests[0x45] = bool(register & operand)
            at += if_true if tests[code] else if_false


@pytest.mark.parametrize(
    ("column", "header"), [(0, "*/asm/unistd_64.h"), (1, "asm-generic/unistd.h")]
)
def test_filter_numbers_match_the_kernel_headers(column, header):
    """The generic numbers are those of aarch64."""
    headers = sorted(Path("/usr/include").glob(header))
    if not headers:
        pytest.skip("needs the kernel's headers")
    pairs = re.findall(r"#define __NR(?:3264)?_(\w+) (\d+)", headers[0].read_text())
    known = {name: int(number) for name, number in pairs}
    table = ytdlp_sandbox._DENIED | {
        "open": ytdlp_sandbox._OPEN,
        "openat": ytdlp_sandbox._OPENAT,
        "fcntl": ytdlp_sandbox._FCNTL,
        "ioctl": ytdlp_sandbox._IOCTL,
        "prctl": ytdlp_sandbox._PRCTL,
        "socketpair": ytdlp_sandbox._SOCKETPAIR,
    }
    checked = [name for name in table if name in known]
    assert len(checked) > 30
    for name in checked:
        assert table[name][column] == known[name], name


def test_programs_are_the_runtime_and_its_loader(tmp_path):
    script, missing = tmp_path / "script", tmp_path / "missing"
    script.write_text("#!/bin/sh\n")
    assert ytdlp_sandbox.programs(script) == [script]
    assert ytdlp_sandbox.programs(missing) == [missing]
    if sys.platform == "linux":
        program = copied_program("true", tmp_path)
        _, loader = ytdlp_sandbox.programs(program)
        assert loader.is_file()
