"""Training behind remembered outputs of frozen layers ends where training the slow way does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from genrec.training.data.augment import NONE
from genrec.training.data.dataset import split
from tests.genrec.training.keras_needed import MARKS, keras  # isort: split

from genrec.training import architectures, bottleneck, callbacks, train
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
def test_the_network_is_cut_where_it_begins_to_learn(
    arch: str, trainable: str, tensors: int
) -> None:
    model, _ = architectures.build(settings(arch, trainable, 1), 2)
    first, rest = bottleneck.split_at_frozen(model)
    assert len(first.outputs) == tensors
    assert not first.trainable_weights
    assert [w.path for w in rest.trainable_weights] == [w.path for w in model.trainable_weights]
    x = np.random.default_rng(0).uniform(0, 1, (3, 32, 32, 3)).astype(np.float32)
    expected = np.asarray(model(x, training=False))
    found = np.asarray(rest(bottleneck.outputs(first, [x[:2], x[2:]]), training=False))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("arch", "trainable"), [("vgg16", "last4"), ("resnet50", "last4")])
def test_the_fast_way_ends_where_the_slow_way_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arch: str, trainable: str
) -> None:
    wanted = settings(arch, trainable, 1)
    train.train(wanted, DATA, PARTS, tmp_path / "fast", verbose=0)
    monkeypatch.setattr(train, "sees_the_same", lambda _: False)
    train.train(wanted, DATA, PARTS, tmp_path / "slow", verbose=0)
    keras.utils.set_random_seed(wanted.seed)
    start, _ = architectures.build(wanted, 2)
    fast = export.load_kept(tmp_path / "fast", wanted, 2)
    slow = export.load_kept(tmp_path / "slow", wanted, 2)
    moved = 0.0
    for before, a, b in zip(start.weights, fast.weights, slow.weights, strict=True):
        # Adam turns the sign of a gradient near zero into a whole step, so a few weights differ.
        gap = np.abs(np.asarray(a) - np.asarray(b))
        if before.path == "conv5_block3_3_conv/bias":
            continue  # the normalisation behind it takes it off: its gradient is rounding alone
        assert np.quantile(gap, 0.99) < 1e-4, before.path
        moved = max(moved, float(gap.max()))
    assert moved < 5e-3  # two steps at 1e-3 either way
    changed = [
        not np.array_equal(np.asarray(a), np.asarray(b))
        for a, b in zip(start.trainable_weights, fast.trainable_weights, strict=True)
    ]
    assert all(changed)
    (a,), (b,) = (setup.read_history(tmp_path / name) for name in ("fast", "slow"))
    assert a == pytest.approx(b, rel=1e-3, abs=1e-4)


def test_a_run_that_was_killed_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = settings("vgg16", "last4", 2)
    train.train(wanted, DATA, PARTS, tmp_path / "whole", verbose=0)
    begun: list[tuple[int, int]] = []

    class Killed(callbacks.EpochSeed):
        kill = True

        def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            super().on_epoch_begin(epoch, logs)
            if epoch == 1 and Killed.kill:
                raise KeyboardInterrupt
            begun.append((epoch, int(np.asarray(self.model.optimizer.iterations))))

    monkeypatch.setattr(train, "EpochSeed", Killed)
    with pytest.raises(KeyboardInterrupt):
        train.train(wanted, DATA, PARTS, tmp_path / "killed", verbose=0)
    Killed.kill = False
    train.train(wanted, DATA, PARTS, tmp_path / "killed", verbose=0)
    assert begun == [(0, 0), (1, 2)]
    whole, killed = (setup.read_history(tmp_path / name) for name in ("whole", "killed"))
    assert [row["epoch"] for row in killed] == [0, 1]
    assert killed[0] == pytest.approx(whole[0], rel=1e-3, abs=1e-4)


def test_only_whole_excerpts_without_damage_are_remembered() -> None:
    paper = settings("vgg16", "head", 1)
    assert train.sees_the_same(paper)
    assert not train.sees_the_same(replace(paper, trainable="all"))
    assert not train.sees_the_same(replace(paper, teachers=("runs/one",)))
    assert not train.sees_the_same(replace(paper, image=replace(paper.image, columns=128)))
    assert not train.sees_the_same(replace(paper, augment=setup.TrainingSettings().augment))
    assert paper.augment == NONE
