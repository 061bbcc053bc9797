"""Tempo, key and sound on a terminal and in JSON, and the options --tempo and --key."""

from __future__ import annotations

from genrec.errors import DataError
from genrec.music_filter import MusicWish, parse_key, parse_tempo
from genrec.musical_key import key_name
from genrec.types import MusicDescription


def wish(tempo: str | None, key: str | None) -> MusicWish:
    """Return the wish that the options --tempo and --key name.

    Raises
    ------
    DataError
        A value cannot be read.
    """
    bpm = None if tempo is None else parse_tempo(tempo)
    if tempo is not None and bpm is None:
        raise DataError(
            f"--tempo {tempo!r} is no tempo: write beats a minute of 20..400, such as 122 or"
            " 118-126."
        )
    wanted = None if key is None else parse_key(key)
    if key is not None and wanted is None:
        raise DataError(
            f"--key {key!r} is no key: write one such as 'A minor', Am or 8A, or compatible."
        )
    return MusicWish(tempo=bpm, key=wanted)


def tempo_and_key(description: MusicDescription | None) -> str:
    """Return "≈ 122 BPM · A minor", as far as tempo and key are confident."""
    parts = []
    if description is not None and description.sure_bpm is not None:
        parts.append(f"≈ {description.sure_bpm:.0f} BPM")
    if description is not None and description.sure_key is not None:
        parts.append(key_name(description.sure_key))
    return " · ".join(parts)


def full_line(description: MusicDescription) -> str:
    """Return tempo, key, loudness and brightness of a clip."""
    sound = f"{description.loudness_lufs:.0f} LUFS"
    brightness = f"brightness {description.brightness_hz / 1000:.1f} kHz"
    return " · ".join(filter(None, [tempo_and_key(description), sound, brightness]))
