"""From a file to an analysis with the shipped preset, and each stage alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from genrec.audio.decode import decode
from genrec.embedder import Embedder
from genrec.errors import PresetError
from genrec.filters import block_length
from genrec.images import ImageConfig
from genrec.listening import listen
from genrec.pipeline import PresetAnalyzer, Stopwatch, load_analyzer
from genrec.preset import Preset
from tests.repository import ROOT
from tests.synth import music, write

SHIPPED = ROOT / "models" / "resnet50"
KINDS = ("flac", "mp3", "ogg", "opus", "m4a", "webm")


@pytest.fixture(scope="module")
def analyzer() -> PresetAnalyzer:
    return load_analyzer(str(SHIPPED), 30.0)


def test_stages_called_alone_agree_with_analyze(analyzer: PresetAnalyzer, tmp_path: Path) -> None:
    sr = analyzer.preset.spectrogram.sr
    y = music(2, 30.0, sr)
    analysis = analyzer.analyze(write(tmp_path / "clip.wav", y, sr, "wav-float"))
    sounding = listen(y, sr).y
    prediction = analyzer.predict(sounding)
    of_spectrogram = analyzer.predict_spectrogram(*analyzer.spectrogram(sounding))
    np.testing.assert_allclose(prediction.features, of_spectrogram.features)
    np.testing.assert_allclose(
        analyzer.embedding(prediction.features), analysis.embedding, atol=1e-5
    )
    assert analyzer.scores(prediction.logits)[0].label == analysis.scores[0].label
    stages = {"decode", "listening", "spectrogram", "network", "description"}
    assert set(analysis.timings_ms) == stages


@pytest.mark.parametrize("seconds", [8.0, 20.0])
@pytest.mark.parametrize("late_ms", [5, 25, 50, 100])
def test_late_start_keeps_the_embedding(
    analyzer: PresetAnalyzer, late_ms: int, seconds: float
) -> None:
    sr = analyzer.preset.spectrogram.sr
    y = listen(music(1, seconds, sr), sr).y
    whole, late = (
        analyzer.embedding(analyzer.predict(part).features)
        for part in (y, y[sr * late_ms // 1000 :])
    )
    # The bars of synthetic music are alike, so another one may have the strongest onset.
    assert float(whole @ late) > 0.95


@pytest.mark.parametrize("late", [100, 500, 1000, 1707, 5000])
def test_late_start_gives_the_same_columns(analyzer: PresetAnalyzer, late: int) -> None:
    """One column lies on the strongest onset, so the others have the same samples too."""
    sr, hop = analyzer.preset.spectrogram.sr, analyzer.preset.spectrogram.hop_length
    y = np.random.default_rng(0).normal(0, 0.01, 20 * sr).astype(np.float32)
    y[7 * sr :] *= 10
    late -= late % block_length(sr)
    whole, _ = analyzer.spectrogram(y)
    part, starts = analyzer.spectrogram(y[late:])
    missing = whole.shape[1] - part.shape[1]
    assert missing == pytest.approx(late / hop, abs=1)
    np.testing.assert_allclose(part[:, 5:-5], whole[:, missing + 5 : -5], atol=0.01)
    assert len(starts) == 6


def test_analysis_holds_unit_embedding_sorted_scores_and_seconds(
    analyzer: PresetAnalyzer, tmp_path: Path
) -> None:
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


def test_analyzed_seconds_are_limited_by_the_setting(tmp_path: Path) -> None:
    path = write(tmp_path / "long.flac", music(1, 20.0), 44100)
    short, whole = (load_analyzer(str(SHIPPED), seconds).analyze(path) for seconds in (7.5, 30.0))
    assert (short.duration_s, short.analyzed_s) == (pytest.approx(20), pytest.approx(7.5, abs=0.01))
    assert whole.analyzed_s == pytest.approx(20)


@pytest.mark.parametrize("kind", KINDS)
def test_coding_of_a_clip_keeps_genre_and_embedding(
    analyzer: PresetAnalyzer, tmp_path: Path, kind: str
) -> None:
    y = music(0, 30.0)
    original = analyzer.analyze(write(tmp_path / "clip.wav", y, 44100))
    coded = analyzer.analyze(write(tmp_path / f"clip.{kind}", y, 44100, kind))
    assert coded.scores[0].label == original.scores[0].label
    assert float(coded.embedding @ original.embedding) > 0.95


def test_one_second_gives_finite_features(analyzer: PresetAnalyzer) -> None:
    prediction = analyzer.predict(music(0, 1.0, analyzer.preset.spectrogram.sr))
    assert np.isfinite(prediction.features).all()


def test_preset_with_whole_excerpts_as_windows_has_one_window(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    analyzer = PresetAnalyzer(
        replace(Preset.load(SHIPPED), image=ImageConfig(columns=0, height=64, width=64))
    )
    batches = []

    def embed(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        batches.append(x)
        return np.zeros((len(x), 2048)), np.zeros((len(x), 10))

    monkeypatch.setattr(analyzer, "embedder", embed)
    analyzer.predict_spectrogram(np.zeros((128, 130), np.float32))
    assert [len(x) for x in batches] == [1]


def test_load_analyzer_runs_the_network_once(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = []
    monkeypatch.setattr(PresetAnalyzer, "predict", lambda _, y: lengths.append(len(y)))
    load_analyzer(str(SHIPPED), 7.5)
    assert lengths == [round(7.5 * 22050)]


def test_stopwatch_stores_milliseconds_by_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 10.5, 11.0, 13.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    timed = Stopwatch()
    assert (timed("decode", lambda: 1), timed("network", lambda: 2)) == (1, 2)
    monkeypatch.undo()
    assert timed.ms == {"decode": 500.0, "network": 2000.0}


def test_different_music_has_distant_embeddings(analyzer: PresetAnalyzer) -> None:
    sr = analyzer.preset.spectrogram.sr
    a, b = (analyzer.embedding(analyzer.predict(music(s, 20.0, sr)).features) for s in (1, 3))
    assert float(a @ b) < 0.8


def test_embedder_rejects_a_file_that_is_no_network(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"nothing")
    with pytest.raises(PresetError, match="not a network"):
        Embedder(tmp_path / "model.tflite")


def test_scores_of_large_logits_stay_finite(analyzer: PresetAnalyzer) -> None:
    logits = np.zeros(len(analyzer.preset.labels), np.float32)
    logits[0] = 2000
    best, *others = analyzer.scores(logits)
    assert (best.label, best.probability) == (analyzer.preset.labels[0], 1.0)
    assert not any(score.probability for score in others)


class LengthDetector:
    """Detector stand-in whose probability is the share of columns out of 1,000."""

    def probability(self, S_db: np.ndarray) -> float:
        return S_db.shape[1] / 1000


def test_music_is_the_detectors_probability_and_one_without_a_detector(
    analyzer: PresetAnalyzer, tmp_path: Path
) -> None:
    path = write(tmp_path / "clip.flac", music(1, 12.0), 44100)
    plain = PresetAnalyzer(replace(analyzer.preset, music_detector=None))
    assert plain.analyze(path).music == 1.0
    detecting = PresetAnalyzer(replace(analyzer.preset, music_detector=LengthDetector()))
    S_db, _ = analyzer.spectrogram(listen(decode(path, sr=22050).y, 22050).y)
    assert detecting.analyze(path).music == pytest.approx(S_db.shape[1] / 1000)
