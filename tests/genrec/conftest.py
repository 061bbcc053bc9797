"""Fixtures of the method's tests: the default preset and its analyzer, loaded once."""

from __future__ import annotations

import pytest

from genrec.music_description import DescriptionModel
from genrec.pipeline import PresetAnalyzer
from genrec.preset import Preset
from tests.repository import ROOT


@pytest.fixture(scope="session")
def preset() -> Preset:
    """Return the default preset."""
    return Preset.load(ROOT / "models/resnet50")


@pytest.fixture(scope="session")
def analyzer(preset: Preset) -> PresetAnalyzer:
    """Return the analyzer of the default preset."""
    return PresetAnalyzer(preset)


@pytest.fixture(scope="session")
def description_model() -> DescriptionModel:
    """Return the shipped model of tempo and key."""
    return DescriptionModel.load()
