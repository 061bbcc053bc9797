"""Fakes for the tests of db: files without sound, and an analyzer that hashes them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from db.catalogue_rows import REMOVED, CatalogueRows
from db.generations import NewTrack
from genrec.errors import GenrecError
from genrec.types import Analysis, GenreScore, MusicDescription

MODEL = "fake@000000000001"
DIMENSION = 8
LABELS = ("blues", "hiphop", "rock")


def unit(seed: int, dimension: int = DIMENSION) -> NDArray[np.float32]:
    vector = np.random.default_rng(seed).standard_normal(dimension)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def fingerprint(seed: int) -> NDArray[np.int8]:
    return np.random.default_rng(seed).integers(-127, 128, (15, 20)).astype(np.int8)


def preview(seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (64, 20)).astype(np.uint8)


def description(seed: int) -> MusicDescription:
    return MusicDescription(
        bpm=80.0 + seed % 64,
        bpm_confidence=0.875,
        key=seed % 24,
        key_confidence=0.75,
        loudness_lufs=-14.5,
        dynamics_lu=6.0,
        brightness_hz=1000.0 + seed % 1000,
        bass=0.25,
        onsets_per_s=2.5,
    )


def new_track(seed: int, **changes: object) -> NewTrack:
    values: dict[str, object] = {
        "title": f"Song {seed}",
        "artist": f"Artist {seed % 7}",
        "genre": LABELS[seed % len(LABELS)],
        "embedding": unit(seed),
        "fingerprint": fingerprint(seed),
        "source": f"/music/{seed}.mp3",
        "duration_s": 30.0,
        "description": description(seed),
    }
    return NewTrack(**{**values, **changes})  # type: ignore[arg-type]


def fake_analysis(data: bytes, model_id: str = MODEL) -> Analysis:
    """Return an analysis that depends on the bytes only."""
    seed = int.from_bytes(hashlib.sha256(data).digest()[:4], "big")
    return Analysis(
        model_id=model_id,
        embedding=unit(seed),
        scores=(GenreScore(LABELS[seed % 3], 0.75), GenreScore(LABELS[(seed + 1) % 3], 0.25)),
        fingerprint=fingerprint(seed),
        duration_s=30.0,
        analyzed_s=30.0,
        timings_ms={"decode": 1.0},
        preview=preview(seed),
        description=description(seed),
    )


def fake_analysis_of_file(path: Path, model_id: str = MODEL) -> Analysis:
    return fake_analysis(path.read_bytes(), model_id)


class FakeAnalyzer:
    """Analyzer that hashes files; it calls ``before(path)`` and raises the ``faults`` of a name."""

    def __init__(
        self,
        *,
        model_id: str = MODEL,
        delay_s: float = 0.0,
        before: Callable[[Path], None] = lambda _: None,
    ) -> None:
        self.model_id = model_id
        self.delay_s = delay_s
        self.before = before
        self.faults: dict[str, GenrecError] = {}
        self.calls: list[str] = []
        self.running = 0
        self.max_running = 0

    async def analyze(self, path: Path) -> Analysis:
        self.calls.append(path.name)
        self.running += 1
        self.max_running = max(self.max_running, self.running)
        try:
            self.before(path)
            await asyncio.sleep(self.delay_s)
            if path.name in self.faults:
                raise self.faults[path.name]
            return fake_analysis_of_file(path, self.model_id)
        finally:
            self.running -= 1


class HeldAnalyzer(FakeAnalyzer):
    """Analyzer of which each file waits for a permit, so that no test depends on its speed."""

    def __init__(self) -> None:
        super().__init__()
        self._permits = asyncio.Semaphore(0)

    async def analyze(self, path: Path) -> Analysis:
        analysis = await super().analyze(path)
        await self._permits.acquire()
        return analysis

    def allow(self, files: int) -> None:
        """Let this many files end, those that wait first."""
        for _ in range(files):
            self._permits.release()


def fill(folder: Path, count: int, start: int = 0) -> list[Path]:
    """Write files with distinct bytes into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"Artist {n % 5} - Song {n}.mp3" for n in range(start, start + count)]
    for path in paths:
        path.write_bytes(f"not really music: {path}".encode())
    return paths


async def until(condition: Callable[[], bool]) -> None:
    """Wait until the condition is true, a minute at most."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - the condition is of code under test
            await asyncio.sleep(0.001)


def content(rows: CatalogueRows) -> dict[int, tuple[object, ...]]:
    """Return the rows as a dict by track id, for comparisons."""
    return {
        int(track_id): (
            rows.matrix[row].tolist(), rows.artists[row], rows.genres[row], rows.scopes[row],
            rows.descriptions[row].tolist(),
        )
        for row, track_id in enumerate(rows.ids)
        if track_id != REMOVED
    }  # fmt: skip
