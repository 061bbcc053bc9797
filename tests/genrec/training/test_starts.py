"""A run starts from another one; of one with other labels it takes all but the head."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genrec.errors import DataError
from genrec.training.data.dataset import split
from tests.genrec.training.keras_needed import MARKS, keras  # isort: split

from genrec.training import architectures, train
from genrec.training import settings as setup
from tests.genrec.training.small import SETTINGS, SMALL, pictures, played_data

pytestmark = MARKS

OURS = ["ballad", "disco"]
BANDS = ["band 1", "band 2", "band 3"]


def trained(folder: Path, labels: list[str], **settings: Any) -> tuple[Path, Any]:
    """Write down a run of random weights, as if it had trained; return its folder and network."""
    ran = replace(SETTINGS, **settings)
    setup.start(folder, ran, labels, resume=False)
    model, _ = architectures.build(ran, len(labels))
    model.save_weights(folder / setup.KEPT)
    return folder, model


@pytest.mark.parametrize("arch", architectures.ARCHITECTURES)
def test_a_run_of_other_labels_lends_all_but_its_head(arch: str, tmp_path: Path) -> None:
    folder, before = trained(tmp_path / "bands", BANDS, arch=arch, split="paper")
    settings = replace(SETTINGS, arch=arch, weights=str(folder), split="filtered")
    assert setup.check_init_run(folder, settings, OURS, going_on=True).split == "paper"
    model, _ = architectures.build(settings, len(OURS))
    head = model.get_layer("logits").get_weights()
    architectures.init_from(model, folder, settings, OURS)
    x = pictures(2)
    embeds = [keras.Model(m.input, m.get_layer("embedding").output) for m in (before, model)]
    heard = [np.asarray(embed.predict_on_batch(x)) for embed in embeds]
    np.testing.assert_array_equal(heard[1], heard[0])
    np.testing.assert_array_equal(model.get_layer("logits").get_weights()[0], head[0])


def test_a_run_of_the_same_labels_lends_its_head_too(tmp_path: Path) -> None:
    folder, before = trained(tmp_path / "before", OURS)
    settings = replace(SETTINGS, weights=str(folder))
    model, _ = architectures.build(settings, len(OURS))
    architectures.init_from(model, folder, settings, OURS)
    x = pictures(2)
    np.testing.assert_array_equal(model.predict_on_batch(x), before.predict_on_batch(x))


def test_what_a_run_cannot_start_from_is_a_sentence(tmp_path: Path) -> None:
    folder, _ = trained(tmp_path / "bands", BANDS)
    with pytest.raises(DataError, match="trained a vgg16, which a resnet50 cannot go on from"):
        setup.check_init_run(folder, replace(SETTINGS, arch="resnet50"), OURS, going_on=True)
    larger = replace(SETTINGS, image=replace(SMALL, height=64))
    with pytest.raises(DataError, match="another front end, split or set"):
        setup.check_init_run(folder, larger, OURS, going_on=True)
    shared, _ = trained(tmp_path / "shared", ["disco", "rock"], split="filtered")
    with pytest.raises(DataError, match="another front end, split or set"):
        setup.check_init_run(shared, SETTINGS, OURS, going_on=True)  # it may know the same tracks
    with pytest.raises(DataError, match="another front end, split or set"):
        setup.check_init_run(folder, SETTINGS, OURS)  # it cannot teach what it has no name for


def test_training_starts_from_a_run_of_other_labels(tmp_path: Path) -> None:
    data = played_data([5 * i + style for style in (0, 3) for i in range(6)])
    folder, _ = trained(tmp_path / "bands", BANDS)
    settings = replace(SETTINGS, weights=str(folder), epochs=1, learning_rate=1e-9, warmup=0.0)
    run = train.train(settings, data, split(data, tmp_path, "paper"), tmp_path / "run", verbose=0)
    kernels = []
    for where, labels in ((folder, BANDS), (run, OURS)):
        model, _ = architectures.build(SETTINGS, len(labels))
        architectures.load_run(model, where)
        kernels.append(model.get_layer("block3_conv1").get_weights()[0])
    before, after = kernels
    np.testing.assert_allclose(after, before, atol=1e-6)


def test_other_backends_than_tensorflow_are_left_to_compile_as_they_please(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    by_precision = {p: replace(SETTINGS, precision=p) for p in ("float32", "mixed_bfloat16")}
    assert train.compiled(by_precision["float32"]) is True
    assert train.compiled(by_precision["mixed_bfloat16"]) is False
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    assert {train.compiled(settings) for settings in by_precision.values()} == {"auto"}
