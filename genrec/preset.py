"""A models/<name>/ folder, loaded and saved as one thing: network, front end, labels, catalogue."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.errors import ModelMismatch, PresetError
from genrec.images import ImageConfig
from genrec.spectrogram import SpectrogramConfig

Float = NDArray[np.float32]

FORMAT = 2
NETWORK, LABELS, ARRAYS = "model.tflite", "labels.json", "arrays.npz"
CONFIG, CATALOGUE, METRICS = "config.json", "catalogue.npz", "metrics.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Numbers fitted on validation tracks that turn logits and cosines into answers.

    Attributes
    ----------
    temperature
        Logits are divided by it, so that probabilities mean what they say (Guo et al. 2017).
    unsure_below
        A genre less probable than this is called unsure.
    cosine_zero
        Mean cosine between tracks of different genres: shown as similarity 0.
    cosine_floor
        Cosine under which a track is not recommended at all.
    """

    temperature: float = 1.0
    unsure_below: float = 0.5
    cosine_zero: float = 0.0
    cosine_floor: float = 0.0

    def similarity(self, cosine: float) -> float:
        """Return the similarity people see: 0 for unrelated tracks on average, 1 for the same."""
        return float(np.clip((cosine - self.cosine_zero) / (1 - self.cosine_zero), 0.0, 1.0))


@dataclass(frozen=True, slots=True, eq=False)
class StarterCatalogue:
    """The starter catalogue: what a fresh install can recommend.

    Attributes
    ----------
    names, titles, artists, genres
        One string a track.
    embeddings
        float32 (n, d), centred and of length 1.
    fingerprints
        int8 (n, bands, columns).
    """

    names: list[str]
    titles: list[str]
    artists: list[str]
    genres: list[str]
    embeddings: Float
    fingerprints: NDArray[np.int8]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Preset:
    """Everything that decides what genrec hears.

    Attributes
    ----------
    folder
        Where it lies.
    name, arch
        The preset's name and its network's architecture.
    model_id
        ``name@`` and the first 12 hex digits of the content hash.
    spectrogram, image
        The front end, and the images made of it.
    labels
        The genres, in the order of the network's logits.
    calibration
        From logits and cosines to answers.
    mel_basis
        float32 (n_mels, 1 + n_fft / 2), librosa's mel filter bank.
    centre
        float32 (features,), the training tracks' mean features, taken off first.
    projection
        float32 (features, d), what is kept of centred features: the directions that tell tracks
        apart and that coding a clip moves least.
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

    @property
    def network(self) -> Path:
        """The LiteRT file."""
        return self.folder / NETWORK

    @property
    def dimension(self) -> int:
        """Numbers in one embedding."""
        return int(self.projection.shape[1])

    @classmethod
    def load(cls, folder: Path) -> Preset:
        """Read a preset and check that it is whole.

        Raises
        ------
        PresetError
            The folder is no preset, or one made by a newer genrec.
        ModelMismatch
            Its files are not the ones its content hash was taken of.
        """
        config = _read_json(folder / CONFIG)
        if config.get("format") != FORMAT:
            raise PresetError(
                f"{folder / CONFIG} has format {config.get('format')!r} and this genrec reads"
                f" {FORMAT}; update genrec, or export the preset anew."
            )
        try:
            found = content_hash(folder, config)
            if found != config["content_hash"]:
                raise ModelMismatch(
                    f"The preset {folder} was changed after it was exported (its content hash does"
                    " not fit); restore its files, or run `genrec export` again."
                )
            with np.load(folder / ARRAYS) as arrays:
                mel_basis, centre = arrays["mel_basis"], arrays["centre"]
                projection = arrays["projection"]
            return cls(
                folder=folder,
                name=config["name"],
                arch=config["arch"],
                model_id=model_id(config["name"], found),
                spectrogram=SpectrogramConfig(**config["spectrogram"]),
                image=ImageConfig(**config["image"]),
                labels=tuple(_read_json(folder / LABELS)),
                calibration=Calibration(**config["calibration"]),
                mel_basis=mel_basis,
                centre=centre,
                projection=projection,
            )
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise PresetError(f"The preset {folder} cannot be read: {error}.") from error

    def metrics(self) -> Mapping[str, Any]:
        """Return the measured figures of metrics.json; empty where there is none."""
        path = self.folder / METRICS
        return dict(_read_json(path)) if path.exists() else {}

    def starter(self) -> StarterCatalogue | None:
        """Return the starter catalogue, or nothing where the preset has none.

        Raises
        ------
        ModelMismatch
            The catalogue was made by another model.
        """
        path = self.folder / CATALOGUE
        if not path.exists():
            return None
        try:
            with np.load(path) as archive:
                rows = {key: archive[key] for key in archive.files}
            made_by = str(rows["model_id"])
            if made_by != self.model_id:
                raise ModelMismatch(
                    f"{path} was made by {made_by} and the preset is {self.model_id}; run"
                    " `genrec export` to make the catalogue anew."
                )
            embeddings = rows["embeddings"].astype(np.float32)
            return StarterCatalogue(
                names=rows["names"].tolist(),
                titles=rows["titles"].tolist(),
                artists=rows["artists"].tolist(),
                genres=rows["genres"].tolist(),
                embeddings=embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True),
                fingerprints=rows["fingerprints"],
            )
        except (OSError, KeyError, ValueError) as error:
            raise PresetError(f"The starter catalogue {path} cannot be read: {error}.") from error


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
    centre: Float,
    projection: Float,
) -> Preset:
    """Write what belongs to the network file that already lies in ``folder``, and its hash."""
    np.savez_compressed(folder / ARRAYS, mel_basis=mel_basis, centre=centre, projection=projection)
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
    """Write the starter catalogue of a preset; embeddings as float16, a quarter of a megabyte."""
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


def content_hash(folder: Path, config: Mapping[str, Any]) -> str:
    """Return the sha256 of all in a preset that decides an embedding or a score."""
    digest = hashlib.sha256()
    decisive = {k: v for k, v in config.items() if k != "content_hash"}
    digest.update(json.dumps(decisive, sort_keys=True).encode())
    for file in (NETWORK, LABELS, ARRAYS):
        digest.update((folder / file).read_bytes())
    return digest.hexdigest()


def model_id(name: str, digest: str) -> str:
    """Return ``name@`` and the first 12 hex digits of the content hash."""
    return f"{name}@{digest[:12]}"


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PresetError(
            f"{path} is missing, so {path.parent} is not a preset; name a folder such as"
            " models/resnet50, or make one with `genrec export`."
        ) from error
    except ValueError as error:
        raise PresetError(f"{path} is not JSON: {error}.") from error


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
