"""Music descriptions in exported lists: one column for each number, the key by its English name."""

from __future__ import annotations

from collections.abc import Mapping

from genrec.description_codec import FIELDS, description_of, unpack_description
from genrec.errors import InputRefused
from genrec.music_filter import parse_key
from genrec.musical_key import key_name
from genrec.types import MusicDescription

MUSIC = FIELDS
"""Columns that exports of earlier versions lack."""


def music_cells(blob: bytes | None) -> dict[str, float | str]:
    """Return the columns of a stored description; "" for each if it is absent or damaged."""
    try:
        described = unpack_description(blob) if blob is not None else None
    except ValueError:
        described = None
    if described is None:
        return dict.fromkeys(MUSIC, "")
    cells: dict[str, float | str] = {
        name: round(float(getattr(described, name)), 4) for name in MUSIC
    }
    return cells | {"key": key_name(described.key)}


def music_of(row: Mapping[str, object]) -> MusicDescription | None:
    """Return the description of an imported row, or None for a row without one.

    Raises
    ------
    InputRefused
        A number is missing, not a number or out of its bounds.
    """
    texts = {name: str(row.get(name) if row.get(name) is not None else "") for name in MUSIC}
    if not any(text.strip() for text in texts.values()):
        return None
    try:
        key = parse_key(texts["key"])
        if not isinstance(key, int):
            raise ValueError(f"key={texts['key']!r}: expected a key such as A minor")
        numbers = {
            name: float(text.replace(",", ".")) for name, text in texts.items() if name != "key"
        }
        return description_of([float(key) if n == "key" else numbers[n] for n in MUSIC])
    except ValueError as error:
        raise InputRefused(f"The music description cannot be read ({error}).") from error
