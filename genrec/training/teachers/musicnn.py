"""The tagger musicnn: samples to the probabilities of 50 tags, and the layer before them.

Pons and Serra (2019, "musicnn: pre-trained convolutional neural networks for music audio
tagging"). The wheel of the package ``musicnn`` (ISC licence) carries the trained weights. Its code
needs an old NumPy and is not used: the graph is read from the wheel, and its variables become
constants, which today's TensorFlow runs.
"""

from __future__ import annotations

import ast
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import soxr
import tensorflow as tf
from numpy.typing import NDArray

from genrec.errors import DataError

Float = NDArray[np.float32]

SR, N_FFT, HOP, BANDS, FRAMES = 16_000, 512, 256, 96, 187
PATCH_S = FRAMES * HOP / SR  # 2.992 s
BATCH = 32
NETWORKS = {
    "MSD_musicnn": ("model/dense/Relu", "model/dense_1/BiasAdd"),
    "MTT_musicnn": ("model/dense/Relu", "model/dense_1/BiasAdd"),
    "MSD_vgg": ("model/Flatten/flatten/Reshape", "model/dense/BiasAdd"),
    "MTT_vgg": ("model/Flatten/flatten/Reshape", "model/dense/BiasAdd"),
}
"""Networks of the wheel, each with its last hidden layer and its logits."""
LICENCE = "ISC"
_V1 = tf.compat.v1


class MusicTagger:
    """A network of the musicnn wheel.

    Parameters
    ----------
    wheel
        The file ``musicnn-0.1.0-py3-none-any.whl``.
    network
        One of :data:`NETWORKS`: learned from the Million Song Dataset (MSD, about 200,000 songs)
        or from MagnaTagATune (MTT).

    Attributes
    ----------
    name
        Name of the network, for the model card.
    tags
        Names of the 50 tags, in the order of the answers.

    Raises
    ------
    DataError
        The file is no wheel of musicnn, or has no such network.
    """

    def __init__(self, wheel: Path, network: str = "MSD_musicnn") -> None:
        if network not in NETWORKS:
            raise DataError(
                f"{network} is no network of musicnn; pass one of {', '.join(NETWORKS)}."
            )
        self.name = network
        outputs = NETWORKS[network]
        try:
            with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory() as folder:
                source = archive.read("musicnn/configuration.py").decode()
                for suffix in (".meta", ".index", ".data-00000-of-00001"):
                    archive.extract(f"musicnn/{network}/{suffix}", folder)
                graph_def = _frozen(f"{folder}/musicnn/{network}/", outputs)
            self.tags = _tag_names(source, network[:3])
        except (OSError, KeyError, ValueError, zipfile.BadZipFile, tf.errors.OpError) as error:
            raise DataError(
                f"{wheel} cannot be read as a wheel of musicnn: {error}. Get it with"
                " `pip download --no-deps musicnn==0.1.0`."
            ) from error
        graph = _V1.Graph()
        with graph.as_default():
            _V1.import_graph_def(graph_def, name="")
        self._outputs = [f"{name}:0" for name in outputs]
        placeholders = [op.outputs[0] for op in graph.get_operations() if op.type == "Placeholder"]
        self._not_training = {each: False for each in placeholders if each.dtype == tf.bool}
        self._session = _V1.Session(graph=graph)

    def __call__(self, y: Float, sr: int, *, hop_s: float) -> tuple[Float, Float, Float]:
        """Return the answers to patches of 2.992 s.

        Parameters
        ----------
        y
            float32 (n,), mono samples at ``sr`` Hz.
        hop_s
            Seconds between the starts of two patches.

        Returns
        -------
        Starts of the patches in s, float32 (patches,); tag probabilities, float32 (patches, 50);
        and the last hidden layer, float32 (patches, units). No patches if ``y`` is shorter than
        one.
        """
        starts, patches = mel_patches(y, sr, hop_s)
        tags, layers = [np.zeros((0, len(self.tags)), np.float32)], []
        for first in range(0, len(patches), BATCH):
            feed: dict[Any, Any] = {"model/Placeholder:0": patches[first : first + BATCH]}
            layer, logits = self._session.run(self._outputs, feed | self._not_training)
            tags.append(1 / (1 + np.exp(-logits)))
            layers.append(layer)
        units = np.concatenate(layers) if layers else np.zeros((0, 0), np.float32)
        return starts, np.concatenate(tags), units


def mel_patches(y: Float, sr: int, hop_s: float) -> tuple[Float, Float]:
    """Return the starts in s and the log-mel patches, float32 (patches, 187, 96), of samples.

    16 kHz, power mel spectrogram of 96 bands, log10(1 + 10000 x), as musicnn was trained.
    """
    y = np.asarray(soxr.resample(y, sr, SR), dtype=np.float32)
    S = librosa.feature.melspectrogram(y=y, sr=SR, n_fft=N_FFT, hop_length=HOP, n_mels=BANDS).T
    S = np.log10(1 + 10_000 * S).astype(np.float32)
    step = max(1, round(hop_s * SR / HOP))
    first = np.arange(0, max(0, len(S) - FRAMES + 1), step)
    patches = S[first[:, None] + np.arange(FRAMES)]
    return (first * HOP / SR).astype(np.float32), patches


def _frozen(prefix: str, outputs: tuple[str, str]) -> Any:
    """Return the graph up to the outputs, with its variables as constants."""
    meta = _V1.MetaGraphDef()
    meta.ParseFromString(Path(f"{prefix}.meta").read_bytes())
    values = _V1.train.NewCheckpointReader(prefix)
    frozen = _V1.GraphDef()
    for node in _V1.graph_util.extract_sub_graph(meta.graph_def, list(outputs)).node:
        new = frozen.node.add()
        if node.op in ("Variable", "VariableV2"):
            new.op, new.name = "Const", node.name
            new.attr["dtype"].CopyFrom(node.attr["dtype"])
            new.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(values.get_tensor(node.name)))
        else:
            new.CopyFrom(node)
            for key in ("_output_shapes", "_class"):
                new.attr.pop(key, None)
    return frozen


def _tag_names(source: str, dataset: str) -> list[str]:
    """Return the tag names in the wheel's configuration.py: its list ``MSD_LABELS`` and the like.

    Raises
    ------
    KeyError
        It has no such list.
    """
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == (
            f"{dataset}_LABELS"
        ):
            return [str(tag) for tag in ast.literal_eval(statement.value)]
    raise KeyError(f"{dataset}_LABELS")
