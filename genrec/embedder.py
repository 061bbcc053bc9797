"""Run an exported network with LiteRT: images to features and logits."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from genrec.errors import PresetError

Float = NDArray[np.float32]

SIGNATURE = "serve"


class Embedder:
    """An exported LiteRT network: maps images to features and logits.

    Parameters
    ----------
    model
        A LiteRT file with the signature ``serve``: ``images`` (n, height, width, 3) to
        ``embedding`` (n, d) and ``logits`` (n, labels), n free.
    threads
        CPU threads a call may use.

    Raises
    ------
    PresetError
        The file is not a network with this signature.
    """

    def __init__(self, model: Path, *, threads: int = 1) -> None:
        try:
            self._interpreter: Any = _open_quietly(model, threads)
            signature = self._interpreter.get_signature_list()[SIGNATURE]
        except (ValueError, KeyError, RuntimeError) as error:
            raise PresetError(
                f"{model} is not a network that genrec exported ({error}); run `genrec export`."
            ) from error
        if (found := set(signature["outputs"])) != {"embedding", "logits"}:
            raise PresetError(
                f"{model} has the outputs {', '.join(sorted(found))}, not embedding and logits;"
                " run `genrec export` again."
            )
        self._runner = self._interpreter.get_signature_runner(SIGNATURE)
        self.dimension = int(self._runner.get_output_details()["embedding"]["shape"][-1])

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
        out = self._runner(images=images)
        return out["embedding"], out["logits"]


def _open_quietly(model: Path, threads: int) -> Interpreter:
    """Return a LiteRT interpreter of a file, without the line that LiteRT writes to stderr."""
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        return Interpreter(model_path=str(model), num_threads=threads)
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)
