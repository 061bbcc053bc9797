"""Name the processor that a benchmark ran on, with what it has for products of bytes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

import cpuinfo

from tests.benchmarks.without_vnni import HIDDEN

# In the order of a line; a flag is in /proc/cpuinfo on Linux.
EXTENSIONS = {
    "AVX2": ("avx2",),
    "AVX-512": ("avx512f",),
    "VNNI": ("avx512_vnni", "avx512vnni", "avx_vnni"),
    "dot product": ("asimddp",),
    "I8MM": ("i8mm",),
}


@cache
def information() -> Mapping[str, Any]:
    """Return what py-cpuinfo, which pytest-benchmark uses too, finds about this processor."""
    found: Mapping[str, Any] = cpuinfo.get_cpu_info()
    return found


def extensions(info: Mapping[str, Any]) -> list[str]:
    """Return the names of the processor's extensions that matter to a network."""
    flags = set(info.get("flags", ()))
    return [name for name, any_of in EXTENSIONS.items() if flags & set(any_of)]


def processor_line(info: Mapping[str, Any]) -> str:
    """Return the processor in one line: model and extensions."""
    hidden = f"; hidden: {os.environ[HIDDEN]}" if HIDDEN in os.environ else ""
    model = info.get("brand_raw") or info.get("arch_string_raw") or "unknown processor"
    return f"{model}, {', '.join(extensions(info)) or 'none of ' + ', '.join(EXTENSIONS)}{hidden}"
