"""Training, export and evaluation on pictures; milestones; the paper's own CNN."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from genrec.errors import DataError, UnsupportedFormat
from genrec.pipeline import PresetAnalyzer, load_analyzer
from genrec.training.data.dataset import split
from genrec.training.data.picture_files import PictureStyle, write_pictures
from genrec.training.data.picture_folder import load_pictures
from tests.genrec.training.keras_needed import MARKS  # isort: split

from genrec.training import settings as setup
from genrec.training import train
from genrec.training.evaluation.evaluate import evaluate
from genrec.training.export.export import export
from genrec.training.milestones import outputs_path, read_outputs
from tests.genrec.training.small import played_data
from tests.synth import music, write

pytestmark = MARKS

SOUND = played_data([5 * i + style for style in (0, 3) for i in range(10)], seconds=2)


def settings(arch: str, trainable: str = "all") -> setup.TrainingSettings:
    paper = setup.for_pictures(setup.paper(setup.TrainingSettings(arch=arch, trainable=trainable)))
    image = replace(paper.image, height=32, width=32)
    return replace(paper, image=image, epochs=2, patience=2, batch=4, seed=2)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Pictures of played music, and a CNN and its preset trained on them."""
    folder = tmp_path_factory.mktemp("pictures")
    parts = split(SOUND, folder, "paper")
    write_pictures(SOUND, parts, folder, PictureStyle(colour="magma"))
    data = load_pictures(folder)
    assert data is not None
    parts = split(data, folder, "paper")
    run = folder / "run"
    train.train(settings("cnn"), data, parts, run, verbose=0, milestones=(1, 2))
    exported = export(run, data, parts, folder / "preset", name="pictures", precision="fp32")
    return SimpleNamespace(data=data, parts=parts, run=run, exported=exported, folder=folder)


def test_milestones_hold_features_and_logits_of_all_parts(pictures: SimpleNamespace) -> None:
    for epochs in (1, 2):
        outputs = read_outputs(pictures.run, epochs)
        assert sorted(outputs.indices.tolist()) == list(range(20))
        assert outputs.features.shape == (20, 64)
        assert outputs.logits.shape == (20, 2)
    first, second = (read_outputs(pictures.run, epochs).logits for epochs in (1, 2))
    assert not np.allclose(first, second)
    with pytest.raises(DataError, match="cannot be read"):
        read_outputs(pictures.run, 3)


def test_last_milestone_is_the_exported_network(pictures: SimpleNamespace) -> None:
    outputs = read_outputs(pictures.run, 2)
    analyzer = PresetAnalyzer(pictures.exported.preset)
    for row in (0, 7, 19):
        image = pictures.data.image(int(outputs.indices[row]), settings("cnn").image)
        found = analyzer.predict_images(image)
        # The checkpoint is that of the lowest validation loss, so only one of the two need match.
        best = [read_outputs(pictures.run, n) for n in (1, 2)]
        assert any(np.allclose(found.logits, b.logits[row], atol=1e-3) for b in best)


def test_preset_of_pictures_hears_pictures_only(pictures: SimpleNamespace, tmp_path: Path) -> None:
    preset = pictures.exported.preset
    assert preset.image.source == "picture"
    analyzer = load_analyzer(str(preset.folder), 30.0)
    analysis = analyzer.analyze(pictures.data.paths[0])
    assert {score.label for score in analysis.scores} == {"ballad", "disco"}
    assert sum(score.probability for score in analysis.scores) == pytest.approx(1)
    assert np.linalg.norm(analysis.embedding) == pytest.approx(1, abs=1e-5)
    assert (analysis.duration_s, analysis.analyzed_s, analysis.music) == (0.0, 0.0, 1.0)
    assert not analysis.fingerprint.any()
    assert analysis.preview is not None
    write(tmp_path / "a.wav", music(0, 3, 22_050), 22_050)
    with pytest.raises(UnsupportedFormat, match=r"a\.wav is no picture: a preset of pictures"):
        analyzer.analyze(tmp_path / "a.wav")


def test_starter_catalogue_of_pictures_has_their_names(pictures: SimpleNamespace) -> None:
    starter = pictures.exported.preset.starter()
    known = np.concatenate([pictures.parts["train"], pictures.parts["valid"]])
    assert sorted(starter.names) == sorted(pictures.data.names[i] for i in known)
    assert all(starter.titles)


def test_evaluation_of_pictures_has_both_averages(pictures: SimpleNamespace) -> None:
    analyzer = PresetAnalyzer(pictures.exported.preset)
    report = evaluate(analyzer, pictures.data, pictures.parts, part="train")
    rows = report["per_class"].values()
    assert report["macro_avg"]["f1"] == pytest.approx(np.mean([row["f1"] for row in rows]))
    weights = [row["support"] for row in rows]
    expected = np.average([row["precision"] for row in rows], weights=weights)
    assert report["weighted_avg"]["precision"] == pytest.approx(expected)
    assert report["weighted_avg"]["recall"] == pytest.approx(report["accuracy"])
    assert report["weighted_avg"]["support"] == report["tracks"] == sum(weights)
    assert report["audio"] is None
    with pytest.raises(DataError, match="data are sound"):
        evaluate(analyzer, SOUND, pictures.parts)


@pytest.mark.parametrize(("arch", "trainable"), [("vgg16", "head"), ("vgg16", "last4")])
def test_milestones_of_bottleneck_runs_match_the_whole_network(
    pictures: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arch: str,
    trainable: str,
) -> None:  # fmt: skip
    wanted = replace(settings(arch, trainable), epochs=1)
    data, parts = pictures.data, pictures.parts
    train.train(wanted, data, parts, tmp_path / "cached", verbose=0, milestones=(1,))
    monkeypatch.setattr(train, "can_cache_bottleneck", lambda *_: False)
    train.train(wanted, data, parts, tmp_path / "whole", verbose=0, milestones=(1,))
    cached, whole = (read_outputs(tmp_path / name, 1) for name in ("cached", "whole"))
    assert cached.features.shape == (20, 512)
    np.testing.assert_allclose(cached.logits, whole.logits, atol=0.02)
    np.testing.assert_allclose(cached.features, whole.features, atol=0.02)
    assert outputs_path(tmp_path / "whole", 1).exists()


def test_milestones_need_whole_excerpts(tmp_path: Path) -> None:
    parts = split(SOUND, tmp_path, "paper")
    windows = replace(settings("cnn"), image=setup.TrainingSettings().image)
    with pytest.raises(ValueError, match="whole excerpts"):
        train.train(windows, SOUND, parts, tmp_path / "run", verbose=0, milestones=(1,))
