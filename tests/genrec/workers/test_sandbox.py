"""A sandboxed worker cannot leave its sandbox, and can decode every format."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import platform
import re
import signal
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
from genrec.workers import pool as pools
from genrec.workers.pool import AnalysisPool
from genrec.workers.syscalls import ALLOWED, ARGUMENTS
from tests import synth
from tests.genrec.workers import escapes

ROOT = Path(__file__).resolve().parents[3]
MEASURES = {
    "limits",
    "no other thread at start",
    "killed first when out of memory",
    "killed with its parent",
    "no capabilities",
    "no new privileges",
    "files",
    "system calls",
}


@pytest.fixture(scope="module")
def report() -> dict[str, sandbox.Measure]:
    """Return the measures in force on this machine, by name."""
    return {measure.name: measure for measure in sandbox.report()}


@pytest.fixture
def need(report: dict[str, sandbox.Measure]) -> Any:
    """Return a function that skips a test if none of some measures is in force."""

    def check(*names: str) -> None:
        if not any(report[name].in_force for name in names):
            pytest.skip(f"not in force here: {', '.join(names)}")

    return check


@pytest_asyncio.fixture
async def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AnalysisPool]:
    """Yield a pool with one sandboxed worker that runs the command in a clip."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    preset = tmp_path / "preset"
    preset.mkdir()
    (preset / "labels.json").write_text("{}")
    async with AnalysisPool(preset, workers=1, analyzer="fake_analyzer:load") as pool:
        yield pool


async def outcome(pool: AnalysisPool, folder: Path, command: str) -> str:
    """Run a command in a worker; return the name of its error, or an empty string."""
    clip = folder / "command"
    clip.write_text(command)
    try:
        await pool.analyze(clip)
    except errors.UnreadableAudio as error:
        return str(error)
    return ""


async def test_worker_reads_only_the_clip_python_and_its_preset(
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


async def test_worker_writes_no_file(pool: AnalysisPool, tmp_path: Path, need: Any) -> None:
    need("files", "limits")
    existing = tmp_path / "existing"
    existing.write_text("kept")
    for path in (existing, tmp_path / "new", tmp_path / "preset" / "labels.json"):
        assert await outcome(pool, tmp_path, f"write {path}") in ("PermissionError", "OSError")
    assert not (tmp_path / "new").exists() or not (tmp_path / "new").stat().st_size
    assert await outcome(pool, tmp_path, "write /dev/null") == ""


async def test_worker_cannot_connect_execute_fork_or_signal(
    pool: AnalysisPool, tmp_path: Path, need: Any
) -> None:
    need("system calls")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        commands = [f"connect {port}", "run /bin/true", "fork", f"kill {os.getpid()}"]
        results = [await outcome(pool, tmp_path, command) for command in commands]
    assert results == ["PermissionError"] * 4
    with pytest.raises(errors.WorkerCrashed, match="can't start new thread"):
        await outcome(pool, tmp_path, "thread")


REMOVERS = {"shmget": "shmctl", "semget": "semctl", "msgget": "msgctl"}


async def test_worker_makes_no_call_beyond_its_allow_list(
    pool: AnalysisPool, tmp_path: Path, need: Any
) -> None:
    need("system calls")
    column = seccomp.MACHINES[platform.machine()].column
    secret = tmp_path / "secret"
    secret.write_text("of another user")
    before = secret.stat()
    outcomes = {}
    for name, (numbers, arguments) in escapes.calls(bytes(secret), os.getpid()).items():
        if numbers[column] < 0:
            continue
        line = json.dumps(arguments, default=bytes.hex, separators=(",", ":"))
        outcomes[name] = await outcome(pool, tmp_path, f"syscall {numbers[column]} {line}")
        if name in REMOVERS and outcomes[name].isdecimal():  # remove what the worker left
            getattr(ctypes.CDLL(None), REMOVERS[name])(int(outcomes[name]), 0, 0, 0)
    assert {name: code for name, code in outcomes.items() if code not in ("EPERM", "ENOSYS")} == {}
    assert len(outcomes) > 45
    after = secret.stat()
    assert (after.st_mode, after.st_mtime) == (before.st_mode, before.st_mtime)


async def test_worker_cannot_raise_its_limits(pool: AnalysisPool, tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("other platforms lack some limits")
    cpu_s, queues, locked = map(int, (await outcome(pool, tmp_path, "limits")).split())
    assert 3600 <= cpu_s < 4000
    assert (queues, locked) == (0, 0)


async def test_worker_is_replaced_long_before_its_cpu_limit(
    pool: AnalysisPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = tmp_path / "command"
    clip.write_text("pid")
    first = (await pool.analyze(clip)).duration_s
    assert (await pool.analyze(clip)).duration_s == first
    monkeypatch.setattr(pools, "_BUSY_S", 0.0)
    await pool.analyze(clip)
    assert (await pool.analyze(clip)).duration_s != first


async def test_worker_decodes_every_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent)
    y = synth.music(1, 3.0, 44100)
    clips = [synth.write(tmp_path / f"clip.{kind}", y, 44100, kind) for kind in synth.WRITERS]
    async with AnalysisPool(tmp_path, workers=1, analyzer="fake_analyzer:load_decoder") as pool:
        analyzed_s = [(await pool.analyze(clip)).analyzed_s for clip in clips]
    assert analyzed_s == pytest.approx([3.0] * len(clips), abs=0.2)


async def test_pool_reports_the_measures_of_its_worker(pool: AnalysisPool, report: Any) -> None:
    await pool.warm()
    assert {measure.name for measure in pool.measures} == MEASURES
    for measure in pool.measures:
        assert measure.in_force == report[measure.name].in_force


def test_report_contains_escape_attempts(report: dict[str, sandbox.Measure], need: Any) -> None:
    assert set(report) > MEASURES
    need("files")
    assert report["cannot read other files"].in_force
    need("system calls")
    assert report["cannot open a socket"].in_force
    assert report["cannot start a process"].in_force


def test_report_without_a_process_is_one_failed_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    (measure,) = sandbox.report()
    assert not measure.in_force
    assert "No such file" in measure.note


def run(script: str) -> str:
    """Run a script in a new process that can import genrec; return its output."""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=sandbox.environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_measures_on_another_platform_have_a_note() -> None:
    printed = run(
        "import sys; sys.platform = 'darwin'\n"
        "from genrec.workers import sandbox\n"
        "for m in sandbox.enter(readable=[], memory_bytes=1 << 30):\n"
        "    print(m.name, m.in_force, m.note, sep=':')\n"
    )
    assert "limits:True" in printed
    assert "files:False:not on darwin" in printed


def test_thread_started_before_the_sandbox_is_reported() -> None:
    printed = run(
        "import threading, time\n"
        "from genrec.workers import sandbox\n"
        "threading.Thread(target=time.sleep, args=(0.5,), daemon=True).start()\n"
        "for m in sandbox.enter(readable=[], memory_bytes=1 << 30):\n"
        "    print(m.name, m.in_force, m.note, sep=':')\n"
    )
    if sys.platform == "linux":
        assert "no other thread at start:False:1 other threads run" in printed


def test_allow_cpu_counts_from_the_call() -> None:
    printed = run(
        "import resource\n"
        "from genrec.workers import sandbox\n"
        "sandbox.allow_cpu(5)\n"
        "print(*resource.getrlimit(resource.RLIMIT_CPU))\n"
    )
    soft, hard = map(int, printed.split())
    assert 6 <= soft <= 9
    assert hard == -1 or hard > soft


def test_interpreter_paths_list_a_checkout_and_read_its_packages(
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


def fake_libc(result: int) -> Any:
    """Return a C library that records its system calls; the first returns ``result``."""
    calls = []

    def syscall(number: Any, *arguments: Any) -> int:
        calls.append((number.value, arguments))
        return result if len(calls) == 1 else -1

    return SimpleNamespace(syscall=syscall, prctl=lambda *_: -1, calls=calls)


@pytest.mark.parametrize(
    ("version", "size", "rights"),
    [(1, 8, 13), (2, 8, 14), (3, 8, 15), (4, 16, 15), (5, 16, 16), (6, 24, 16), (99, 24, 16)],
)
def test_landlock_requests_the_rights_of_the_kernels_version(
    version: int, size: int, rights: int
) -> None:
    libc = fake_libc(version)
    assert "refused" in landlock.restrict(libc, readable=[])
    _, (attributes, length, _) = libc.calls[1]
    assert len(attributes) == length.value == size
    assert struct.unpack_from("=Q", attributes)[0] == (1 << rights) - 1


def test_missing_landlock_or_seccomp_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no Landlock" in landlock.restrict(fake_libc(-1), readable=[])
    assert any(note in seccomp.install(fake_libc(-1)) for note in ("refused", "no filter"))
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert seccomp.install(fake_libc(0)) == "there is no filter for riscv64"


def run_filter(
    machine: seccomp.SyscallTable,
    number: int,
    argument: int = 0,
    arch: int = 0,
    make: Any = seccomp.program,
    second: int = 0,
    third: int = 0,
) -> str:
    """Run the filter for the process 77 and return its decision."""
    data = {4: arch or machine.audit_arch, 0: number, 16: argument, 24: second, 32: third}
    names = {0x7FFF0000: "allow", 0x50000 | errno.EPERM: "refuse", 0x50000 | errno.ENOSYS: "absent"}
    lines = make(machine, 77)
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
def test_filter_denies_listed_calls_only(name: str) -> None:
    machine = seccomp.MACHINES[name]
    column = machine.column
    denied = {numbers[column] for numbers in seccomp.DENIED.values()} - {-1}
    own_process = {numbers[column] for numbers in seccomp.OWN_PROCESS.values()}
    special = own_process | {seccomp.CLONE[column], seccomp.CLONE3[column]}
    assert len(denied) > 50
    for number in range(500):
        if number not in special:
            assert run_filter(machine, number) == ("refuse" if number in denied else "allow"), (
                number
            )
    assert run_filter(machine, seccomp.CLONE3[column]) == "absent"
    assert run_filter(machine, seccomp.CLONE[column], 17) == "refuse"  # SIGCHLD: a process
    assert run_filter(machine, seccomp.CLONE[column], 0x3D0F00) == "allow"  # a thread of glibc
    for number in own_process:
        assert run_filter(machine, number, 77) == "allow"
        assert run_filter(machine, number, 78) == "refuse"
    assert run_filter(machine, seccomp.OWN_PROCESS["prlimit64"][column], 0) == "allow"
    assert run_filter(machine, seccomp.OWN_PROCESS["kill"][column], 0) == "refuse"
    assert run_filter(machine, 0, arch=0x40000003) == "refuse"  # 32 bits
    assert run_filter(machine, 0x40000000) == ("refuse" if machine.x32 else "allow")
    assert len(seccomp.assemble(seccomp.program(machine, 77))) < 8 * 4096  # limit of the kernel


@pytest.mark.parametrize("name", seccomp.MACHINES)
def test_worker_filter_allows_listed_calls_only(name: str) -> None:
    machine = seccomp.MACHINES[name]
    column = machine.column

    def decide(number: int, *arguments: int, arch: int = 0) -> str:
        first, second = (*arguments, 0, 0)[:2]
        return run_filter(machine, number, first, arch, seccomp.worker_program, second)

    allowed = {numbers[column] for numbers in ALLOWED.values()} - {-1}
    denied = {numbers[column] for numbers in seccomp.DENIED.values()} - {-1}
    own_process = {numbers[column] for numbers in seccomp.OWN_PROCESS.values()}
    by_argument = {numbers[column]: rest for numbers, *rest in ARGUMENTS.values()}
    assert not allowed & (denied | own_process | set(by_argument))
    for number in range(600):
        if number in own_process:
            assert decide(number, 77) == "allow"
            assert decide(number, 78) == "refuse"
        elif number in by_argument:
            position, values = by_argument[number]
            before = (0,) * position
            assert {decide(number, *before, value) for value in values} == {"allow"}
            others = set(range(2000)) - set(values)
            assert {decide(number, *before, other) for other in others} == {"refuse"}
        elif number == seccomp.CLONE[column]:
            assert decide(number, 17) == "refuse"  # SIGCHLD: a process
            assert decide(number, 0x3D0F00) == "refuse"  # a thread of glibc
        else:
            expected = "allow" if number in allowed else "refuse" if number in denied else "absent"
            assert decide(number) == expected, number
    assert decide(0, arch=0x40000003) == "refuse"  # 32 bits
    assert decide(0x40000000) == "absent"
    openat = ALLOWED["openat"][column]
    for flags, decision in ((0, "allow"), (os.O_TRUNC, "refuse"), (os.O_TRUNC | 1, "allow")):
        run = run_filter(machine, openat, 0, 0, seccomp.worker_program, 0, flags)
        assert run == decision
        if ALLOWED["open"][column] >= 0:
            assert decide(ALLOWED["open"][column], 0, flags) == decision
    assert len(seccomp.assemble(seccomp.worker_program(machine, 77))) < 8 * 4096


@pytest.mark.parametrize("name", seccomp.MACHINES)
def test_worker_filter_denies_every_escape(name: str) -> None:
    machine = seccomp.MACHINES[name]
    for call, (numbers, arguments) in escapes.calls(b"/target", 78).items():
        first, second = (
            argument % 2**32 if isinstance(argument, int) else 0
            for argument in (*arguments, 0, 0)[:2]
        )
        if numbers[machine.column] >= 0:
            decision = run_filter(
                machine, numbers[machine.column], first, 0, seccomp.worker_program, second
            )
            assert decision in ("refuse", "absent"), call


HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_call_numbers_are_those_of_the_kernel_headers(name: str) -> None:
    if not HEADERS[name].exists():
        pytest.skip("no kernel headers")
    column = seccomp.MACHINES[name].column
    found = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", HEADERS[name].read_text())
    numbers = {call: int(number) for call, number in found}
    arguments = {call: pair for call, (pair, *_) in ARGUMENTS.items()}
    tables = seccomp.DENIED | ALLOWED | arguments | seccomp.OWN_PROCESS
    wrong = {
        call: pair[column]
        for call, pair in tables.items()
        if call in numbers and pair[column] != numbers[call]
    }
    assert not wrong
    assert sum(call in numbers for call in tables) > 100


def test_process_that_blocks_every_signal_ends_at_its_cpu_limit() -> None:
    script = (
        "import signal\n"
        "from genrec.workers import sandbox\n"
        "sandbox.enter(readable=[], memory_bytes=1 << 30, cpu_s=1)\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))\n"
        "while True: pass\n"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=sandbox.environment(), timeout=60)
    assert done.returncode == -signal.SIGKILL


def test_missing_measures_are_those_that_hostile_audio_needs() -> None:
    in_force = [sandbox.Measure(name, True) for name in sandbox.VITAL]
    assert not sandbox.missing([*in_force, sandbox.Measure("no capabilities", False)])
    assert [each.name for each in sandbox.missing(in_force[1:])] == ["limits"]
    assert len(sandbox.missing([])) == len(sandbox.VITAL)
    escaped = sandbox.Measure("cannot open a socket", False, "tested, and it succeeded")
    assert sandbox.missing([*in_force, escaped]) == (escaped,)


def test_report_on_an_old_kernel_lacks_files_and_system_calls(
    need: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    need("system calls")
    old_kernel = [sys.executable, str(Path(__file__).with_name("old_kernel.py"))]
    command = sandbox.command
    monkeypatch.setattr(sandbox, "command", lambda *args: [*old_kernel, *command(*args)])
    measures = {measure.name: measure for measure in sandbox.report()}
    assert "no Landlock" in measures["files"].note
    assert "refused" in measures["system calls"].note
    assert not measures["files"].in_force
    assert not measures["system calls"].in_force
    lacking = {each.name for each in sandbox.missing(tuple(measures.values()))}
    assert {"files", "system calls", "cannot read other files", "cannot open a socket"} <= lacking
    assert measures["limits"].in_force
