"""A pool without processes, and a preset with a starter catalogue of invented songs."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from bot.config import Settings
from genrec.errors import GenrecError
from genrec.images import ImageConfig
from genrec.preset import (
    Calibration,
    Preset,
    StarterCatalogue,
    save_preset,
    save_starter,
    save_tags,
)
from genrec.sound_tags import TagReading
from genrec.spectrogram import SpectrogramConfig
from genrec.types import Analysis, GenreScore, MusicDescription, Section, SoundExcerpt
from genrec.workers.supervisor import PoolStats

LABELS = ("blues", "jazz", "metal")
DIMENSION = 8
MP3 = b"\xff\xfb\x90\xc4" + bytes(400)


def unit(seed: int, near: int | None = None) -> np.ndarray:
    """Return a unit vector, near that of the seed ``near`` if given."""
    rng = np.random.default_rng(seed)
    vector = rng.normal(size=DIMENSION)
    if near is not None:
        vector = unit(near) + 0.05 * vector
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


def make_preset(
    folder: Path, *, songs: int = 12, floor: float = -1.0, music_below: float = 0.5
) -> Preset:
    """Write a preset without a network, for FakePool."""
    folder.mkdir()
    (folder / "model.tflite").write_bytes(b"none")
    preset = save_preset(
        folder,
        name="fake",
        arch="none",
        spectrogram=SpectrogramConfig(),
        image=ImageConfig(),
        labels=list(LABELS),
        calibration=Calibration(cosine_floor=floor, music_below=music_below),
        mel_basis=np.zeros((128, 1025), np.float32),
        centring=(np.zeros(DIMENSION, np.float32), np.eye(DIMENSION, dtype=np.float32)),
    )
    numbers = range(songs)
    if songs:
        save_starter(
            preset,
            StarterCatalogue(
                names=[f"song{n}" for n in numbers],
                titles=[f"Song {n}" for n in numbers],
                artists=[f"Artist {n}" for n in numbers],
                genres=[LABELS[n % 3] for n in numbers],
                embeddings=np.stack([unit(100 + n, near=1) for n in numbers]),
                fingerprints=np.stack([_print(100 + n) for n in numbers]),
            ),
        )
    return preset


def acoustic(seed: int, *, has: bool) -> np.ndarray:
    """Return a vector near the clips that has the tag acoustic of `add_tags`, or has not."""
    vector = unit(seed, near=1)
    across = _across()
    vector = vector - (vector @ across) * across + (0.2 if has else -0.2) * across
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


def add_tags(preset: Preset) -> Preset:
    """Give a preset three sound tags: all clips have two, `acoustic` vectors the third too."""
    along = unit(1)
    return save_tags(
        preset,
        TagReading(
            shown=("female vocalists", "acoustic", "mellow"),
            weights=np.stack([20 * along, 60 * _across(), 30 * along], axis=1),
            bias=np.array([-15, -9, -20], dtype=np.float32),
            slopes=np.ones(3, dtype=np.float32),
            offsets=np.zeros(3, dtype=np.float32),
            thresholds=np.full(3, 0.5, dtype=np.float32),
        ),
    )


def make_tagged_preset(folder: Path, *, songs: int = 12) -> Preset:
    """Write a preset with tags, of whose songs those with even numbers are acoustic."""
    preset = make_preset(folder, songs=songs)
    starter = preset.starter()
    assert starter is not None
    vectors = [acoustic(100 + n, has=n % 2 == 0) for n in range(songs)]
    save_starter(preset, replace(starter, embeddings=np.stack(vectors)))
    return add_tags(preset)


def _across() -> np.ndarray:
    """Return a unit vector at a right angle to `unit(1)`."""
    vector = unit(2) - (unit(2) @ unit(1)) * unit(1)
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


def _print(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-90, 90, (15, 190)).astype(np.int8)


class FakePool:
    """Analyses by the file's hash; tests can delay it, fail it and read the analysed paths."""

    def __init__(self) -> None:
        self.size, self.runtime = 2, "litert"
        self.model_id = ""
        self.analyzed: list[Path] = []
        self.cut: list[Path] = []
        self.warmed = asyncio.Event()
        self.start_error: GenrecError | None = None
        self.delay_s = 0.0
        self.music = 1.0
        self.description: MusicDescription | None = None
        self.gate: asyncio.Event | None = None
        self.error: GenrecError | Exception | None = None
        self.on_analyze: Callable[[Path], None] = lambda _: None
        self._slots = asyncio.Semaphore(self.size)
        self._waiting = 0
        self.stats = PoolStats()

    @property
    def waiting(self) -> int:
        return self._waiting

    async def warm(self) -> None:
        self.warmed.set()
        if self.start_error is not None:
            raise self.start_error

    async def excerpt(self, path: Path, section=None, *, seconds: float) -> SoundExcerpt:
        self.cut.append(path)
        if self.error is not None:
            raise self.error
        path.read_bytes()
        return SoundExcerpt(MP3, seconds)

    async def analyze(self, path: Path, section: Section | None = None) -> Analysis:
        self._waiting += 1
        async with self._slots:
            self._waiting -= 1
            self.analyzed.append(path)
            self.on_analyze(path)
            if self.gate is not None:
                await self.gate.wait()
            await asyncio.sleep(self.delay_s)
            if self.error is not None:
                raise self.error
            digest = hashlib.sha256(path.read_bytes()).digest()
        return Analysis(
            model_id=self.model_id,
            embedding=unit(digest[0], near=1),
            scores=(GenreScore("jazz", 0.7), GenreScore("blues", 0.2), GenreScore("metal", 0.1)),
            fingerprint=_print(digest[0]),
            duration_s=30.0,
            analyzed_s=30.0,
            music=self.music,
            description=self.description,
        )


def opener(pool: FakePool):
    """Return an ``open_pool`` for the app that yields this pool."""

    @asynccontextmanager
    async def open_pool(settings: Settings, preset: Preset) -> AsyncIterator[FakePool]:
        pool.model_id = preset.model_id
        yield pool

    return open_pool
