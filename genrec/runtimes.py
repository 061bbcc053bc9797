"""Open an exported network with LiteRT, or with ONNX Runtime where that is faster.

LiteRT is always installed and runs everywhere. A processor without VNNI multiplies bytes slowly in
it, and ONNX Runtime (the extra ``onnxruntime``) needs about 0.7 times as long there, for the same
genres and embeddings equal to a cosine of 0.9999. docs/performance.md has the figures.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from genrec.errors import PresetError
from genrec.processor import lacks_vnni
from genrec.types import Runtime

Float = NDArray[np.float32]

SIGNATURE = "serve"

log = logging.getLogger(__name__)


class Network(Protocol):
    """An opened network: maps images to features and logits."""

    runtime: Runtime
    dimension: int

    def __call__(self, images: Float) -> tuple[Float, Float]:
        """Return float32 (n, d) and (n, labels) for float32 (n, height, width, 3)."""


def onnxruntime_installed() -> bool:
    """Return whether the libraries of the extra ``onnxruntime`` are installed."""
    return find_spec("onnxruntime") is not None and find_spec("onnx") is not None


def onnxruntime_fault() -> str:
    """Return why the extra ``onnxruntime`` cannot be used, as a sentence, or an empty text."""
    if not onnxruntime_installed():
        return (
            "The runtime onnxruntime is not installed: run `pip install 'genrec[onnxruntime]'`, or"
            " choose the runtime litert."
        )
    try:
        import_module("genrec.onnxruntime_network")
    except Exception as error:  # noqa: BLE001 - ImportError, or what a clash of versions raises
        return (
            f"The runtime onnxruntime cannot be loaded ({type(error).__name__}: {error}): install"
            " it again with `pip install --force-reinstall 'genrec[onnxruntime]'`, or choose the"
            " runtime litert."
        )
    return ""


def choose_runtime(runtime: Runtime) -> Runtime:
    """Return ``litert`` or ``onnxruntime``: for ``auto``, the faster one that can be loaded.

    The processor decides, and no measurement: on a busy machine that would choose another library
    at each start. ``auto`` warns in the log of a faster one that is installed and broken.

    Raises
    ------
    PresetError
        ``onnxruntime`` is wanted and not installed, or cannot be loaded.
    """
    if runtime == "auto":
        if not (lacks_vnni() and onnxruntime_installed()):
            return "litert"
        if fault := onnxruntime_fault():
            log.warning("LiteRT runs the network, more slowly. %s", fault)
            return "litert"
        return "onnxruntime"
    if runtime == "onnxruntime" and (fault := onnxruntime_fault()):
        raise PresetError(fault)
    return runtime


def open_network(model: Path, *, threads: int = 1, runtime: Runtime = "auto") -> Network:
    """Open a network file with a runtime.

    Parameters
    ----------
    model
        A LiteRT file of `genrec export`.
    threads
        CPU threads a call may use.
    runtime
        As in `choose_runtime`. ``auto`` also takes LiteRT, with a warning in the log, if ONNX
        Runtime cannot run the network.

    Raises
    ------
    PresetError
        The file is not such a network, or ``onnxruntime`` is wanted and missing, or cannot run it.
    """
    if choose_runtime(runtime) == "litert":
        return LiteRTNetwork(model, threads)
    from genrec.onnxruntime_network import OnnxRuntimeNetwork  # noqa: PLC0415 - an extra

    try:
        return OnnxRuntimeNetwork(model, threads, wide_sums=lacks_vnni())
    except PresetError as error:  # such as a network with other operators
        if runtime == "onnxruntime":
            raise
        log.warning("LiteRT runs the network, more slowly. %s", error)
        return LiteRTNetwork(model, threads)


class LiteRTNetwork:
    """A network in LiteRT; parameters are those of `open_network`."""

    runtime: Runtime = "litert"

    def __init__(self, model: Path, threads: int) -> None:
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
        """Return features and logits, as `Network` says."""
        out: Mapping[str, Float] = self._runner(images=images)
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
