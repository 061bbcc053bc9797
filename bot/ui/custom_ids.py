"""Keys for custom ids: a response's track ids in base 36, so buttons work after a restart."""

from __future__ import annotations

import re
from collections.abc import Sequence

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_KEY = re.compile(r"[0-9a-z]{1,12}(\.[0-9a-z]{1,12}){0,15}")
MAX_KEY = 80


def response_key(track_ids: Sequence[int]) -> str:
    """Return a key of at most 80 characters, or "0" without tracks; ids that do not fit are cut."""
    key = ".".join(map(_base36, track_ids)) or "0"
    while len(key) > MAX_KEY:
        key = key.rpartition(".")[0]
    return key


def track_ids(key: str) -> tuple[int, ...]:
    """Return the track ids of a key; none for a malformed one."""
    if not _KEY.fullmatch(key):
        return ()
    return tuple(number for part in key.split(".") if 0 < (number := int(part, 36)) < 2**63)


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits or "0"
