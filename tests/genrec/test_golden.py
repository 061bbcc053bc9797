"""The predictions of the shipped presets stay equal, whatever library was upgraded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from genrec.pipeline import PresetAnalyzer
from genrec.preset import Preset
from tests.genrec.make_golden import PRESETS, by_label, golden, predict

each_preset = pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the cosine of each row of a (n, d) and the same row of b."""
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.asarray((a * b).sum(axis=1) / lengths)


@each_preset
def test_shipped_preset_predictions_equal_the_golden_ones(preset: Path) -> None:
    assert golden(preset).exists(), "run tests/genrec/make_golden.py and commit its files"
    with np.load(golden(preset)) as before:
        now = predict(preset)
        assert now["model_id"] == before["model_id"], "run tests/genrec/make_golden.py"
        np.testing.assert_allclose(now["levels"], before["levels"], atol=1e-2)
        # Not closer: int8 kernels round a little differently on other processors, and one level of
        # 256 in many features adds up. The effect of a wrong front end is far larger.
        assert cosines(now["features"], before["features"]).min() > 0.99
        assert cosines(now["embeddings"], before["embeddings"]).min() > 0.99
        assert (now["logits"].argmax(axis=1) == before["logits"].argmax(axis=1)).all()


@each_preset
def test_golden_features_and_logits_give_the_golden_embeddings_and_probabilities(
    preset: Path,
) -> None:
    """Centring, projection and temperature, independent of the processor's int8 kernels."""
    analyzer = PresetAnalyzer(Preset.load(preset))
    assert analyzer.preset.calibration.temperature != 1  # else the test proves nothing
    with np.load(golden(preset)) as before:
        embeddings = [analyzer.embedding(row) for row in before["features"]]
        np.testing.assert_allclose(embeddings, before["embeddings"], atol=1e-5)
        probabilities = [by_label(analyzer, row) for row in before["logits"]]
        np.testing.assert_allclose(probabilities, before["probabilities"], atol=1e-6)


def test_every_golden_file_belongs_to_a_preset() -> None:
    files = set(Path(__file__).parent.glob("golden*.npz"))
    assert files == {golden(preset) for preset in PRESETS}
