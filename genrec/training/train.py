"""Train a network on a data set: settings, data, model, fit, save. Read from top to bottom.

    genrec train --arch vgg16 --data DIR --split paper

A run folder holds settings.json, history.csv, last/ (to resume), best.weights.h5, labels and plots.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from genrec.errors import DataError
from genrec.spectrogram import ImageConfig, SpectrogramConfig, images, windows
from genrec.training.architectures import backbone, classifier, load_weights
from genrec.training.augment import NONE, Augmentation, crop, damage, mixup
from genrec.training.dataset import Dataset, Parts, check_front_end, need
from genrec.training.front_end import band_centres
from genrec.training.frozen import Remembered, WholeCheckpoint, halves, outputs

Float = NDArray[np.float32]

BEST = "best.weights.h5"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that decides a run, with the default recipe's reasons.

    Attributes
    ----------
    arch, weights
        The network, and where its weights start: ``none``, ``imagenet``, a file, or the folder of
        a run whose best epoch is trained further.
    trainable
        ``all``; ``head`` (only the dense layer); ``last4`` (the backbone's last four layers too).
    batch_norm
        Train VGG16 with BatchNorm, folded away at export: from random weights it does not learn
        without.
    crops
        Random windows per track and epoch.
    learning_rate, weight_decay, warmup
        AdamW's, with a cosine decay to nothing after ``warmup`` of all steps; a ``constant``
        schedule is the paper's Adam.
    label_smoothing
        GTZAN has about 10 % wrong labels: a network should not be certain of them.
    patience
        Epochs without a better validation loss before a run stops. The loss, not the accuracy:
        on 90 tracks the accuracy moves in steps of a whole point.
    """

    arch: str = "vgg16"
    recipe: str = "genrec"
    weights: str = "none"
    trainable: str = "all"
    batch_norm: bool = True
    epochs: int = 18
    batch: int = 16
    crops: int = 2
    learning_rate: float = 5e-4
    weight_decay: float = 0.02
    warmup: float = 0.05
    schedule: str = "cosine"
    label_smoothing: float = 0.05
    dropout: float = 0.2
    patience: int = 12
    seed: int = 1
    precision: str = "float32"
    split: str = "paper"
    spectrogram: SpectrogramConfig = field(default_factory=SpectrogramConfig)
    image: ImageConfig = field(default_factory=ImageConfig)
    augment: Augmentation = field(default_factory=Augmentation)


def paper(settings: Settings) -> Settings:
    """Return the paper's settings: 224x224x3 pictures, 1/255, Adam, batch 64, dropout 0.2.

    Its VGG16 ran 20 epochs and its ResNet50 30, all of them; ``trainable`` chooses between its two
    experiments, the head alone and the last four layers. Adam's rate is Keras' own.
    """
    epochs = 20 if settings.arch == "vgg16" else 30
    return replace(
        settings,
        recipe="paper",
        trainable=settings.trainable if settings.trainable in ("head", "last4") else "last4",
        batch_norm=False,
        epochs=epochs,
        patience=epochs,
        batch=64,
        crops=1,
        learning_rate=1e-3,
        weight_decay=0.0,
        schedule="constant",
        label_smoothing=0.0,
        dropout=0.2,
        image=ImageConfig(
            columns=0, height=224, width=224, channels="copies", scaling="picture", noise_db=0.0
        ),
        augment=NONE,
    )


RECIPES: dict[str, Callable[[Settings], Settings]] = {"genrec": lambda s: s, "paper": paper}


class Crops(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of damaged random windows, the same for the same seed and epoch."""

    def __init__(self, data: Dataset, indices: NDArray[np.int64], settings: Settings) -> None:
        super().__init__(workers=1)
        self.data, self.indices, self.settings = data, indices, settings
        self.targets = one_hot(data, indices, data.labels)
        self.band_hz = band_centres(settings.spectrogram)
        self.epoch = 0

    def __len__(self) -> int:
        return max(1, len(self.indices) * self.settings.crops // self.settings.batch)

    def __getitem__(self, number: int) -> tuple[Float, Float]:
        s = self.settings
        chosen = self.chosen(number)
        rng = np.random.default_rng((s.seed, self.epoch, number))
        # One by one: whole excerpts (columns 0) differ in length before they are images.
        patches = [self._patch(int(self.indices[i]), rng)[np.newaxis] for i in chosen]
        x = np.concatenate([images(p, s.image, top_db=s.spectrogram.top_db) for p in patches])
        return mixup(x, self.targets[chosen], s.augment, rng)

    def chosen(self, number: int) -> NDArray[np.int64]:
        """Return which of the tracks a batch of this epoch holds, as places in ``indices``."""
        s = self.settings
        order = np.random.default_rng((s.seed, self.epoch)).permutation(
            np.tile(np.arange(len(self.indices)), s.crops)
        )
        return order[number * s.batch : (number + 1) * s.batch]

    def _patch(self, index: int, rng: np.random.Generator) -> Float:
        s = self.settings
        S_db = self.data.spectrogram(index)
        if s.augment == NONE:
            patches = windows(S_db, s.image)
            return np.asarray(patches[int(rng.integers(len(patches)))])
        patch = crop(S_db, s.image.columns, s.augment, rng)
        return damage(patch, self.band_hz, s.spectrogram.top_db, s.augment, rng)


class Dice(keras.callbacks.Callback):  # type: ignore[misc]
    """Throw the dice anew for each epoch, by its number: also after a resume."""

    def __init__(self, crops: Crops) -> None:
        super().__init__()
        self.crops = crops

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Tell the batches which epoch they are for."""
        self.crops.epoch = epoch


class TrackValidation(keras.callbacks.Callback):  # type: ignore[misc]
    """Judge each epoch by whole tracks: the logits of a track's windows are averaged."""

    def __init__(self, data: Dataset, indices: NDArray[np.int64], settings: Settings) -> None:
        super().__init__()
        self.targets = one_hot(data, indices, data.labels)
        self.x: Float | tuple[Float, ...]
        self.x, self.owner = all_windows(data, indices, settings)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Add ``val_accuracy`` and ``val_loss`` to the figures of the epoch."""
        logits = np.asarray(self.model.predict(self.x, batch_size=32, verbose=0))
        scores = np.stack([logits[self.owner == i].mean(axis=0) for i in range(len(self.targets))])
        log_p = scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)
        if logs is not None:
            logs["val_accuracy"] = float((scores.argmax(1) == self.targets.argmax(1)).mean())
            logs["val_loss"] = float(-(log_p * self.targets).sum(axis=1).mean())


def one_hot(data: Dataset, indices: NDArray[np.int64], labels: list[str]) -> Float:
    """Return float32 (excerpts, labels), 1 where the excerpt has the genre."""
    number = {label: i for i, label in enumerate(labels)}
    return np.eye(len(labels), dtype=np.float32)[[number[data.genres[i]] for i in indices]]


def all_windows(
    data: Dataset, indices: NDArray[np.int64], settings: Settings
) -> tuple[Float, NDArray[np.int64]]:
    """Return the images of every window of the excerpts, and which excerpt each belongs to."""
    x, owner = [], []
    for position, index in enumerate(indices):
        patches = windows(data.spectrogram(int(index)), settings.image)
        x.append(images(patches, settings.image, top_db=settings.spectrogram.top_db))
        owner += [position] * len(patches)
    return np.concatenate(x), np.array(owner)


def build(settings: Settings, labels: int) -> tuple[keras.Model, keras.Model]:
    """Return (network, its backbone), the start weights loaded and layers frozen as asked."""
    keras.mixed_precision.set_global_policy(settings.precision)
    if settings.arch == "vgg16" and settings.batch_norm and settings.trainable != "all":
        raise DataError(
            "BatchNorm that is not trained cannot be frozen: give --recipe paper with --trainable"
            f" {settings.trainable}, or leave --trainable out."
        )
    body = backbone(settings.arch, settings.image.shape, batch_norm=settings.batch_norm)
    load_weights(body, settings.arch, settings.weights)
    frozen = {"all": 0, "head": len(body.layers), "last4": len(body.layers) - 4}
    if settings.trainable not in frozen:
        raise DataError(f"--trainable is all, head or last4, not {settings.trainable!r}.")
    for layer in body.layers[: frozen[settings.trainable]]:
        layer.trainable = False
    return classifier(body, labels, dropout=settings.dropout), body


def optimizer(settings: Settings, steps: int) -> keras.optimizers.Optimizer:
    """Return the paper's Adam, or AdamW with warm-up and cosine decay over all steps."""
    if settings.schedule == "constant":
        return keras.optimizers.Adam(settings.learning_rate)
    warmup = int(settings.warmup * steps)
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=settings.learning_rate / 50,
        decay_steps=max(1, steps - warmup),
        warmup_target=settings.learning_rate,
        warmup_steps=warmup,
    )
    adam = keras.optimizers.AdamW(schedule, weight_decay=settings.weight_decay, clipnorm=5.0)
    adam.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return adam


def train(
    settings: Settings,
    data: Dataset,
    parts: Parts,
    run: Path,
    *,
    resume: bool = True,
    verbose: int = 1,
) -> Path:
    """Train, keeping the epoch with the lowest loss on the validation part; return its folder.

    A run that was stopped goes on after its last whole epoch; its settings must be the same.

    Raises
    ------
    DataError
        The split has no training or validation part, the data have another front end, or the run's
        folder has other settings.
    """
    need(parts, "train", "valid")
    check_front_end(data, settings.spectrogram)
    start(run, settings, data.labels, resume=resume)
    keras.utils.set_random_seed(settings.seed)
    crops = Crops(data, parts["train"], settings)
    model, _ = build(settings, len(data.labels))
    if Path(settings.weights).is_dir():
        load_run(model, Path(settings.weights))
    validation = TrackValidation(data, parts["valid"], settings)
    fitted, batches = model, crops
    if sees_the_same(settings):
        fitted, batches = remember(model, crops, validation)
    fitted.compile(
        optimizer(settings, settings.epochs * len(crops)),
        keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=settings.label_smoothing
        ),
        metrics=["accuracy"],
        # A quarter faster on two cores in float32, half as fast in bfloat16.
        jit_compile=settings.precision == "float32",
    )
    history = read_history(run)
    losses = [row["val_loss"] for row in history]
    best = min(losses, default=None)
    if losses and len(losses) - 1 - losses.index(min(losses)) >= settings.patience:
        return run  # it stopped early
    fitted.fit(
        batches,
        epochs=settings.epochs,
        verbose=verbose,
        callbacks=[
            Dice(crops),
            validation,
            keras.callbacks.CSVLogger(str(run / "history.csv"), append=bool(history)),
            WholeCheckpoint(
                model,
                str(run / BEST),
                monitor="val_loss",
                mode="min",
                save_best_only=True,
                save_weights_only=True,
                initial_value_threshold=best,
            ),
            keras.callbacks.EarlyStopping(
                monitor="val_loss", mode="min", patience=settings.patience, baseline=best
            ),
            keras.callbacks.BackupAndRestore(
                str(run / "last"),
                double_checkpoint=True,  # a kill while it is written leaves the one before
                delete_checkpoint=False,
            ),
        ],
    )
    return run


def sees_the_same(settings: Settings) -> bool:
    """Say whether frozen layers get the same pictures in every epoch: whole excerpts, as is."""
    whole = settings.image.columns == 0 and settings.augment == NONE
    return whole and settings.trainable != "all"


def remember(
    model: keras.Model, crops: Crops, validation: TrackValidation
) -> tuple[keras.Model, Remembered]:
    """Ask the frozen layers once; return the rest of the network and what it is fitted on."""
    frozen, rest = halves(model)
    pieces = np.array_split(crops.indices, -(-len(crops.indices) // 16))
    pictures = (all_windows(crops.data, piece, crops.settings)[0] for piece in pieces)
    said = outputs(frozen, pictures)
    validation.x = outputs(frozen, np.array_split(validation.x, -(-len(validation.x) // 16)))
    return rest, Remembered(said, crops.targets, crops.chosen, len(crops))


def load_run(model: keras.Model, run: Path) -> None:
    """Fill a network with the best epoch of a run of the same architecture.

    Raises
    ------
    DataError
        The run has no weights yet, or is of another architecture.
    """
    path = run / BEST
    if not path.exists():
        raise DataError(f"{run} has no weights yet; let `genrec train` finish an epoch first.")
    try:
        model.load_weights(path)
    except ValueError as error:
        raise DataError(f"{run} holds weights of another network: {error}") from error


def start(run: Path, settings: Settings, labels: list[str], *, resume: bool) -> None:
    """Write settings.json, or check that a run to resume has the same."""
    text = json.dumps({"labels": labels, **asdict(settings)}, indent=2)
    path = run / "settings.json"
    if path.exists() and path.read_text(encoding="utf-8") != text:
        raise DataError(f"{run} holds a run with other settings; give another --run folder.")
    if path.exists() and not resume:
        raise DataError(f"{run} holds a run already; leave out --fresh, or give another folder.")
    run.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def read_settings(run: Path) -> tuple[Settings, list[str]]:
    """Return the settings and the labels of a run."""
    try:
        values: dict[str, Any] = json.loads((run / "settings.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{run} is not the folder of a training run: {error}.") from error
    labels = values.pop("labels")
    parts: dict[str, Any] = {
        "spectrogram": SpectrogramConfig(**values.pop("spectrogram")),
        "image": ImageConfig(**values.pop("image")),
        "augment": Augmentation(**values.pop("augment")),
    }
    return Settings(**values, **parts), labels


def read_history(run: Path) -> list[dict[str, float]]:
    """Return the finished epochs of a run, the figures of each by name."""
    path = run / "history.csv"
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    # An epoch stands twice where a run was killed after its figures and before its weights.
    return list({row["epoch"]: row for row in rows}.values())
