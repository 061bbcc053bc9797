"""The starter catalogue of a preset: the training tracks whose artist and title are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genrec.fingerprint import COLUMNS_EACH, fingerprint, same_recording
from genrec.pipeline import PresetAnalyzer
from genrec.preset import StarterCatalogue
from genrec.training.data.dataset import Dataset
from genrec.training.evaluation.predict import Predictions

Float = NDArray[np.float32]


def starter(
    analyzer: PresetAnalyzer, data: Dataset, *heard: Predictions
) -> StarterCatalogue | None:
    """Return the tracks with known artist and title as a catalogue, each recording once.

    Where no track has both, there is no catalogue.
    """
    column_s = analyzer.preset.spectrogram.column_s * COLUMNS_EACH
    kept: dict[int, NDArray[np.int8]] = {}
    embeddings: list[Float] = []
    for found in heard:
        for index, features in zip(found.indices.tolist(), found.features, strict=True):
            if not (data.artists[index] and data.titles[index]):
                continue
            mine = fingerprint(data.spectrogram(index))
            artist = data.artist_keys[index]
            twins = (other for k, other in kept.items() if data.artist_keys[k] == artist)
            if not any(same_recording(mine, other, column_s=column_s) for other in twins):
                kept[index] = mine
                embeddings.append(analyzer.embedding(features))
    if not kept:
        return None
    return StarterCatalogue(
        names=[data.names[i] for i in kept],
        titles=[data.titles[i] for i in kept],
        artists=[data.artists[i] for i in kept],
        genres=[data.genres[i] for i in kept],
        embeddings=np.stack(embeddings),
        fingerprints=padded(list(kept.values())),
    )


def padded(fingerprints: Sequence[NDArray[np.int8]]) -> NDArray[np.int8]:
    """Stack fingerprints (bands, any), zeros after the shorter: they match nothing."""
    longest = max(each.shape[1] for each in fingerprints)
    return np.stack([np.pad(e, ((0, 0), (0, longest - e.shape[1]))) for e in fingerprints])
