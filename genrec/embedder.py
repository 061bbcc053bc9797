"""Run an exported network: images to features and logits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genrec.runtimes import open_network
from genrec.types import Runtime

Float = NDArray[np.float32]


class Embedder:
    """An exported network: maps images to features and logits.

    Parameters
    ----------
    model
        A LiteRT file with the signature ``serve``: ``images`` (n, height, width, 3) to
        ``embedding`` (n, d) and ``logits`` (n, labels), n free.
    threads
        CPU threads a call may use.
    runtime
        As in :func:`genrec.runtimes.open_network`.

    Attributes
    ----------
    runtime
        The runtime that runs the network: ``litert`` or ``onnxruntime``.
    dimension
        Number of features.

    Raises
    ------
    PresetError
        The file is not a network with this signature, or the runtime cannot run it.
    """

    def __init__(self, model: Path, *, threads: int = 1, runtime: Runtime = "litert") -> None:
        self._network = open_network(model, threads=threads, runtime=runtime)
        self.runtime, self.dimension = self._network.runtime, self._network.dimension

    def __call__(self, images: Float) -> tuple[Float, Float]:
        """Return the features and logits of images.

        Parameters
        ----------
        images
            float32 (n, height, width, 3).

        Returns
        -------
        features, logits
            float32 (n, d), the input of the classification layer, and float32 (n, labels).
        """
        return self._network(images)
