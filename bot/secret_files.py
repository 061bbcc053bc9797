"""Secrets in files of their own: read them, and find those that other users can read."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

MAX_SECRET_BYTES = 4096
# Container engines mount secrets here, readable to every user of the container.
MOUNTED_SECRETS = Path("/run/secrets")


def with_secrets(values: Mapping[str, Any], names: tuple[str, ...], prefix: str) -> dict[str, Any]:
    """Return the settings, each secret read from the file that ``NAME_file`` names.

    Raises
    ------
    ValueError
        Both are set, or the file holds no secret; the sentence names the variable.
    """
    found = dict(values)
    for name in names:
        path = values.get(f"{name}_file")
        if not path:
            continue
        variable = f"{prefix}{name.upper()}"
        if values.get(name):
            raise ValueError(f"{variable} and {variable}_FILE are both set: remove one of them")
        found[name] = _read(Path(path).expanduser(), f"{variable}_FILE")
    return found


def _read(path: Path, variable: str) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_SECRET_BYTES + 1)
    except OSError as error:
        raise ValueError(f"{variable}: {path} cannot be read ({error.strerror})") from None
    try:
        secret = content.decode().strip()
    except UnicodeDecodeError:
        secret = ""
    if not secret or len(content) > MAX_SECRET_BYTES or len(secret.split()) > 1:
        raise ValueError(
            f"{variable}: {path} holds no secret; expected one word of at most"
            f" {MAX_SECRET_BYTES} bytes"
        )
    return secret


def open_files(paths: Mapping[str, Path | None]) -> Iterator[str]:
    """Yield a warning for each file, by its name, that other users can read or write."""
    for name, path in paths.items():
        if path is None or path.parent == MOUNTED_SECRETS:
            continue
        try:
            mode = stat.S_IMODE(path.expanduser().stat().st_mode)
        except OSError:
            continue
        if mode & 0o077:
            yield (
                f"other users of this machine may open {path} ({name}, mode {mode:04o}): run"
                f" chmod 600 {path}"
            )
