"""A worker of the pool: loads a preset once, then analyses clip after clip for its parent.

Run by `genrec.workers.pool` as ``python -m genrec.workers.worker PRESET_DIR --channel FD
...``. It locks itself down before it imports anything that decodes sound.
"""

from __future__ import annotations

import argparse
import math
import os
import signal
import socket
import sys
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import IO, Protocol

from genrec.errors import GenrecError
from genrec.types import HEARD_S, Analysis
from genrec.workers import protocol, sandbox
from genrec.workers.fd_path import FdPath

ANALYZER = "genrec.pipeline:load_analyzer"
"""What makes the analyzer of a worker: ``module:function``, called with the preset's folder and the
seconds of a file to hear."""

_GRACE_S = 5.0  # for the parent, which knows better when and how to end a job


class Analyzes(Protocol):
    """What a worker needs of an analyzer, warm when it is handed over."""

    @property
    def model_id(self) -> str:
        """Name the preset by name and content hash."""

    def analyze(self, path: Path) -> Analysis:
        """Analyse one file."""


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until the parent hangs up; return the exit code."""
    options = _parser().parse_args(argv)
    measures = _lock_down(options)
    # The descriptor itself stays open: the parent must not see it closed before the exit code.
    # Answers go out by write, as send is a system call given up.
    with (
        socket.socket(fileno=os.dup(options.channel)) as channel,
        open(options.channel, "wb", closefd=False) as out,
    ):
        analyzer = _load(options, out)
        if analyzer is None:
            return 1
        _send(out, protocol.pack_hello(analyzer.model_id, [asdict(each) for each in measures]))
        while request := protocol.receive_clip(channel):
            _send(out, _answer(analyzer, *request))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m genrec.workers.worker", description=__doc__)
    parser.add_argument("preset", type=Path, help="a models/NAME folder")
    parser.add_argument("--channel", type=int, required=True, help="descriptor of the socket")
    parser.add_argument("--analyzer", default=ANALYZER, help="module:function that loads a preset")
    parser.add_argument("--heard-s", type=float, default=HEARD_S, help="of a file")
    parser.add_argument("--memory", type=int, default=sandbox.MEMORY_BYTES, help="bytes")
    return parser


def _lock_down(options: argparse.Namespace) -> tuple[sandbox.Measure, ...]:
    module, _, _ = options.analyzer.partition(":")
    readable, listable = sandbox.interpreter_paths(module)
    return sandbox.lock_down(
        readable=[*readable, options.preset], listable=listable, memory_bytes=options.memory
    )


def _load(options: argparse.Namespace, out: IO[bytes]) -> Analyzes | None:
    """Make the analyzer, or tell the parent why there is none."""
    module, _, function = options.analyzer.partition(":")
    try:
        make = getattr(import_module(module), function)
        analyzer: Analyzes = make(str(options.preset), options.heard_s)
    except GenrecError as error:
        _send(out, protocol.pack_error(0, error.code, str(error)))
        return None
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent hears of it
        traceback.print_exc()
        _send(out, protocol.pack_error(0, protocol.BUG, _describe(error)))
        return None
    return analyzer


def _answer(analyzer: Analyzes, request: protocol.Head, clip: int) -> bytes:
    """Analyse one clip; whatever happens becomes a frame."""
    job, timeout_s = int(request["job"]), float(request["timeout_s"])
    path = FdPath.at(clip, request["name"])
    sandbox.allow_cpu(timeout_s)
    signal.alarm(math.ceil(timeout_s + _GRACE_S))  # its default action ends the process
    try:
        return protocol.pack_analysis(job, analyzer.analyze(path))
    except GenrecError as error:
        return protocol.pack_error(job, error.code, str(error))
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent hears of it
        traceback.print_exc()
        return protocol.pack_error(job, protocol.BUG, _describe(error))
    finally:
        signal.alarm(0)
        os.close(clip)


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _send(out: IO[bytes], frame: bytes) -> None:
    out.write(frame)
    out.flush()


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # at once: nothing here is worth a clean-up that a broken library could hang
