"""Music description of clips: complete, bounded, and the same for the same music."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from genrec.audio.decode import MAX_PEAK
from genrec.description_codec import (
    description_of,
    description_row,
    pack_description,
    unpack_description,
)
from genrec.music_description import DescriptionModel
from genrec.pipeline import PresetAnalyzer
from tests.synth import music, write

SR = 22050


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_description_of_music_is_within_bounds(seed: int, analyzer: PresetAnalyzer) -> None:
    y = music(seed, 8.0, SR)
    found = analyzer.describe(analyzer.spectrogram(y)[0], y)
    assert found is not None
    assert description_of(description_row(found)) == found


def test_description_of_the_loudest_clip_is_within_bounds(analyzer: PresetAnalyzer) -> None:
    t = np.arange(8 * SR) / SR
    wave = np.where(np.sin(2 * np.pi * 4_000 * t) > 0, MAX_PEAK, -MAX_PEAK).astype(np.float32)
    tone = music(1, 8.0, SR)
    for y in (wave, MAX_PEAK * tone / np.abs(tone).max()):
        found = analyzer.describe(analyzer.spectrogram(y)[0], y)
        assert found is not None
        assert found.loudness_lufs > 20
        unpack_description(pack_description(found))


@pytest.mark.parametrize("columns", [1, 2, 3, 39, 40])
def test_short_and_silent_spectrograms_have_descriptions(
    columns: int, description_model: DescriptionModel
) -> None:
    for level in (-80.0, 0.0):
        S_db = np.full((128, columns), level, dtype=np.float32)
        found = description_model.describe(S_db, 0.0)
        assert description_of(description_row(found)) == found


@pytest.mark.parametrize("shape", [(64, 100), (128, 0), (128,)])
def test_another_shape_is_refused(
    shape: tuple[int, ...], description_model: DescriptionModel
) -> None:
    with pytest.raises(ValueError, match="expected"):
        description_model.describe(np.zeros(shape, dtype=np.float32), 0.1)


def test_volume_changes_only_the_loudness(analyzer: PresetAnalyzer) -> None:
    y = music(1, 8.0, SR)
    S_db, _ = analyzer.spectrogram(y)
    loud, quiet = analyzer.describe(S_db, y), analyzer.describe(S_db, 0.1 * y)
    assert loud is not None
    assert quiet is not None
    assert loud.loudness_lufs - quiet.loudness_lufs == pytest.approx(20, abs=0.01)
    assert description_row(loud)[:4] == description_row(quiet)[:4]


def test_an_analysis_has_the_description(analyzer: PresetAnalyzer, tmp_path: Path) -> None:
    path = write(tmp_path / "clip.wav", music(1, 8.0, SR), SR)
    analysis = analyzer.analyze(path)
    assert analysis.description is not None
    assert analysis.description.brightness_hz > 100
    assert "description" in analysis.timings_ms


def test_a_damaged_model_is_refused(tmp_path: Path, description_model: DescriptionModel) -> None:
    path = tmp_path / "model.npz"
    np.savez(path, tempo_weights=np.zeros(90, np.float32))
    with pytest.raises(KeyError):
        DescriptionModel.load(path)
    with pytest.raises(ValueError, match="tempo_prior"):
        DescriptionModel(
            description_model.tempo_weights,
            description_model.tempo_prior[:-1],
            description_model.key_weights,
            description_model.key_bias,
        )
