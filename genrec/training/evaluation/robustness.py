"""Robustness to what users send, measured on audio files from end to end.

genrec evaluate --preset models/vgg16 --data DIR --split all --robustness
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.audio.decode import decode
from genrec.errors import DataError, InputRefused
from genrec.names import artist_key, song_key
from genrec.pipeline import PresetAnalyzer
from genrec.preset import StarterCatalogue
from genrec.selection import Candidate, Checks, SelectionRules, select_neighbours
from genrec.training.data.dataset import ExcerptTable, Progress, no_progress
from genrec.training.evaluation.clip_changes import CHANGES, UNCHANGED
from genrec.types import Track

Float = NDArray[np.float32]
Ints = NDArray[np.int64]

K = 5


@dataclass(frozen=True, slots=True)
class QueryResult:
    """Predicted genre, embedding (d,) and indices of the five recommended tracks of a clip.

    A clip without music has the genre None and no tracks.
    """

    genre: str | None
    embedding: Float
    tracks: frozenset[int]


Results = Mapping[str, Sequence[QueryResult | None]]
"""By change, one result per clip; None for a refused clip."""


def with_audio(data: ExcerptTable, indices: Ints, per_genre: int | None = None) -> list[int]:
    """Return the indices of excerpts that have audio.

    Parameters
    ----------
    data, indices
        The data set and the excerpts to choose from.
    per_genre
        Only so many of each genre, the first by name; None for all.
    """
    found = [int(i) for i in indices if data.names[int(i)] in data.audio]
    if per_genre is None:
        return found
    seen: Counter[str] = Counter()
    chosen = []
    for i in sorted(found, key=lambda i: data.names[i]):
        seen[data.genres[i]] += 1
        if seen[data.genres[i]] <= per_genre:
            chosen.append(i)
    return chosen


def robustness(
    analyzer: PresetAnalyzer,
    data: ExcerptTable,
    indices: Sequence[int],
    progress: Progress = no_progress,
    changes: Sequence[str] = tuple(CHANGES),
) -> list[dict[str, Any]]:
    """Return a table of a preset's results on audio files, unchanged and after each change.

    Parameters
    ----------
    analyzer
        The preset. Tracks come from its starter catalogue by the selection rules, without the
        excerpt itself.
    data, indices
        The data set and excerpts of it that have audio, see :func:`with_audio`.
    progress
        Called with (done, total) after each changed clip.
    changes
        Keys of `CHANGES`, with those of their references.

    Returns
    -------
    One row per change; empty without excerpts. Each row has ``change``, ``clips``, ``accuracy``,
    ``refused``, the number of clips that cannot be analysed, and ``no_music``, the number of clips
    that hold no music by the preset's detector. The other figures compare a clip with the same
    clip after the change ``reference``. ``genre_kept`` is the share of clips with the same genre.
    ``four_of_five`` is the share of clips that keep four of five recommended tracks; it is null
    without a starter catalogue. A refused clip and one without music keep neither.
    ``cosine_median`` and ``cosine_min`` are cosines of the two embeddings; they are null if all
    clips are refused.

    Raises
    ------
    DataError
        The audio of an unchanged excerpt cannot be analysed.
    """
    if not len(indices):
        return []
    catalogue = analyzer.preset.starter()
    results: dict[str, list[QueryResult | None]] = {name: [] for name in changes}
    clips = changed_clips(analyzer, data, [data.names[i] for i in indices], changes)
    for done, (name, change, path) in enumerate(clips, start=1):
        results[change].append(_query(analyzer, path, catalogue, name, change))
        progress(done, len(indices) * len(changes))
    truth = [data.genres[i] for i in indices]
    return [_row(change, results, truth, ranked=catalogue is not None) for change in changes]


def changed_clips(
    analyzer: PresetAnalyzer, data: ExcerptTable, names: Iterable[str], changes: Iterable[str]
) -> Iterator[tuple[str, str, Path]]:
    """Write each excerpt's audio after each change to a temporary file, and yield its path.

    Parameters
    ----------
    analyzer
        Gives the sample rate and the limits of decoding.
    data, names
        The data set and the names of the excerpts. ExcerptTable without audio are skipped.
    changes
        Keys of `CHANGES`.

    Yields
    ------
    (excerpt's name, change, path), with all changes of an excerpt in a row; the next iteration
    overwrites the file
    """
    sr, changes = analyzer.preset.spectrogram.sr, tuple(changes)
    with tempfile.TemporaryDirectory(prefix="genrec-changed-") as folder:
        path = Path(folder) / "clip"
        for name in names:
            if name not in data.audio:
                continue
            y = decode(data.audio[name], sr=sr, limits=analyzer.limits).y
            for change in changes:
                CHANGES[change].write(path, y, sr)
                yield name, change, path


def _query(
    analyzer: PresetAnalyzer,
    path: Path,
    catalogue: StarterCatalogue | None,
    name: str,
    change: str,
) -> QueryResult | None:
    """Return the result of a changed clip; None if it is refused."""
    try:
        analysis = analyzer.analyze(path)
    except InputRefused as error:
        if change == UNCHANGED:
            raise DataError(f"The audio of {name} cannot be analysed: {error}") from error
        return None
    if analysis.music < analyzer.preset.calibration.music_below:
        return QueryResult(None, analysis.embedding, frozenset())
    floor = analyzer.preset.calibration.cosine_floor
    tracks = () if catalogue is None else _recommended(catalogue, analysis.embedding, name, floor)
    return QueryResult(analysis.scores[0].label, analysis.embedding, frozenset(tracks))


def _recommended(
    catalogue: StarterCatalogue, embedding: Float, name: str, floor: float
) -> list[int]:
    """Return the indices of the tracks recommended for an excerpt, without the excerpt itself."""
    cosines = catalogue.embeddings @ embedding
    candidates = (
        Candidate(
            Track(int(i), catalogue.titles[i], catalogue.artists[i], catalogue.genres[i], ""),
            float(cosines[i]),
            artist_key(catalogue.artists[i]),
            song_key(catalogue.titles[i]),
            catalogue.fingerprints[i],
            catalogue.embeddings[i],
        )
        for i in np.argsort(-cosines, kind="stable")
        if catalogue.names[i] != name
    )
    rules = SelectionRules(count=K, floor=floor)
    # The starter catalogue has no two tracks of the same recording.
    checks = Checks(same_recording=lambda one, others: False)
    return [each.track.id for each in select_neighbours(candidates, rules, checks).chosen]


def _row(change: str, results: Results, truth: Sequence[str], *, ranked: bool) -> dict[str, Any]:
    """Return the row of one change; ``ranked`` says whether there are nearest tracks."""
    found, reference = results[change], CHANGES[change].reference
    pairs = [(a, b) for a, b in zip(found, results[reference], strict=True) if a is not None and b]
    cosines = [float(a.embedding @ b.embedding) for a, b in pairs]
    kept = sum(len(a.tracks & b.tracks) >= K - 1 for a, b in pairs)
    right = [a is not None and a.genre == t for a, t in zip(found, truth, strict=True)]
    return {
        "change": change,
        "reference": reference,
        "clips": len(found),
        "refused": sum(a is None for a in found),
        "no_music": sum(a is not None and a.genre is None for a in found),
        "accuracy": float(np.mean(right)),
        "genre_kept": sum(a.genre is not None and a.genre == b.genre for a, b in pairs)
        / len(found),
        "cosine_median": float(np.median(cosines)) if cosines else None,
        "cosine_min": float(np.min(cosines)) if cosines else None,
        "four_of_five": kept / len(found) if ranked else None,
    }
