"""Initial weights from another run; with other labels, all layers but the head."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genrec.errors import DataError
from genrec.training.data.dataset import split
from tests.genrec.training.keras_needed import MARKS, keras  # isort: split

from genrec.training import architectures, distillation, train
from genrec.training import settings as setup
from tests.genrec.training.small import SETTINGS, SMALL, noise_images, played_data

pytestmark = MARKS

OURS = ["ballad", "disco"]
OTHER = ["ensemble 1", "ensemble 2", "ensemble 3"]


def trained(folder: Path, labels: list[str], **settings: Any) -> tuple[Path, Any]:
    """Write a run folder with random weights; return it and the network."""
    run_settings = replace(SETTINGS, **settings)
    setup.write_or_check_settings(folder, run_settings, labels, resume=False)
    model, _ = architectures.build(run_settings, len(labels))
    model.save_weights(folder / setup.CHECKPOINT)
    return folder, model


@pytest.mark.parametrize("arch", architectures.ARCHITECTURES)
def test_init_from_a_run_of_other_labels_copies_all_but_the_head(arch: str, tmp_path: Path) -> None:
    folder, before = trained(tmp_path / "other", OTHER, arch=arch, split="paper")
    settings = replace(SETTINGS, arch=arch, weights=str(folder), split="filtered")
    setup.check_init_run(folder, settings, OURS)  # another split is allowed
    model, _ = architectures.build(settings, len(OURS))
    head = model.get_layer("logits").get_weights()
    architectures.init_from(model, folder, settings, OURS)
    x = noise_images(2)
    embeds = [keras.Model(m.input, m.get_layer("embedding").output) for m in (before, model)]
    embeddings = [np.asarray(embed.predict_on_batch(x)) for embed in embeds]
    np.testing.assert_array_equal(embeddings[1], embeddings[0])
    np.testing.assert_array_equal(model.get_layer("logits").get_weights()[0], head[0])


def test_init_from_a_run_of_the_same_labels_copies_the_head_too(tmp_path: Path) -> None:
    folder, before = trained(tmp_path / "before", OURS)
    settings = replace(SETTINGS, weights=str(folder))
    model, _ = architectures.build(settings, len(OURS))
    architectures.init_from(model, folder, settings, OURS)
    x = noise_images(2)
    np.testing.assert_array_equal(model.predict_on_batch(x), before.predict_on_batch(x))


def test_check_init_run_of_an_unusable_run_raises(tmp_path: Path) -> None:
    folder, _ = trained(tmp_path / "other", OTHER)
    with pytest.raises(DataError, match="trained a vgg16, and its weights do not fit a resnet50"):
        setup.check_init_run(folder, replace(SETTINGS, arch="resnet50"), OURS)
    larger = replace(SETTINGS, image=replace(SMALL, height=64))
    with pytest.raises(DataError, match=r"image\.height is 32 there and 64 here"):
        setup.check_init_run(folder, larger, OURS)
    shared, _ = trained(tmp_path / "shared", ["disco", "rock"], split="filtered")
    with pytest.raises(DataError, match="split is filtered there and paper here"):
        setup.check_init_run(shared, SETTINGS, OURS)  # shared tracks are possible
    with pytest.raises(DataError, match="labels is ensemble 1, ensemble 2, ensemble 3 there"):
        distillation.load_teachers(replace(SETTINGS, teachers=(str(folder),)), OURS)


def test_train_starts_from_the_weights_of_another_run(tmp_path: Path) -> None:
    data = played_data([5 * i + style for style in (0, 3) for i in range(6)])
    folder, _ = trained(tmp_path / "other", OTHER)
    settings = replace(SETTINGS, weights=str(folder), epochs=1, learning_rate=1e-9, warmup=0.0)
    run = train.train(settings, data, split(data, tmp_path, "paper"), tmp_path / "run", verbose=0)
    kernels = []
    for where, labels in ((folder, OTHER), (run, OURS)):
        model, _ = architectures.build(SETTINGS, len(labels))
        architectures.load_run(model, where)
        kernels.append(model.get_layer("block3_conv1").get_weights()[0])
    before, after = kernels
    np.testing.assert_allclose(after, before, atol=1e-6)


def test_jit_compile_is_auto_on_other_backends_than_tensorflow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    by_precision = {p: replace(SETTINGS, precision=p) for p in ("float32", "mixed_bfloat16")}
    assert train.jit_compile(by_precision["float32"]) is True
    assert train.jit_compile(by_precision["mixed_bfloat16"]) is False
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    assert {train.jit_compile(settings) for settings in by_precision.values()} == {"auto"}
