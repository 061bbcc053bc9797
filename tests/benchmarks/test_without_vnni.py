"""Answers of a network where VNNI is hidden from its libraries, as on an older processor."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pytest

from genrec.images import images, windows
from genrec.pipeline import PresetAnalyzer
from genrec.preset import NETWORK
from genrec.runtimes import onnxruntime_installed
from tests import synth
from tests.benchmarks.processor import processor_line
from tests.benchmarks.without_vnni import HIDDEN, missing_tools, without_vnni
from tests.repository import ROOT

Run = Callable[[str, Mapping[str, str]], np.ndarray]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing_tools()), reason=f"needs {', '.join(missing_tools())}"),
    pytest.mark.skipif(not onnxruntime_installed(), reason="needs the extra onnxruntime"),
]


@pytest.fixture(scope="module")
def hidden() -> Iterator[Mapping[str, str]]:
    with without_vnni() as environment:
        yield environment


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, analyzer: PresetAnalyzer) -> Run:
    """Return a function that gives the logits of some music in a runtime."""
    preset, path = analyzer.preset, tmp_path_factory.mktemp("images") / "x.npy"
    clips = [analyzer.spectrogram(synth.music(seed, 30.0, 22050)) for seed in range(8)]
    each = [windows(S_db, preset.image, starts) for S_db, starts in clips]
    np.save(path, images(np.concatenate(each), preset.image, top_db=preset.spectrogram.top_db))

    def logits(runtime: str, environment: Mapping[str, str]) -> np.ndarray:
        network = ROOT / "models" / "resnet50" / NETWORK
        command = [sys.executable, "-m", "tests.benchmarks.runtime", runtime, network, path, "1"]
        done = subprocess.run(
            command, cwd=ROOT, env=os.environ | environment, capture_output=True, timeout=250
        )
        assert done.returncode == 0, done.stderr.decode()
        return np.array(json.loads(done.stdout)["logits"])

    return logits


@pytest.mark.timeout(600)
def test_answers_without_vnni_are_those_with_it(run: Run, hidden: Mapping[str, str]) -> None:
    expected = run("litert", {})
    assert np.array_equal(run("litert", hidden), expected)
    # A step of the int8 logits is 0.044.
    assert np.abs(run("onnxruntime", hidden) - expected).max() < 0.05
    # So VNNI is hidden indeed, and sums of two products in 16 bits would give other answers.
    assert np.abs(run("narrow-sums", hidden) - expected).max() > 0.05


def test_processor_line_names_what_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    info = {"brand_raw": "A", "flags": ["avx2", "avx512_vnni"]}
    assert processor_line(info) == "A, AVX2, VNNI"
    monkeypatch.setenv(HIDDEN, "vnni avx512")
    assert processor_line(info) == "A, AVX2, VNNI; hidden: vnni avx512"
