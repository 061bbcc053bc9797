"""Compare sizes of the embedding on validation tracks, or on the fold of a preset."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.audio.decode import decode
from genrec.errors import DataError, InputRefused
from genrec.listening import listen
from genrec.pipeline import PresetAnalyzer
from genrec.preset import Preset
from genrec.training.data.artist_folds import FOLD_SPLITS
from genrec.training.data.dataset import SPLITS, ExcerptTable, Parts, Progress, no_progress
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


def split_and_judged(preset: Preset, split: str | None) -> tuple[str, str]:
    """Return the split that a preset was trained on, and its part that judges sizes.

    Parameters
    ----------
    preset
        A preset.
    split
        The split, if the preset does not record it: it was a file.

    Returns
    -------
    The split, and ``valid``; of a fold ``test``, which is the fold

    Raises
    ------
    DataError
        The preset records another split, or none while ``split`` is None.
    """
    recorded = str(preset.metrics().get("split"))
    if recorded in SPLITS and split not in (None, recorded):
        raise DataError(f"{preset.name} was trained with --split {recorded}; drop --split {split}.")
    if recorded not in SPLITS and split is None:
        raise DataError(f"{preset.name} does not record its split; pass it as --split.")
    chosen = split or recorded
    return chosen, "test" if chosen in FOLD_SPLITS else "valid"


def projection_sizes(
    analyzer: PresetAnalyzer,
    data: ExcerptTable,
    parts: Parts,
    *,
    judged: str = "valid",
    albums: Path | None = None,
    sizes: Sequence[int] = SIZES,
    unlabelled: Sequence[Path] = (),
    progress: Progress = no_progress,
) -> list[dict[str, Any]]:
    """Return precision, albums and steadiness of embeddings of several sizes.

    The projection is fitted on the training tracks and on the shifts of every other training track
    with audio; the remaining ones measure steadiness.

    Parameters
    ----------
    analyzer
        The preset whose network makes the features.
    data, parts
        The data set and the split that the network was trained on.
    judged
        The part whose tracks are the queries, see :func:`split_and_judged`. The test part of
        another split than a fold is kept for the last evaluation.
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
    One row for each size: ``size``; ``precision_at_5_artist_filtered`` of judged tracks among
    training tracks; ``same_album``, None without albums; ``four_of_five``, the share of changed
    clips that keep four of the five nearest training tracks, and ``cosine``, their mean cosine with
    the unchanged clip; both None without audio
    """
    train = predict_all(analyzer, data, parts["train"])
    queries = predict_all(analyzer, data, parts[judged])
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
        embedded = [_embedded(each, centre, chosen) for each in (queries, train)]
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


def mean_over_folds(tables: Sequence[Sequence[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return the means of the rows of :func:`projection_sizes`, of the sizes that all tables have.

    A figure that a table lacks is None.
    """
    rows = []
    for same in zip(*tables, strict=False):
        row: dict[str, Any] = {"size": same[0]["size"]}
        for name in (each for each in same[0] if each != "size"):
            values = [each[name] for each in same]
            row[name] = None if None in values else float(np.mean(values))
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
