"""The clip of ``genrec demo``: 30 s of a synthesised band, made on the spot."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import soundfile

from bot.band import STYLES, music

SEED = 0
SECONDS = 30.0
SR = 44100
TELL = (
    f"A clip made on the spot, {SECONDS:.0f} s of a small synthesised band"
    f" that plays {STYLES[SEED % len(STYLES)].name}:"
)


@contextmanager
def clip() -> Iterator[Path]:
    """Yield the clip as a FLAC file that goes with the block."""
    with tempfile.TemporaryDirectory(prefix="genrec-demo-") as folder:
        path = Path(folder) / "demo.flac"
        soundfile.write(path, music(SEED, SECONDS, SR), SR)
        yield path
