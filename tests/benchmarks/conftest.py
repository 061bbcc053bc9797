"""Fixtures of the benchmarks: the clips, the preset and the table of figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from genrec.pipeline import PresetAnalyzer
from genrec.preset import Preset
from tests import synth
from tests.benchmarks.figures import FIGURES, LEFT_OUT, Figure, LeaveOut, RecordFigure, table
from tests.benchmarks.processor import information, processor_line
from tests.repository import ROOT


@pytest.fixture(scope="session")
def timed(pytestconfig: pytest.Config) -> bool:
    """Return True in `make bench`; False where each benchmark only runs once, untimed."""
    return bool(pytestconfig.getoption("benchmark_enable"))


@pytest.fixture(scope="session")
def seconds(timed: bool) -> float:
    """Return the length of a clip: 30 s where times are taken, else 5 s."""
    return 30.0 if timed else 5.0


@pytest.fixture(scope="session")
def music(seconds: float) -> NDArray[np.float32]:
    """Return synthetic music at 48 kHz, a rate that every encoder accepts."""
    return synth.music(0, seconds, 48000)


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory, music: NDArray[np.float32]) -> dict[str, Path]:
    """Return the music as a file in every format that genrec reads."""
    folder = tmp_path_factory.mktemp("clips")
    return {kind: synth.write(folder / f"{kind}.bin", music, 48000, kind) for kind in synth.WRITERS}


@pytest.fixture(scope="session")
def preset() -> Preset:
    """Return the default preset."""
    return Preset.load(ROOT / "models" / "resnet50")


@pytest.fixture(scope="session")
def analyzer(preset: Preset) -> PresetAnalyzer:
    """Return an analyzer with that preset on one thread, in a worker's runtime."""
    return PresetAnalyzer(preset, threads=1, runtime="auto")


@pytest.fixture
def record_figure(pytestconfig: pytest.Config) -> RecordFigure:
    """Return a function that adds a figure to the table after `make bench`."""
    figures = pytestconfig.stash.setdefault(FIGURES, [])
    return lambda *line: figures.append(Figure(*line))


@pytest.fixture
def leave_out(pytestconfig: pytest.Config) -> LeaveOut:
    """Return a function that adds a peer to the list after `make bench`."""
    lines = pytestconfig.stash.setdefault(LEFT_OUT, [])
    return lambda error: lines.append(str(error))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print processor, figures and one line for each peer left out, where times are taken."""
    if not config.getoption("benchmark_enable"):
        return
    terminalreporter.section("processor")
    terminalreporter.write_line(processor_line(information()))
    if figures := config.stash.get(FIGURES, []):
        terminalreporter.section("target and measured")
        for line in table(figures):
            terminalreporter.write_line(line)
    if lines := dict.fromkeys(config.stash.get(LEFT_OUT, [])):
        terminalreporter.section("peers left out")
        for line in lines:
            terminalreporter.write_line(line)
