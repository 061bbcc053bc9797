"""A clip to try genrec with: 30 s of a synthesised band, made on the spot."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import soundfile

from bot.demo.synth import music

SEED = 0
SECONDS = 30.0
SR = 44100


@contextmanager
def clip() -> Iterator[Path]:
    """Yield the clip as a FLAC file that goes with the block."""
    with tempfile.TemporaryDirectory(prefix="genrec-demo-") as folder:
        path = Path(folder) / "demo.flac"
        soundfile.write(path, music(SEED, SECONDS, SR), SR)
        yield path
