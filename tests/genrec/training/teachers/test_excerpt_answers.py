"""``genrec excerpt-answers``: a tagger listens to the sound of labelled excerpts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from bot.cli.main import app
from genrec.errors import DataError
from genrec.training.teachers.answers import load_answers
from tests.genrec.training.keras_needed import MARKS
from tests.synth import music

pytest.importorskip("tensorflow")

from genrec.training.teachers import musicnn

pytestmark = MARKS
SR = 22050
SECONDS = (6, 7, 8)


class LoudnessTagger:
    """A tagger whose only tag is the loudness; it counts the files that it hears."""

    heard = 0

    def __init__(self, wheel: Path, network: str) -> None:
        self.name, self.tags = network, ["loud"]

    def __call__(self, y: np.ndarray, sr: int, *, hop_s: float) -> tuple[np.ndarray, ...]:
        LoudnessTagger.heard += 1
        starts = np.arange(0, len(y) / sr - 3, hop_s, dtype=np.float32)
        return starts, np.full((len(starts), 1), np.abs(y).mean()), np.ones((len(starts), 2))


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Return a call of the command for a folder of three excerpts: train, valid and test."""
    monkeypatch.setattr(musicnn, "MusicTagger", LoudnessTagger)
    monkeypatch.setattr(LoudnessTagger, "heard", 0)
    split = ["excerpt,part"]
    for seconds, part in zip(SECONDS, ("train", "valid", "test"), strict=True):
        path = tmp_path / "data" / "jazz" / f"{part}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, music(seconds, seconds, SR), SR)
        split.append(f"{part},{part}")
    (tmp_path / "split.csv").write_text("\n".join(split))

    def call(*options: str) -> str:
        run = CliRunner().invoke(
            app,
            [
                "excerpt-answers", str(tmp_path / "answers.npz"), "--wheel", "musicnn.whl",
                "--data", str(tmp_path / "data"), "--split", str(tmp_path / "split.csv"),
                "--cache", str(tmp_path / "cache"), *options,
            ],
            catch_exceptions=False, standalone_mode=False,
        )  # fmt: skip
        if run.exception:
            raise run.exception
        return run.output

    return call


def test_only_the_asked_part_is_heard_and_once(ask: Callable[..., str], tmp_path: Path) -> None:
    assert "1 of 1 training excerpts" in ask()
    found = load_answers(tmp_path / "answers.npz")
    assert list(found.rows) == ["train"]
    assert found.start_s.tolist() == [0, 1, 2]
    assert found.layer.shape == (3, 2)
    assert found.teacher == "MSD_musicnn (ISC)"
    ask()
    assert LoudnessTagger.heard == 1
    assert "1 of 1 test excerpts" in ask("--part", "test", "--network", "MTT_vgg", "--hop", "2")
    found = load_answers(tmp_path / "answers.npz")
    assert (list(found.rows), found.teacher) == (["test"], "MTT_vgg (ISC)")
    assert found.start_s.tolist() == [0, 2, 4]


def test_excerpt_that_judges_networks_is_not_heard(ask: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "data" / "tracks.csv").write_text("excerpt,split_filtered\ntrain,test\n")
    with pytest.raises(DataError, match="no sound of the part train"):
        ask()


def test_excerpts_shorter_than_a_patch_have_no_answers(
    ask: Callable[..., str], tmp_path: Path
) -> None:
    path = tmp_path / "data" / "jazz" / "train.wav"
    soundfile.write(path, music(1, 2.5, SR), SR)
    with pytest.raises(DataError, match="None of the 1 files has 3 s of sound"):
        ask()
