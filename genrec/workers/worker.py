"""The worker process: load a preset once, then analyse the clips that the parent sends.

The pool starts it as ``python -m genrec.workers.worker PRESET_DIR --channel FD ...``. It enters the
sandbox before it imports any decoder.
"""

from __future__ import annotations

import argparse
import logging
import math
import os
import signal
import socket
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import IO, Protocol

from genrec.errors import GenrecError
from genrec.types import MAX_ANALYZED_S, Analysis, Runtime, Section, SoundExcerpt
from genrec.workers import protocol, sandbox
from genrec.workers.fd_path import FdPath

ANALYZER = "genrec.pipeline:load_analyzer"
"""Factory of a worker's analyzer as ``module:function``. It is called with the preset's folder,
the largest number of seconds to analyse and the runtime of the network."""

_GRACE_S = 5.0  # the parent's time limit comes first


class SyncAnalyzer(Protocol):
    """Blocking analyzer that a worker runs."""

    @property
    def model_id(self) -> str:
        """Name and content hash of the preset."""

    @property
    def runtime(self) -> Runtime:
        """Library that runs the network."""

    def analyze(self, path: Path, section: Section | None = None) -> Analysis:
        """Return the analysis of one file or a section of it."""

    def excerpt(self, path: Path, section: Section | None, seconds: float) -> SoundExcerpt:
        """Return an excerpt of one file or a section of it."""


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until the parent closes the channel; return the exit code."""
    options = _parser().parse_args(argv)
    measures = _enter_sandbox(options)
    # The channel's descriptor stays open until exit, so that the parent can read the exit code once
    # the channel is closed. Replies are written with write, because the sandbox forbids send.
    with (
        socket.socket(fileno=os.dup(options.channel)) as channel,
        open(options.channel, "wb", closefd=False) as out,
    ):
        with _warnings() as warnings:
            analyzer = _load(options, out)
        if analyzer is None:
            return 1
        rows = [asdict(each) for each in measures]
        _send(out, protocol.pack_ready(analyzer.model_id, analyzer.runtime, rows, warnings))
        while message := protocol.receive_clip(channel):
            _send(out, _reply(analyzer, *message))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m genrec.workers.worker", description=__doc__)
    parser.add_argument("preset", type=Path, help="a models/NAME folder")
    parser.add_argument("--channel", type=int, required=True, help="descriptor of the socket")
    parser.add_argument("--analyzer", default=ANALYZER, help="factory as module:function")
    parser.add_argument(
        "--max-analyzed-s", type=float, default=MAX_ANALYZED_S, help="seconds of a longer file"
    )
    parser.add_argument("--runtime", default="auto", help="library that runs the network")
    parser.add_argument("--memory", type=int, default=sandbox.MEMORY_BYTES, help="bytes")
    parser.add_argument("--cpu", type=float, required=True, help="CPU seconds of its life")
    return parser


def _enter_sandbox(options: argparse.Namespace) -> tuple[sandbox.Measure, ...]:
    module, _, _ = options.analyzer.partition(":")
    readable, listable = sandbox.interpreter_paths(module)
    return sandbox.enter(
        readable=[*readable, options.preset],
        listable=listable,
        memory_bytes=options.memory,
        cpu_s=options.cpu,
    )


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """Collect the warnings that genrec logs, for the log of the parent."""
    texts: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: texts.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("genrec")
    logger.addHandler(handler)
    try:
        yield texts
    finally:
        logger.removeHandler(handler)


def _load(options: argparse.Namespace, out: IO[bytes]) -> SyncAnalyzer | None:
    """Return the analyzer, or send the error to the parent and return None."""
    module, _, function = options.analyzer.partition(":")
    try:
        factory = getattr(import_module(module), function)
        analyzer: SyncAnalyzer = factory(
            str(options.preset), options.max_analyzed_s, options.runtime
        )
    except GenrecError as error:
        _send(out, protocol.pack_error(0, error.code, str(error)))
        return None
    except Exception as error:  # noqa: BLE001 - the parent reports any error
        traceback.print_exc()
        _send(out, protocol.pack_error(0, protocol.UNEXPECTED, _describe(error)))
        return None
    return analyzer


def _reply(analyzer: SyncAnalyzer, head: protocol.Head, clip: int) -> bytes:
    """Return the frame with the analysis or the excerpt of one clip, or with the error."""
    job, timeout_s = int(head["job"]), float(head["timeout_s"])
    path = FdPath.at(clip, head["name"])
    sandbox.allow_cpu(timeout_s)
    signal.alarm(math.ceil(timeout_s + _GRACE_S))  # the default action ends the process
    try:
        section = protocol.unpack_section(head)
        if "excerpt_s" in head:
            excerpt = analyzer.excerpt(path, section, float(head["excerpt_s"]))
            return protocol.pack_excerpt(job, excerpt)
        analysis = analyzer.analyze(path, section) if section else analyzer.analyze(path)
        return protocol.pack_analysis(job, analysis)
    except GenrecError as error:
        return protocol.pack_error(job, error.code, str(error))
    except Exception as error:  # noqa: BLE001 - the parent reports any error
        traceback.print_exc()
        return protocol.pack_error(job, protocol.UNEXPECTED, _describe(error))
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
    os._exit(code)  # without clean-up, in which a faulty library could hang
