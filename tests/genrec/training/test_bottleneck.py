"""Training on bottleneck features gives the result of training the whole network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from genrec.training.data.augment import NONE
from genrec.training.data.dataset import split
from tests.genrec.training.keras_needed import MARKS, keras  # isort: split

from genrec.training import architectures, batches, bottleneck, callbacks, train
from genrec.training import settings as setup
from genrec.training.export import export
from tests.genrec.training.small import played_data

pytestmark = MARKS

DATA = played_data([5 * i + style for style in (0, 3) for i in range(6)], seconds=3)
PARTS = split(DATA, Path("none"), "paper")


def settings(arch: str, trainable: str, epochs: int) -> setup.TrainingSettings:
    paper = setup.paper(setup.TrainingSettings(arch=arch, trainable=trainable, seed=3))
    image = replace(paper.image, height=32, width=32)
    return replace(paper, image=image, epochs=epochs, patience=epochs, batch=4)


@pytest.mark.parametrize(
    ("arch", "trainable", "tensors"),
    [
        ("vgg16", "head", 1),
        ("vgg16", "last4", 1),
        ("resnet50", "head", 1),
        ("resnet50", "last4", 2),
    ],
)
def test_split_at_frozen_keeps_output_and_trainable_weights(
    arch: str, trainable: str, tensors: int
) -> None:
    model, _ = architectures.build(settings(arch, trainable, 1), 2)
    first, rest = bottleneck.split_at_frozen(model)
    assert len(first.outputs) == tensors
    assert not first.trainable_weights
    assert [w.path for w in rest.trainable_weights] == [w.path for w in model.trainable_weights]
    indices = np.arange(3)
    x, _ = batches.all_windows(DATA, indices, settings(arch, trainable, 1))
    expected = np.asarray(model(x, training=False))
    images = batches.WholeExcerpts(DATA, indices, settings(arch, trainable, 1), batch=2)
    assert len(images) == 2
    found = np.asarray(rest(bottleneck.bottleneck_features(first, images), training=False))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("arch", "trainable"), [("vgg16", "last4"), ("resnet50", "last4")])
def test_bottleneck_training_matches_full_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arch: str, trainable: str
) -> None:
    wanted = settings(arch, trainable, 1)
    train.train(wanted, DATA, PARTS, tmp_path / "cached", verbose=0)
    monkeypatch.setattr(train, "can_cache_bottleneck", lambda *_: False)
    train.train(wanted, DATA, PARTS, tmp_path / "full", verbose=0)
    keras.utils.set_random_seed(wanted.seed)
    start, _ = architectures.build(wanted, 2)
    cached = export.load_trained(tmp_path / "cached", wanted, 2)
    full = export.load_trained(tmp_path / "full", wanted, 2)
    moved = 0.0
    for before, a, b in zip(start.weights, cached.weights, full.weights, strict=True):
        # Adam makes a full step of a gradient near zero, so a few weights differ.
        gap = np.abs(np.asarray(a) - np.asarray(b))
        if before.path == "conv5_block3_3_conv/bias":
            continue  # cancelled by the next BatchNorm: its gradient is rounding error
        assert np.quantile(gap, 0.99) < 1e-4, before.path
        moved = max(moved, float(gap.max()))
    assert moved < 5e-3  # two steps of 1e-3 in each direction
    changed = [
        not np.array_equal(np.asarray(a), np.asarray(b))
        for a, b in zip(start.trainable_weights, cached.trainable_weights, strict=True)
    ]
    assert all(changed)
    (a,), (b,) = (setup.read_history(tmp_path / name) for name in ("cached", "full"))
    assert a == pytest.approx(b, rel=1e-3, abs=1e-4)


def test_interrupted_bottleneck_run_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = settings("vgg16", "last4", 2)
    train.train(wanted, DATA, PARTS, tmp_path / "whole", verbose=0)
    starts: list[tuple[int, int]] = []

    class Interrupted(callbacks.EpochSeed):
        interrupt = True

        def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            super().on_epoch_begin(epoch, logs)
            if epoch == 1 and Interrupted.interrupt:
                raise KeyboardInterrupt
            starts.append((epoch, int(np.asarray(self.model.optimizer.iterations))))

    monkeypatch.setattr(train, "EpochSeed", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        train.train(wanted, DATA, PARTS, tmp_path / "interrupted", verbose=0)
    Interrupted.interrupt = False
    train.train(wanted, DATA, PARTS, tmp_path / "interrupted", verbose=0)
    assert starts == [(0, 0), (1, 2)]
    whole, interrupted = (setup.read_history(tmp_path / name) for name in ("whole", "interrupted"))
    assert [row["epoch"] for row in interrupted] == [0, 1]
    assert interrupted[0] == pytest.approx(whole[0], rel=1e-3, abs=1e-4)


def test_can_cache_bottleneck_needs_frozen_layers_and_constant_images() -> None:
    paper = settings("vgg16", "head", 1)
    model, _ = architectures.build(paper, 2)
    assert train.can_cache_bottleneck(paper, model, 100)
    for other in (
        replace(paper, trainable="all"),
        replace(paper, teachers=("runs/one",)),
        replace(paper, image=replace(paper.image, columns=128)),
        replace(paper, augment=setup.TrainingSettings().augment),
    ):
        assert not train.can_cache_bottleneck(other, model, 100)
    assert paper.augment == NONE


def test_features_that_do_not_fit_into_memory_are_not_cached() -> None:
    head = settings("vgg16", "head", 1)  # 512 numbers for each excerpt
    model, _ = architectures.build(head, 2)
    most = bottleneck.MAX_BYTES // (4 * 512)
    assert train.can_cache_bottleneck(head, model, most)
    assert not train.can_cache_bottleneck(head, model, most + 1)
