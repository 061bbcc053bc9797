"""The naive way to answer a clip, on the same file in the same run: what genrec's own way saves."""

from __future__ import annotations

import sqlite3
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import keras
import librosa
import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

from genrec.pipeline import Analyzer
from genrec.similarity import NeighbourIndex

Float = NDArray[np.float32]
Answer = Callable[[Path], NDArray[np.int64]]
TRACKS = 1_000
SIDE = 224


def _naive(database: Path, size: int, timed: bool) -> Answer:
    """Return the paper's way: librosa, Keras' ``predict``, all embeddings read each time."""
    network = keras.applications.VGG16(
        include_top=False, weights=None, input_shape=(size, size, 3), pooling="avg"
    )
    with sqlite3.connect(database) as db:
        db.execute("CREATE TABLE track (id INTEGER PRIMARY KEY, vector BLOB)")
        rows = np.random.default_rng(1).normal(size=(TRACKS if timed else 20, 512)).astype("<f4")
        db.executemany("INSERT INTO track (vector) VALUES (?)", [(row.tobytes(),) for row in rows])

    def answer(path: Path) -> NDArray[np.int64]:
        with warnings.catch_warnings():  # librosa warns of each file that it hands on to audioread
            warnings.simplefilter("ignore")
            y, sr = librosa.load(path)
        S_db = librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=sr), ref=np.max)
        at = np.linspace(0, S_db.shape[1] - 1, size).astype(int)
        bands = np.linspace(0, S_db.shape[0] - 1, size).astype(int)
        image = np.repeat((S_db[np.ix_(bands, at)] / 80 + 1)[..., None], 3, axis=-1)
        features = network.predict(image[None], verbose=0)[0]
        with sqlite3.connect(database) as db:
            kept = db.execute("SELECT id, vector FROM track").fetchall()
        matrix = np.stack([np.frombuffer(blob, "<f4") for _, blob in kept])
        lengths = np.linalg.norm(matrix, axis=1) * np.linalg.norm(features)
        return np.argsort(-(matrix @ features) / np.maximum(lengths, 1e-12))[:5]

    return answer


def _ours(analyzer: Analyzer, timed: bool) -> Answer:
    """Return what a warm worker and the index do for one question."""
    rng = np.random.default_rng(1)
    matrix = rng.normal(size=(TRACKS if timed else 20, analyzer.preset.dimension))
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    index = NeighbourIndex(np.arange(len(matrix)), matrix.astype(np.float32))
    return lambda path: index.search(analyzer.analyze(path).embedding, 5)[0]


@pytest.mark.benchmark(group="9 peers")
def test_beside_the_naive_way(
    benchmark: BenchmarkFixture,
    clips: dict[str, Path],
    analyzer: Analyzer,
    tmp_path: Path,
    timed: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Both answer the same MP3 in turn; the ratio of their medians is printed."""
    naive = _naive(tmp_path / "naive.db", SIDE if timed else 32, timed)
    ours = _ours(analyzer, timed)
    assert len(naive(clips["mp3"])) == len(ours(clips["mp3"])) == 5  # and both are warm
    rounds = 10 if timed else 1
    taken: dict[str, list[float]] = {"naive": [], "ours": []}

    def both() -> None:
        for name, way in (("naive", naive), ("ours", ours)):
            start = time.perf_counter()
            way(clips["mp3"])
            taken[name].append(time.perf_counter() - start)

    benchmark.pedantic(both, rounds=rounds)
    figures = {f"{name}_s": float(np.median(each)) for name, each in taken.items()}
    benchmark.extra_info |= figures | {"ratio": figures["naive_s"] / figures["ours_s"]}
    assert len(taken["ours"]) == len(taken["naive"]) == rounds
    naive_ms, ours_ms = 1000 * figures["naive_s"], 1000 * figures["ours_s"]
    with capsys.disabled():
        sys.stdout.write(
            f"\none MP3: the naive way {naive_ms:.0f} ms, genrec {ours_ms:.0f} ms,"
            f" ratio {naive_ms / ours_ms:.1f}\n"
        )
