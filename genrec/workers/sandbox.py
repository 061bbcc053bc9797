"""Sandbox of a worker: resource limits, Landlock, seccomp, and a report on this machine.

An attacker who takes over a worker through a bug in a decoder has no network and cannot start
programs. The worker can read its clip, its preset, genrec, Python's folders, /usr and /lib, and a
few files of /proc, /sys and /etc. The measures are independent: if a platform lacks one, its note
reports that and the others hold.

Not covered: neither Landlock nor seccomp can restrict stat by path. A worker may find which files
and processes exist, and the sizes and times of files, but not their content.
"""

from __future__ import annotations

import ctypes
import errno
import json
import math
import os
import resource
import signal
import socket
import stat
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

from genrec.workers import landlock, seccomp

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_IPC_PRIVATE, _IPC_CREAT, _IPC_RMID = 0, 0o1000, 0
_CAP_VERSION_3 = 0x20080522
# Kept for root, which without it cannot open folders of other users, such as a preset in a home
# folder. Landlock limits it to the allowed paths.
_CAP_DAC_READ_SEARCH = 1 << 2

MEMORY_BYTES = 1 << 30
"""Data limit of a worker: libraries use 0.1 GB, VGG16 and its activations 0.3 GB."""

_ADDRESSES_BYTES = 1 << 30  # in addition, for mapped libraries and files and reserved addresses
_DESCRIPTORS = 64
_CPU_S = 3600.0  # of a worker's life; the pool replaces it long before
_OOM_SCORE = 500  # of 1000: out of memory, the kernel kills a worker before the bot

_SYSTEM_PATHS = (
    *("/usr", "/lib", "/lib64", "/nix/store", "/etc/ld.so.cache", "/etc/localtime"),
    *("/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu"),
    *("/dev/null", "/dev/zero", "/dev/urandom"),
)


VITAL = ("limits", "files", "system calls")
"""Measures without which hostile audio must not be analysed, by name."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure of the sandbox: its name, whether it is in force, and a note."""

    name: str
    in_force: bool
    note: str = ""

    @property
    def vital(self) -> bool:
        """Whether hostile audio may be analysed only with this measure."""
        return self.name in VITAL or self.name in ATTEMPTS


def missing(measures: Iterable[Measure]) -> tuple[Measure, ...]:
    """Return the vital measures that are not in force, and the escape attempts that succeeded."""
    measures = tuple(measures)
    names = {measure.name for measure in measures}
    untested = (Measure(name, False, "not tested") for name in VITAL if name not in names)
    return (*(each for each in measures if each.vital and not each.in_force), *untested)


def enter(
    *,
    readable: Iterable[Path],
    listable: Iterable[Path] = (),
    memory_bytes: int,
    cpu_s: float = _CPU_S,
) -> tuple[Measure, ...]:
    """Restrict this process permanently to the needs of an analysis; never raises.

    Call it while the process has one thread: seccomp and Landlock apply to the calling thread and
    to threads that it starts later.

    Parameters
    ----------
    readable, listable
        As `genrec.workers.landlock.restrict` takes them.
    memory_bytes
        Memory limit in bytes.
    cpu_s
        CPU seconds of the process, after which SIGKILL ends it.

    Returns
    -------
    tuple of Measure
        In the order in which they were applied.
    """
    limits = _set_limits(memory_bytes, cpu_s)
    if sys.platform != "linux":
        names = ("killed with its parent", "no new privileges", "files", "system calls")
        return (limits, *(Measure(name, False, f"not on {sys.platform}") for name in names))
    libc = ctypes.CDLL(None, use_errno=True)
    return (
        limits,
        *drop_privileges(libc),
        _restrict_files(libc, readable, listable),
        _measure(
            "system calls",
            "only the calls of an analysis",
            seccomp.install(libc, seccomp.worker_program),
        ),
    )


def drop_privileges(libc: ctypes.CDLL) -> tuple[Measure, ...]:
    """Give up all privileges of this process, before Landlock and seccomp restrict it.

    Returns
    -------
    tuple of Measure
        One thread, OOM score, end with the parent, capabilities, no new privileges.
    """
    return (
        _check_one_thread(),
        _raise_oom_score(),
        _prctl(libc, "killed with its parent", _PR_SET_PDEATHSIG, signal.SIGKILL),
        _drop_capabilities(libc),
        _prctl(libc, "no new privileges", _PR_SET_NO_NEW_PRIVS, 1),
    )


def allow_cpu(seconds: float) -> None:
    """Limit this process to ``seconds`` more of CPU time; SIGXCPU kills it after that.

    The parent's wall-clock limit comes first; this one works without a parent. Code that has taken
    over the process can block SIGXCPU. It still ends with its parent, and at ``cpu_s`` of `enter`.
    """
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = math.ceil(usage.ru_utime + usage.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (_at_most(soft, hard), hard))


def interpreter_paths(module: str) -> tuple[list[Path], list[Path]]:
    """Return paths that a worker needs to import ``module``.

    A folder of ``sys.path`` may be a checkout with a ``.env`` file. So only Python's own folders
    are readable as a whole, and of other folders only genrec and the package of ``module``.

    Returns
    -------
    readable, listable
        Paths to read, and folders that the import system only lists.
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
    """Return the command that runs ``module``, without the working directory on sys.path."""
    return [sys.executable, "-P", "-B", "-X", "faulthandler", "-m", module, *arguments]


def environment() -> dict[str, str]:
    """Return the environment of a worker, without the parent's, which may hold a token."""
    folders = [str(Path(entry).resolve()) for entry in sys.path if Path(entry).exists()]
    return {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "PYTHONPATH": os.pathsep.join(entry for entry in folders if os.pathsep not in entry),
        # The pool has a worker per core, so more threads would compete.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "2",
    }


def report(*, timeout_s: float = 30.0) -> tuple[Measure, ...]:
    """Return the measures in force on this machine, tested in a separate process.

    Returns
    -------
    tuple of Measure
        Those of `enter`, then one for each attempt of the process to leave the sandbox.
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
        return (Measure("a worker's limits", False, f"could not be tested: {error}"),)


def _set_limits(memory_bytes: int, cpu_s: float) -> Measure:
    # RLIMIT_NPROC is not set: it counts all processes and threads of the user and does not apply to
    # root. The seccomp filter forbids new processes instead.
    limits = {
        "CORE": 0,
        "FSIZE": 0,
        "NOFILE": _DESCRIPTORS,
        "DATA": memory_bytes,
        "AS": memory_bytes + _ADDRESSES_BYTES,
        # A process can block SIGXCPU and SIGALRM, but not the SIGKILL of the hard limit.
        "CPU": math.ceil(cpu_s),
    }
    if sys.platform == "linux":  # message queues and memory that no other limit counts
        limits |= {"MSGQUEUE": 0, "MEMLOCK": 0}
    failed = []
    for name, value in limits.items():
        try:
            kind = getattr(resource, f"RLIMIT_{name}")
            limit = _at_most(value, resource.getrlimit(kind)[1])
            resource.setrlimit(kind, (limit, limit))
        except (AttributeError, OSError, ValueError):
            failed.append(name)
    note = f"memory {memory_bytes >> 20} MB, descriptors {_DESCRIPTORS}, no file growth, no cores"
    return _measure("limits", note, f"not set: {', '.join(failed)}" if failed else "")


def _at_most(value: int, hard: int) -> int:
    return value if hard == resource.RLIM_INFINITY else min(value, hard)


def _measure(name: str, note: str, failure: str) -> Measure:
    return Measure(name, not failure, failure or note)


def _prctl(libc: ctypes.CDLL, name: str, option: int, value: int) -> Measure:
    arguments = [ctypes.c_ulong(number) for number in (value, 0, 0, 0)]
    failed = libc.prctl(option, *arguments)
    return _measure(name, "", os.strerror(ctypes.get_errno()) if failed else "")


def _check_one_thread() -> Measure:
    """Check that no other thread runs, to which Landlock and seccomp would not apply."""
    try:
        threads = sum(1 for _ in Path("/proc/self/task").iterdir())
    except OSError as error:
        return Measure("no other thread at start", False, str(error.strerror))
    note = "" if threads == 1 else f"{threads - 1} other threads run"
    return Measure("no other thread at start", threads == 1, note)


def _raise_oom_score() -> Measure:
    try:
        Path("/proc/self/oom_score_adj").write_text(str(_OOM_SCORE))
    except OSError as error:
        return Measure("killed first when out of memory", False, str(error.strerror))
    return Measure("killed first when out of memory", True)


def _drop_capabilities(libc: ctypes.CDLL) -> Measure:
    name = "no capabilities"
    header = ctypes.create_string_buffer(struct.pack("=Ii", _CAP_VERSION_3, 0))
    data = ctypes.create_string_buffer(24)
    if libc.capget(header, data):
        return Measure(name, False, os.strerror(ctypes.get_errno()))
    kept = struct.unpack("=6I", data.raw[:24])[1] & _CAP_DAC_READ_SEARCH
    if libc.capset(header, struct.pack("=6I", kept, kept, 0, 0, 0, 0)):
        return Measure(name, False, os.strerror(ctypes.get_errno()))
    return Measure(name, True, "except reading all files, as root" if kept else "")


def _restrict_files(
    libc: ctypes.CDLL, readable: Iterable[Path], listable: Iterable[Path]
) -> Measure:
    failure = landlock.restrict(libc, readable=readable, listable=listable)
    note = f"reads only Python, the preset and the clip (Landlock {landlock.version(libc)})"
    return _measure("files", note, failure)


def try_escapes(attempts: Sequence[tuple[str, Callable[[], object]]]) -> list[Measure]:
    """Return a measure for each attempt, in force if the attempt raised OSError."""
    results = []
    for name, attempt in attempts:
        try:
            attempt()
        except OSError as error:
            results.append(Measure(name, True, f"tested: {error.strerror}"))
        else:
            results.append(Measure(name, False, "tested, and it succeeded"))
    return results


def _fork() -> None:
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)


def _start_thread() -> None:
    try:
        threading.Thread(target=int).start()
    except RuntimeError as error:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM)) from error


def _write_and_remove() -> None:
    path = Path(f"/tmp/genrec-{os.getpid()}")  # noqa: S108 - a folder that all users may write
    path.touch()
    path.unlink()


def _change_mode() -> None:
    path = Path(sys.prefix)
    path.chmod(stat.S_IMODE(path.stat().st_mode))


def _leave_memory() -> None:
    """Make and remove a System V memory segment, which would outlive the process."""
    libc = ctypes.CDLL(None, use_errno=True)
    segment = libc.shmget(_IPC_PRIVATE, 4096, _IPC_CREAT | 0o600)
    if segment < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    libc.shmctl(segment, _IPC_RMID, None)


def _outlive_parent() -> None:
    if sys.platform != "linux":
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, *(ctypes.c_ulong(0) for _ in range(4))):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


ATTEMPTS: dict[str, Callable[[], object]] = {
    "cannot open a socket": lambda: socket.socket().close(),
    "cannot read other files": lambda: Path("/etc/passwd").read_bytes(),
    "cannot make files": _write_and_remove,
    "cannot change a file's mode": _change_mode,
    "cannot leave memory behind": _leave_memory,
    "cannot start a process": _fork,
    "cannot start a thread": _start_thread,
    "cannot signal its parent": lambda: os.kill(os.getppid(), 0),
    "cannot outlive its parent": _outlive_parent,
}
"""Attempts to leave the sandbox, by the name of their measure: each must raise OSError."""


def _print_report() -> None:
    """Enter the sandbox, try to leave it, and print the measures and results as JSON."""
    readable, listable = interpreter_paths("genrec")
    measures = enter(readable=readable, listable=listable, memory_bytes=MEMORY_BYTES)
    results = try_escapes(tuple(ATTEMPTS.items()))
    json.dump([asdict(measure) for measure in (*measures, *results)], sys.stdout)


if __name__ == "__main__":
    _print_report()
