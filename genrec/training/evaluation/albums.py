"""Judge an embedding on music without genres: neighbours of a track's own album."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.audio.kinds import SOUND_SUFFIXES
from genrec.errors import DataError, InputRefused
from genrec.pipeline import PresetAnalyzer
from genrec.training.data.dataset import Dataset, Progress, no_progress
from genrec.training.evaluation.metrics import unit
from genrec.training.teachers.answers import TeacherAnswers
from genrec.training.unlabelled import standardiser

Float = NDArray[np.float32]

K = 5
MIN_BYTES = 350_000  # smaller files are effects and jingles
MIN_SECONDS = 30.0


def albums(
    analyzer: PresetAnalyzer, folder: Path, progress: Progress = no_progress
) -> dict[str, Any]:
    """Return how many of a track's five nearest come from its own album.

    The tracks of one album share composer, players and recording. Their genre is not needed, so
    any music that the network was not trained on can judge it (Pampalk 2006 compares by artist
    and album in this way).

    Parameters
    ----------
    analyzer
        The preset. It analyses the middle 30 s of each file.
    folder
        A folder with a folder for each album; sound files lie in it at any depth. Files below
        350 kB or 30 s are left out, as effects and jingles.
    progress
        Called with (done, total) after each file.

    Returns
    -------
    ``albums``, ``tracks``, ``refused`` (files that cannot be analysed), ``same_album``, the share
    0..1, and ``chance``, the same share among random neighbours

    Raises
    ------
    DataError
        The folder has fewer than two albums with a file that can be analysed.
    """
    files = album_files(folder)
    found: list[tuple[str, Float]] = []
    refused = 0
    for done, (album, path) in enumerate(files, start=1):
        try:
            analysis = analyzer.analyze(path)
        except InputRefused:
            refused += 1
        else:
            if analysis.duration_s >= MIN_SECONDS:
                found.append((album, analysis.embedding))
        progress(done, len(files))
    names = [album for album, _ in found]
    if len(set(names)) < 2:
        raise DataError(
            f"{folder} has {len(set(names))} albums with files of {MIN_SECONDS:.0f} s and"
            f" {MIN_BYTES // 1000} kB; this needs a folder with two or more folders of music."
        )
    share, chance = same_album(np.stack([embedding for _, embedding in found]), names)
    return {
        "albums": len(set(names)),
        "tracks": len(names),
        "refused": refused,
        "same_album": share,
        "chance": chance,
    }


def teacher_albums(answers: TeacherAnswers, archive: Dataset) -> dict[str, float] | None:
    """Return how many of a song's five nearest come from its package, by a tagger's answers.

    Parameters
    ----------
    answers, archive
        The answers to an archive, whose genres are packages. The song's mean answers are compared:
        the hidden layer and the tags, standardised.

    Returns
    -------
    The shares ``layer`` and ``tags``, 0..1, and ``chance``; None with fewer than two packages. A
    tagger without hidden layer has no ``layer``.
    """
    package = dict(zip(archive.names, archive.genres, strict=True))
    names = [name for name in answers.rows if name in package]
    packages = [package[name] for name in names]
    if len(set(packages)) < 2:
        return None
    kinds = {
        "layer": (answers.layer, answers.layer_means(names)),
        "tags": (answers.probabilities, answers.excerpt_means(names)),
    }
    shares = {}
    for kind, (patches, means) in kinds.items():
        if patches.shape[1]:
            embeddings = unit(standardiser([patches])(means))
            shares[kind], shares["chance"] = same_album(embeddings, packages)
    return shares


def album_files(folder: Path) -> list[tuple[str, Path]]:
    """Return the album and path of each large sound file below a folder, sorted by path."""
    return [
        (path.relative_to(folder).parts[0], path)
        for path in sorted(folder.glob("*/**/*"))
        if path.suffix.lower() in SOUND_SUFFIXES and path.stat().st_size >= MIN_BYTES
    ]


def same_album(embeddings: Float, names: list[str]) -> tuple[float, float]:
    """Return the share of each track's five nearest that are of its album, and that by chance.

    Parameters
    ----------
    embeddings
        float32 (n, d), rows of length 1.
    names
        The album of each track.
    """
    cosines = embeddings @ embeddings.T
    np.fill_diagonal(cosines, -np.inf)
    nearest = np.argsort(-cosines, axis=1, kind="stable")[:, : min(K, len(names) - 1)]
    album = np.array(names)
    sizes = Counter(names)
    chance = np.mean([(sizes[name] - 1) / (len(names) - 1) for name in names])
    return float((album[nearest] == album[:, np.newaxis]).mean()), float(chance)
