"""The clip and the preset that the stages are timed on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from genrec.pipeline import PresetAnalyzer
from genrec.preset import Preset
from tests import synth
from tests.benchmarks.figures import FIGURES, Figure, Reached, table
from tests.repository import ROOT


@pytest.fixture(scope="session")
def timed(pytestconfig: pytest.Config) -> bool:
    """Tell whether times are taken, or each benchmark only has to work."""
    return bool(pytestconfig.getoption("benchmark_enable"))


@pytest.fixture(scope="session")
def seconds(timed: bool) -> float:
    """Return the clips' length: what people send where times are taken, else as little as works."""
    return 30.0 if timed else 5.0


@pytest.fixture(scope="session")
def music(seconds: float) -> NDArray[np.float32]:
    """Return a small band at 48 kHz, a rate that every coder takes."""
    return synth.music(0, seconds, 48000)


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory, music: NDArray[np.float32]) -> dict[str, Path]:
    """Return the band once in every kind of file genrec reads."""
    folder = tmp_path_factory.mktemp("clips")
    return {kind: synth.write(folder / f"{kind}.bin", music, 48000, kind) for kind in synth.WRITERS}


@pytest.fixture(scope="session")
def preset() -> Preset:
    """Return the preset that genrec ships."""
    return Preset.load(ROOT / "models" / "resnet50")


@pytest.fixture(scope="session")
def analyzer(preset: Preset) -> PresetAnalyzer:
    """Return that preset on one thread, as a worker has it."""
    return PresetAnalyzer(preset, threads=1)


@pytest.fixture
def reached(pytestconfig: pytest.Config) -> Reached:
    """Return what notes a figure for the table that ends `make bench`."""
    figures = pytestconfig.stash.setdefault(FIGURES, [])
    return lambda *line: figures.append(Figure(*line))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print what is wanted beside what was measured, where times were taken."""
    figures = config.stash.get(FIGURES, [])
    if figures and config.getoption("benchmark_enable"):
        terminalreporter.section("wanted and measured")
        for line in table(figures):
            terminalreporter.write_line(line)
