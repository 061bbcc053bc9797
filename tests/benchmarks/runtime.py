"""Predict one clip's images with one runtime in a process of its own: speed, memory and start.

python -m tests.benchmarks.runtime litert|onnxruntime|narrow-sums|openvino NETWORK IMAGES.npy ROUNDS
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec import runtimes
from genrec.embedder import Embedder
from tests.benchmarks.peer import import_peer
from tests.benchmarks.process import memory_mb
from tests.benchmarks.without_vnni import HIDDEN

Float = NDArray[np.float32]
Logits = Callable[[Float], Float]


def main() -> None:
    """Print JSON: seconds to the first answer, median CPU ms, peak MB, and the logits."""
    start = time.perf_counter()
    name, network, images, rounds = sys.argv[1:]
    x = np.load(images)
    run = RUNTIMES[name](Path(network))
    logits = run(x)
    first_s = time.perf_counter() - start
    taken = []
    for _ in range(int(rounds)):
        start = time.process_time()  # one thread, and other programs may use the machine
        run(x)
        taken.append(time.process_time() - start)
    figures: dict[str, Any] = {
        "first_s": first_s,
        "ms": 1000 * float(np.median(taken)),
        "mb": memory_mb("self"),
        "logits": np.asarray(logits, dtype=float).tolist(),
    }
    sys.stdout.write(json.dumps(figures))


def litert(network: Path) -> Logits:
    """Return LiteRT, the default runtime of genrec."""
    embedder = Embedder(network, runtime="litert")
    return lambda x: embedder(x)[1]


def onnxruntime(network: Path) -> Logits:
    """Return ONNX Runtime, the other runtime of genrec."""
    if HIDDEN in os.environ:  # from the libraries, and not from /proc/cpuinfo
        runtimes.lacks_vnni = lambda: True
    embedder = Embedder(network, runtime="onnxruntime")
    return lambda x: embedder(x)[1]


def narrow_sums(network: Path) -> Logits:
    """Return ONNX Runtime with sums that saturate on a processor without VNNI."""
    from genrec.onnxruntime_network import OnnxRuntimeNetwork

    opened = OnnxRuntimeNetwork(network, 1, wide_sums=False)
    return lambda x: opened(x)[1]


def openvino(network: Path) -> Logits:
    """Return OpenVINO, which reads LiteRT files."""
    ov = import_peer("openvino")
    model = ov.Core().read_model(network)
    model.reshape({model.inputs[0]: [-1, *list(model.inputs[0].get_partial_shape())[1:]]})
    one = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}
    compiled = ov.compile_model(model, "CPU", one)
    # Embedding and logits: the logits are shorter.
    out = min(compiled.outputs, key=lambda o: o.get_partial_shape()[1].get_length())
    return lambda x: np.asarray(compiled(x)[out])


RUNTIMES: dict[str, Callable[[Path], Logits]] = {
    "litert": litert,
    "onnxruntime": onnxruntime,
    "narrow-sums": narrow_sums,
    "openvino": openvino,
}

if __name__ == "__main__":
    main()
