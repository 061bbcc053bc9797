"""Mutated audio files: each one is analysed or refused, and no worker dies."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import numpy as np

from genrec.errors import GenrecError, InputRefused
from genrec.workers.pool import AnalysisPool
from tests.attacks.conftest import Budget
from tests.attacks.mutate import mutated
from tests.genrec.audio.mp3_files import free_format, mp3, picture, tagged
from tests.hostile_files import id3, video
from tests.repository import ROOT
from tests.synth import WRITERS, music, silence

SR = 22050


def corpus(folder: Path) -> dict[str, bytes]:
    """Return small files of every format, by name; nothing is downloaded or stored."""
    y = music(3, 2.0, SR)
    files = {"video": video(), "mp3-id3": b""}
    for kind, write in WRITERS.items():
        path = folder / kind
        write(path, y, SR)
        files[kind] = path.read_bytes()
    files["mp3-id3"] = id3(3000) + files["mp3"]
    files["mp3-wrong-id3"] = tagged(picture(3000), 0, files["mp3"])
    files["mp3-joined"] = files["mp3"] + mp3(y, 44100)
    files["mp3-free-format"] = free_format(mp3(y, SR))
    files["ogg-chained"] = files["ogg"] + files["opus"]
    # Longer than the decoded part, so that it is sketched first.
    long = np.tile(np.concatenate([y, silence(8, SR)]), 4)[::2]
    for kind in ("mp3", "ogg", "flac", "m4a", "webm", "wma"):
        WRITERS[kind](path := folder / f"{kind}-long", long, SR // 2)
        files[f"{kind}-long"] = path.read_bytes()
    return files


async def test_mutated_files_are_analysed_or_refused(
    tmp_path: Path, budget: Budget, rng: random.Random
) -> None:
    files, outcomes = corpus(tmp_path), Counter[str]()
    path = tmp_path / "clip"
    async with AnalysisPool(ROOT / "models" / "resnet50", workers=1, timeout_s=20) as pool:
        for number in budget.rounds():
            kind, other = rng.choice(sorted(files)), rng.choice(sorted(files))
            names, data = mutated(rng, files[kind], files[other])
            path.write_bytes(data)
            try:
                analysis = await pool.analyze(path)
            except InputRefused as error:
                outcomes[error.code] += 1
            except GenrecError as error:
                kept = tmp_path / f"crash-{number}"
                kept.write_bytes(data)
                raise AssertionError(f"{kind} {names}: {error}; the file is {kept}") from error
            else:
                outcomes["analysed"] += 1
                assert abs(sum(score.probability for score in analysis.scores) - 1) < 1e-3
        stats = pool.stats
    print(f"{budget.count} files: {dict(outcomes)}")  # noqa: T201 - the result of an attack
    assert sum(outcomes.values()) == budget.count
    assert (stats.crashed, stats.timeouts) == (0, 0)
