"""Labels of a drawn map: marks that do not cover each other, and names that the font can draw."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import ImageFont

Plane = NDArray[np.float64]

_ROUNDS = 200  # of moving marks apart; 20 marks need some dozens
_MISSING = "\uffff"  # no font has it, so its picture is that of a missing letter


def spread(places: Plane, apart: float, size: Plane, margin: float) -> Plane:
    """Return the places of discs, moved so that no two are nearer than ``apart``.

    Parameters
    ----------
    places
        float (n, 2).
    apart
        Smallest distance of two discs. If the area has no room for that, they come nearer.
    size, margin
        Area that the discs stay in: its width and height, and the distance from its edges.
    """
    moved = np.array(places, dtype=np.float64).reshape(-1, 2)
    # Discs at one place have no direction to move in, so each gets its own.
    angles = 2.4 * np.arange(len(moved))
    own = 1e-3 * apart * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    moved += own
    for _ in range(_ROUNDS):
        away = moved[:, None] - moved[None]
        distance = np.hypot(away[..., 0], away[..., 1])
        np.fill_diagonal(distance, np.inf)
        if (distance >= apart).all():
            break
        push = np.maximum(apart * 1.02 - distance, 0.0) / 2
        moved += (away / np.maximum(distance, 1e-9)[..., None] * push[..., None]).sum(axis=1)
        moved = np.clip(moved, margin, size - margin)
        moved = np.where((moved <= margin) | (moved >= size - margin), moved + own, moved)
    return np.clip(moved, margin, size - margin)


def drawable(text: str, font: ImageFont.FreeTypeFont) -> str:
    """Return a text in the letters that a font has: without accents it lacks, "?" for the rest."""
    plain = "".join(_letter(letter, font) for letter in unicodedata.normalize("NFC", text))
    # A run of "?" says no more than one.
    return plain[:1] + "".join(b for a, b in pairwise(plain) if (a, b) != ("?", "?"))


def _letter(letter: str, font: ImageFont.FreeTypeFont) -> str:
    if letter.isspace() or _has(letter, font):
        return letter
    bare = unicodedata.normalize("NFKD", letter)
    bare = "".join(c for c in bare if not unicodedata.combining(c))
    if bare and all(_has(c, font) for c in bare):
        return bare
    return "" if unicodedata.category(letter)[0] in "CM" else "?"


def _has(letter: str, font: ImageFont.FreeTypeFont) -> bool:
    picture, missing = font.getmask(letter), font.getmask(_MISSING)
    return bytes(picture) != bytes(missing) or picture.size != missing.size
