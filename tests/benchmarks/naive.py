"""The naive baseline: the paper's steps with librosa, Keras and SQLite, in a process of its own.

python -m tests.benchmarks.naive DATABASE SIDE  reads a path a line, writes the seconds it took.
"""

from __future__ import annotations

import sqlite3
import sys
import warnings
from contextlib import closing
from pathlib import Path

import keras
import librosa
import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.peer import answer_clips


def main() -> None:
    """Answer the clips on standard input."""
    database, side = Path(sys.argv[1]), int(sys.argv[2])
    network = keras.applications.VGG16(
        include_top=False, weights=None, input_shape=(side, side, 3), pooling="avg"
    )

    def answer(path: Path) -> None:
        assert len(neighbours(path, network, database, side)) == 5

    answer_clips(answer)


def neighbours(path: Path, network: keras.Model, database: Path, side: int) -> NDArray[np.int64]:
    """Return the five nearest rows: Keras' ``predict``, then all embeddings read from SQLite."""
    with warnings.catch_warnings():  # librosa warns of each file that it hands on to audioread
        warnings.simplefilter("ignore")
        y, sr = librosa.load(path)
    S_db = librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=sr), ref=np.max)
    columns = np.linspace(0, S_db.shape[1] - 1, side).astype(int)
    bands = np.linspace(0, S_db.shape[0] - 1, side).astype(int)
    image = np.repeat((S_db[np.ix_(bands, columns)] / 80 + 1)[..., None], 3, axis=-1)
    features = network.predict(image[None], verbose=0)[0]
    with closing(sqlite3.connect(database)) as db:
        rows = db.execute("SELECT id, vector FROM track").fetchall()
    matrix = np.stack([np.frombuffer(blob, "<f4") for _, blob in rows])
    lengths = np.linalg.norm(matrix, axis=1) * np.linalg.norm(features)
    return np.argsort(-(matrix @ features) / np.maximum(lengths, 1e-12))[:5]


if __name__ == "__main__":
    main()
