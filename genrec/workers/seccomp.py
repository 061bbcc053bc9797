"""Filter the system calls of a process with seccomp, by a small BPF program.

A worker gets an allow list, so that calls of future kernels are closed from the start. The list is
longer than one machine needs, because C libraries use different forms of the same call. Known
dangerous calls fail with EPERM. Any other call fails with ENOSYS, as on an older kernel, and
libraries then fall back to an older call.

No library is used: pyseccomp (last release 2021) needs libseccomp, which slim images lack, and
seccompy, landlock, py-landlock and landlockpy are pre-releases or a few months old.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from genrec.workers.syscalls import ALLOWED, ARGUMENTS


@dataclass(frozen=True, slots=True)
class SyscallTable:
    """Numbering of system calls on one architecture."""

    audit_arch: int
    column: int  # of DENIED, OWN_PROCESS, CLONE and CLONE3
    x32: bool  # whether a second numbering, from 0x40000000 on, must be denied too


MACHINES = {
    "x86_64": SyscallTable(audit_arch=0xC000003E, column=0, x32=True),
    "aarch64": SyscallTable(audit_arch=0xC00000B7, column=1, x32=False),
}

# Numbers on x86_64 and aarch64; -1 if the architecture has no such call.
DENIED: dict[str, tuple[int, int]] = {
    # The network and local sockets. recvmsg stays allowed: clips are received with it.
    "socket": (41, 198),
    "socketpair": (53, 199),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
    "sendto": (44, 206),
    "sendmsg": (46, 211),
    "sendmmsg": (307, 269),
    "recvmmsg": (299, 243),
    # Other programs and processes. Threads stay allowed, see _threads_only.
    "execve": (59, 221),
    "execveat": (322, 281),
    "fork": (57, -1),
    "vfork": (58, -1),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "kcmp": (312, 272),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    # Kernel interfaces that an analysis never needs.
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "unshare": (272, 97),
    "setns": (308, 268),
    "chroot": (161, 51),
    "pivot_root": (155, 41),
    "mount": (165, 40),
    "umount2": (166, 39),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "personality": (135, 92),
}

# Calls whose first argument is a process, allowed for the own process only.
OWN_PROCESS: dict[str, tuple[int, int]] = {
    "kill": (62, 129),
    "tgkill": (234, 131),
    "prlimit64": (302, 261),
}

CLONE, CLONE3 = (56, 220), (435, 435)
CLONE_THREAD = 0x00010000
_CLONE_NEW = 0x7E020000  # every namespace that clone can make

_LOAD, _JEQ, _JGE, _JSET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NR, _ARCH, _ARG0 = 0, 4, 16  # offsets into struct seccomp_data, little-endian
_ALLOW = 0x7FFF0000
_REFUSE = 0x00050000 | errno.EPERM  # an error, not a kill: a decoder may continue
_ABSENT = 0x00050000 | errno.ENOSYS  # "older kernel": the C library falls back to clone

_O_TRUNC, _O_ACCMODE = 0x200, 0x3  # the same on both architectures

_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2

Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, operand


def program(
    machine: SyscallTable,
    pid: int,
    *,
    denied: Mapping[str, tuple[int, int]] = DENIED,
    rules: Sequence[Instruction] = (),
    programs: bool = False,
) -> list[Instruction]:
    """Return the instructions of a filter that denies the listed calls to the process ``pid``.

    It also denies calls of other architectures and on other processes. The yt-dlp process gets this
    deny list; workers get the allow list of `worker_program`.

    Parameters
    ----------
    machine
        Architecture of the process.
    pid
        Process that may signal itself.
    denied
        Denied calls, with their numbers as in `DENIED`.
    rules
        Rules of single calls, as `refuse_arguments` returns them, before all others.
    programs
        Whether it may start processes, and signal its whole process group. ``denied`` then lacks
        execve, fork and vfork.
    """
    column = machine.column
    lines: list[Instruction] = [
        (_LOAD, 0, 0, _ARCH),
        (_JEQ, 1, 0, machine.audit_arch),  # deny 32-bit calls, which have other numbers
        (_RETURN, 0, 0, _REFUSE),
        (_LOAD, 0, 0, _NR),
    ]
    if machine.x32:
        lines += [(_JGE, 0, 1, 0x40000000), (_RETURN, 0, 0, _REFUSE)]
    lines += rules
    for numbers in denied.values():
        if numbers[column] >= 0:
            lines += [(_JEQ, 0, 1, numbers[column]), (_RETURN, 0, 0, _REFUSE)]
    for name, numbers in OWN_PROCESS.items():
        zero_is_self = name == "prlimit64" or (name == "kill" and programs)
        lines += _own_process_only(numbers[column], pid, zero_is_self=zero_is_self)
    lines += [(_JEQ, 0, 1, CLONE3[column]), (_RETURN, 0, 0, _ABSENT)]
    if programs:
        lines += refuse_arguments(CLONE[column], 0, bits=_CLONE_NEW)
    else:
        lines += _threads_only(CLONE[column])
    return [*lines, (_RETURN, 0, 0, _ALLOW)]


def refuse_arguments(
    number: int,
    argument: int,
    *,
    values: Sequence[int] = (),
    bits: int = 0,
    unless: tuple[int, int] | None = None,
) -> list[Instruction]:
    """Return the rule that denies a call by its argument, and allows it otherwise.

    Parameters
    ----------
    number
        The call; a negative one, which the architecture lacks, needs no rule.
    argument
        Position of the argument, from 0. Only its lower 32 bits count.
    values
        Denied values.
    bits
        Denied bits; one of them is enough.
    unless
        Position and value of another argument that allows the call all the same.
    """
    if number < 0:
        return []
    body: list[Instruction] = []
    if unless is not None:
        position, value = unless
        body = [(_LOAD, 0, 0, _ARG0 + 8 * position), (_JEQ, 0, 1, value), (_RETURN, 0, 0, _ALLOW)]
    body.append((_LOAD, 0, 0, _ARG0 + 8 * argument))
    for value in values:
        body += [(_JEQ, 0, 1, value), (_RETURN, 0, 0, _REFUSE)]
    if bits:
        body += [(_JSET, 0, 1, bits), (_RETURN, 0, 0, _REFUSE)]
    body.append((_RETURN, 0, 0, _ALLOW))
    return [(_JEQ, 0, len(body), number), *body]


def refuse_truncating_reads(number: int, argument: int) -> list[Instruction]:
    """Return the rule that denies to open a file for reading only and to truncate it.

    Landlock before version 3 (Linux 6.2) regards such a call as reading. ``argument`` is the
    position of the flags.
    """
    if number < 0:
        return []
    return [
        (_JEQ, 0, 5, number),
        (_LOAD, 0, 0, _ARG0 + 8 * argument),
        (_JSET, 0, 2, _O_TRUNC),
        (_JSET, 1, 0, _O_ACCMODE),
        (_RETURN, 0, 0, _REFUSE),
        (_RETURN, 0, 0, _ALLOW),
    ]


def _own_process_only(number: int, pid: int, *, zero_is_self: bool) -> list[Instruction]:
    own = [(_JEQ, 2, 0, pid), (_JEQ, 1, 0, 0)] if zero_is_self else [(_JEQ, 1, 0, pid)]
    body: list[Instruction] = [
        (_LOAD, 0, 0, _ARG0),
        *own,
        (_RETURN, 0, 0, _REFUSE),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return [(_JEQ, 0, len(body), number), *body]


def _threads_only(number: int) -> list[Instruction]:
    return [
        (_JEQ, 0, 4, number),
        (_LOAD, 0, 0, _ARG0),
        (_JSET, 1, 0, CLONE_THREAD),
        (_RETURN, 0, 0, _REFUSE),
        (_RETURN, 0, 0, _ALLOW),
    ]


def worker_program(machine: SyscallTable, pid: int) -> list[Instruction]:
    """Return the filter for the worker ``pid``, which allows the listed calls and no threads."""
    column = machine.column
    listed = [(numbers[column], _ALLOW) for numbers in ALLOWED.values()]
    lines: list[Instruction] = [
        (_LOAD, 0, 0, _ARCH),
        (_JEQ, 1, 0, machine.audit_arch),
        (_RETURN, 0, 0, _REFUSE),
        (_LOAD, 0, 0, _NR),
    ]
    # Landlock before version 3 lets a file be truncated that is opened for reading.
    lines += refuse_truncating_reads(ALLOWED["open"][column], 1)
    lines += refuse_truncating_reads(ALLOWED["openat"][column], 2)
    for number, decision in listed + [(numbers[column], _REFUSE) for numbers in DENIED.values()]:
        if number >= 0:
            lines += [(_JEQ, 0, 1, number), (_RETURN, 0, 0, decision)]
    for name, numbers in OWN_PROCESS.items():
        lines += _own_process_only(numbers[column], pid, zero_is_self=name == "prlimit64")
    for numbers, argument, values in ARGUMENTS.values():
        lines += _values_only(numbers[column], argument, values)
    # No threads either: an analysis uses none, and no limit counts those that root starts.
    return [*lines, (_JEQ, 0, 1, CLONE[column]), (_RETURN, 0, 0, _REFUSE), (_RETURN, 0, 0, _ABSENT)]


def _values_only(number: int, argument: int, values: Sequence[int]) -> list[Instruction]:
    count = len(values)
    body: list[Instruction] = [
        (_LOAD, 0, 0, _ARG0 + 8 * argument),
        *((_JEQ, count - at, 0, value) for at, value in enumerate(values)),
        (_RETURN, 0, 0, _REFUSE),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return [(_JEQ, 0, len(body), number), *body]


def assemble(lines: Sequence[Instruction]) -> bytes:
    """Return ``lines`` as an array of ``struct sock_filter``."""
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


def install(
    libc: ctypes.CDLL, make: Callable[[SyscallTable, int], list[Instruction]] = program
) -> str:
    """Filter the system calls of this process permanently, by the program that ``make`` returns.

    The process must have one thread and PR_SET_NO_NEW_PRIVS; later threads inherit both.

    Returns
    -------
    str
        The reason if it failed; empty if the filter is in force.
    """
    machine = MACHINES.get(platform.machine())
    if machine is None:
        return f"there is no filter for {platform.machine()}"
    code = assemble(make(machine, os.getpid()))
    buffer = ctypes.create_string_buffer(code, len(code))
    fprog = struct.pack("HP", len(code) // 8, ctypes.addressof(buffer))  # struct sock_fprog
    if libc.prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_SECCOMP_MODE_FILTER), fprog):
        return f"the kernel refused it: {os.strerror(ctypes.get_errno())}"
    return ""
