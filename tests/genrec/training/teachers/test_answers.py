"""Answers of a tagger: their file, the targets of windows, and what may not train."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from genrec.errors import DataError
from genrec.training.teachers.answers import TeacherAnswers, load_answers, published_answers


def answers(layer: int = 2) -> TeacherAnswers:
    """Answers to two excerpts: three patches of ``a`` and one of ``b``."""
    return TeacherAnswers(
        teacher="a tagger",
        tags=["calm", "loud"],
        excerpts=np.array(["a", "a", "a", "b"]),
        start_s=np.array([0, 1, 2, 0], dtype=np.float32),
        patch_s=3.0,
        probabilities=np.array([[0, 1], [0.25, 0.5], [0.75, 0.5], [1, 0]], dtype=np.float16),
        layer=np.arange(4 * layer).reshape(4, layer).astype(np.float16),
    )


def test_window_has_the_mean_of_the_patches_with_their_middle_in_it() -> None:
    found = answers().window("a", 2.0, 4.0)  # middles at 1.5, 2.5 and 3.5 s
    assert found is not None
    assert found[0].tolist() == [0.5, 0.5]
    assert found[1].tolist() == [3, 4]


def test_window_without_a_middle_has_the_nearest_patch() -> None:
    found = answers().window("a", 8.0, 9.0)
    assert found is not None
    assert found[0].tolist() == [0.75, 0.5]
    assert answers().window("c", 0.0, 9.0) is None


def test_answers_are_the_same_after_writing_and_reading(tmp_path: Path) -> None:
    answers().save(tmp_path / "teacher.npz")
    stored = load_answers(tmp_path)
    assert (stored.teacher, stored.tags, stored.patch_s) == ("a tagger", ["calm", "loud"], 3.0)
    assert stored.rows == {"a": slice(0, 3), "b": slice(3, 4)}
    assert np.array_equal(stored.probabilities, answers().probabilities)
    assert np.array_equal(stored.layer, answers().layer)


def test_answers_to_held_out_excerpts_are_refused() -> None:
    with pytest.raises(DataError, match=r"answers to 1 excerpts .* such as b"):
        answers().refuse(["b", "c"], Path("x.npz"))
    answers().only(["a"]).refuse(["b", "c"], Path("x.npz"))


def test_means_of_excerpts_without_answers_are_nan() -> None:
    means = answers().excerpt_means(["b", "c"])
    assert means[0].tolist() == [1, 0]
    assert np.isnan(means[1]).all()


def test_damaged_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "teacher.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(DataError, match="genrec teacher-answers"):
        load_answers(tmp_path)


def test_file_with_other_numbers_of_rows_is_refused(tmp_path: Path) -> None:
    answers().save(tmp_path / "teacher.npz")
    with np.load(tmp_path / "teacher.npz") as stored:
        arrays = dict(stored)
    np.savez(tmp_path / "teacher.npz", **{**arrays, "start_s": arrays["start_s"][1:]})
    with pytest.raises(DataError, match="has 4 patches"):
        load_answers(tmp_path)


def test_published_answers_have_a_patch_a_second(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "p.npz",
        excerpt=np.array(["b", "a", "a"]),
        likelihood=np.array([[0.5], [0.25], [0.75]], dtype=np.float16),
        tags=np.array(["calm"]),
    )
    found = published_answers(tmp_path / "p.npz")
    assert found.excerpts.tolist() == ["a", "a", "b"]
    assert found.start_s.tolist() == [0, 1, 0]
    assert found.probabilities[:, 0].tolist() == [0.25, 0.75, 0.5]
    assert found.layer.shape == (3, 0)
