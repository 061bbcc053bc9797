"""Sound tags: which are sure, what a filter by tag lets through, and damaged files of a preset."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from genrec.errors import ModelMismatch, PresetError, TagUnknown
from genrec.preset import ARRAYS, TAGS, Preset, save_tags
from genrec.sound_tags import MOST_TAGS, TagReading, tag_limits
from tests.repository import ROOT

D = 8
NAMES = ("mellow", "acoustic", "electronic", "dance", "happy", "sad")


def reading(**changes: object) -> TagReading:
    rng = np.random.default_rng(3)
    given = {
        "shown": NAMES,
        "weights": rng.normal(0, 4, (D, len(NAMES))).astype(np.float32),
        "bias": rng.normal(0, 1, len(NAMES)).astype(np.float32),
        "slopes": np.linspace(0.8, 1.4, len(NAMES)).astype(np.float32),
        "offsets": np.linspace(-0.5, 1.5, len(NAMES)).astype(np.float32),
        "thresholds": np.linspace(0.2, 0.7, len(NAMES)).astype(np.float32),
    }
    return TagReading(**(given | changes))  # type: ignore[arg-type]


def unit_rows(count: int, dimension: int = D) -> np.ndarray:
    rows = np.random.default_rng(4).standard_normal((count, dimension)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_answers_and_probabilities_are_logistic() -> None:
    bias = np.array([0, 0, 0, 0, 0, 1], dtype=np.float32)
    slopes = np.array([1, 1, 1, 1, 1, 3], dtype=np.float32)
    read = reading(bias=bias, slopes=slopes, offsets=np.full(6, -2, dtype=np.float32))
    zero = np.zeros((1, D), dtype=np.float32)
    np.testing.assert_allclose(read.answers(zero), [[0.5] * 5 + [0.731059]], atol=1e-5)
    found = read.probabilities(zero)
    np.testing.assert_allclose(found, [[0.119203] * 5 + [0.731059]], atol=1e-5)
    assert found.dtype == np.float32


def test_far_log_odds_are_probabilities_without_a_warning() -> None:
    far = reading(weights=np.full((D, len(NAMES)), 1e6, dtype=np.float32))
    found = far.probabilities(np.array([[1.0] * D, [-1.0] * D], dtype=np.float32))
    assert (found[0] > 0.99).all()
    assert (found[1] < 0.01).all()


def test_sure_tags_reach_their_thresholds_most_probable_first() -> None:
    read = reading()
    for row in unit_rows(50):
        probability = dict(zip(NAMES, read.probabilities(row[np.newaxis])[0], strict=True))
        least = dict(zip(NAMES, read.thresholds, strict=True))
        found = read.sure(row)
        assert [*found] == sorted(found, key=lambda name: -probability[name])
        reached = {name for name in NAMES if probability[name] >= least[name]}
        assert {*found} <= reached
        assert len(found) == min(len(reached), MOST_TAGS)


def test_most_probable_tags_are_kept_of_many() -> None:
    bias = np.array([3, 1, 5, 4, 2, 6], dtype=np.float32)
    same = np.ones(6, dtype=np.float32)
    tiny = np.full((D, 6), 1e-9, dtype=np.float32)
    read = reading(weights=tiny, bias=bias, slopes=same, offsets=0 * same)
    assert read.sure(unit_rows(1)[0]) == ("sad", "electronic", "dance", "mellow")


@pytest.mark.parametrize("names", [("mellow",), ("sad", "mellow"), NAMES], ids=len)
def test_limits_let_through_what_reaches_every_threshold(names: tuple[str, ...]) -> None:
    read, rows = reading(), unit_rows(500)
    places = [NAMES.index(name) for name in names]
    wanted = (read.probabilities(rows) >= read.thresholds)[:, places].all(axis=1)
    assert 0 < wanted.sum() < 500
    assert (read.limits(names).mask(rows) == wanted).all()


def test_unknown_tag_is_refused_with_the_tags_there_are() -> None:
    with pytest.raises(TagUnknown, match=r"no tag 'angry'\. The tags are acoustic, dance"):
        reading().limits(("mellow", "angry"))


def test_tag_of_a_preset_without_tags_is_refused() -> None:
    assert tag_limits(None, ()) is None
    with pytest.raises(TagUnknown, match="no sound tags"):
        tag_limits(None, ("mellow",))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"shown": NAMES[:5]}, "weights"),
        ({"shown": ("a",) * 6}, "shown"),
        ({"shown": (*NAMES[:5], " ")}, "shown"),
        ({"bias": np.zeros(5, dtype=np.float32)}, "bias"),
        ({"bias": np.full(6, np.nan, dtype=np.float32)}, "bias"),
        ({"weights": np.zeros(6, dtype=np.float32)}, "weights"),
        ({"slopes": np.zeros(6, dtype=np.float32)}, "slopes"),
        ({"offsets": np.zeros((6, 1), dtype=np.float32)}, "offsets"),
        ({"thresholds": np.zeros(6, dtype=np.float32)}, "thresholds"),
        ({"thresholds": np.ones(6, dtype=np.float32)}, "thresholds"),
    ],
    ids=["names", "repeated", "blank", "bias", "nan", "axes", "slope", "offset", "zero", "one"],
)
def test_wrong_array_is_named(change: dict[str, object], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        reading(**change)


@pytest.fixture
def preset(tmp_path: Path) -> Preset:
    shutil.copytree(ROOT / "models" / "resnet50", tmp_path / "resnet50")
    (tmp_path / "resnet50" / TAGS).unlink(missing_ok=True)
    return Preset.load(tmp_path / "resnet50")


def of_preset(preset: Preset) -> TagReading:
    weights = np.random.default_rng(5).normal(0, 1, (preset.dimension, 6))
    return reading(weights=weights.astype(np.float32))


def test_saved_tags_are_loaded_and_the_model_id_stays(preset: Preset) -> None:
    assert preset.tags is None
    read = of_preset(preset)
    saved = save_tags(preset, read)
    assert saved.model_id == preset.model_id
    assert saved.tags is not None
    assert saved.tags.shown == NAMES
    for name in ("weights", "bias", "slopes", "offsets", "thresholds"):
        np.testing.assert_array_equal(getattr(saved.tags, name), getattr(read, name))
    vector = unit_rows(1, preset.dimension)[0]
    assert saved.tags.sure(vector) == read.sure(vector) != ()


def test_tags_of_another_model_are_refused(preset: Preset) -> None:
    save_tags(preset, of_preset(preset))
    with np.load(preset.folder / TAGS) as stored:
        arrays = dict(stored) | {"model_id": np.array("resnet50@000000000000")}
    np.savez(preset.folder / TAGS, **arrays)
    with pytest.raises(ModelMismatch, match="genrec fit-tags"):
        Preset.load(preset.folder)


def test_tags_of_another_dimension_are_refused(preset: Preset) -> None:
    with pytest.raises(PresetError, match="embeddings of 8 numbers, expected 64"):
        save_tags(preset, reading())


@pytest.mark.parametrize("content", [b"", b"PK", b"no zip at all"], ids=["empty", "cut", "text"])
def test_damaged_tags_are_refused_with_a_sentence(preset: Preset, content: bytes) -> None:
    (preset.folder / TAGS).write_bytes(content)
    with pytest.raises(PresetError, match="not an npz file"):
        Preset.load(preset.folder)


def test_npz_file_without_tags_is_refused(preset: Preset) -> None:
    shutil.copy(preset.folder / ARRAYS, preset.folder / TAGS)
    with pytest.raises(PresetError, match="model_id"):
        Preset.load(preset.folder)
