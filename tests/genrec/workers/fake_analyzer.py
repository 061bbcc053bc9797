"""Fake analyzer that runs the command in a clip, for tests of the worker pool.

A clip is a text file with one line: a command and its arguments. Workers import this module by its
name, so its folder must be on ``sys.path``.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from genrec.audio.limits import DecodeLimits
from genrec.errors import PoolClosed, PresetError, SilentAudio, UnreadableAudio
from genrec.types import Analysis, GenreScore, Section, SoundExcerpt

if TYPE_CHECKING:
    from genrec.audio.decode import DecodedAudio

MODEL_ID = "fake-0001"
DIMENSIONS = 8


def analysis(number: float, **changes: Any) -> Analysis:
    """Return the analysis of the clip ``ok NUMBER``, equal for equal numbers."""
    rng = np.random.default_rng(int(number))
    embedding = rng.normal(size=DIMENSIONS)
    fields: dict[str, Any] = {
        "model_id": MODEL_ID,
        "embedding": (embedding / np.linalg.norm(embedding)).astype(np.float32),
        "scores": (GenreScore("jazz", 0.75), GenreScore("blues", 0.25)),
        "fingerprint": rng.integers(-128, 128, (4, 9), np.int8),
        "duration_s": float(number),
        "analyzed_s": 30.0,
        "timings_ms": {"decode": 1.5},
        "preview": rng.integers(0, 256, (64, 11), np.uint8),
    }
    return Analysis(**fields | changes)


class FakeAnalyzer:
    """Runs the command in a clip."""

    runtime = "litert"

    def __init__(self, model_id: str) -> None:
        self.model_id = model_id

    def analyze(self, path: Path, section: Section | None = None) -> Analysis:
        self.path = path
        with path.open("rb") as file:
            command, *arguments = file.read().decode().split()
        return getattr(self, f"do_{command}")(*arguments) or analysis(0, model_id=self.model_id)

    def excerpt(self, path: Path, section: Section | None, seconds: float) -> SoundExcerpt:
        return SoundExcerpt(b"no MP3", seconds)

    def do_ok(self, number: str, seconds: str = "0") -> Analysis:
        time.sleep(float(seconds))
        return analysis(float(number), model_id=self.model_id)

    def do_refuse(self) -> None:
        raise SilentAudio("This clip is silent.\x1b[2J")

    def do_segv(self) -> None:
        ctypes.string_at(0)

    def do_exit(self, code: str) -> None:
        os._exit(int(code))

    def do_hang(self) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        ctypes.CDLL(None).sleep(3600)

    def do_spin(self) -> None:
        os.kill(os.getpid(), signal.SIGXCPU)

    def do_oom(self) -> None:
        bytearray(1 << 40)

    def do_fill(self) -> None:
        arrays = []
        while True:
            arrays.append(np.ones(1 << 20))

    def do_bug(self) -> None:
        raise ValueError("one axis too many")

    def do_noise(self) -> None:
        os.write(1, b"noise on stdout " * 20_000)
        os.write(2, b"noise on stderr " * 20_000)

    def do_wrong_code(self) -> None:
        raise PoolClosed("Give up.")

    def do_garbage(self) -> None:
        _write_frame(b"\xff" * 100)

    def do_oversized(self) -> None:
        _write_frame(b"\x02\x00\x00\x00" + b"\x00\x00\x00\x40" + b"{}")

    def do_other_job(self) -> None:
        _write_frame(b"\x0b\x00\x00\x00" + b"\x00\x00\x00\x00" + b'{"job": 99}')

    def do_nan(self) -> Analysis:
        return analysis(0, embedding=np.full(DIMENSIONS, np.nan, np.float32))

    def do_wrong_sum(self) -> Analysis:
        return analysis(0, scores=(GenreScore("jazz", 0.3), GenreScore("blues", 0.3)))

    def do_no_preview(self) -> Analysis:
        return analysis(0, preview=None)

    def do_wide_preview(self) -> Analysis:
        return analysis(0, preview=np.zeros((64, 201), np.uint8))

    def do_float_preview(self) -> Analysis:
        return analysis(0, preview=np.zeros((64, 11), np.float32))

    def do_other_model(self) -> Analysis:
        return analysis(0, model_id="somebody-else")

    def do_environment(self) -> None:
        raise UnreadableAudio(" ".join(sorted(os.environ)))

    def do_name(self) -> None:
        raise UnreadableAudio(self.path.name)

    def do_pid(self) -> Analysis:
        return analysis(os.getpid(), model_id=self.model_id)

    def do_read(self, path: str) -> None:
        self._try(lambda: Path(path).read_bytes())

    def do_write(self, path: str) -> None:
        self._try(lambda: Path(path).write_bytes(b"x"))

    def do_connect(self, port: str) -> None:
        self._try(lambda: socket.create_connection(("127.0.0.1", int(port))).close())

    def do_run(self, program: str) -> None:
        self._try(lambda: os.execv(program, [program]))

    def do_fork(self) -> None:
        self._try(lambda: os.fork() or time.sleep(3600))

    def do_kill(self, pid: str) -> None:
        self._try(lambda: os.kill(int(pid), 0))

    def do_syscall(self, number: str, arguments: str) -> None:
        """Make a system call, with bytes as hexadecimal digits and "fd" for a descriptor."""
        libc = ctypes.CDLL(None, use_errno=True)
        libc.syscall.restype = ctypes.c_long
        result = libc.syscall(ctypes.c_long(int(number)), *map(_argument, json.loads(arguments)))
        name = errno.errorcode.get(ctypes.get_errno(), "?")
        raise UnreadableAudio(name if result < 0 else str(result))

    def do_limits(self) -> None:
        names = ("CPU", "MSGQUEUE", "MEMLOCK")
        limits = (resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))[1] for name in names)
        raise UnreadableAudio(" ".join(map(str, limits)))

    def do_thread(self) -> None:
        threading.Thread(target=int).start()

    def do_outlive(self) -> None:
        """Try to live on without the parent."""
        ctypes.CDLL(None).prctl(1, *(ctypes.c_ulong(0) for _ in range(4)))
        signal.alarm(0)
        for number in (signal.SIGTERM, signal.SIGXCPU, signal.SIGALRM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))
        time.sleep(3600)

    def _try(self, attempt: Any) -> None:
        try:
            attempt()
        except OSError as error:
            raise UnreadableAudio(type(error).__name__) from error


class DecodingAnalyzer:
    """Decodes clips with the real decoders, without a network."""

    model_id, runtime = MODEL_ID, "litert"

    def __init__(self, decode: Callable[..., DecodedAudio]) -> None:
        self.decode = decode

    def excerpt(self, path: Path, section: Section | None, seconds: float) -> SoundExcerpt:
        from genrec.excerpt import cut_excerpt  # slow to import

        return cut_excerpt(path, DecodeLimits(section=section), seconds)

    def analyze(self, path: Path, section: Section | None = None) -> Analysis:
        audio = self.decode(path, sr=22050, limits=DecodeLimits(section=section))
        return analysis(0, duration_s=audio.duration_s, analyzed_s=len(audio.y) / audio.sr)


def _argument(value: int | str | None) -> Any:
    if value == "fd":
        value = int(sys.argv[sys.argv.index("--channel") + 1])
    if isinstance(value, int):
        return ctypes.c_long(value)
    return value if value is None else bytes.fromhex(value)


def _write_frame(frame: bytes) -> None:
    """Write raw bytes to the parent, around the worker's protocol."""
    os.write(int(sys.argv[sys.argv.index("--channel") + 1]), frame)


def load(folder: str, max_analyzed_s: float, runtime: str) -> FakeAnalyzer:
    """Return an analyzer with the model id in the preset's file, if there is one."""
    path = Path(folder, "model_id")
    return FakeAnalyzer(path.read_text() if path.exists() else MODEL_ID)


def load_seconds(_: str, max_analyzed_s: float, runtime: str) -> FakeAnalyzer:
    """Return an analyzer whose model id is the number of seconds to analyse."""
    return FakeAnalyzer(f"{max_analyzed_s:g} s")


def load_decoder(_: str, max_analyzed_s: float, runtime: str) -> DecodingAnalyzer:
    from genrec.audio.decode import decode  # slow to import

    return DecodingAnalyzer(decode)


def load_refused(_: str, max_analyzed_s: float, runtime: str) -> FakeAnalyzer:
    raise PresetError("The preset is damaged.")


def load_broken(_: str, max_analyzed_s: float, runtime: str) -> FakeAnalyzer:
    os.write(2, b"earlier output\n")
    raise RuntimeError("no such layer")


def load_killed(_: str, max_analyzed_s: float, runtime: str) -> FakeAnalyzer:
    os.write(2, b"x" * 1_000_000)
    ctypes.string_at(0)
    raise AssertionError


def load_never(_: str, max_analyzed_s: float, runtime: str) -> FakeAnalyzer:
    time.sleep(3600)
    raise AssertionError


def load_second_time(folder: str, max_analyzed_s: float, runtime: str) -> FakeAnalyzer:
    """Exit while the preset's folder has a file ``down``."""
    if Path(folder, "down").exists():
        os._exit(7)
    return load(folder, max_analyzed_s, runtime)
