"""Check whether this processor lacks VNNI, which multiplies and sums bytes in one instruction."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
_VNNI = ("avx512_vnni", "avx_vnni")


@cache
def lacks_vnni() -> bool:
    """Return whether this is an x86-64 processor without VNNI, by the flags that Linux lists.

    False on other architectures and where the flags cannot be read. Without VNNI an instruction
    for products of bytes sums two of them in 16 bits, and the sum may saturate.
    """
    if platform.machine() != "x86_64":
        return False
    try:
        return flags_lack_vnni(_CPUINFO.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return False


def flags_lack_vnni(cpuinfo: str) -> bool:
    """Return whether the text of /proc/cpuinfo lists flags, and none of VNNI among them."""
    lines = (line.partition(":") for line in cpuinfo.splitlines())
    flags = next((set(value.split()) for name, _, value in lines if name.strip() == "flags"), set())
    return bool(flags) and flags.isdisjoint(_VNNI)
