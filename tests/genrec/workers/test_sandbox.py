"""What a locked worker can no longer do, and that decoding still works in one."""

from __future__ import annotations

import errno
import os
import socket
import struct
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio

from genrec import errors
from genrec.workers import landlock, sandbox, seccomp
from genrec.workers.pool import AnalysisPool
from tests import synth

ROOT = Path(__file__).resolve().parents[3]
MEASURES = {
    "limits",
    "locked down before any thread",
    "ended first when memory runs out",
    "ends with its parent",
    "no capabilities",
    "no new privileges",
    "files",
    "system calls",
}


@pytest.fixture(scope="module")
def report() -> dict[str, sandbox.Measure]:
    """Return what is in force here, by name."""
    return {measure.name: measure for measure in sandbox.report()}


@pytest.fixture
def need(report: dict[str, sandbox.Measure]) -> Any:
    """Return a function that skips a test where this system lacks one of some measures."""

    def check(*names: str) -> None:
        if not any(report[name].in_force for name in names):
            pytest.skip(f"not in force here: {', '.join(names)}")

    return check


@pytest_asyncio.fixture
async def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AnalysisPool]:
    """Yield a pool with one locked worker that does as it is told."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    preset = tmp_path / "preset"
    preset.mkdir()
    (preset / "labels.json").write_text("{}")
    async with AnalysisPool(preset, workers=1, analyzer="fake_analyzer:load") as pool:
        yield pool


async def outcome(pool: AnalysisPool, folder: Path, command: str) -> str:
    """Have a worker try something; return the error it met, or an empty string."""
    clip = folder / "command"
    clip.write_text(command)
    try:
        await pool.analyze(clip)
    except errors.UnreadableAudio as error:
        return str(error)
    return ""


async def test_a_worker_reads_the_clip_python_and_its_preset_alone(
    pool: AnalysisPool, tmp_path: Path, need: Any
) -> None:
    need("files")
    secret = tmp_path / "other.wav"
    secret.write_text("somebody else's")
    refused = [secret, ROOT / "pyproject.toml", "/etc/passwd", f"/proc/{os.getpid()}/environ"]
    results = [await outcome(pool, tmp_path, f"read {path}") for path in refused]
    assert results == ["PermissionError"] * len(refused)
    allowed = [tmp_path / "preset" / "labels.json", ROOT / "genrec" / "types.py", os.__file__]
    assert [await outcome(pool, tmp_path, f"read {path}") for path in allowed] == [""] * 3


async def test_a_worker_writes_nothing(pool: AnalysisPool, tmp_path: Path, need: Any) -> None:
    need("files", "limits")
    existing = tmp_path / "existing"
    existing.write_text("kept")
    for path in (existing, tmp_path / "new", tmp_path / "preset" / "labels.json"):
        assert await outcome(pool, tmp_path, f"write {path}") in ("PermissionError", "OSError")
    assert not (tmp_path / "new").exists() or not (tmp_path / "new").stat().st_size
    assert await outcome(pool, tmp_path, "write /dev/null") == ""


async def test_a_worker_reaches_no_network_program_or_process(
    pool: AnalysisPool, tmp_path: Path, need: Any
) -> None:
    need("system calls")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        commands = [f"connect {port}", "run /bin/true", "fork", f"kill {os.getpid()}"]
        results = [await outcome(pool, tmp_path, command) for command in commands]
    assert results == ["PermissionError"] * 4


async def test_every_format_is_decoded_in_a_locked_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent)
    y = synth.music(1, 3.0, 44100)
    clips = [synth.write(tmp_path / f"clip.{kind}", y, 44100, kind) for kind in synth.WRITERS]
    async with AnalysisPool(tmp_path, workers=1, analyzer="fake_analyzer:load_decoder") as pool:
        heard_s = [(await pool.analyze(clip)).analyzed_s for clip in clips]
    assert heard_s == pytest.approx([3.0] * len(clips), abs=0.2)


async def test_workers_report_the_measures(pool: AnalysisPool, report: Any) -> None:
    await pool.warm()
    assert {measure.name for measure in pool.measures} == MEASURES
    for measure in pool.measures:
        assert measure.in_force == report[measure.name].in_force


def test_the_report_tries_to_break_out(report: dict[str, sandbox.Measure], need: Any) -> None:
    assert set(report) > MEASURES
    need("files")
    assert report["cannot read other files"].in_force
    need("system calls")
    assert report["cannot open a socket"].in_force
    assert report["cannot start a process"].in_force


def test_no_report_is_a_report_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    (measure,) = sandbox.report()
    assert not measure.in_force
    assert "No such file" in measure.note


def run(script: str) -> str:
    """Run a script in a fresh process with genrec at hand."""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=sandbox.environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_elsewhere_the_measures_are_missing_with_a_note() -> None:
    printed = run(
        "import sys; sys.platform = 'darwin'\n"
        "from genrec.workers import sandbox\n"
        "for m in sandbox.lock_down(readable=[], memory_bytes=1 << 30):\n"
        "    print(m.name, m.in_force, m.note, sep=':')\n"
    )
    assert "limits:True" in printed
    assert "files:False:not on darwin" in printed


def test_a_thread_that_was_there_before_is_reported() -> None:
    printed = run(
        "import threading, time\n"
        "from genrec.workers import sandbox\n"
        "threading.Thread(target=time.sleep, args=(0.5,), daemon=True).start()\n"
        "for m in sandbox.lock_down(readable=[], memory_bytes=1 << 30):\n"
        "    print(m.name, m.in_force, m.note, sep=':')\n"
    )
    if sys.platform == "linux":
        assert "before any thread:False:1 threads are not" in printed


def test_processor_time_is_counted_from_now() -> None:
    printed = run(
        "import resource\n"
        "from genrec.workers import sandbox\n"
        "sandbox.allow_cpu(5)\n"
        "print(*resource.getrlimit(resource.RLIMIT_CPU))\n"
    )
    soft, hard = map(int, printed.split())
    assert 6 <= soft <= 9
    assert hard == -1 or hard > soft


def test_a_checkout_is_listed_but_only_its_packages_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "somebodys_package"
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    readable, listable = sandbox.interpreter_paths("somebodys_package.analysis")
    assert {ROOT / "genrec", package, Path(sys.prefix)} <= set(readable)
    assert not {ROOT, tmp_path} & set(readable)
    assert tmp_path in listable


def libc(answer: int) -> Any:
    """Return a C library whose system calls all return ``answer``, and which remembers them."""
    calls = []

    def syscall(number: Any, *arguments: Any) -> int:
        calls.append((number.value, arguments))
        return answer if len(calls) == 1 else -1

    return SimpleNamespace(syscall=syscall, prctl=lambda *_: -1, calls=calls)


@pytest.mark.parametrize(
    ("version", "size", "rights"),
    [(1, 8, 13), (2, 8, 14), (3, 8, 15), (4, 16, 15), (5, 16, 16), (6, 24, 16), (99, 24, 16)],
)
def test_older_and_newer_kernels_are_asked_for_what_they_know(
    version: int, size: int, rights: int
) -> None:
    kernel = libc(version)
    assert "refuses" in landlock.restrict(kernel, readable=[])
    _, (attributes, length, _) = kernel.calls[1]
    assert len(attributes) == length.value == size
    assert struct.unpack_from("=Q", attributes)[0] == (1 << rights) - 1


def test_a_kernel_without_landlock_or_seccomp_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no Landlock" in landlock.restrict(libc(-1), readable=[])
    assert "refuses" in seccomp.install(libc(-1)) or "no filter" in seccomp.install(libc(-1))
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert seccomp.install(libc(0)) == "no filter is written for riscv64"


def judge(machine: seccomp.SyscallTable, number: int, argument: int = 0, arch: int = 0) -> str:
    """Run the filter as the kernel would, for the process 77."""
    data = {4: arch or machine.audit_arch, 0: number, 16: argument}
    names = {0x7FFF0000: "allow", 0x50000 | errno.EPERM: "refuse", 0x50000 | errno.ENOSYS: "absent"}
    lines = seccomp.program(machine, 77)
    at, register = 0, 0
    while True:
        code, if_true, if_false, operand = lines[at]
        at += 1
        if code == 0x20:
            register = data[operand]
        elif code == 0x06:
            return names[operand]
        else:
            tests = {0x15: register == operand, 0x35: register >= operand}
            tests[0x45] = bool(register & operand)
            at += if_true if tests[code] else if_false


@pytest.mark.parametrize("name", seccomp.MACHINES)
def test_the_filter_refuses_what_is_listed_and_nothing_else(name: str) -> None:
    machine = seccomp.MACHINES[name]
    column = machine.column
    denied = {numbers[column] for numbers in seccomp.DENIED.values()} - {-1}
    fenced = {numbers[column] for numbers in seccomp.FENCED.values()}
    special = fenced | {seccomp.CLONE[column], seccomp.CLONE3[column]}
    assert len(denied) > 50
    for number in range(500):
        if number not in special:
            assert judge(machine, number) == ("refuse" if number in denied else "allow"), number
    assert judge(machine, seccomp.CLONE3[column]) == "absent"
    assert judge(machine, seccomp.CLONE[column], 17) == "refuse"  # SIGCHLD: a process
    assert judge(machine, seccomp.CLONE[column], 0x3D0F00) == "allow"  # a thread of glibc
    for number in fenced:
        assert judge(machine, number, 77) == "allow"
        assert judge(machine, number, 78) == "refuse"
    assert judge(machine, seccomp.FENCED["prlimit64"][column], 0) == "allow"
    assert judge(machine, seccomp.FENCED["kill"][column], 0) == "refuse"
    assert judge(machine, 0, arch=0x40000003) == "refuse"  # 32 bits
    assert judge(machine, 0x40000000) == ("refuse" if machine.x32 else "allow")
    assert len(seccomp.assemble(seccomp.program(machine, 77))) < 8 * 4096  # what the kernel takes
