"""Starter catalogue of a preset: training and validation tracks of known artist and title."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genrec.fingerprint import (
    NO_FINGERPRINT,
    SAME_SPEED,
    Fingerprint,
    RecordingMatcher,
    fingerprint,
)
from genrec.pipeline import PresetAnalyzer
from genrec.preset import StarterCatalogue
from genrec.training.data.dataset import Dataset, ExcerptTable
from genrec.training.evaluation.predict import Predictions

Float = NDArray[np.float32]


def starter_catalogue(
    analyzer: PresetAnalyzer, data: ExcerptTable, *predictions: Predictions
) -> StarterCatalogue | None:
    """Return the starter catalogue: tracks with artist and title, each recording once.

    None if no track has both. Recordings are compared only within one artist. Pictures have no
    fingerprints, and their names stand for unknown titles: a data set of pictures has seldom more.
    """
    if isinstance(data, Dataset):
        chosen = _each_recording_once(analyzer, data, predictions)
    else:
        indices = (int(i) for part in predictions for i in part.indices)
        chosen = dict.fromkeys(indices, NO_FINGERPRINT)
    if not chosen:
        return None
    features = {
        int(index): row
        for part in predictions
        for index, row in zip(part.indices, part.features, strict=True)
    }
    return StarterCatalogue(
        names=[data.names[i] for i in chosen],
        titles=[data.titles[i] or data.names[i] for i in chosen],
        artists=[data.artists[i] for i in chosen],
        genres=[data.genres[i] for i in chosen],
        embeddings=np.stack([analyzer.embedding(features[i]) for i in chosen]),
        fingerprints=pad_and_stack(list(chosen.values())),
    )


def _each_recording_once(
    analyzer: PresetAnalyzer, data: Dataset, predictions: Sequence[Predictions]
) -> dict[int, Fingerprint]:
    """Return the fingerprints of tracks with artist and title by index, each recording once."""
    matcher = RecordingMatcher(analyzer.preset.spectrogram)
    chosen: dict[int, Fingerprint] = {}
    for index in (int(i) for part in predictions for i in part.indices):
        if not (data.artists[index] and data.titles[index]):
            continue
        candidate = fingerprint(data.spectrogram(index))
        same_artist = (
            other for i, other in chosen.items() if data.artist_keys[i] == data.artist_keys[index]
        )
        if not any(matcher.same(candidate, other, SAME_SPEED) for other in same_artist):
            chosen[index] = candidate
    return chosen


def pad_and_stack(fingerprints: Sequence[NDArray[np.int8]]) -> NDArray[np.int8]:
    """Return fingerprints (bands, any) as int8 (n, bands, longest), padded with zeros.

    A column of zeros adds nothing to the correlation of two fingerprints.
    """
    longest = max(each.shape[1] for each in fingerprints)
    return np.stack([np.pad(e, ((0, 0), (0, longest - e.shape[1]))) for e in fingerprints])
