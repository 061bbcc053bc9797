"""``genrec train``, ``export`` and ``evaluate`` as subprocesses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest

from tests.repository import ROOT
from tests.synth import STYLES, music, write, write_av

pytest.importorskip("tensorflow")
pytestmark = [pytest.mark.alone, pytest.mark.slow, pytest.mark.timeout(900)]


def genrec(
    *arguments: str | Path, environment: Mapping[str, str] = MappingProxyType({})
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bot", *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, timeout=600, env={**os.environ, **environment},
    )  # fmt: skip


def report(*arguments: str | Path) -> dict[str, Any]:
    finished = genrec("evaluate", *arguments, "--json")
    assert finished.returncode == 0, finished.stderr
    found: dict[str, Any] = json.loads(finished.stdout)
    return found


def test_train_export_and_evaluate_a_folder_of_audio(tmp_path: Path) -> None:
    for style in (0, 3):
        folder = tmp_path / "data" / STYLES[style].name
        folder.mkdir(parents=True)
        for i in range(6):
            write_av(
                folder / f"{style}{i}.m4a", music(5 * i + style, 4, 44100), 44100,
                container="ipod", codec="aac", title=f"Song {style}{i}",
            )  # fmt: skip
    (tmp_path / "data" / "disco" / "notes.mp3").write_text("no music at all, only words\n" * 50)
    data, run, preset = tmp_path / "data", tmp_path / "run", tmp_path / "models" / "mine"
    common = ("--data", data, "--cache", tmp_path / "cache")
    train = ("train", *common, "--run", run, "--epochs", "1", "--batch", "4", "--crops", "1")

    trained = genrec(*train)
    assert trained.returncode == 0, trained.stderr
    assert "notes.mp3: " in trained.stderr
    assert (run / "history.png").exists()
    again = genrec(*train, "--fresh")
    assert (again.returncode, again.stdout) == (2, "")
    assert "has a run already" in again.stderr

    exported = genrec("export", *common, "--run", run, "--out", preset, "--precision", "fp32")
    assert exported.returncode == 0, exported.stderr
    assert "no starter catalogue" in exported.stdout  # titles, but no artists
    measured = report("--preset", preset, *common, "--plots", tmp_path / "plots")
    metrics = json.loads((preset / "metrics.json").read_text(encoding="utf-8"))
    assert measured["accuracy"] == metrics["accuracy"]
    assert (measured["tracks"], measured["split"], measured["labels"]) == (
        2,
        "paper",
        ["ballad", "disco"],
    )
    assert measured["audio"]["tracks"] == 2
    assert measured["audio"]["accuracy"] == measured["audio"]["accuracy_arrays"]
    assert (tmp_path / "plots" / "confusion.png").exists()
    every = report("--preset", preset, *common, "--split", "all", "--no-audio")
    assert (every["tracks"], every["audio"]) == (12, None)


def test_train_without_data_exits_2_with_a_sentence(tmp_path: Path) -> None:
    finished = genrec("train", "--data", tmp_path, "--run", tmp_path / "run")
    assert finished.returncode == 2
    assert "has neither logmel.npz nor a folder per genre of audio" in finished.stderr
    assert "Traceback" not in finished.stderr


def sound_folder(folder: Path, seconds: float) -> Path:
    """Write ten WAV files each of two genres."""
    for style in (0, 3):
        name = STYLES[style].name
        (folder / name).mkdir(parents=True)
        for i in range(10):
            y = music(5 * i + style, seconds, 22050)
            write(folder / name / f"{name}0000{i}.wav", y, 22050)
    return folder


@pytest.fixture(scope="module")
def pictured(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Draw pictures of music, train the CNN on them and export it."""
    folder = tmp_path_factory.mktemp("pictured")
    data = sound_folder(folder / "data", 3)
    pictures, run, preset = folder / "pictures", folder / "run", folder / "models" / "seen"
    cache = ("--cache", folder / "cache")
    style = (data, pictures, *cache, "--colour", "magma", "--size", "200x100")
    drawn, again = genrec("spectrograms", *style), genrec("spectrograms", *style)
    train = ("train", "--data", pictures, "--arch", "cnn", "--run", run, "--epochs", "1")
    trained = genrec(*train, "--batch", "8", *cache)
    exported = genrec("export", "--data", pictures, "--run", run, "--out", preset, *cache)
    environment = {"GENREC_DATABASE": str(folder / "genrec.db")}
    return SimpleNamespace(**locals())


def test_pictures_are_drawn_trained_on_and_exported(pictured: SimpleNamespace) -> None:
    assert pictured.drawn.returncode == 0, pictured.drawn.stderr
    assert "Pictures: 20 in" in pictured.drawn.stdout
    assert "0 of them new" in pictured.again.stdout
    assert pictured.trained.returncode == 0, pictured.trained.stderr
    settings = json.loads((pictured.run / "settings.json").read_text())
    assert (settings["recipe"], settings["image"]["source"]) == ("paper", "picture")
    assert pictured.exported.returncode == 0, pictured.exported.stderr
    assert "weighted avg" in pictured.exported.stdout
    card = (pictured.preset / "README.md").read_text(encoding="utf-8")
    assert "from a picture of a spectrogram: ballad, disco" in card


def test_a_folder_of_pictures_and_one_picture_are_answered(pictured: SimpleNamespace) -> None:
    test, chosen = pictured.pictures / "test", ("--preset", pictured.preset, "--json")
    asked = genrec("recommend", test, *chosen, environment=pictured.environment)
    answers = json.loads(asked.stdout)
    assert [Path(answer["file"]).parent.name for answer in answers] == ["ballad", "disco"]
    for answer in answers:
        assert answer.get("genre") in ("ballad", "disco"), answer
        assert set(answer["scores"]) == {"ballad", "disco"}
        assert all(track["source"].startswith("starter:") for track in answer["tracks"])
    some = next((test / "disco").glob("*.png"))
    one = genrec("genre", some, *chosen, environment=pictured.environment)
    assert json.loads(one.stdout)["genre"] in ("ballad", "disco")


def test_pictures_and_sound_are_not_mixed(pictured: SimpleNamespace) -> None:
    some = next((pictured.pictures / "test" / "disco").glob("*.png"))
    sound = next((pictured.data / "disco").glob("*.wav"))
    chosen = ("--preset", pictured.preset)
    for arguments, code, sentence in (
        (("genre", some), 3, "is a picture and the preset resnet50 hears sound"),
        (("genre", sound, *chosen), 3, "is no picture: a preset of pictures reads PNG and JPEG"),
        (("genre", pictured.data, *chosen), 3, "holds no picture"),
        (("evaluate", *chosen, "--data", pictured.data, *pictured.cache), 2, "data are sound"),
    ):
        done = genrec(*arguments, environment=pictured.environment)
        assert done.returncode == code, done.stderr
        assert sentence in done.stderr


def test_page_of_the_paper_before_any_training(tmp_path: Path) -> None:
    folder = sound_folder(tmp_path / "data", 2)
    out = tmp_path / "paper"
    options = ("--out", out, "--quick", "--cache", tmp_path / "cache")
    done = genrec("reproduce", folder, *options, "--only", "page")
    assert (done.returncode, str(out / "index.html") in done.stdout) == (0, True), done.stderr
    assert "No network is trained yet." in (out / "README.md").read_text(encoding="utf-8")
    assert (out / "figures" / "waveform.webp").exists()
    wrong = genrec("reproduce", folder, *options, "--only", "vgg19")
    assert wrong.returncode == 2
    assert "There is no part 'vgg19'" in wrong.stderr
