"""Filters of tracks by tempo, key and sound tags, and what users may type for the first two."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from genrec.description_codec import BOUNDS, FIELDS
from genrec.errors import KeyUnclear
from genrec.types import SURE_KEY, SURE_TEMPO, MusicDescription

Float = NDArray[np.float32]

COMPATIBLE = "compatible"
LOWEST_BPM, HIGHEST_BPM = 20.0, BOUNDS["bpm"][1]
NEAR_TEMPO = 0.04  # share of a single tempo that a track may differ from it
_BPM, _BPM_SURE, _KEY, _KEY_SURE = (
    FIELDS.index(name) for name in ("bpm", "bpm_confidence", "key", "key_confidence")
)
_NUMBER = r"(\d{1,6}(?:[.,]\d{1,2})?)"
_TEMPO = re.compile(rf"{_NUMBER}(?:\s*(?:-|\u2013|\u2014|\.\.|to|~)\s*{_NUMBER})?\s*(?:bpm)?", re.I)
_CAMELOT = re.compile(r"(1[0-2]|[1-9])\s*([ab])", re.I)
_TONIC = re.compile(r"([a-g])\s*(#|\u266f|is|b|\u266d|sharp|flat)?\s*(.*)", re.I)
_SEMITONES = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_MODES = {"": 0, "major": 0, "maj": 0, "m": 12, "min": 12, "minor": 12}


@dataclass(frozen=True, slots=True)
class MusicFilter:
    """Tempi and keys that a track may have, None for any, and sound tags that it has.

    Only tempi and keys that are confident enough to be shown count.

    Attributes
    ----------
    tempo
        Lowest and highest tempo in beats a minute.
    keys
        Keys, 0..23.
    tags
        Sound tags, names of `genrec.sound_tags.TagReading.shown`. A track has all of them.
    """

    tempo: tuple[float, float] | None = None
    keys: frozenset[int] | None = None
    tags: tuple[str, ...] = ()

    def mask(self, descriptions: Float) -> NDArray[np.bool_]:
        """Return bool (n,), True for the rows whose tempo and key match.

        Tags are those of the embedding, see `genrec.sound_tags.TagLimits.mask`.

        Parameters
        ----------
        descriptions
            float32 (n, fields), NaN for a track without a description.
        """
        mask = np.ones(len(descriptions), dtype=bool)
        with np.errstate(invalid="ignore"):
            if self.tempo is not None:
                bpm = descriptions[:, _BPM]
                mask &= descriptions[:, _BPM_SURE] >= np.float32(SURE_TEMPO)
                mask &= (bpm >= self.tempo[0]) & (bpm <= self.tempo[1])
            if self.keys is not None:
                mask &= descriptions[:, _KEY_SURE] >= np.float32(SURE_KEY)
                mask &= np.isin(descriptions[:, _KEY], sorted(self.keys))
        return mask


ANY_MUSIC = MusicFilter()


@dataclass(frozen=True, slots=True)
class MusicWish:
    """A user's wish for tempo, key and sound tags, before the clip is known.

    Attributes
    ----------
    tempo
        Lowest and highest tempo in beats a minute; None for any.
    key
        A key, 0..23, or `COMPATIBLE` for those that mix with the clip's; None for any.
    tags
        Sound tags that a track has, all of them; they do not depend on the clip.
    """

    tempo: tuple[float, float] | None = None
    key: int | str | None = None
    tags: tuple[str, ...] = ()

    def of_clip(self, description: MusicDescription | None) -> MusicFilter:
        """Return the filter for a clip.

        Raises
        ------
        KeyUnclear
            Compatible keys are wanted, and the clip's key is not confident.
        """
        found = MusicFilter(tempo=self.tempo, tags=self.tags)
        if self.key is None:
            return found
        if isinstance(self.key, int):
            return replace(found, keys=frozenset({self.key}))
        key = description.sure_key if description is not None else None
        if key is None:
            raise KeyUnclear(
                "The key of this clip is not clear, so no compatible keys can be found. Name a key,"
                " such as A minor, or leave it out."
            )
        return replace(found, keys=compatible_keys(key))


ANY_WISH = MusicWish()


def compatible_keys(key: int) -> frozenset[int]:
    """Return the keys that mix with a key: itself, its relative, a fifth above and a fifth below.

    They are the neighbours on the circle of fifths, known to DJs as the Camelot wheel.
    """
    mode, tonic = key // 12, key % 12
    relative = (tonic + 9) % 12 + 12 if mode == 0 else (tonic + 3) % 12
    fifths = {12 * mode + (tonic + interval) % 12 for interval in (7, 5)}
    return frozenset({key, relative, *fifths})


def parse_tempo(text: str) -> tuple[float, float] | None:
    """Return the range of tempi that a text such as ``118-126`` or ``122`` names.

    A single tempo stands for 4 % below to 4 % above it. None for another text, and for a tempo
    that is not within `LOWEST_BPM` to `HIGHEST_BPM`.
    """
    found = read_tempo(text)
    if found is None or found[0] < LOWEST_BPM or found[1] > HIGHEST_BPM:
        return None
    low, high = found
    if low < high:
        return found
    return max(low * (1 - NEAR_TEMPO), LOWEST_BPM), min(high * (1 + NEAR_TEMPO), HIGHEST_BPM)


def read_tempo(text: str) -> tuple[float, float] | None:
    """Return the lowest and highest tempo of a text, also out of bounds; None for another text."""
    match = _TEMPO.fullmatch(text.strip())
    if match is None:
        return None
    numbers = [float(n.replace(",", ".")) for n in match.groups() if n]
    return min(numbers), max(numbers)


def tempo_text(tempo: tuple[float, float]) -> str:
    """Return a text that `parse_tempo` reads as this range, to a hundredth."""
    return "-".join(f"{bpm:.2f}" for bpm in tempo)


def parse_key(text: str) -> int | str | None:
    """Return the key that a text names, or `COMPATIBLE`; None for another text.

    ``A minor``, ``Am``, ``C#``, ``Db major`` and the Camelot code ``8A`` are understood.
    """
    text = " ".join(text.split())
    if text.casefold() == COMPATIBLE:
        return COMPATIBLE
    if match := _CAMELOT.fullmatch(text):
        steps, minor = int(match[1]), match[2].lower() == "a"
        # 8B is C major and 8A is A minor; each step is a fifth.
        return (7 * (steps - 8) + (9 if minor else 0)) % 12 + 12 * minor
    match = _TONIC.fullmatch(text)
    if match is None:
        return None
    letter, accidental, mode = (part or "" for part in match.groups())
    sharp = accidental in ("#", "\u266f", "sharp", "is")
    step = 0 if not accidental else 1 if sharp else -1
    offset = 0 if mode == "M" else _MODES.get(mode.casefold())
    if offset is None:
        return None
    return (_SEMITONES[letter.lower()] + step) % 12 + offset
