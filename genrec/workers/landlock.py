"""Restrict the files of a process with Landlock, a security module of the Linux kernel."""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

# System calls, with the same numbers on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_GET_VERSION = 1  # a flag of _CREATE_RULESET
_PATH_BENEATH = 1  # a type of rule

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE = 1 << 14
_REMOVE_DIR, _REMOVE_FILE, _MAKE_DIR, _MAKE_REG, _REFER = 1 << 4, 1 << 5, 1 << 7, 1 << 8, 1 << 13
# Rights in a changeable folder: regular files and folders, no programs, devices or sockets.
_CHANGE = (_WRITE_FILE | _READ_FILE | _READ_DIR | _TRUNCATE) | (
    _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _REFER
)
# Bit mask of the file system rights by Landlock version: 13 rights at first, then more.
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_TCP = 0b11  # bind and connect, since version 4
_SCOPES = 0b11  # signals and abstract sockets to other processes, since version 6


def version(libc: ctypes.CDLL) -> int:
    """Return the kernel's Landlock version, 0 if it has none."""
    return max(0, int(_call(libc, _CREATE_RULESET, None, 0, _GET_VERSION)))


def restrict(
    libc: ctypes.CDLL,
    *,
    readable: Iterable[Path],
    listable: Iterable[Path] = (),
    changeable: Iterable[Path] = (),
    executable: Iterable[Path] = (),
) -> str:
    """Restrict the files of this process permanently.

    The process must have one thread and PR_SET_NO_NEW_PRIVS; later threads inherit both. Open
    descriptors stay readable, also those received later. Nothing else can be executed or changed,
    and no TCP port can be reached.

    Parameters
    ----------
    readable
        Files, and folders with their content, that may be read. Paths that cannot be opened are
        skipped.
    listable
        Folders that Python's import system may list, without reading their files.
    changeable
        Folders whose files and folders may be read, written, renamed and removed.
    executable
        Programs that may be read and started; the program's loader is one of them.

    Returns
    -------
    str
        The reason if it failed; empty if the restriction is in force.
    """
    abi = version(libc)
    if not abi:
        return "this kernel has no Landlock, or the container forbids it"
    rights = _FILE_RIGHTS[max(known for known in _FILE_RIGHTS if known <= abi)]
    fields = [rights, _TCP, _SCOPES][: 3 if abi >= 6 else 2 if abi >= 4 else 1]
    attributes = struct.pack(f"={len(fields)}Q", *fields)
    ruleset = _call(libc, _CREATE_RULESET, attributes, len(attributes), 0)
    if ruleset < 0:
        return f"the kernel refused it: {os.strerror(ctypes.get_errno())}"
    try:
        _allow(libc, ruleset, readable, _READ_FILE | _READ_DIR)
        _allow(libc, ruleset, listable, _READ_DIR)
        _allow(libc, ruleset, changeable, rights & _CHANGE)
        _allow(libc, ruleset, executable, _READ_FILE | _EXECUTE)
        _allow(libc, ruleset, [Path(os.devnull)], rights & (_READ_FILE | _WRITE_FILE | _TRUNCATE))
        if _call(libc, _RESTRICT_SELF, ruleset, 0):
            return f"the kernel refused it: {os.strerror(ctypes.get_errno())}"
    finally:
        os.close(ruleset)
    return ""


def _allow(libc: ctypes.CDLL, ruleset: int, paths: Iterable[Path], rights: int) -> None:
    """Add a rule for each path that can be opened; without a rule it stays forbidden."""
    for path in paths:
        try:
            fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            folder = stat.S_ISDIR(os.fstat(fd).st_mode)
            granted = rights if folder else rights & ~_READ_DIR
            if granted:
                _call(libc, _ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", granted, fd), 0)
        finally:
            os.close(fd)


def _call(libc: ctypes.CDLL, number: int, *arguments: int | bytes | None) -> int:
    """Make a system call with every integer as a C long."""
    converted: Sequence[object] = [
        ctypes.c_long(value) if isinstance(value, int) else value for value in arguments
    ]
    libc.syscall.restype = ctypes.c_long
    return int(libc.syscall(ctypes.c_long(number), *converted))
