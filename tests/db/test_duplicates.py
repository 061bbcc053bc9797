"""Groups of tracks that are one recording: which tracks, and the best copy first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from db.connection import Database
from db.duplicates import find_duplicates
from db.quality import FileQuality, file_quality
from db.tracks import Catalogue
from genrec.fingerprint import LARGEST, RecordingMatcher, pack
from genrec.spectrogram import SpectrogramConfig
from tests.db.fakes import MODEL, new_track, unit
from tests.synth import WRITERS, music, write

MATCHER = RecordingMatcher(SpectrogramConfig())
LOSSLESS, MP3 = FileQuality(True, 900_000), FileQuality(False, 192_000)


def print_of(seed: int, start: int = 0) -> np.ndarray:
    """Return the fingerprint of 200 columns of a recording, from the column ``start``."""
    values = np.random.default_rng(seed).normal(0, 2, (15, 300))[:, start : start + 200]
    return pack(np.clip(np.round(values), -LARGEST, LARGEST).astype(np.int8))


def copy_of(seed: int, number: int, quality: FileQuality = MP3, **changes: object):
    """Return a track of the recording ``seed``: its own source, embedding and start."""
    near = unit(seed) + np.float32(0.01) * unit(1000 + 10 * seed + number)
    track = new_track(
        number,
        title=f"Copy {number}",
        source=f"/music/{seed}-{number}.flac",
        embedding=near / np.linalg.norm(near),
        fingerprint=print_of(seed, 10 * number),
        content=f"{seed}-{number}",
        duration_s=200.0,
        quality=quality,
    )
    return replace(track, **changes)


async def groups(catalogue: Catalogue, scope: str = "library") -> list[list[str]]:
    found = await find_duplicates(catalogue, await catalogue.load(MODEL), scope, MATCHER)
    return [[copy.track.title for copy in group] for group in found]


@pytest.fixture
def catalogue(db: Database) -> Catalogue:
    return Catalogue(db)


async def test_duplicates_are_grouped_and_other_tracks_left_out(catalogue: Catalogue) -> None:
    tracks = [copy_of(1, 1), copy_of(1, 2), copy_of(1, 3), copy_of(2, 4), copy_of(2, 5)]
    await catalogue.add("library", MODEL, [*tracks, copy_of(3, 6)])
    assert [sorted(group) for group in await groups(catalogue)] == [
        ["Copy 1", "Copy 2", "Copy 3"],
        ["Copy 4", "Copy 5"],
    ]


async def test_near_tracks_of_other_recordings_are_no_duplicates(catalogue: Catalogue) -> None:
    other = copy_of(1, 2, fingerprint=print_of(9))
    await catalogue.add("library", MODEL, [copy_of(1, 1), other, copy_of(1, 3, fingerprint=None)])
    assert await groups(catalogue) == []


async def test_best_copy_is_lossless_then_of_the_highest_bit_rate(catalogue: Catalogue) -> None:
    tracks = [
        copy_of(1, 1, FileQuality()),
        copy_of(1, 2, FileQuality(False, 128_000)),
        copy_of(1, 3, FileQuality(False, 320_000)),
        copy_of(1, 4, LOSSLESS),
    ]
    await catalogue.add("library", MODEL, tracks)
    assert await groups(catalogue) == [["Copy 4", "Copy 3", "Copy 2", "Copy 1"]]


async def test_best_of_equal_codings_has_names_then_is_longer(catalogue: Catalogue) -> None:
    tracks = [
        copy_of(1, 1, artist=""),
        copy_of(1, 2, duration_s=180.0),
        copy_of(1, 3, duration_s=210.0),
    ]
    await catalogue.add("library", MODEL, tracks)
    assert await groups(catalogue) == [["Copy 3", "Copy 2", "Copy 1"]]


async def test_duplicates_of_one_scope_only(catalogue: Catalogue) -> None:
    await catalogue.add("library", MODEL, [copy_of(1, 1)])
    await catalogue.add("guild:7", MODEL, [copy_of(1, 2), copy_of(2, 3), copy_of(2, 4)])
    assert await groups(catalogue) == []
    assert await groups(catalogue, "guild:8") == []
    assert [sorted(group) for group in await groups(catalogue, "guild:7")] == [["Copy 3", "Copy 4"]]


async def test_two_names_of_one_file_are_duplicates(catalogue: Catalogue) -> None:
    second = replace(copy_of(1, 1), source="/music/again.flac", title="Copy 2")
    await catalogue.add("library", MODEL, [copy_of(1, 1), second])
    assert await groups(catalogue) == [["Copy 1", "Copy 2"]]


@pytest.mark.parametrize("kind", sorted(WRITERS))
def test_file_quality_knows_lossless_files(kind: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"clip.{kind}", music(0, 2, 44_100), 44_100, kind)
    found = file_quality(path, 2.0)
    assert found.lossless is kind.startswith(("wav", "flac", "aiff", "au", "caf", "wv"))
    assert found.bit_rate == pytest.approx(4 * path.stat().st_size, abs=1)


def test_quality_of_a_missing_file_is_unknown(tmp_path: Path) -> None:
    assert file_quality(tmp_path / "none.mp3", 3.0) == FileQuality(None, None)


@pytest.mark.parametrize(("start", "lossless"), [(b"OggS", True), (b"RIFF", False)])
def test_flac_in_ogg_is_lossless(start: bytes, lossless: bool, tmp_path: Path) -> None:
    path = tmp_path / "clip"
    path.write_bytes(start + bytes(25) + b"FLAC" + bytes(40))
    assert file_quality(path, 1.0).lossless is lossless
