"""Run a command as on a kernel without Landlock and seccomp: python old_kernel.py COMMAND..."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys

from genrec.workers import seccomp

LOAD, EQUAL, RETURN, ALLOW = 0x20, 0x15, 0x06, 0x7FFF0000
PRCTL, SECCOMP = {"x86_64": (157, 317), "aarch64": (167, 277)}[platform.machine()]
LANDLOCK = (444, 445, 446)


def main() -> None:
    lines = [(LOAD, 0, 0, 0)]
    for number in (*LANDLOCK, SECCOMP):
        lines += [(EQUAL, 0, 1, number), (RETURN, 0, 0, 0x50000 | errno.ENOSYS)]
    lines += [(EQUAL, 0, 3, PRCTL), (LOAD, 0, 0, 16), (EQUAL, 0, 1, 22)]  # PR_SET_SECCOMP
    lines += [(RETURN, 0, 0, 0x50000 | errno.EINVAL), (RETURN, 0, 0, ALLOW)]
    code = seccomp.assemble(lines)
    buffer = ctypes.create_string_buffer(code, len(code))
    fprog = struct.pack("HP", len(lines), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    none = [ctypes.c_ulong(0)] * 3
    if libc.prctl(38, ctypes.c_ulong(1), *none) or libc.prctl(22, ctypes.c_ulong(2), fprog):
        raise OSError(ctypes.get_errno(), "the filter was refused")
    os.execv(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
