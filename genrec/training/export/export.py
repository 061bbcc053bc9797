"""Turn a training run into a preset: fold, convert, calibrate, write the starter catalogue.

genrec export --run runs/vgg16 --data DIR --out models/vgg16
"""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from genrec.embedder import SIGNATURE
from genrec.errors import DataError
from genrec.pipeline import PresetAnalyzer
from genrec.preset import CATALOGUE, NETWORK, Preset, save_starter
from genrec.training.architectures import build, fold, load_run
from genrec.training.batches import all_windows
from genrec.training.data.dataset import Dataset, Parts, check_front_end, need
from genrec.training.evaluation.predict import Predictions, concat, predict_all
from genrec.training.export.calibrate import Blank, accuracy, calibrate
from genrec.training.export.projection import degradations
from genrec.training.export.starter_catalogue import starter
from genrec.training.settings import TrainingSettings, read_settings

Float = NDArray[np.float32]
Say = Callable[[str], None]

PRECISIONS = ("int8", "fp16", "fp32")
MAX_LOSS = 0.01  # of accuracy on the validation part, before int8 gives way to fp16
REPRESENTATIVE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A preset that was written.

    Attributes
    ----------
    preset, precision
        The preset, and how its network is stored.
    accuracy
        On validation tracks, before the conversion and after it.
    heard
        What the network says of the training and validation tracks.
    """

    preset: Preset
    precision: str
    accuracy: dict[str, float]
    heard: Predictions


def export(
    run: Path,
    data: Dataset,
    parts: Parts,
    out: Path,
    *,
    name: str,
    precision: str = "int8",
    say: Say = lambda line: None,
) -> Exported:
    """Write the epoch that a run keeps as a preset folder.

    ``int8`` is kept where it loses no more than a point of validation accuracy against fp32;
    else fp16 is written, and that is said.

    Raises
    ------
    DataError
        The run has no weights yet, the data are not of its kind, the precision is unknown, or Keras
        runs on another backend than TensorFlow.
    """
    if keras.backend.backend() != "tensorflow":
        raise DataError("Only Keras on TensorFlow can export: leave KERAS_BACKEND out for this.")
    if precision not in PRECISIONS:
        raise DataError(f"--precision is one of {', '.join(PRECISIONS)}, not {precision!r}.")
    settings, labels = read_settings(run)
    need(parts, "train", "valid")
    check_front_end(data, settings.spectrogram)
    if data.labels != labels:
        raise DataError(
            f"{run} was trained on {', '.join(labels)}, and these data hold"
            f" {', '.join(data.labels)}; give the data it was trained on."
        )
    network = serving_model(load_kept(run, settings, len(labels)), settings)
    blank = Blank(name=name, settings=settings, labels=labels)
    precision, measured, valid = write_network(network, blank, data, parts, out, precision, say)
    bare = PresetAnalyzer(blank.save(out))
    train = predict_all(bare, data, parts["train"])
    changes = degradations(bare, data, parts["train"])
    if not len(changes):
        say("No training track has audio, so the embedding learns nothing of codings and noise.")
    shipped = calibrate(blank, out, data, train, valid, changes)
    tracks = starter(PresetAnalyzer(shipped), data, train, valid)
    if tracks is None:
        (out / CATALOGUE).unlink(missing_ok=True)
        say("No track has both artist and title, so there is no starter catalogue.")
    else:
        save_starter(shipped, tracks)
    heard = concat(train, valid)
    return Exported(preset=shipped, precision=precision, accuracy=measured, heard=heard)


def write_network(
    network: keras.Model,
    blank: Blank,
    data: Dataset,
    parts: Parts,
    out: Path,
    precision: str,
    say: Say,
) -> tuple[str, dict[str, float], Predictions]:
    """Convert a network, fp16 where int8 loses too much; return what was written, and figures."""
    examples = representative(data, parts["train"], blank.settings)
    measured: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as scratch:

        def make(wanted: str) -> tuple[Path, Predictions]:
            folder = Path(scratch) / wanted
            folder.mkdir()
            convert(network, folder / NETWORK, wanted, examples)
            found = predict_all(PresetAnalyzer(blank.save(folder)), data, parts["valid"])
            measured[wanted] = accuracy(found, data, blank.labels)
            say(f"{wanted}: {measured[wanted]:.3f} of the validation tracks")
            return folder, found

        folder, valid = make("fp32")
        if precision != "fp32":
            folder, valid = make(precision)
        if precision == "int8" and measured["int8"] < measured["fp32"] - MAX_LOSS:
            say("int8 loses more than a point, so fp16 is written.")
            precision = "fp16"
            folder, valid = make(precision)
        out.mkdir(parents=True, exist_ok=True)
        shutil.copy2(folder / NETWORK, out / NETWORK)
    return precision, measured, valid


def load_kept(run: Path, settings: TrainingSettings, labels: int) -> keras.Model:
    """Return a run's network in float32, with the weights of the epoch it keeps."""
    model, _ = build(replace(settings, weights="none", precision="float32"), labels)
    load_run(model, run)
    return model


def serving_model(model: keras.Model, settings: TrainingSettings) -> keras.Model:
    """Return what ships: plain VGG16 or ResNet50, images -> (embedding, logits)."""
    if settings.arch == "vgg16" and settings.batch_norm:
        body = fold(model, settings.image.shape)
        features = keras.layers.GlobalAveragePooling2D()(body.output)
        logits = model.get_layer("logits")(features)
        return keras.Model(body.input, {"embedding": features, "logits": logits})
    return keras.Model(
        model.input, {"embedding": model.get_layer("embedding").output, "logits": model.output}
    )


def convert(model: keras.Model, path: Path, precision: str, examples: Float) -> None:
    """Write a network as a LiteRT file with the signature ``serve``, its batch size free."""
    images = keras.InputSpec(shape=(None, *model.input_shape[1:]), dtype="float32", name="images")
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(
        SIGNATURE, lambda images: model(images, training=False), input_signature=[images]
    )
    with tempfile.TemporaryDirectory() as folder:
        archive.write_out(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[SIGNATURE])
        if precision != "fp32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision == "fp16":
            converter.target_spec.supported_types = [tf.float16]
        if precision == "int8":

            def representative_dataset() -> Iterator[Any]:
                for example in examples:
                    yield SIGNATURE, {"images": example[np.newaxis]}

            converter.representative_dataset = representative_dataset
        with warnings.catch_warnings():  # TensorFlow calibrates with what it advises against
            warnings.filterwarnings("ignore", r"\s*Warning: tf\.lite\.Interpreter is deprecated")
            path.write_bytes(converter.convert())


def representative(data: Dataset, indices: NDArray[np.int64], settings: TrainingSettings) -> Float:
    """Return images of training tracks, from which int8 learns its ranges."""
    rng = np.random.default_rng(settings.seed)
    chosen = rng.permutation(indices)[:REPRESENTATIVE]
    x, owner = all_windows(data, chosen, settings)
    first = np.searchsorted(owner, np.arange(len(chosen)))
    return np.asarray(x[first + rng.integers(0, np.bincount(owner).min(), len(chosen))])
