"""Sandbox of the yt-dlp process: no files but its own, no network but the bot's proxy.

`bot.sources.ytdlp_runner` loads it by its path, so it imports only the standard library and
`genrec.workers`. The kernel enforces the rules with Landlock and seccomp. An audit hook repeats
them for Python code, with clearer errors, and works on every platform.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genrec.workers import landlock, sandbox, seccomp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PROXY = ("127.0.0.1", 1)
"""Address of the proxy in yt-dlp's options. Nothing listens there, see `ProxySocket`."""

MEMORY_BYTES = 2 << 30
_CPU_S = 120
_OPEN_FILES = 256

_CERTIFICATES = ("/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/etc/mime.types")

# send is sendto; a process that cannot make sockets can only send to its proxy. The JavaScript
# runtime is a program that makes socket pairs for itself.
_ALLOWED = frozenset({"sendto"})
_ALLOWED_FOR_PROGRAMS = frozenset({"execve", "fork", "vfork", "socketpair"})

# Denied calls that a worker is not denied; numbers as in `genrec.workers.seccomp.DENIED`. Landlock
# does not cover modes, owners, times and attributes of files.
_DENIED: dict[str, tuple[int, int]] = {
    "chmod": (90, -1),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, -1),
    "fchown": (93, 55),
    "lchown": (94, -1),
    "fchownat": (260, 54),
    "utime": (132, -1),
    "utimes": (235, -1),
    "futimesat": (261, -1),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "setxattrat": (463, 463),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "removexattrat": (466, 466),
    "file_setattr": (469, 469),
    # Landlock covers truncation from version 3 on, and openat2 hides its flags from seccomp.
    "truncate": (76, 45),
    "openat2": (437, 437),
    # Memory, semaphores and queues that outlive the process.
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "semget": (64, 190),
    "semop": (65, 193),
    "semctl": (66, 191),
    "semtimedop": (220, 192),
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    "memfd_secret": (447, 447),
    # Other processes: their priority, and events of their files.
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "sched_setattr": (314, 274),
    "sched_setaffinity": (203, 122),
    "inotify_init": (253, -1),
    "inotify_init1": (294, 26),
    "fanotify_init": (300, 262),
    # A process that left its group would outlive the group's kill.
    "setsid": (112, 157),
    "setpgid": (109, 154),
}

_OPEN, _OPENAT = (2, -1), (257, 56)
_FCNTL, _IOCTL, _PRCTL, _SOCKETPAIR = (72, 25), (16, 29), (157, 167), (53, 199)
_SIGNAL_OWNERS = (8, 10, 15)  # F_SETOWN, F_SETSIG, F_SETOWN_EX: signals to any process
_IOCTL_DENIED = (0x5412, 0x8901, 0x8902)  # TIOCSTI, FIOSETOWN, SIOCSPGRP
_PR_SET_PDEATHSIG = 1  # allowed with SIGKILL only: a process ends with its parent
_NOT_STREAM = 0xE  # bits of every socket type but SOCK_STREAM

# --- the kernel's part --------------------------------------------------------------------------


def set_limits(params: Mapping[str, Any]) -> sandbox.Measure:
    """Limit memory, CPU time, file size and open files, since a page is hostile input."""

    def cap(kind: int, value: int) -> None:
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))

    cap(resource.RLIMIT_CORE, 0)
    cap(resource.RLIMIT_FSIZE, params["max_bytes"])
    cap(resource.RLIMIT_NOFILE, _OPEN_FILES)
    cap(resource.RLIMIT_CPU, _CPU_S)
    # V8 reserves far more address space than it uses, so only its written data is limited.
    cap(resource.RLIMIT_DATA if params["js_runtime"] else resource.RLIMIT_AS, MEMORY_BYTES)
    note = f"memory {MEMORY_BYTES >> 20} MB, CPU {_CPU_S} s, descriptors {_OPEN_FILES}, no cores"
    return sandbox.Measure("limits", True, note)


def enter(params: Mapping[str, Any]) -> tuple[sandbox.Measure, ...]:
    """Restrict this process permanently to its working directory and its proxy; never raises.

    Call it while the process has one thread. Later threads and the JavaScript runtime inherit it.
    """
    if sys.platform != "linux":
        names = ("killed with its parent", "no new privileges", "files", "system calls")
        return tuple(sandbox.Measure(name, False, f"not on {sys.platform}") for name in names)
    libc = ctypes.CDLL(None, use_errno=True)
    readable, listable = sandbox.interpreter_paths("yt_dlp")
    readable += [Path(path) for path in (*_CERTIFICATES, *params["readable"])]
    runtime = params["js_runtime"]
    dropped = sandbox.drop_privileges(libc)
    files = landlock.restrict(
        libc,
        readable=readable,
        listable=listable,
        changeable=[Path.cwd()],
        executable=programs(Path(runtime)) if runtime else (),
    )
    calls = seccomp.install(libc, partial(call_filter, programs=bool(runtime)))
    version = landlock.version(libc)
    return (
        *dropped,
        sandbox.Measure(
            "files",
            not files,
            files or f"reads only Python, changes only its own folder (Landlock {version})",
        ),
        sandbox.Measure(
            "system calls",
            not calls,
            calls or f"no sockets, processes{', only Deno' if runtime else ''}",
        ),
    )


def programs(runtime: Path) -> list[Path]:
    """Return the JavaScript runtime and the loader that the kernel starts it with."""
    try:
        with runtime.open("rb") as file:
            loader = re.search(rb"/[\w./+-]{1,200}/ld-[\w.+-]{1,100}(?=\0)", file.read(1 << 14))
    except OSError:  # yt-dlp reports that it cannot be started
        return [runtime]
    return [runtime, *([Path(os.fsdecode(loader.group()))] if loader else [])]


def call_filter(
    machine: seccomp.SyscallTable, pid: int, *, programs: bool
) -> list[seccomp.Instruction]:
    """Return the seccomp filter of a yt-dlp process; ``programs`` lets it start one."""
    allowed = _ALLOWED | (_ALLOWED_FOR_PROGRAMS if programs else frozenset())
    denied = {name: at for name, at in seccomp.DENIED.items() if name not in allowed} | _DENIED
    column = machine.column
    rules = [
        *seccomp.refuse_arguments(_FCNTL[column], 1, values=_SIGNAL_OWNERS),
        *seccomp.refuse_arguments(_IOCTL[column], 1, values=_IOCTL_DENIED),
        *seccomp.refuse_arguments(
            _PRCTL[column], 0, values=(_PR_SET_PDEATHSIG,), unless=(1, signal.SIGKILL)
        ),
    ]
    rules += seccomp.refuse_truncating_reads(_OPEN[column], 1)
    rules += seccomp.refuse_truncating_reads(_OPENAT[column], 2)
    if programs:
        rules += seccomp.refuse_arguments(_SOCKETPAIR[column], 1, bits=_NOT_STREAM)
    return seccomp.program(machine, pid, denied=denied, rules=rules, programs=programs)


# --- Python's part ------------------------------------------------------------------------------


class ProxySocket(socket.socket):
    """A socket that is connected to the bot's proxy from the start.

    The process may not make sockets. It asks for a connection on ``channel``, and the bot sends the
    descriptor of one. So no kernel rule has to tell the proxy's address from another.
    """

    channel: socket.socket
    _lock = threading.Lock()

    def __init__(
        self,
        family: int = -1,
        type: int = -1,  # noqa: A002 - socket.socket's own names
        proto: int = -1,  # noqa: ARG002 - and SSL sockets pass it
        fileno: int | None = None,
    ) -> None:
        if fileno is None:
            if family not in (-1, socket.AF_INET) or type not in (-1, socket.SOCK_STREAM):
                raise OSError(errno.EAFNOSUPPORT, "sockets are limited to the proxy")
            fileno = self._request()
        super().__init__(fileno=fileno)  # it finds out the other three

    def _request(self) -> int:
        with self._lock:
            os.write(self.channel.fileno(), b"c")
            flags = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
            _, descriptors, _, _ = socket.recv_fds(self.channel, 1, 1, flags)
        if not descriptors:
            raise ConnectionRefusedError("the proxy accepts no more connections")
        return descriptors[0]

    def connect(self, address: Any) -> None:
        """Accept the proxy's address, which the socket is connected to; refuse all others."""
        if tuple(address[:2]) != PROXY:
            raise PermissionError("connections are limited to the proxy")

    def connect_ex(self, address: Any) -> int:
        """Return an error code for an address that is not the proxy's."""
        return 0 if tuple(address[:2]) == PROXY else errno.EPERM

    def setsockopt(self, *arguments: Any) -> None:
        """Set an option, except those of TCP, which this socket does not have."""
        if arguments[0] != socket.IPPROTO_TCP:
            super().setsockopt(*arguments)


def connect_by(channel: int) -> None:
    """Replace Python's sockets by connections that the bot sends on ``channel``."""
    ProxySocket.channel = socket.socket(fileno=channel)
    socket.socket = ProxySocket  # type: ignore[misc]


class ChildProcess(subprocess.Popen[Any]):
    """A program that is killed with this process; a kill of the bot kills this process only."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        prctl = ctypes.CDLL(None).prctl
        options["preexec_fn"] = partial(prctl, _PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        super().__init__(*arguments, **options)


def restrict_python(params: Mapping[str, Any]) -> None:
    """Restrict Python code to the same rules with an audit hook.

    It may start no program except the JavaScript runtime. yt-dlp's options demand the same; the
    audit hook also covers an option that is missing.
    """
    home, runtime = os.path.realpath("."), params["js_runtime"]
    forbidden = {"os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "os.spawn"}
    forbidden |= {"socket.sendto", "socket.sendmsg", "socket.bind", "socket.connect", "pty.spawn"}

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event in forbidden:
            raise PermissionError(f"{event} is forbidden in this process")
        if event == "socket.getaddrinfo" and args[0] != PROXY[0]:
            raise PermissionError("name look-ups are left to the proxy")
        if event == "subprocess.Popen" and (not runtime or args[0] != runtime):
            raise PermissionError("subprocesses are limited to the JavaScript runtime")
        if event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR):
            target = (
                os.path.realpath(os.fsdecode(args[0])) if not isinstance(args[0], int) else home
            )
            if target not in (os.devnull, home) and not target.startswith(home + os.sep):
                raise PermissionError("writes are limited to the working directory")

    sys.addaudithook(hook)
    if sys.platform == "linux":
        subprocess.Popen = ChildProcess  # type: ignore[misc]


# --- the report ---------------------------------------------------------------------------------


def try_escapes(params: Mapping[str, Any]) -> list[sandbox.Measure]:
    """Return a measure for each attempt to leave the sandbox past Python's audit hook."""
    libc = ctypes.CDLL(None, use_errno=True)

    def call(name: str, *arguments: object) -> None:
        if getattr(libc, name)(*arguments) < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    def read(path: str) -> Callable[[], None]:
        return lambda: call("open", os.fsencode(path), os.O_RDONLY)

    def write() -> None:
        path = f"/tmp/genrec-{os.getpid()}".encode()  # noqa: S108 - all users may write there
        call("open", path, os.O_CREAT | os.O_WRONLY, 0o600)
        libc.unlink(path)

    def start() -> None:
        if libc.system(b"exit 0"):
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    return sandbox.try_escapes(
        [
            ("cannot open a socket", lambda: call("socket", socket.AF_INET, socket.SOCK_STREAM, 0)),
            ("cannot read other files", read("/etc/passwd")),
            *((f"cannot read {path}", read(path)) for path in params["private"]),
            ("cannot read its parent", read(f"/proc/{os.getppid()}/environ")),
            ("cannot make other files", write),
            ("cannot change a file's mode", lambda: call("chmod", os.fsencode("."), 0o700)),
            ("cannot start other programs", start),
            ("cannot signal its parent", lambda: call("kill", os.getppid(), 0)),
        ]
    )
