"""The tracks of an answer, packed into the key its buttons carry: so they outlive a restart."""

from __future__ import annotations

import re
from collections.abc import Iterable

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_KEY = re.compile(r"[0-9a-z]{1,12}(\.[0-9a-z]{1,12}){0,15}")
LONGEST = 80


def reply_key(track_ids: Iterable[int]) -> str:
    """Return a key of at most 80 characters; "0" for an answer without tracks."""
    key = ".".join(_base36(track_id) for track_id in track_ids) or "0"
    while len(key) > LONGEST:
        key = key.rpartition(".")[0]
    return key


def track_ids(key: str) -> tuple[int, ...]:
    """Return the ids in a key; nothing for one that we did not make."""
    if not _KEY.fullmatch(key):
        return ()
    return tuple(number for part in key.split(".") if 0 < (number := int(part, 36)) < 2**63)


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits or "0"
