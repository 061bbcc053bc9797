"""Agreement of a preset's sound tags with its teacher on excerpts that neither was fitted on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.errors import DataError
from genrec.pipeline import PresetAnalyzer
from genrec.training.data.dataset import ExcerptTable, Progress, no_progress
from genrec.training.evaluation.predict import predict_all
from genrec.training.teachers.answers import TeacherAnswers
from genrec.training.teachers.shown_tags import candidates

Ints = NDArray[np.int64]


def tag_agreement(
    analyzer: PresetAnalyzer,
    data: ExcerptTable,
    indices: Ints,
    answers: TeacherAnswers,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Return how well the shown tags of excerpts agree with a teacher's answers.

    Parameters
    ----------
    analyzer
        A preset with sound tags.
    data, indices
        The data set and the judged excerpts; those without answers are left out.
    answers
        The teacher's answers.
    progress
        Called with (done, total) after each excerpt.

    Returns
    -------
    ``tracks``; ``correlation``, the mean over the tags; ``precision``, the share of all given tags
    that are right, None if none is given; ``tags_per_track``; and ``tags``, a row each with
    ``tag``, ``correlation`` of the read answers with the teacher's means, ``given``, the number of
    excerpts that have it, and ``right``, how many of them the teacher gives it. Correlations of
    constant answers are None.

    Raises
    ------
    DataError
        The preset has no tags, metrics.json has not their figures, or fewer than two excerpts have
        answers.
    """
    reading = analyzer.preset.tags
    fitted = analyzer.preset.metrics().get("tags")
    if reading is None or fitted is None:
        raise DataError(
            f"The preset {analyzer.preset.name} has no sound tags; fit them with"
            " `genrec fit-tags`, or leave out --answers."
        )
    means = answers.excerpt_means([data.names[i] for i in indices])
    answered = ~np.isnan(means).any(axis=1)
    if answered.sum() < 2:
        raise DataError(
            f"The teacher answered for {answered.sum()} of the {len(indices)} judged excerpts, and"
            " a correlation needs two; write the file with `genrec published-answers --part test`."
        )
    names, targets = candidates(answers.tags, means[answered].astype(np.float64))
    if missing := sorted(set(reading.shown) - set(names)):
        raise DataError(f"The answers have no tag {missing[0]!r}, which the preset shows.")
    features = predict_all(analyzer, data, indices[answered], progress).features
    embeddings = np.array([analyzer.embedding(each) for each in features])
    read, has = reading.answers(embeddings), reading.probabilities(embeddings) >= reading.thresholds
    least = {row["tag"]: row["least_answer"] for row in fitted["folds"]}
    rows: list[dict[str, Any]] = []
    for i, tag in enumerate(reading.shown):
        truth = targets[:, names.index(tag)]
        varied = np.ptp(truth) > 0 and np.ptp(read[:, i]) > 0
        rows.append(
            {
                "tag": tag,
                "correlation": float(np.corrcoef(read[:, i], truth)[0, 1]) if varied else None,
                "given": int(has[:, i].sum()),
                "right": int((has[:, i] & (truth >= least[tag])).sum()),
            }
        )
    given = sum(row["given"] for row in rows)
    known = [row["correlation"] for row in rows if row["correlation"] is not None]
    return {
        "tracks": len(embeddings),
        "correlation": float(np.mean(known)) if known else None,
        "precision": sum(row["right"] for row in rows) / given if given else None,
        "tags_per_track": given / len(embeddings),
        "tags": rows,
    }
