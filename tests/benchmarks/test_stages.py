"""Time of each stage for a clip of thirty seconds, and of all stages together.

In `make test` each stage runs once on a shorter clip, and only its result is checked. `make bench`
times them. No time is asserted, because machines differ.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

from genrec import fingerprint
from genrec.audio.decode import decode
from genrec.audio.limits import DecodeLimits
from genrec.excerpt import cut_excerpt
from genrec.images import images, windows
from genrec.listening import listen
from genrec.pipeline import PresetAnalyzer
from genrec.preset import Preset
from tests import synth


@pytest.fixture(scope="module")
def y(clips: dict[str, Path], preset: Preset) -> NDArray[np.float32]:
    return decode(clips["wav"], sr=preset.spectrogram.sr).y


@pytest.mark.benchmark(group="1 decode")
@pytest.mark.parametrize("kind", list(synth.WRITERS))
def test_decode(
    benchmark: BenchmarkFixture, clips: dict[str, Path], kind: str, seconds: float
) -> None:
    decoded = benchmark(decode, clips[kind], sr=22050)
    assert decoded.y.size / decoded.sr == pytest.approx(seconds, abs=0.2)


@pytest.mark.benchmark(group="5 excerpt")
@pytest.mark.parametrize("kind", ["mp3", "flac"])
def test_excerpt(
    benchmark: BenchmarkFixture, clips: dict[str, Path], kind: str, seconds: float
) -> None:
    cut = benchmark(cut_excerpt, clips[kind], DecodeLimits())
    assert cut.seconds == pytest.approx(min(15.0, seconds), abs=0.2)
    assert len(cut.mp3) < 400_000


@pytest.mark.benchmark(group="2 spectrogram")
def test_listen(
    benchmark: BenchmarkFixture, analyzer: PresetAnalyzer, y: NDArray[np.float32]
) -> None:
    sounding = benchmark(listen, y, analyzer.preset.spectrogram.sr)
    assert sounding.y.size > 0.9 * y.size


@pytest.mark.benchmark(group="2 spectrogram")
def test_log_mel(
    benchmark: BenchmarkFixture, analyzer: PresetAnalyzer, y: NDArray[np.float32]
) -> None:
    S_db, _ = benchmark(analyzer.spectrogram, y)
    front_end = analyzer.preset.spectrogram
    assert S_db.shape[0] == front_end.n_mels
    assert S_db.shape[1] == pytest.approx(y.size / front_end.hop_length, abs=1)


@pytest.mark.benchmark(group="2 spectrogram")
def test_images(
    benchmark: BenchmarkFixture, analyzer: PresetAnalyzer, y: NDArray[np.float32]
) -> None:
    image, top_db = analyzer.preset.image, analyzer.preset.spectrogram.top_db
    S_db, starts = analyzer.spectrogram(y)
    x = benchmark(lambda: images(windows(S_db, image, starts), image, top_db=top_db))
    assert x.shape[1:] == image.shape


@pytest.mark.benchmark(group="2 spectrogram")
def test_describe(
    benchmark: BenchmarkFixture, analyzer: PresetAnalyzer, y: NDArray[np.float32]
) -> None:
    S_db, _ = analyzer.spectrogram(y)
    description = benchmark(analyzer.describe, S_db, y)
    assert description is not None
    assert description.brightness_hz > 100


@pytest.mark.benchmark(group="3 network")
def test_network(
    benchmark: BenchmarkFixture, analyzer: PresetAnalyzer, y: NDArray[np.float32]
) -> None:
    S_db, starts = analyzer.spectrogram(y)
    prediction = benchmark(analyzer.predict_spectrogram, S_db, starts)
    assert prediction.features.shape == (analyzer.embedder.dimension,)
    assert np.isfinite(prediction.logits).all()


@pytest.mark.benchmark(group="4 whole clip")
@pytest.mark.parametrize("kind", ["mp3", "webm"])
def test_analyze(
    benchmark: BenchmarkFixture, analyzer: PresetAnalyzer, clips: dict[str, Path], kind: str
) -> None:
    analysis = benchmark(analyzer.analyze, clips[kind])
    assert np.linalg.norm(analysis.embedding) == pytest.approx(1, abs=1e-5)
    assert sum(score.probability for score in analysis.scores) == pytest.approx(1, abs=1e-6)


@pytest.mark.benchmark(group="5 start")
def test_load_preset(benchmark: BenchmarkFixture, preset: Preset) -> None:
    assert benchmark(Preset.load, preset.folder).model_id == preset.model_id


@pytest.mark.benchmark(group="6 same recording")
def test_match_fifty_fingerprints(
    benchmark: BenchmarkFixture, analyzer: PresetAnalyzer, y: NDArray[np.float32]
) -> None:
    prints = [
        fingerprint.fingerprint(analyzer.spectrogram(y[start:])[0])
        for start in range(0, y.size // 2, y.size // 100)
    ]
    matcher = fingerprint.RecordingMatcher(analyzer.preset.spectrogram)
    matches = benchmark(matcher.match, prints[0], prints)
    assert matches[0] == matches.max()
    assert matches[0] > 0.9  # a clip under 5 s counts less
