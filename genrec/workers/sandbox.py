"""What a worker gives up before it sees a file, and a report of what is in force here.

Whoever takes a worker over through a bug in a decoder should find no network, no files but the
clip, no way to start anything, and nothing to wait for. Each measure stands alone: where a platform
lacks one, the note says so and the others still hold.
"""

from __future__ import annotations

import ctypes
import json
import math
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

from genrec.workers import landlock, seccomp

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_CAP_VERSION_3 = 0x20080522
# A root without capabilities cannot open the folders of other people, such as a preset in
# somebody's home; Landlock bounds what the right to do so is good for.
_CAP_DAC_READ_SEARCH = 1 << 2

MEMORY_BYTES = 1 << 30
"""What a worker's own data may take: libraries 0.1 GB, VGG16 and its activations 0.3 GB, room."""

_ADDRESSES_BYTES = 1 << 30  # on top of it: mapped libraries and files, and reserved addresses
_DESCRIPTORS = 64
_OOM_SCORE = 500  # of 1000: where memory runs out the kernel ends a worker, not the bot

_SYSTEM_PATHS = (
    *("/usr", "/lib", "/lib64", "/nix/store", "/etc/ld.so.cache", "/etc/localtime"),
    *("/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu"),
    *("/dev/null", "/dev/zero", "/dev/urandom"),
)


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing a worker gave up: its name, whether that is in force, and what to know about it."""

    name: str
    in_force: bool
    note: str = ""


def lock_down(
    *, readable: Iterable[Path], listable: Iterable[Path] = (), memory_bytes: int
) -> tuple[Measure, ...]:
    """Give up for good what analysing sound does not need; never fails.

    To be called while the process has one thread: seccomp and Landlock bind the thread that asks
    for them and those it starts later.

    Parameters
    ----------
    readable, listable
        As `genrec.workers.landlock.restrict` takes them.
    memory_bytes
        Bytes of memory the process may fill.

    Returns
    -------
    tuple of Measure
        In the order in which they were taken.
    """
    limits = _set_limits(memory_bytes)
    if sys.platform != "linux":
        names = ("ends with its parent", "no new privileges", "files", "system calls")
        return (limits, *(Measure(name, False, f"not on {sys.platform}") for name in names))
    libc = ctypes.CDLL(None, use_errno=True)
    return (
        limits,
        _one_thread(),
        _prefer_to_be_ended(),
        _prctl(libc, "ends with its parent", _PR_SET_PDEATHSIG, signal.SIGKILL),
        _drop_capabilities(libc),
        _prctl(libc, "no new privileges", _PR_SET_NO_NEW_PRIVS, 1),
        _fence(libc, readable, listable),
        _measure("system calls", "no sockets, programs, processes", seccomp.install(libc)),
    )


def allow_cpu(seconds: float) -> None:
    """Let this process use ``seconds`` of processor time from now on; SIGXCPU ends it after that.

    The wall clock of the parent comes first; this one works without a parent.
    """
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = math.ceil(usage.ru_utime + usage.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (_at_most(soft, hard), hard))


def interpreter_paths(module: str) -> tuple[list[Path], list[Path]]:
    """Return what a worker that imports ``module`` must read, and what it must list besides.

    A folder of ``sys.path`` may be a checkout with somebody's ``.env`` in it, so that only Python's
    own folders are read as a whole; of others, the packages genrec and ``module``.
    """
    entries = [Path(entry) for entry in sys.path if entry]
    packages = {"site-packages", "dist-packages"}
    readable = [Path(path) for path in (*_SYSTEM_PATHS, sys.prefix, sys.base_prefix)]
    readable += [entry for entry in entries if entry.name in packages or entry.is_file()]
    readable.append(Path(__file__).parents[1])
    spec = find_spec(module.partition(".")[0])
    if spec is not None:
        readable += [Path(place) for place in spec.submodule_search_locations or ()]
        readable += [Path(spec.origin)] if spec.has_location and spec.origin else []
    return readable, [entry for entry in entries if entry not in readable]


def command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs ``module`` in a Python like this one, nothing from its cwd."""
    return [sys.executable, "-P", "-B", "-X", "faulthandler", "-m", module, *arguments]


def environment() -> dict[str, str]:
    """Return all of a worker's environment: none of the parent's, which may hold a token."""
    here = [str(Path(entry).resolve()) for entry in sys.path if Path(entry).exists()]
    return {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "PYTHONPATH": os.pathsep.join(entry for entry in here if os.pathsep not in entry),
        # The pool has a worker for each core: more threads only make them wait for each other.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "2",
    }


def report(*, timeout_s: float = 30.0) -> tuple[Measure, ...]:
    """Say what is in force on this machine, tried out in a process of its own.

    Returns
    -------
    tuple of Measure
        What `lock_down` says, then what happened when the locked process tried to break out.
    """
    try:
        done = subprocess.run(
            command("genrec.workers.sandbox"),
            env=environment(),
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=timeout_s,
        )
        return tuple(Measure(**measure) for measure in json.loads(done.stdout))
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        return (Measure("a worker's limits", False, f"could not be tried out: {error}"),)


def _set_limits(memory_bytes: int) -> Measure:
    # RLIMIT_NPROC is left alone: it counts all processes of the user, threads too, wherever they
    # are, and never root's. The filter of system calls forbids new processes instead.
    wanted = {
        "CORE": 0,
        "FSIZE": 0,
        "NOFILE": _DESCRIPTORS,
        "DATA": memory_bytes,
        "AS": memory_bytes + _ADDRESSES_BYTES,
    }
    failed = []
    for name, value in wanted.items():
        try:
            which = getattr(resource, f"RLIMIT_{name}")
            limit = _at_most(value, resource.getrlimit(which)[1])
            resource.setrlimit(which, (limit, limit))
        except (AttributeError, OSError, ValueError):
            failed.append(name)
    held = f"memory {memory_bytes >> 20} MB, descriptors {_DESCRIPTORS}, no file growth, no cores"
    return _measure("limits", held, f"not set: {', '.join(failed)}" if failed else "")


def _at_most(value: int, hard: int) -> int:
    return value if hard == resource.RLIM_INFINITY else min(value, hard)


def _measure(name: str, note: str, failure: str) -> Measure:
    return Measure(name, not failure, failure or note)


def _prctl(libc: ctypes.CDLL, name: str, option: int, value: int) -> Measure:
    arguments = [ctypes.c_ulong(number) for number in (value, 0, 0, 0)]
    failed = libc.prctl(option, *arguments)
    return _measure(name, "", os.strerror(ctypes.get_errno()) if failed else "")


def _one_thread() -> Measure:
    """See that no thread was started before, which Landlock and seccomp would leave free."""
    try:
        threads = sum(1 for _ in Path("/proc/self/task").iterdir())
    except OSError as error:
        return Measure("locked down before any thread", False, str(error.strerror))
    note = "" if threads == 1 else f"{threads - 1} threads are not"
    return Measure("locked down before any thread", threads == 1, note)


def _prefer_to_be_ended() -> Measure:
    try:
        Path("/proc/self/oom_score_adj").write_text(str(_OOM_SCORE))
    except OSError as error:
        return Measure("ended first when memory runs out", False, str(error.strerror))
    return Measure("ended first when memory runs out", True)


def _drop_capabilities(libc: ctypes.CDLL) -> Measure:
    name = "no capabilities"
    header = ctypes.create_string_buffer(struct.pack("=Ii", _CAP_VERSION_3, 0))
    data = ctypes.create_string_buffer(24)
    if libc.capget(header, data):
        return Measure(name, False, os.strerror(ctypes.get_errno()))
    kept = struct.unpack("=6I", data.raw[:24])[1] & _CAP_DAC_READ_SEARCH
    if libc.capset(header, struct.pack("=6I", kept, kept, 0, 0, 0, 0)):
        return Measure(name, False, os.strerror(ctypes.get_errno()))
    return Measure(name, True, "but reading as root does" if kept else "")


def _fence(libc: ctypes.CDLL, readable: Iterable[Path], listable: Iterable[Path]) -> Measure:
    failure = landlock.restrict(libc, readable=readable, listable=listable)
    held = f"reads Python, the preset and the clip alone (Landlock {landlock.version(libc)})"
    return _measure("files", held, failure)


def _break_out(attempts: Sequence[tuple[str, Callable[[], object]]]) -> list[Measure]:
    results = []
    for name, attempt in attempts:
        try:
            attempt()
        except OSError as error:
            results.append(Measure(name, True, f"tried: {error.strerror}"))
        else:
            results.append(Measure(name, False, "tried, and it worked"))
    return results


def _fork_and_end() -> None:
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)


def _write_and_remove() -> None:
    path = Path(f"/tmp/genrec-{os.getpid()}")  # noqa: S108 - where anybody could
    path.touch()  # where this works, so does removing it
    path.unlink()


def _try_out() -> None:
    """Lock this process down, try to break out, and print how that went."""
    readable, listable = interpreter_paths("genrec")
    measures = lock_down(readable=readable, listable=listable, memory_bytes=MEMORY_BYTES)
    attempts = _break_out(
        [
            ("cannot open a socket", lambda: socket.socket().close()),
            ("cannot read other files", lambda: Path("/etc/passwd").read_bytes()),
            ("cannot make files", _write_and_remove),
            ("cannot start a process", _fork_and_end),
            ("cannot signal its parent", lambda: os.kill(os.getppid(), 0)),
        ]
    )
    json.dump([asdict(measure) for measure in (*measures, *attempts)], sys.stdout)


if __name__ == "__main__":
    _try_out()
