"""Allow list of the system calls of a worker, with their numbers on x86-64 and aarch64."""

from __future__ import annotations

# Numbers on x86_64 and aarch64; -1 if the architecture has no such call.
ALLOWED: dict[str, tuple[int, int]] = {
    # Files. Landlock decides which ones may be opened, but not which ones may be found by stat.
    "read": (0, 63),
    "readv": (19, 65),
    "pread64": (17, 67),
    "preadv": (295, 69),
    "preadv2": (327, 286),
    "write": (1, 64),
    "writev": (20, 66),
    "pwrite64": (18, 68),
    "lseek": (8, 62),
    "close": (3, 57),
    "close_range": (436, 436),
    "open": (2, -1),
    "openat": (257, 56),
    "stat": (4, -1),
    "fstat": (5, 80),
    "lstat": (6, -1),
    "newfstatat": (262, 79),
    "statx": (332, 291),
    "access": (21, -1),
    "faccessat": (269, 48),
    "faccessat2": (439, 439),
    "readlink": (89, -1),
    "readlinkat": (267, 78),
    "getdents": (78, -1),
    "getdents64": (217, 61),
    "getcwd": (79, 17),
    "dup": (32, 23),
    "dup2": (33, -1),
    "dup3": (292, 24),
    "fadvise64": (221, 223),
    "readahead": (187, 213),
    "poll": (7, -1),
    "ppoll": (271, 73),
    "select": (23, -1),
    "pselect6": (270, 72),
    # The channel to the parent.
    "recvmsg": (47, 212),
    "recvfrom": (45, 207),
    "getsockopt": (55, 209),
    "getsockname": (51, 204),
    # Memory.
    "mmap": (9, 222),
    "munmap": (11, 215),
    "mprotect": (10, 226),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "brk": (12, 214),
    "mbind": (237, 235),
    "get_mempolicy": (239, 236),
    # Threads and locks.
    "futex": (202, 98),
    "futex_waitv": (449, 449),
    "set_tid_address": (218, 96),
    "set_robust_list": (273, 99),
    "rseq": (334, 293),
    "membarrier": (324, 283),
    "arch_prctl": (158, -1),
    "gettid": (186, 178),
    "getcpu": (309, 168),
    "sched_yield": (24, 124),
    "sched_getaffinity": (204, 123),
    "sched_getparam": (143, 121),
    "sched_getscheduler": (145, 120),
    "sched_get_priority_max": (146, 125),
    "sched_get_priority_min": (147, 126),
    "exit": (60, 93),
    "exit_group": (231, 94),
    "restart_syscall": (219, 128),
    # Signals to this process, and timers.
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "rt_sigpending": (127, 136),
    "rt_sigtimedwait": (128, 137),
    "rt_sigsuspend": (130, 133),
    "sigaltstack": (131, 132),
    "pause": (34, -1),
    "alarm": (37, -1),
    "getitimer": (36, 102),
    "setitimer": (38, 103),
    # Time.
    "nanosleep": (35, 101),
    "clock_nanosleep": (230, 115),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "gettimeofday": (96, 169),
    "time": (201, -1),
    "times": (100, 153),
    # Facts about this process and the machine.
    "getpid": (39, 172),
    "getppid": (110, 173),
    "getuid": (102, 174),
    "geteuid": (107, 175),
    "getgid": (104, 176),
    "getegid": (108, 177),
    "getresuid": (118, 148),
    "getresgid": (120, 150),
    "getgroups": (115, 158),
    "getrlimit": (97, 163),
    "setrlimit": (160, 164),
    "getrusage": (98, 165),
    "uname": (63, 160),
    "sysinfo": (99, 179),
    "getrandom": (318, 278),
}
"""Calls that a worker may make with any arguments: those of Python, NumPy, LiteRT, libsndfile and
FFmpeg, and their older or newer forms in other C libraries."""

ARGUMENTS: dict[str, tuple[tuple[int, int], int, tuple[int, ...]]] = {
    # PR_SET_NAME, PR_GET_NAME, PR_SVE_GET_VL, PR_SME_GET_VL and PR_SET_VMA. PR_SET_PDEATHSIG could
    # make a worker outlive its parent.
    "prctl": ((157, 167), 0, (15, 16, 51, 64, 0x53564D41)),
    # TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX and TCGETS2. The first is isatty.
    "ioctl": ((16, 29), 1, (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451, 0x802C542A)),
    # F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL and F_DUPFD_CLOEXEC. F_SETOWN and F_SETSIG could
    # send any signal to another process.
    "fcntl": ((72, 25), 1, (0, 1, 2, 3, 4, 1030)),
}
"""Calls that a worker may make with some values of one argument: numbers, position of the argument,
and the values."""
