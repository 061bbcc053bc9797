"""Counts of what SQLite does for an operation, and a catalogue of any size."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import numpy as np

from db.connection import Database
from db.generations import NewTrack
from db.tracks import Catalogue
from tests.db.fakes import DIMENSION, LABELS, MODEL, fingerprint

_BATCH = 2_000
RARE = "zanzibar"


async def count_steps(db: Database, operation: Callable[[], Awaitable[object]]) -> int:
    """Return the number of virtual-machine instructions that SQLite runs for an operation."""
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    connections = {db._reader, db._writer}
    for connection in connections:
        await connection.set_progress_handler(step, 1)
    try:
        await operation()
    finally:
        for connection in connections:
            await connection.set_progress_handler(None, 0)  # type: ignore[arg-type]
    return steps


def invented(number: int, count: int, vector: np.ndarray) -> NewTrack:
    """Return a track; three of each catalogue have a rare word, and all have a common one."""
    rare = f" {RARE}" if number in (1, count // 2, count - 1) else ""
    return NewTrack(
        title=f"Song {number:07d}{rare}",
        artist=f"Artist {number % (count // 10):06d}",
        genre=LABELS[number % len(LABELS)],
        embedding=vector,
        fingerprint=fingerprint(number % 50),
        source=f"/music/{number:07d}.mp3",
    )


async def fill_catalogue(db: Database, count: int) -> None:
    """Add tracks to the library, and five to a guild."""
    vectors = np.random.default_rng(0).standard_normal((count, DIMENSION)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    catalogue = Catalogue(db)
    for start in range(0, count, _BATCH):
        numbers = range(start, min(start + _BATCH, count))
        tracks = [invented(number, count, vectors[number]) for number in numbers]
        await catalogue.add("library", MODEL, tracks)
    own = [invented(number, count, vectors[number]) for number in range(5)]
    await catalogue.add("guild:1", MODEL, own)
