"""Ways out of a worker's sandbox, as system calls that must fail before they take effect."""

from __future__ import annotations

import os
import struct

FD = "fd"
"""Argument that stands for an open descriptor of the worker."""

_AT_CWD, _PRIVATE, _CREATE = -100, 0, 0o1000

Argument = int | bytes | str | None
Call = tuple[tuple[int, int], list[Argument]]


def calls(target: bytes, parent: int) -> dict[str, Call]:
    """Return the numbers on x86_64 and aarch64, and the arguments, of each call.

    Each is harmless if it succeeds, but shmget, semget and msgget make an object that remains.
    ``target`` is a file that the worker may not read, and ``parent`` the process of the bot.
    """
    times = struct.pack("qqqq", 1, 0, 1, 0)
    buffer = bytes(256)
    return {
        # Attributes of files.
        "chmod": ((90, -1), [target, 0o777]),
        "fchmod": ((91, 52), [FD, 0o777]),
        "fchmodat": ((268, 53), [_AT_CWD, target, 0o777]),
        "fchmodat2": ((452, 452), [_AT_CWD, target, 0o777, 0]),
        "chown": ((92, -1), [target, os.getuid(), os.getgid()]),
        "fchown": ((93, 55), [FD, os.getuid(), os.getgid()]),
        "fchownat": ((260, 54), [_AT_CWD, target, os.getuid(), os.getgid(), 0]),
        "utime": ((132, -1), [target, None]),
        "utimes": ((235, -1), [target, None]),
        "utimensat": ((280, 88), [_AT_CWD, target, times, 0]),
        "utimensat of a descriptor": ((280, 88), [FD, None, times, 0]),
        "setxattr": ((188, 5), [target, b"user.genrec", b"x", 1, 0]),
        "fsetxattr": ((190, 7), [FD, b"user.genrec", b"x", 1, 0]),
        "setxattrat": ((463, 463), [_AT_CWD, target, 0, b"user.genrec", buffer, 16]),
        "removexattr": ((197, 14), [target, b"user.genrec"]),
        "fremovexattr": ((199, 16), [FD, b"user.genrec"]),
        "getxattr": ((191, 8), [target, b"user.genrec", None, 0]),
        "statfs": ((137, 43), [b"/", buffer]),
        # Memory and queues that outlive the process, or that no limit counts.
        "shmget": ((29, 194), [_PRIVATE, 4096, _CREATE | 0o600]),
        "semget": ((64, 190), [_PRIVATE, 1, _CREATE | 0o600]),
        "msgget": ((68, 186), [_PRIVATE, _CREATE | 0o600]),
        "mq_open": ((240, 180), [b"genrec-test", os.O_RDONLY, 0, None]),
        "memfd_create": ((319, 279), [b"genrec", 0]),
        "memfd_secret": ((447, 447), [0]),
        "fallocate": ((285, 47), [FD, 1, 0, 4096]),
        # The end with the parent.
        "prctl PR_SET_PDEATHSIG": ((157, 167), [1, 0, 0, 0, 0]),
        "prctl PR_SET_DUMPABLE": ((157, 167), [4, 1, 0, 0, 0]),
        "prctl PR_SET_PTRACER": ((157, 167), [0x59616D61, -1, 0, 0, 0]),
        "setresuid": ((117, 147), [-1, -1, -1]),
        "setgroups": ((116, 159), [0, None]),
        "setsid": ((112, 157), []),
        # Other processes. F_SETOWN and F_SETSIG send a signal of choice when a pipe has data.
        "fcntl F_SETOWN": ((72, 25), [FD, 8, parent]),
        "fcntl F_SETSIG": ((72, 25), [FD, 10, 9]),
        "ioctl FIOSETOWN": ((16, 29), [FD, 0x8901, struct.pack("i", parent)]),
        "ioctl TIOCSTI": ((16, 29), [FD, 0x5412, b"x"]),
        "setpriority": ((141, 140), [0, parent, 0]),
        "ioprio_set": ((251, 30), [1, parent, 0]),
        "sched_setaffinity": ((203, 122), [parent, 128, b"\xff" * 128]),
        "sched_setscheduler": ((144, 119), [parent, 0, struct.pack("i", 0)]),
        "prlimit64": ((302, 261), [parent, 7, None, None]),
        "migrate_pages": ((256, 238), [parent, 0, None, None]),
        "get_robust_list": ((274, 100), [parent, buffer, buffer]),
        "process_mrelease": ((448, 448), [FD, 0]),
        "kill": ((62, 129), [parent, 0]),
        "kill of all": ((62, 129), [-1, 0]),
        "tgkill": ((234, 131), [parent, parent, 0]),
        "ptrace": ((101, 117), [16, parent, None, None]),
        "pidfd_open": ((434, 434), [parent, 0]),
        # Kernel interfaces.
        "inotify_init1": ((294, 26), [0]),
        "fanotify_init": ((300, 262), [0, 0]),
        "userfaultfd": ((323, 282), [1]),
        "perf_event_open": ((298, 241), [None, 0, -1, -1, 0]),
        "io_uring_setup": ((425, 425), [1, None]),
        "bpf": ((321, 280), [0, None, 0]),
        "seccomp": ((317, 277), [2, 0, None]),
        "landlock_create_ruleset": ((444, 444), [None, 0, 1]),
        "splice": ((275, 76), [FD, None, FD, None, 0, 0]),
        "unshare": ((272, 97), [0]),
        "clone3": ((435, 435), [None, 0]),
        "statmount": ((457, 457), [None, None, 0, 0]),
        "a call of a future kernel": ((999, 999), []),
        "a call of the x32 numbering": ((0x40000000 + 39, -1), []),
    }
