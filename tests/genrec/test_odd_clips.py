"""Clips as people send them get the answer of the clean excerpt, from file to tracks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from genrec.errors import SilentAudio
from genrec.pipeline import PresetAnalyzer
from genrec.preset import Preset, StarterCatalogue
from genrec.types import Analysis
from tests.repository import ROOT
from tests.synth import Samples, mux_sound

pytestmark = pytest.mark.shared

SR = 22050
# With much and with little treble.
EXCERPTS = ("metal.00000", "jazz.00000")
REST = np.zeros(20 * SR, dtype=np.float32)


@dataclass
class Answers:
    """Analyses files with the default preset and finds the five nearest starter tracks."""

    analyzer: PresetAnalyzer
    starter: StarterCatalogue

    def five(self, analysis: Analysis, without: str) -> set[str]:
        order = np.argsort(-(self.starter.embeddings @ analysis.embedding))
        return set([n for n in (self.starter.names[i] for i in order[:6]) if n != without][:5])


@pytest.fixture(scope="module")
def answers() -> Answers:
    preset = Preset.load(ROOT / "models" / "resnet50")
    starter = preset.starter()
    assert starter is not None
    return Answers(PresetAnalyzer(preset), starter)


def wav(path: Path, samples: Samples) -> None:
    soundfile.write(path, samples, SR, subtype="FLOAT", format="WAV")


def coded(path: Path, *tracks: Samples, container: str = "matroska") -> None:
    """Write each track as an AAC stream of its own."""
    with av.open(path, "w", format=container) as output:
        streams = []
        for samples in tracks:
            stream = output.add_stream(
                "aac", rate=SR, layout="mono" if samples.ndim == 1 else "stereo"
            )
            assert isinstance(stream, av.AudioStream)
            streams.append(stream)
        for stream, samples in zip(streams, tracks, strict=True):
            mux_sound(output, stream, samples, SR)


def inverted(y: Samples) -> Samples:
    return np.stack([y, -y], axis=1)


CLIPS: dict[str, tuple[str, Callable[[Path, Samples], None]]] = {
    "silence after": ("ten", lambda path, y: wav(path, np.r_[y[: 10 * SR], REST])),
    "silence before": ("ten", lambda path, y: wav(path, np.r_[REST, y[: 10 * SR]])),
    "silence inside": (
        "ten",
        lambda path, y: wav(path, np.r_[y[: 5 * SR], REST, y[5 * SR : 10 * SR]]),
    ),
    "inverted, WAV": ("plain", lambda path, y: wav(path, inverted(y))),
    "inverted, AAC": ("plain", lambda path, y: coded(path, inverted(y), container="mp4")),
    "offset": ("plain", lambda path, y: wav(path, y * 0.5 + 0.1)),
    "begun 50 ms later": ("plain", lambda path, y: wav(path, y[SR // 20 :])),
    "first track silent": ("plain", lambda path, y: coded(path, 0 * y, y)),
}


@pytest.mark.parametrize("excerpt", EXCERPTS)
@pytest.mark.parametrize("clip", CLIPS)
def test_odd_clip_has_the_answer_of_the_clean_one(
    answers: Answers, shared: Path, tmp_path: Path, clip: str, excerpt: str
) -> None:
    y, _ = soundfile.read(shared / "gtzan" / "audio" / f"{excerpt}.flac", dtype="float32")
    reference, make = CLIPS[clip]
    wav(tmp_path / "clean", y if reference == "plain" else y[: 10 * SR])
    make(tmp_path / "odd", y)
    clean, odd = (answers.analyzer.analyze(tmp_path / name) for name in ("clean", "odd"))
    assert odd.scores[0].label == clean.scores[0].label
    assert len(answers.five(odd, excerpt) & answers.five(clean, excerpt)) >= 4
    assert min(clean.music, odd.music) >= answers.analyzer.preset.calibration.music_below


def test_speech_is_no_music(answers: Answers, shared: Path) -> None:
    analysis = answers.analyzer.analyze(shared / "field" / "speech.ogg")
    assert analysis.music < answers.analyzer.preset.calibration.music_below


@pytest.mark.parametrize("offset", [0.0, 0.1])
def test_a_silent_clip_is_refused(answers: Answers, tmp_path: Path, offset: float) -> None:
    wav(tmp_path / "silent", REST + np.float32(offset))
    with pytest.raises(SilentAudio):
        answers.analyzer.analyze(tmp_path / "silent")
