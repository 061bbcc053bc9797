"""Run an exported network in ONNX Runtime, of the extra ``onnxruntime``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from genrec.errors import PresetError
from genrec.onnx_network import IMAGES, OUTPUTS, to_onnx
from genrec.types import Runtime

Float = NDArray[np.float32]


class OnnxRuntimeNetwork:
    """A network in ONNX Runtime: maps images to features and logits.

    Parameters
    ----------
    model
        An int8 LiteRT file of `genrec export`, which is converted in memory.
    threads
        CPU threads a call may use.
    wide_sums
        Sum products of bytes in 32 bits. Without VNNI, faster instructions sum two of them in 16
        bits, where the sum saturates and logits change by up to 0.2.

    Raises
    ------
    PresetError
        ONNX Runtime cannot run the network.
    """

    runtime: Runtime = "onnxruntime"

    def __init__(self, model: Path, threads: int, *, wide_sums: bool) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3  # errors; it warns of each device that it does not find
        options.enable_cpu_mem_arena = False  # no faster, and takes more memory
        if wide_sums:
            options.add_session_config_entry("session.x64quantprecision", "1")
        try:
            network, kernels = to_onnx(model)
            values = [onnxruntime.OrtValue.ortvalue_from_numpy(each) for each in kernels.values()]
            options.add_external_initializers(list(kernels), values)
            self._session = onnxruntime.InferenceSession(
                network, options, providers=["CPUExecutionProvider"]
            )
            self.dimension = int(self._session.get_outputs()[0].shape[-1])
        except Exception as error:
            raise PresetError(
                f"ONNX Runtime cannot run {model} ({error}); choose the runtime litert."
            ) from error

    def __call__(self, images: Float) -> tuple[Float, Float]:
        """Return float32 (n, d) and (n, labels) for float32 (n, height, width, 3)."""
        features, logits = self._session.run(list(OUTPUTS), {IMAGES: images})
        return features, logits
