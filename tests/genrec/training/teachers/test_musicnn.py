"""The tagger's patches, and a network of its wheel that a test made."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from genrec.errors import DataError
from tests.genrec.training.keras_needed import MARKS

tf = pytest.importorskip("tensorflow")

from genrec.training.teachers import musicnn  # noqa: E402

pytestmark = MARKS
V1 = tf.compat.v1
TAGS = ["rock", "calm"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a wheel whose network has as logits the mean and minus the mean of a patch."""
    folder = tmp_path_factory.mktemp("wheel")
    with V1.Graph().as_default(), V1.Session() as session:
        x = V1.placeholder(tf.float32, [None, musicnn.FRAMES, musicnn.BANDS], "model/Placeholder")
        training = V1.placeholder(tf.bool, name="model/Placeholder_1")
        mean = tf.reduce_mean(x, axis=[1, 2])[:, None]
        weights = V1.get_variable(
            "weights", initializer=np.array([[1.0, -1.0]], np.float32), use_resource=False
        )
        layer = V1.nn.relu(mean + tf.cast(training, tf.float32), name="model/dense/Relu")
        V1.nn.bias_add(tf.matmul(layer, weights), [0.0, 0.0], name="model/dense_1/BiasAdd")
        session.run(V1.global_variables_initializer())
        V1.train.Saver().save(session, str(folder / "m"))
    path = folder / "musicnn-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("musicnn/configuration.py", f"MSD_LABELS = {TAGS!r}\nSR = 16000\n")
        for suffix in (".meta", ".index", ".data-00000-of-00001"):
            archive.write(folder / f"m{suffix}", f"musicnn/MSD_musicnn/{suffix}")
    return path


def test_patches_are_three_seconds_long_and_a_hop_apart() -> None:
    y = np.random.default_rng(1).normal(0, 0.1, 5 * 22_050).astype(np.float32)
    starts, patches = musicnn.mel_patches(y, 22_050, 1.0)
    assert patches.shape == (3, 187, 96)
    assert starts == pytest.approx([0, 1, 2], abs=0.02)
    # The second patch begins where the first is a hop old.
    step = round(16_000 / 256)
    assert np.array_equal(patches[0][step:], patches[1][:-step])


def test_sound_shorter_than_a_patch_has_no_answers(wheel: Path) -> None:
    tagger = musicnn.MusicTagger(wheel)
    starts, tags, layer = tagger(np.zeros(20_000, np.float32), 22_050, hop_s=1.0)
    assert (len(starts), tags.shape, len(layer)) == (0, (0, 2), 0)


def test_tagger_runs_the_network_of_the_wheel_outside_training(wheel: Path) -> None:
    tagger = musicnn.MusicTagger(wheel)
    y = np.random.default_rng(1).normal(0, 0.1, 4 * 16_000).astype(np.float32)
    _, patches = musicnn.mel_patches(y, 16_000, 0.5)
    _, tags, layer = tagger(y, 16_000, hop_s=0.5)
    means = patches.mean(axis=(1, 2))
    assert tagger.tags == TAGS
    assert layer[:, 0] == pytest.approx(means, rel=1e-4)  # one more while training
    assert tags[:, 0] == pytest.approx(1 / (1 + np.exp(-means)), rel=1e-4)
    assert tags.sum(axis=1) == pytest.approx(np.ones(len(tags)), rel=1e-4)


def test_another_file_is_refused_with_the_way_to_get_the_wheel(tmp_path: Path) -> None:
    path = tmp_path / "x.whl"
    path.write_bytes(b"no zip")
    with pytest.raises(DataError, match=r"pip download --no-deps musicnn==0\.1\.0"):
        musicnn.MusicTagger(path)


def test_unknown_network_is_refused(wheel: Path) -> None:
    with pytest.raises(DataError, match=r"MSD_musicnn, MTT_musicnn"):
        musicnn.MusicTagger(wheel, "other")
