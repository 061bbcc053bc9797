"""Clips for the music detector: synthetic sounds, changes and groups of files."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

from genrec.errors import DataError
from genrec.training.detector.synthetic_sounds import SOUNDS
from tests.synth import silence, tone, write

pytest.importorskip("fluidsynth", reason="FluidSynth is not installed", exc_type=ImportError)
clip_features = importlib.import_module("genrec.training.detector.detector_data").clip_features
_clips = importlib.import_module("genrec.training.detector.clips")
ClipMaker, SoundGroup, find_groups = _clips.ClipMaker, _clips.SoundGroup, _clips.find_groups

SR = 22050


@pytest.mark.parametrize("kind", sorted(SOUNDS))
def test_synthetic_sounds_have_the_length_and_sound(kind: str) -> None:
    for seed in range(4):
        y = SOUNDS[kind](2 * SR, SR, np.random.default_rng(seed))
        assert y.shape == (2 * SR,)
        assert np.isfinite(y).all()
        assert y.std() > 0


def test_groups_are_the_folders(tmp_path: Path) -> None:
    for name in ("speech-de+one", "effects-x"):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "a.wav", tone(1.5), 44100)
    (tmp_path / "loose.wav").write_bytes(b"")
    groups = find_groups([tmp_path], music=False)
    assert [(g.name, g.kind, g.key, len(g.files)) for g in groups] == [
        ("effects-x", "effects", "effects-x", 1),
        ("speech-de+one", "speech", "speech-de", 1),
    ]


def test_clips_of_a_number_repeat(tmp_path: Path) -> None:
    (tmp_path / "speech-a").mkdir()
    write(tmp_path / "speech-a" / "a.wav", tone(3.0), 44100)
    groups = find_groups([tmp_path], music=False)
    maker = ClipMaker(groups, tmp_path / "none.sf2")
    first, again, other = (maker.clip(groups[0], n) for n in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert len(first) != len(other)


def test_group_without_sound_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "speech-a").mkdir()
    write(tmp_path / "speech-a" / "a.wav", silence(2.0), 44100)
    groups = find_groups([tmp_path], music=False)
    with pytest.raises(DataError, match="speech-a: 8 random clips"):
        ClipMaker(groups, tmp_path / "none.sf2").clip(groups[0], 0)


def test_features_of_finished_rounds_are_kept(tmp_path: Path) -> None:
    groups = [SoundGroup("synthetic-noise", music=False)]
    maker = ClipMaker(groups, tmp_path / "none.sf2")
    first = clip_features(groups, maker, 2, tmp_path / "cache")
    assert len(first.X) == 8
    assert not first.music.any()
    again = clip_features(groups, maker, 2, tmp_path / "cache")
    np.testing.assert_array_equal(first.X, again.X)
    with pytest.raises(DataError, match="other groups"):
        clip_features([SoundGroup("synthetic-hum", music=False)], maker, 2, tmp_path / "cache")
