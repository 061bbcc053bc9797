"""Export a training run as a preset: fold BatchNorm, convert to LiteRT, calibrate, add tracks.

genrec export --run runs/vgg16 --data DIR --out models/vgg16
"""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from genrec.errors import DataError
from genrec.music_detector import MusicDetector
from genrec.pipeline import PresetAnalyzer
from genrec.preset import NETWORK
from genrec.runtimes import SIGNATURE
from genrec.training.architectures import build, fold, load_run
from genrec.training.batches import all_windows
from genrec.training.data.dataset import ExcerptTable, Parts
from genrec.training.evaluation.predict import Predictions, concat, predict_all
from genrec.training.export.calibrate import UncalibratedPreset, accuracy
from genrec.training.export.finish import Exported, Log, check_data, finish
from genrec.training.settings import TrainingSettings, read_settings

Float = NDArray[np.float32]

PRECISIONS = ("int8", "fp16", "fp32")
MAX_LOSS = 0.01  # of validation accuracy; if int8 loses more, fp16 is used
REPRESENTATIVE = 200  # training tracks that set the ranges of int8


def export(
    run: Path,
    data: ExcerptTable,
    parts: Parts,
    out: Path,
    *,
    name: str,
    precision: str = "int8",
    music_detector: MusicDetector | None = None,
    temperature: float | None = None,
    unlabelled: Sequence[Path] = (),
    log: Log = lambda line: None,
) -> Exported:
    """Export a run's checkpoint as a preset folder and return the result.

    If int8 loses more than one point of validation accuracy against fp32, fp16 is written instead,
    and ``log`` is called with a line about it.

    Parameters
    ----------
    run, data, parts
        The run folder, and the data set and split it was trained on.
    out, name
        The preset's folder and name.
    precision
        ``int8``, ``fp16`` or ``fp32``.
    music_detector
        Becomes part of the preset; with None, every clip holds music.
    temperature
        Divisor of the logits; with None, it is fitted on the validation tracks.
    unlabelled
        Archives of music whose teacher's answers the embedding also reads.
    log
        Called with a line per step.

    Raises
    ------
    DataError
        The run has no checkpoint, the data do not match it, the precision is unknown, or Keras
        uses another backend than TensorFlow.
    """
    if keras.backend.backend() != "tensorflow":
        raise DataError("Only Keras on TensorFlow can export; unset KERAS_BACKEND.")
    if precision not in PRECISIONS:
        raise DataError(f"--precision must be one of {', '.join(PRECISIONS)}, not {precision!r}.")
    settings, labels = read_settings(run)
    check_data(run, settings, labels, data, parts)
    network = serving_model(load_trained(run, settings, len(labels)), settings)
    uncalibrated = UncalibratedPreset(
        name=name,
        settings=settings,
        labels=labels,
        music_detector=music_detector,
        temperature=temperature,
    )
    precision, accuracies, valid = write_network(
        network, uncalibrated, data, parts, out, precision, log
    )
    preset, train = finish(uncalibrated, out, data, parts, valid, log, unlabelled)
    return Exported(
        preset=preset,
        precision=precision,
        accuracy=accuracies,
        predictions=concat(train, valid),
    )


def write_network(
    network: keras.Model,
    uncalibrated: UncalibratedPreset,
    data: ExcerptTable,
    parts: Parts,
    out: Path,
    precision: str,
    log: Log,
) -> tuple[str, dict[str, float], Predictions]:
    """Write a network to ``out`` as a LiteRT file; in fp16 if int8 loses too much accuracy.

    Returns
    -------
    The precision written, validation accuracy by precision, and the validation predictions
    """
    examples = representative_images(data, parts["train"], uncalibrated.settings)
    accuracies: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as scratch:

        def convert_and_measure(precision: str) -> tuple[Path, Predictions]:
            folder = Path(scratch) / precision
            folder.mkdir()
            convert(network, folder / NETWORK, precision, examples)
            analyzer = PresetAnalyzer(uncalibrated.save(folder))
            predictions = predict_all(analyzer, data, parts["valid"])
            accuracies[precision] = accuracy(predictions, data, uncalibrated.labels)
            log(f"{precision}: validation accuracy {accuracies[precision]:.3f}")
            return folder, predictions

        folder, valid = convert_and_measure("fp32")
        if precision != "fp32":
            folder, valid = convert_and_measure(precision)
        if precision == "int8" and accuracies["int8"] < accuracies["fp32"] - MAX_LOSS:
            log("int8 loses more than one point of accuracy, so fp16 is written.")
            precision = "fp16"
            folder, valid = convert_and_measure(precision)
        out.mkdir(parents=True, exist_ok=True)
        shutil.copy2(folder / NETWORK, out / NETWORK)
    return precision, accuracies, valid


def load_trained(run: Path, settings: TrainingSettings, labels: int) -> keras.Model:
    """Return a run's network in float32 with the weights of its checkpoint."""
    model, _ = build(replace(settings, weights="none", precision="float32"), labels)
    load_run(model, run)
    return model


def serving_model(model: keras.Model, settings: TrainingSettings) -> keras.Model:
    """Return the network to export, with BatchNorm of VGG16 folded: images -> embedding, logits."""
    if settings.arch == "vgg16" and settings.batch_norm:
        body = fold(model, settings.image.shape)
        features = keras.layers.GlobalAveragePooling2D()(body.output)
        logits = model.get_layer("logits")(features)
        return keras.Model(body.input, {"embedding": features, "logits": logits})
    return keras.Model(
        model.input, {"embedding": model.get_layer("embedding").output, "logits": model.output}
    )


def convert(model: keras.Model, path: Path, precision: str, examples: Float) -> None:
    """Write a network to a LiteRT file with the signature ``serve`` and any batch size."""
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
        with warnings.catch_warnings():  # the converter uses a deprecated interpreter
            warnings.filterwarnings("ignore", r"\s*Warning: tf\.lite\.Interpreter is deprecated")
            path.write_bytes(converter.convert())


def representative_images(
    data: ExcerptTable, indices: NDArray[np.int64], settings: TrainingSettings
) -> Float:
    """Return the representative data set of int8: one image each of random training tracks."""
    rng = np.random.default_rng(settings.seed)
    chosen = rng.permutation(indices)[:REPRESENTATIVE]
    x, owner = all_windows(data, chosen, settings)
    first = np.searchsorted(owner, np.arange(len(chosen)))
    return np.asarray(x[first + rng.integers(0, np.bincount(owner).min(), len(chosen))])
