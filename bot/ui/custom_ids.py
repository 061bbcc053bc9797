"""Keys for custom ids: a response's track ids in base 36, so buttons work after a restart."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_PACKED = "_"  # first letter of a packed key
_KEY = re.compile(r"[0-9a-z]{1,12}(\.[0-9a-z]{1,12}){0,15}")
MAX_KEY = 80
MAX_ID = 100
_SHORT_HASH_BYTES = 16
_MOST_PLAIN = 16  # ids of a key that is not packed
_PACKED_BYTES = 57  # with the first letters 79 characters


@dataclass(frozen=True, slots=True)
class DetailsSource:
    """The clip or the catalogue's track that the tracks of a response are similar to.

    ``sha256`` is the clip's hex digest, or the first 32 digits of it, and "" for a track.
    """

    sha256: str = ""
    track_id: int = 0


def details_id(source: DetailsSource, key: str) -> str:
    """Return the custom id of Details; track ids that do not fit are cut.

    The first 16 bytes of the clip's digest find its cached analysis.
    """
    head = f"details:{about_key(source)}:"
    while len(head) + len(key) > MAX_ID:
        key = key.rpartition(".")[0]
    return head + key


def about_key(source: DetailsSource) -> str:
    """Return the key of a clip or a track, which `details_source` reads."""
    if source.sha256:
        digest = bytes.fromhex(source.sha256)[:_SHORT_HASH_BYTES]
        return "c" + base64.urlsafe_b64encode(digest).decode().rstrip("=")
    return "t" + _base36(source.track_id)


def details_source(about: str) -> DetailsSource | None:
    """Return the source that a custom id of Details names; None for a malformed one."""
    kind, value = about[:1], about[1:]
    if kind == "t":
        ids = track_ids(value)
        return DetailsSource(track_id=ids[0]) if len(ids) == 1 else None
    try:
        digest = base64.b64decode(value + "==", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    if kind != "c" or len(digest) != _SHORT_HASH_BYTES:
        return None
    return DetailsSource(sha256=digest.hex())


def response_key(track_ids: Sequence[int]) -> str:
    """Return a key of at most 80 characters, or "0" without tracks; ids that do not fit are cut."""
    key = ".".join(map(_base36, track_ids)) or "0"
    while len(key) > MAX_KEY:
        key = key.rpartition(".")[0]
    return key


def more_id(track_id: int, shown: Sequence[int]) -> str:
    """Return the custom id of More like this, with the tracks that its message shows.

    Track ids that do not fit are cut.
    """
    head, ids = f"more:{track_id}", [other for other in shown if other != track_id]
    key = response_key(ids)
    while ids and len(head) + 1 + len(key) > MAX_ID:
        key = key.rpartition(".")[0]
    return f"{head}:{key}" if ids else head


def packed_key(track_ids: Sequence[int]) -> str:
    """Return a key for more ids than `response_key` holds: 20 ids below 4 million fit.

    All ids have one width in bits, in base64. Ids that do not fit are cut. If `response_key` cuts
    no id, its key is returned.
    """
    key = response_key(track_ids)
    if len(track_ids) <= 1 + key.count(".") <= _MOST_PLAIN:
        return key
    width = max(map(int.bit_length, track_ids))
    bits = 1  # keeps leading zeros
    for number in track_ids[: (_PACKED_BYTES * 8 - 1) // width]:
        bits = bits << width | number
    data = bits.to_bytes((bits.bit_length() + 7) // 8, "big")
    return f"{_PACKED}{width:02}{base64.urlsafe_b64encode(data).decode().rstrip('=')}"


def track_ids(key: str) -> tuple[int, ...]:
    """Return the track ids of a key; none for a malformed one."""
    if key.startswith(_PACKED):
        return _unpacked(key)
    if not _KEY.fullmatch(key):
        return ()
    return tuple(number for part in key.split(".") if 0 < (number := int(part, 36)) < 2**63)


def _unpacked(key: str) -> tuple[int, ...]:
    width, packed = key[1:3], key[3:]
    if not (width.isascii() and width.isdigit() and 0 < int(width) < 64 and len(key) <= MAX_KEY):
        return ()
    try:
        data = base64.b64decode(packed + "=" * (-len(packed) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return ()
    bits = int.from_bytes(data, "big")
    count, rest = divmod(bits.bit_length() - 1, int(width))
    if rest or count < 1:
        return ()
    mask = (1 << int(width)) - 1
    found = [bits >> int(width) * place & mask for place in reversed(range(count))]
    return tuple(number for number in found if number > 0)


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits or "0"
