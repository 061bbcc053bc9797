"""Load and save a preset: a models/NAME folder with network, front end, labels and catalogue."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.bounds import check_array, check_range, check_size, load_arrays
from genrec.errors import ModelMismatch, PresetError
from genrec.images import ImageConfig
from genrec.music_detector import PREFIX, MusicDetector
from genrec.sound_tags import TagReading
from genrec.spectrogram import SpectrogramConfig
from genrec.starter_descriptions import StarterDescriptions, read_starter_descriptions
from genrec.starter_table import StarterTable, read_starter_table

Float = NDArray[np.float32]

FORMAT = 3
NETWORK, LABELS, ARRAYS = "model.tflite", "labels.json", "arrays.npz"
CONFIG, CATALOGUE, METRICS = "config.json", "catalogue.npz", "metrics.json"
TAGS = "tags.npz"
# Bounds on files that may be hostile. The shipped presets take a hundredth of them.
_MAX_FILE_BYTES, _MAX_JSON_BYTES = 2 << 30, 4 << 20
_MAX_ARRAYS_BYTES, _MAX_CATALOGUE_BYTES = 256 << 20, 2 << 30
_MAX_TAGS_BYTES = 16 << 20
_MAX_LABELS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Calibration of probabilities and similarities; all but the thresholds are fitted.

    The temperature is fitted on validation tracks. The cosines are those between validation and
    training tracks.

    Attributes
    ----------
    temperature
        Divisor of the logits that calibrates the probabilities (Guo et al. 2017).
    unsure_below
        Threshold: a clip whose top probability is lower is marked unsure.
    cosine_zero
        Mean cosine between tracks of different genres, which becomes similarity 0.
    cosine_floor
        Smallest cosine of a recommended track: the 95 % quantile between tracks of different
        genres.
    music_below
        Threshold: a clip whose probability of music is lower holds no music. 0 without a music
        detector, so that every clip holds music.
    """

    temperature: float = 1.0
    unsure_below: float = 0.5
    cosine_zero: float = 0.0
    cosine_floor: float = 0.0
    music_below: float = 0.0

    def __post_init__(self) -> None:
        check_range("temperature", self.temperature, 1e-3, 1e3)
        check_range("unsure_below", self.unsure_below, 0, 1)
        check_range("cosine_zero", self.cosine_zero, -1, 0.999)
        check_range("cosine_floor", self.cosine_floor, -1, 1)
        check_range("music_below", self.music_below, 0, 1)

    def similarity(self, cosine: float) -> float:
        """Return the similarity of a cosine: 0 up to ``cosine_zero``, then linear to 1 at 1."""
        return float(np.clip((cosine - self.cosine_zero) / (1 - self.cosine_zero), 0.0, 1.0))

    def similarities(self, cosines: Sequence[float]) -> list[float]:
        """Return the `similarity` of each cosine."""
        return [self.similarity(cosine) for cosine in cosines]


@dataclass(frozen=True, slots=True, eq=False)
class StarterCatalogue:
    """Starter catalogue: tracks in a preset, which a new installation can recommend.

    Attributes
    ----------
    names, titles, artists, genres
        One string per track; ``names`` are those of the training excerpts.
    embeddings
        float32 (n, d), rows of length 1.
    fingerprints
        int8 (n, bands, columns).
    table
        Album, year and published ids of some tracks, by name.
    descriptions
        Music description by name, for the tracks that have one.
    """

    names: list[str]
    titles: list[str]
    artists: list[str]
    genres: list[str]
    embeddings: Float
    fingerprints: NDArray[np.int8]
    table: StarterTable = field(default_factory=dict)
    descriptions: StarterDescriptions = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Preset:
    """A loaded preset: network, front end, labels and calibration, which determine an analysis.

    Attributes
    ----------
    folder
        The folder that the preset was loaded from.
    name, arch
        Name of the preset and architecture of its network.
    model_id
        ``name@`` and the first 12 hex digits of the content hash.
    spectrogram, image
        Parameters of the front end and of the images.
    labels
        The genres, in the order of the network's logits.
    calibration
        Parameters of probabilities and similarities.
    mel_basis
        float32 (n_mels, 1 + n_fft / 2), librosa's mel filter bank.
    centre
        float32 (features,), the mean features of the training tracks, which is subtracted.
    projection
        float32 (features, d), which maps centred features to an embedding before it is scaled to
        length 1. It keeps directions in which tracks differ and that coding changes least.
    music_detector
        Detector of music; None if the preset has none.
    tags
        Reading of sound tags from embeddings; None if the preset has none. It is not part of the
        content hash, because it changes no analysis.
    """

    folder: Path
    name: str
    arch: str
    model_id: str
    spectrogram: SpectrogramConfig
    image: ImageConfig
    labels: tuple[str, ...]
    calibration: Calibration
    mel_basis: Float
    centre: Float
    projection: Float
    music_detector: MusicDetector | None = None
    tags: TagReading | None = None

    def __post_init__(self) -> None:
        bands, bins = self.spectrogram.n_mels, 1 + self.spectrogram.n_fft // 2
        check_array("mel_basis", self.mel_basis, (bands, bins))
        if self.music_detector is not None and self.spectrogram != SpectrogramConfig():
            raise ValueError("music_detector: it needs the default front end")
        check_array("centre", self.centre, (self.centre.size,))
        check_array("projection", self.projection, (self.centre.size, *self.projection.shape[1:2]))
        if self.tags is not None and self.tags.dimension != self.dimension:
            raise ValueError(
                f"tags: for embeddings of {self.tags.dimension} numbers, expected {self.dimension}"
            )

    @property
    def network(self) -> Path:
        """Path of the LiteRT file."""
        return self.folder / NETWORK

    @property
    def dimension(self) -> int:
        """Length of an embedding."""
        return int(self.projection.shape[1])

    @classmethod
    def load(cls, folder: Path) -> Preset:
        """Return the preset of a folder, after a check of its content hash.

        Raises
        ------
        PresetError
            The folder is not a preset, or has a format that this genrec cannot read.
        ModelMismatch
            A file was changed after the export.
        """
        config = _read_json(folder / CONFIG)
        form = config.get("format") if isinstance(config, dict) else None
        if form != FORMAT:
            raise PresetError(
                f"{folder / CONFIG} has format {form!r} and this genrec reads"
                f" {FORMAT}; update genrec, or run `genrec export` again."
            )
        try:
            for file in (NETWORK, LABELS, ARRAYS):
                check_size(folder / file, _MAX_FILE_BYTES)
            found = content_hash(folder, config)
            if found != config["content_hash"]:
                raise ModelMismatch(
                    f"The preset {folder} was changed after it was exported: its content hash is"
                    f" {found[:12]} and {CONFIG} has {config['content_hash'][:12]}. Restore its"
                    " files, or run `genrec export` again."
                )
            arrays = load_arrays(folder / ARRAYS, max_bytes=_MAX_ARRAYS_BYTES)
            preset = cls(
                folder=folder,
                name=str(config["name"]),
                arch=str(config["arch"]),
                model_id=model_id(config["name"], found),
                spectrogram=SpectrogramConfig(**config["spectrogram"]),
                image=ImageConfig(**config["image"]),
                labels=_labels(_read_json(folder / LABELS)),
                calibration=Calibration(**config["calibration"]),
                mel_basis=arrays["mel_basis"],
                centre=arrays["centre"],
                projection=arrays["projection"],
                music_detector=(
                    MusicDetector.from_arrays(arrays)
                    if any(name.startswith(PREFIX) for name in arrays)
                    else None
                ),
            )
            return replace(preset, tags=_tags(folder, preset.model_id))
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise PresetError(
                f"The preset {folder} cannot be read: {error}. Restore its files, or run"
                " `genrec export` again."
            ) from error

    def metrics(self) -> Mapping[str, Any]:
        """Return the content of metrics.json, or an empty mapping if there is none."""
        path = self.folder / METRICS
        return dict(_read_json(path)) if path.exists() else {}

    def starter(self) -> StarterCatalogue | None:
        """Return the preset's starter catalogue, or None if it has none.

        Raises
        ------
        ModelMismatch
            The catalogue was made by another model.
        PresetError
            The catalogue cannot be read.
        """
        path = self.folder / CATALOGUE
        if not path.exists():
            return None
        try:
            rows = load_arrays(path, max_bytes=_MAX_CATALOGUE_BYTES)
            found = str(rows["model_id"])
            if found != self.model_id:
                raise ModelMismatch(
                    f"{path} was made by {found} and the preset is {self.model_id}; run"
                    " `genrec export` again."
                )
            embeddings = rows["embeddings"].astype(np.float32)
            count = len(rows["names"])
            check_array("embeddings", embeddings, (count, self.dimension))
            if not embeddings.any(axis=1).all():
                raise ValueError("embeddings: a row has no direction")
            for name in ("titles", "artists", "genres", "fingerprints"):
                if len(rows[name]) != count:
                    raise ValueError(f"{name}: {len(rows[name])} rows, expected {count}")
            return StarterCatalogue(
                names=rows["names"].tolist(),
                titles=rows["titles"].tolist(),
                artists=rows["artists"].tolist(),
                genres=rows["genres"].tolist(),
                embeddings=embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True),
                fingerprints=rows["fingerprints"],
                table=read_starter_table(self.folder),
                descriptions=read_starter_descriptions(self.folder),
            )
        except (OSError, KeyError, ValueError) as error:
            raise PresetError(
                f"The starter catalogue {path} cannot be read: {error}. Run `genrec export` again."
            ) from error


def save_preset(
    folder: Path,
    *,
    name: str,
    arch: str,
    spectrogram: SpectrogramConfig,
    image: ImageConfig,
    labels: list[str],
    calibration: Calibration,
    mel_basis: Float,
    centring: tuple[Float, Float],
    music_detector: MusicDetector | None = None,
) -> Preset:
    """Write the files of a preset beside its network and return the loaded preset.

    Parameters
    ----------
    folder
        Contains the network file already.
    name, arch, spectrogram, image, labels, calibration, mel_basis
        As the attributes of `Preset`.
    centring
        Its attributes ``centre`` and ``projection``.
    music_detector
        As the attribute; it works on the default front end only.
    """
    centre, projection = centring
    arrays: dict[str, NDArray[Any]] = dict(music_detector.arrays() if music_detector else {})
    arrays |= {"mel_basis": mel_basis, "centre": centre, "projection": projection}
    np.savez_compressed(folder / ARRAYS, allow_pickle=False, **arrays)
    (folder / TAGS).unlink(missing_ok=True)  # those of another projection
    _write_json(folder / LABELS, labels)
    config: dict[str, Any] = {
        "format": FORMAT,
        "name": name,
        "arch": arch,
        "embedding_dim": int(projection.shape[1]),
        "spectrogram": asdict(spectrogram),
        "image": asdict(image),
        "calibration": asdict(calibration),
    }
    config["content_hash"] = content_hash(folder, config)
    _write_json(folder / CONFIG, config)
    return Preset.load(folder)


def save_starter(preset: Preset, starter: StarterCatalogue) -> None:
    """Write the starter catalogue of a preset, its embeddings as float16."""
    np.savez_compressed(
        preset.folder / CATALOGUE,
        model_id=np.array(preset.model_id),
        names=np.array(starter.names),
        titles=np.array(starter.titles),
        artists=np.array(starter.artists),
        genres=np.array(starter.genres),
        embeddings=starter.embeddings.astype(np.float16),
        fingerprints=starter.fingerprints,
    )


def save_tags(preset: Preset, reading: TagReading) -> Preset:
    """Write the sound tags of a preset and return the preset with them; its model id stays."""
    arrays = {"model_id": np.array(preset.model_id), **reading.arrays()}
    np.savez_compressed(preset.folder / TAGS, allow_pickle=False, **arrays)
    return Preset.load(preset.folder)


def content_hash(folder: Path, config: Mapping[str, Any]) -> str:
    """Return the sha256 of config, network, labels and arrays, which determine every analysis."""
    digest = hashlib.sha256()
    hashed = {k: v for k, v in config.items() if k != "content_hash"}
    digest.update(json.dumps(hashed, sort_keys=True).encode())
    for file in (NETWORK, LABELS, ARRAYS):
        digest.update((folder / file).read_bytes())
    return digest.hexdigest()


def model_id(name: str, digest: str) -> str:
    """Return ``name@`` and the first 12 hex digits of the content hash."""
    return f"{name}@{digest[:12]}"


def _tags(folder: Path, model: str) -> TagReading | None:
    path = folder / TAGS
    if not path.exists():
        return None
    arrays = load_arrays(path, max_bytes=_MAX_TAGS_BYTES)
    if str(arrays["model_id"]) != model:
        raise ModelMismatch(
            f"{path} was made for {arrays['model_id']} and the preset is {model}; run"
            " `genrec fit-tags` again, or remove the file."
        )
    return TagReading.from_arrays(arrays)


def _labels(labels: object) -> tuple[str, ...]:
    if (
        not isinstance(labels, list)
        or not 1 <= len(labels) <= _MAX_LABELS
        or not all(isinstance(label, str) and label.strip() for label in labels)
        or len(set(labels)) != len(labels)
    ):
        raise ValueError(f"labels: expected 1..{_MAX_LABELS} different names")
    return tuple(labels)


def _read_json(path: Path) -> Any:
    try:
        check_size(path, _MAX_JSON_BYTES)
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PresetError(
            f"{path} is missing, so {path.parent} is not a preset; name a folder such as"
            " models/resnet50, or make one with `genrec export`."
        ) from error
    except (ValueError, RecursionError) as error:
        raise PresetError(
            f"{path} is not JSON: {error}. Restore it, or run `genrec export` again."
        ) from error


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
