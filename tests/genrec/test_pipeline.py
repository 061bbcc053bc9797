"""From a file to an answer with the shipped preset, each stage entered alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from genrec.embedder import Embedder
from genrec.errors import PresetError
from genrec.images import images, tta_variants, windows
from genrec.pipeline import PresetAnalyzer, load_analyzer
from tests.repository import ROOT
from tests.synth import music, write

SHIPPED = ROOT / "models" / "resnet50"
KINDS = ("flac", "mp3", "ogg", "opus", "m4a", "webm")


@pytest.fixture(scope="module")
def analyzer() -> PresetAnalyzer:
    return load_analyzer(str(SHIPPED), heard_s=30.0)


def test_stages_entered_alone_agree_with_the_whole(
    analyzer: PresetAnalyzer, tmp_path: Path
) -> None:
    sr = analyzer.preset.spectrogram.sr
    y = music(2, 30.0, sr)
    whole = analyzer.analyze(write(tmp_path / "clip.wav", y, sr, "wav-float"))
    heard = analyzer.predict(y)
    seen = analyzer.predict_spectrogram(analyzer.spectrogram(y))
    np.testing.assert_allclose(heard.features, seen.features)
    np.testing.assert_allclose(analyzer.embedding(heard.features), whole.embedding, atol=1e-5)
    assert analyzer.scores(heard.logits)[0].label == whole.scores[0].label
    assert set(whole.timings_ms) == {"decode", "spectrogram", "network"}


def test_an_analysis_is_what_it_promises(analyzer: PresetAnalyzer, tmp_path: Path) -> None:
    analysis = analyzer.analyze(write(tmp_path / "clip.flac", music(1, 12.0), 44100))
    assert analysis.model_id == analyzer.preset.model_id
    assert analysis.embedding.shape == (analyzer.preset.dimension,)
    assert np.linalg.norm(analysis.embedding) == pytest.approx(1, abs=1e-5)
    probabilities = [score.probability for score in analysis.scores]
    assert sum(probabilities) == pytest.approx(1)
    assert probabilities == sorted(probabilities, reverse=True)
    assert {score.label for score in analysis.scores} == set(analyzer.preset.labels)
    assert analysis.duration_s == pytest.approx(12.0, abs=0.05)
    assert analysis.analyzed_s == pytest.approx(12.0, abs=0.05)


def test_as_much_of_a_file_is_heard_as_the_operator_wants(tmp_path: Path) -> None:
    path = write(tmp_path / "long.flac", music(1, 20.0), 44100)
    short, whole = (load_analyzer(str(SHIPPED), heard_s).analyze(path) for heard_s in (7.5, 30.0))
    assert (short.duration_s, short.analyzed_s) == (pytest.approx(20), pytest.approx(7.5, abs=0.01))
    assert whole.analyzed_s == pytest.approx(20)


@pytest.mark.parametrize("kind", KINDS)
def test_another_coding_is_heard_the_same(
    analyzer: PresetAnalyzer, tmp_path: Path, kind: str
) -> None:
    y = music(0, 30.0)
    original = analyzer.analyze(write(tmp_path / "clip.wav", y, 44100))
    coded = analyzer.analyze(write(tmp_path / f"clip.{kind}", y, 44100, kind))
    assert coded.scores[0].label == original.scores[0].label
    assert float(coded.embedding @ original.embedding) > 0.95


def test_a_second_is_enough(analyzer: PresetAnalyzer) -> None:
    heard = analyzer.predict(music(0, 1.0, analyzer.preset.spectrogram.sr))
    assert np.isfinite(heard.features).all()


def test_the_genre_of_a_short_clip_is_asked_three_times(analyzer: PresetAnalyzer) -> None:
    sr, image = analyzer.preset.spectrogram.sr, analyzer.preset.image
    for seconds, asked in ((10.0, 3), (20.0, 1)):
        S_db = analyzer.spectrogram(music(0, seconds, sr))
        ways = [S_db, *tta_variants(S_db)][:asked]
        answers = [
            analyzer.embedder(images(windows(way, image), image, top_db=80.0)) for way in ways
        ]
        heard = analyzer.predict_spectrogram(S_db)
        np.testing.assert_allclose(heard.features, answers[0][0].mean(axis=0), atol=1e-4)
        logits = np.concatenate([logits for _, logits in answers]).mean(axis=0)
        np.testing.assert_allclose(heard.logits, logits, atol=1e-4)


def test_different_music_points_elsewhere(analyzer: PresetAnalyzer) -> None:
    sr = analyzer.preset.spectrogram.sr
    a, b = (analyzer.embedding(analyzer.predict(music(s, 20.0, sr)).features) for s in (1, 3))
    assert float(a @ b) < 0.8


def test_a_file_that_is_no_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"nothing")
    with pytest.raises(PresetError, match="not a network"):
        Embedder(tmp_path / "model.tflite")
