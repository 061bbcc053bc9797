"""Start the process that lays out a map, and return the places that it computes."""

from __future__ import annotations

import asyncio
import importlib.util
import io
import logging
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from genrec.errors import MapFailed, MapLibraryMissing
from genrec.track_map import Float, landmarks

log = logging.getLogger(__name__)

TIMEOUT_S = 300.0
LIBRARY = "sklearn"
PROCESS = (sys.executable, "-m", "genrec.map_process")
_FOLDER = Path(__file__).resolve().parents[1]  # of the package, for ``-m``
# One core: the others belong to the workers. The process gets no other variable, so no secret.
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
_SHOWN = 400  # characters of the process's last words that are logged


def is_available() -> bool:
    """Return whether scikit-learn is installed, which the extra ``map`` brings."""
    return importlib.util.find_spec(LIBRARY) is not None


async def lay_out(
    ids: np.ndarray[tuple[int], np.dtype[np.int64]],
    matrix: Float,
    start: Float | None = None,
    *,
    timeout_s: float = TIMEOUT_S,
    command: Sequence[str] = PROCESS,
) -> Float:
    """Return the place of each track, computed in a process of low priority.

    Parameters
    ----------
    ids
        int64 (n,), track ids; they select the landmarks. n is at least 4.
    matrix
        float32 (n, d), rows of length 1.
    start
        float32 (n, 2), older places to start from; None for a new map.
    timeout_s
        Seconds after which the process is killed.
    command
        The process; tests replace it.

    Returns
    -------
    float32 (n, 2), in no particular unit.

    Raises
    ------
    MapLibraryMissing
        scikit-learn is not installed.
    MapFailed
        The process took too long, ended early or wrote something else.
    """
    if not is_available():
        raise MapLibraryMissing(
            "The map needs scikit-learn, which is not installed: run pip install 'genrec[map]', or"
            " make setup in a clone."
        )
    sent = await asyncio.to_thread(_packed, ids, matrix, start)
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=_FOLDER,
        env=_ENVIRONMENT,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(timeout_s):
            written, said = await process.communicate(sent)
    except TimeoutError as error:
        raise MapFailed(
            f"The map of {len(matrix):,} tracks took longer than {timeout_s:.0f} s. Try again when"
            " the machine has less to do."
        ) from error
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            await process.wait()
    places = _read(written, len(matrix)) if process.returncode == 0 else None
    if places is None:
        last = said.decode(errors="replace").strip()[-_SHOWN:]
        log.warning("map process failed: exit code %s: %s", process.returncode, last)
        raise MapFailed(
            f"The map's process ended with exit code {process.returncode} and without a map. The"
            " log has its last words."
        )
    return places


def _packed(
    ids: np.ndarray[tuple[int], np.dtype[np.int64]], matrix: Float, start: Float | None
) -> bytes:
    rows = landmarks(ids)
    file = io.BytesIO()
    none = np.zeros((0, 2), dtype=np.float32)
    np.savez(file, matrix=matrix, landmarks=rows, start=none if start is None else start[rows])
    return file.getvalue()


def _read(written: bytes, count: int) -> Float | None:
    """Return the places that the process wrote; None if they are no finite float32 (count, 2)."""
    try:
        places = np.load(io.BytesIO(written), allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    if not isinstance(places, np.ndarray) or places.shape != (count, 2):
        return None
    return places.astype(np.float32) if np.isfinite(places).all() else None
