"""Run a command whose network libraries do not find VNNI, as on an older x86-64 processor.

python -m tests.benchmarks.without_vnni [--keep-avx512] COMMAND ...

No privilege and no emulator is needed: the CPUID instructions of patched copies of the libraries
are answered by a signal handler (`hidden_cpuid.c`). It needs Linux, gcc and objdump.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

HIDDEN = "HIDDEN_EXTENSIONS"
"""Variable of the command: ``vnni``, or ``vnni avx512`` if AVX-512 is hidden as well."""

_SOURCE = Path(__file__).with_name("hidden_cpuid.c")
_PACKAGES = ("ai_edge_litert", "onnxruntime", "openvino")
_CPUID, _UD2 = b"\x0f\xa2", b"\x0f\x0b"
_CODE = re.compile(r"PROGBITS\s+(\w+) (\w+) (\w+) \S+\s+AX")  # address, offset, size


def missing_tools() -> list[str]:
    """Return what this machine lacks to hide VNNI."""
    machine = f"{sys.platform} {platform.machine()}"
    wanted = [] if machine == "linux x86_64" else ["Linux on x86-64"]
    return wanted + [tool for tool in ("gcc", "objdump", "readelf") if shutil.which(tool) is None]


@contextmanager
def without_vnni(*, keep_avx512: bool = False) -> Iterator[Mapping[str, str]]:
    """Make patched copies of the libraries; yield the environment for a command that loads them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shim = folder / "hidden_cpuid.so"
        compiler = ["gcc", "-O1", "-shared", "-fPIC", "-o", shim, _SOURCE]
        subprocess.run(compiler, check=True)
        for package in _PACKAGES:
            spec = find_spec(package)
            for place in (spec and spec.submodule_search_locations) or ():
                shutil.copytree(place, folder / package, copy_function=os.symlink)
                for library in Path(place).rglob("*.so*"):
                    _patch(library, folder / package / library.relative_to(place))
        paths = [str(folder), os.environ.get("PYTHONPATH", "")]
        yield {
            "LD_PRELOAD": str(shim),
            "PYTHONPATH": os.pathsep.join(path for path in paths if path),
            HIDDEN: "vnni" if keep_avx512 else "vnni avx512",
        }


def _patch(library: Path, copy: Path) -> None:
    """Make the copy of a library a file of its own, each CPUID replaced by UD2."""
    data = bytearray(library.read_bytes())
    for offset in _cpuid_offsets(library) if _CPUID in data else ():
        assert data[offset : offset + 2] == _CPUID
        data[offset : offset + 2] = _UD2
    copy.unlink()
    copy.write_bytes(data)  # also where nothing is patched: a library finds others beside itself


def _cpuid_offsets(library: Path) -> Iterator[int]:
    """Yield the places of a library's CPUID instructions in its file."""
    sections = _output("readelf", "-SW", library)
    code = [tuple(int(each, 16) for each in found) for found in _CODE.findall(sections)]
    for line in _output("objdump", "-d", "--no-show-raw-insn", library).splitlines():
        if line.endswith("\tcpuid"):
            at = int(line.partition(":")[0], 16)
            inside = ((start, offset) for start, offset, size in code if 0 <= at - start < size)
            start, offset = next(inside)
            yield at - start + offset


def _output(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def main() -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.without_vnni")
    parser.add_argument("--keep-avx512", action="store_true", help="hide VNNI alone")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if missing := missing_tools():
        sys.stderr.write(f"VNNI cannot be hidden here without {', '.join(missing)}.\n")
        return 2
    with without_vnni(keep_avx512=options.keep_avx512) as environment:
        return subprocess.run(options.command, env=os.environ | environment).returncode


if __name__ == "__main__":
    sys.exit(main())
