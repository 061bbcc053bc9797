"""Mutated audio files: each one is analysed or refused, and no worker dies."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

from genrec.errors import GenrecError, InputRefused
from genrec.workers.pool import AnalysisPool
from tests.attacks.conftest import Budget
from tests.attacks.mutate import mutated
from tests.hostile_files import id3, video
from tests.repository import ROOT
from tests.synth import WRITERS, music

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
