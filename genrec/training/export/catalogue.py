"""Starter catalogue of a preset: training and validation tracks of known artist and title."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genrec.fingerprint import SAME_SPEED, RecordingMatcher, fingerprint
from genrec.pipeline import PresetAnalyzer
from genrec.preset import StarterCatalogue
from genrec.training.data.dataset import Dataset
from genrec.training.evaluation.predict import Predictions

Float = NDArray[np.float32]


def starter_catalogue(
    analyzer: PresetAnalyzer, data: Dataset, *predictions: Predictions
) -> StarterCatalogue | None:
    """Return the starter catalogue: tracks with artist and title, each recording once.

    None if no track has both. Recordings are compared only within one artist.
    """
    matcher = RecordingMatcher(analyzer.preset.spectrogram)
    fingerprints: dict[int, NDArray[np.int8]] = {}
    embeddings: list[Float] = []
    for part in predictions:
        for index, features in zip(part.indices.tolist(), part.features, strict=True):
            if not (data.artists[index] and data.titles[index]):
                continue
            candidate = fingerprint(data.spectrogram(index))
            same_artist = (
                other
                for i, other in fingerprints.items()
                if data.artist_keys[i] == data.artist_keys[index]
            )
            if not any(matcher.same(candidate, other, SAME_SPEED) for other in same_artist):
                fingerprints[index] = candidate
                embeddings.append(analyzer.embedding(features))
    if not fingerprints:
        return None
    return StarterCatalogue(
        names=[data.names[i] for i in fingerprints],
        titles=[data.titles[i] for i in fingerprints],
        artists=[data.artists[i] for i in fingerprints],
        genres=[data.genres[i] for i in fingerprints],
        embeddings=np.stack(embeddings),
        fingerprints=pad_and_stack(list(fingerprints.values())),
    )


def pad_and_stack(fingerprints: Sequence[NDArray[np.int8]]) -> NDArray[np.int8]:
    """Return fingerprints (bands, any) as int8 (n, bands, longest), padded with zeros.

    A column of zeros adds nothing to the correlation of two fingerprints.
    """
    longest = max(each.shape[1] for each in fingerprints)
    return np.stack([np.pad(e, ((0, 0), (0, longest - e.shape[1]))) for e in fingerprints])
