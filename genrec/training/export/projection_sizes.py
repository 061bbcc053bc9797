"""Compare sizes of the embedding, on training and validation tracks alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.audio.decode import decode
from genrec.errors import InputRefused
from genrec.listening import listen
from genrec.pipeline import PresetAnalyzer
from genrec.training.data.dataset import ExcerptTable, Parts, Progress, no_progress
from genrec.training.evaluation.albums import album_files, same_album
from genrec.training.evaluation.evaluate import EmbeddedPredictions, neighbours
from genrec.training.evaluation.metrics import unit
from genrec.training.evaluation.predict import Predictions, predict_all
from genrec.training.export.projection import degraded_features, projection, shifts_of
from genrec.training.export.teacher_reading import hear_sections, join_reading

Float = NDArray[np.float32]
Ints = NDArray[np.int64]

SIZES = (32, 48, 64, 96, 128, 192, 256)
K = 5


def projection_sizes(
    analyzer: PresetAnalyzer,
    data: ExcerptTable,
    parts: Parts,
    *,
    albums: Path | None = None,
    sizes: Sequence[int] = SIZES,
    unlabelled: Sequence[Path] = (),
    progress: Progress = no_progress,
) -> list[dict[str, Any]]:
    """Return precision, albums and steadiness of embeddings of several sizes.

    The projection is fitted on the training tracks and on the shifts of every other training track
    with audio; the remaining ones measure steadiness. The test part is not used.

    Parameters
    ----------
    analyzer
        The preset whose network makes the features.
    data, parts
        The data set and the split that the network was trained on.
    albums
        A folder of albums, see :func:`genrec.training.evaluation.albums.albums`. Pass other albums
        than those that judge the preset in the end.
    sizes
        Numbers of axes.
    unlabelled
        Archives of music whose teacher's answers the embedding also reads, see
        `genrec.training.export.teacher_reading`.
    progress
        Called with (done, total) after each file of the albums.

    Returns
    -------
    One row for each size: ``size``; ``precision_at_5_artist_filtered`` of validation tracks among
    training tracks; ``same_album``, None without albums; ``four_of_five``, the share of changed
    clips that keep four of the five nearest training tracks, and ``cosine``, their mean cosine with
    the unchanged clip; both None without audio
    """
    train = predict_all(analyzer, data, parts["train"])
    valid = predict_all(analyzer, data, parts["valid"])
    degraded = degraded_features(analyzer, data, parts["train"])
    heard = np.array([i for i in parts["train"] if data.names[i] in data.audio], dtype=np.int64)
    centre = train.features.mean(axis=0)
    genres = np.array(data.genres)[train.indices].tolist()
    shifts = shifts_of(degraded[0::2])
    axes = projection(train.features, genres, shifts, max(sizes))
    sections = hear_sections(analyzer, unlabelled) if unlabelled else None
    names, features = _album_features(analyzer, albums, progress) if albums else ([], None)
    rows = []
    for size in (each for each in sizes if each <= axes.shape[1]):
        chosen = axes[:, :size]
        if sections is not None:
            chosen = join_reading(chosen, centre, train.features, shifts, sections)
        embedded = [_embedded(each, centre, chosen) for each in (valid, train)]
        row: dict[str, Any] = {
            "size": size,
            "precision_at_5_artist_filtered": neighbours(data, *embedded)[
                "precision_at_5_artist_filtered"
            ],
            "same_album": None,
            "four_of_five": None,
            "cosine": None,
        }
        if features is not None:
            projected = np.asarray((features - centre) @ chosen, dtype=np.float32)
            row["same_album"] = same_album(unit(projected), names)[0]
        if len(heard) > 1:
            itself = np.searchsorted(train.indices, heard[1::2])
            row |= _steadiness((degraded[1::2] - centre) @ chosen, embedded[1].embeddings, itself)
        rows.append(row)
    return rows


def _embedded(predictions: Predictions, centre: Float, axes: Float) -> EmbeddedPredictions:
    return EmbeddedPredictions(
        predictions.indices,
        predictions.features,
        predictions.logits,
        unit(np.asarray((predictions.features - centre) @ axes, dtype=np.float32)),
    )


def _steadiness(projected: Float, tracks: Float, itself: Ints) -> dict[str, float]:
    """Return how steady embeddings (clips, 1 + changes, d) are, whose own tracks are ``itself``."""
    kept, cosines = [], []
    for clip, own in zip(projected, itself, strict=True):
        x = unit(clip)
        scores = x @ tracks.T
        scores[:, own] = -np.inf
        near = np.argsort(-scores, axis=1, kind="stable")[:, :K]
        kept += [len(set(near[0]) & set(changed)) >= K - 1 for changed in near[1:]]
        cosines += (x[1:] @ x[0]).tolist()
    return {"four_of_five": float(np.mean(kept)), "cosine": float(np.mean(cosines))}


def _album_features(
    analyzer: PresetAnalyzer, folder: Path, progress: Progress
) -> tuple[list[str], Float]:
    sr = analyzer.preset.spectrogram.sr
    names, rows = [], []
    files = album_files(folder)
    for done, (album, path) in enumerate(files, start=1):
        try:
            y = listen(decode(path, sr=sr, limits=analyzer.limits).y, sr).y
        except InputRefused:
            continue
        rows.append(analyzer.predict(y).features)
        names.append(album)
        progress(done, len(files))
    return names, np.array(rows, dtype=np.float32)
