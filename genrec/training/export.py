"""Turn a training run into a preset: fold, convert, calibrate, write the starter catalogue.

genrec export --run runs/vgg16 --data DIR --out models/vgg16
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from genrec.embedder import SIGNATURE, Embedder
from genrec.errors import DataError
from genrec.fingerprint import COLUMNS_EACH, fingerprint, same_recording
from genrec.pipeline import Analyzer
from genrec.preset import NETWORK, Calibration, Preset, Starter, save_preset, save_starter
from genrec.training.architectures import fold
from genrec.training.dataset import Dataset, Parts
from genrec.training.evaluate import Predictions, predict
from genrec.training.front_end import mel_basis
from genrec.training.train import Settings, all_windows, build, read_settings

Float = NDArray[np.float32]
Say = Callable[[str], None]

PRECISIONS = ("int8", "fp16", "fp32")
MAX_LOSS = 0.01  # of accuracy on the validation part, before int8 gives way to fp16
REPRESENTATIVE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A preset that was written, and the accuracy on validation tracks before and after."""

    preset: Preset
    precision: str
    accuracy: dict[str, float]


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
    """Write the best epoch of a run as a preset folder.

    ``int8`` is kept where it loses no more than a point of validation accuracy against fp32;
    else fp16 is written, and that is said.

    Raises
    ------
    DataError
        The run has no weights yet, or the precision is unknown.
    """
    if precision not in PRECISIONS:
        raise DataError(f"--precision is one of {', '.join(PRECISIONS)}, not {precision!r}.")
    settings, labels = read_settings(run)
    model = load_best(run, settings, len(labels))
    serving = serving_model(model, settings)
    examples = representative(data, parts["train"], settings)
    truth = np.array([labels.index(data.genres[i]) for i in parts["valid"]])
    measured: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as scratch:

        def make(wanted: str) -> Path:
            folder = Path(scratch) / wanted
            folder.mkdir(exist_ok=True)
            convert(serving, folder / NETWORK, wanted, examples)
            preset = calibrate(folder, settings, labels, data, parts, name)
            found = predict(Analyzer(preset), data, parts["valid"])
            measured[wanted] = float((found.logits.argmax(axis=1) == truth).mean())
            say(f"{wanted}: {measured[wanted]:.3f} of the validation tracks")
            return folder

        make("fp32")
        folder, kept = make(precision), precision
        if precision == "int8" and measured["int8"] < measured["fp32"] - MAX_LOSS:
            say("int8 loses more than a point, so fp16 is written.")
            folder, kept = make("fp16"), "fp16"
        out.mkdir(parents=True, exist_ok=True)
        for file in folder.iterdir():
            shutil.copy2(file, out / file.name)
    shipped = Preset.load(out)
    known = np.concatenate([parts["train"], parts["valid"]])
    save_starter(shipped, starter(Analyzer(shipped), data, known))
    return Exported(preset=shipped, precision=kept, accuracy=measured)


def load_best(run: Path, settings: Settings, labels: int) -> keras.Model:
    """Return a run's network with the weights of its best epoch."""
    path = run / "best.weights.h5"
    if not path.exists():
        raise DataError(f"{run} has no weights yet; let `genrec train` finish an epoch first.")
    model, _ = build(replace(settings, weights="none", precision="float32"), labels)
    model.load_weights(path)
    return model


def serving_model(model: keras.Model, settings: Settings) -> keras.Model:
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
    shape = (None, *model.input_shape[1:])
    module = tf.Module()
    module.model = model
    module.serve = tf.function(
        lambda images: model(images, training=False),
        input_signature=[tf.TensorSpec(shape, tf.float32, name="images")],
    )
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures={SIGNATURE: module.serve})
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
        path.write_bytes(converter.convert())


def representative(data: Dataset, indices: NDArray[np.int64], settings: Settings) -> Float:
    """Return images of training tracks, from which int8 learns its ranges."""
    rng = np.random.default_rng(settings.seed)
    chosen = rng.permutation(indices)[:REPRESENTATIVE]
    x, owner = all_windows(data, chosen, settings)
    first = np.searchsorted(owner, np.arange(len(chosen)))
    return np.asarray(x[first + rng.integers(0, np.bincount(owner).min(), len(chosen))])


def calibrate(
    folder: Path, settings: Settings, labels: list[str], data: Dataset, parts: Parts, name: str
) -> Preset:
    """Write the preset round a network: the centre of its space, temperature and cosine scale.

    The centre is the training tracks' mean; temperature and cosines are fitted on validation
    tracks, which the network has not learned by heart.
    """
    blank = save_preset(
        folder,
        name=name,
        arch=settings.arch,
        spectrogram=settings.spectrogram,
        image=settings.image,
        labels=labels,
        calibration=Calibration(),
        mel_basis=mel_basis(settings.spectrogram),
        centre=np.zeros(Embedder(folder / NETWORK).dimension, dtype=np.float32),
    )
    analyzer = Analyzer(blank)
    centre = np.mean(
        [analyzer.see(data.spectrogram(int(i))).features for i in parts["train"]], axis=0
    )
    centred = replace(blank, centre=centre.astype(np.float32))
    analyzer = Analyzer(centred)
    train, valid = (predict(analyzer, data, parts[part]) for part in ("train", "valid"))
    truth = np.array([labels.index(data.genres[i]) for i in valid.indices])
    unrelated = _unrelated_cosines(data, valid, train)
    return save_preset(
        folder,
        name=name,
        arch=settings.arch,
        spectrogram=settings.spectrogram,
        image=settings.image,
        labels=labels,
        calibration=Calibration(
            temperature=temperature(valid.logits, truth),
            cosine_zero=float(unrelated.mean()),
            cosine_floor=float(np.quantile(unrelated, 0.95)),
        ),
        mel_basis=blank.mel_basis,
        centre=centred.centre,
    )


def temperature(logits: Float, truth: NDArray[np.int64]) -> float:
    """Return the temperature with the least cross-entropy (Guo et al. 2017)."""
    rows = np.arange(len(truth))

    def loss(log_t: float) -> float:
        scaled = logits.astype(np.float64) / np.exp(log_t)
        return float((np.logaddexp.reduce(scaled, axis=1) - scaled[rows, truth]).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))


def starter(analyzer: Analyzer, data: Dataset, indices: NDArray[np.int64]) -> Starter:
    """Return the tracks with known artist and title as a catalogue, each recording once."""
    spectrogram = analyzer.preset.spectrogram
    column_s = spectrogram.column_s * COLUMNS_EACH
    named = [int(i) for i in indices if data.artists[i] and data.titles[i]]
    prints = {i: fingerprint(data.spectrogram(i)) for i in named}
    kept: list[int] = []
    for i in named:
        twins = (k for k in kept if data.artist_keys[k] == data.artist_keys[i])
        if not any(same_recording(prints[i], prints[k], column_s=column_s) for k in twins):
            kept.append(i)
    found = predict(analyzer, data, np.array(kept))
    return Starter(
        names=[data.names[i] for i in kept],
        titles=[data.titles[i] for i in kept],
        artists=[data.artists[i] for i in kept],
        genres=[data.genres[i] for i in kept],
        embeddings=found.embeddings,
        fingerprints=np.stack([prints[i] for i in kept]),
    )


def _unrelated_cosines(data: Dataset, a: Predictions, b: Predictions) -> Float:
    genres = np.array(data.genres)
    cosines = a.embeddings @ b.embeddings.T
    return np.asarray(cosines[genres[a.indices][:, None] != genres[b.indices][None, :]])
