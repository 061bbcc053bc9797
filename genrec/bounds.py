"""Bounds on values and files of a preset, which may be hostile."""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from numbers import Integral, Real
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MAX_ARRAYS = 64
_NOT_ARRAYS = (
    zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError,  # of zipfile
    SyntaxError, TokenError,  # of an npy header
)  # fmt: skip


def check_range(name: str, value: object, low: float, high: float, *, whole: bool = False) -> None:
    """Raise ValueError unless ``value`` is a number of ``low..high``, and whole if it must be."""
    kind = Integral if whole else Real
    if isinstance(value, bool) or not isinstance(value, kind) or not low <= float(value) <= high:
        raise ValueError(f"{name}={value!r}: expected {low}..{high}")


def check_array(name: str, array: NDArray[Any], shape: tuple[int, ...]) -> None:
    """Raise ValueError unless an array holds finite floats and has this shape, not empty."""
    if array.shape != shape or array.size == 0 or array.dtype.kind != "f":
        raise ValueError(f"{name}: {array.dtype} of shape {array.shape}, expected float {shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: a value is not finite")


def check_size(path: Path, max_bytes: int) -> None:
    """Raise ValueError for a file that is too large to read; OSError if there is none."""
    size = path.stat().st_size
    if size > max_bytes:
        raise ValueError(f"{path.name} has {size} bytes: expected at most {max_bytes}")


def load_arrays(path: Path, *, max_bytes: int) -> dict[str, NDArray[Any]]:
    """Load the arrays of an npz file, bounded by its directory before anything is unpacked.

    Parameters
    ----------
    path
        An npz file.
    max_bytes
        Largest size of all arrays together, unpacked.

    Returns
    -------
    dict
        Array by name.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        It is not an npz file, is larger than ``max_bytes``, or an array has another size than its
        header says.
    """
    arrays: dict[str, NDArray[Any]] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            unpacked = sum(entry.file_size for entry in entries)
            if unpacked > max_bytes or len(entries) > _MAX_ARRAYS:
                raise ValueError(
                    f"{path.name} holds {len(entries)} arrays of {unpacked} bytes: expected at most"
                    f" {_MAX_ARRAYS} of {max_bytes} bytes"
                )
            for entry in entries:
                # Not more than the directory says: zipfile stops there and checks the sum.
                name = entry.filename.removesuffix(".npy")
                arrays[name] = _array(name, archive.read(entry))
    except _NOT_ARRAYS as error:
        raise ValueError(f"{path.name} is not an npz file ({error})") from error
    return arrays


def _array(name: str, data: bytes) -> NDArray[Any]:
    """Decode an npy file; its header may not promise more than the file holds."""
    file = io.BytesIO(data)
    major, _ = np.lib.format.read_magic(file)
    read = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}
    if major not in read:
        raise ValueError(f"{name}: npy version {major}, expected 1 or 2")
    shape, _, dtype = read[major](file)
    if dtype.hasobject or math.prod(shape) * dtype.itemsize != len(data) - file.tell():
        raise ValueError(f"{name}: {shape} of {dtype} does not fit its {len(data)} bytes")
    file.seek(0)
    array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    return array
