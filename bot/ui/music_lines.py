"""Tempo, key, loudness and brightness of a clip or track as one line of text."""

from __future__ import annotations

from bot.i18n import Localizer
from bot.ui.components import small
from genrec.music_filter import COMPATIBLE, parse_key
from genrec.musical_key import KEYS
from genrec.types import MusicDescription


def key_text(localizer: Localizer, key: int) -> str:
    """Return the name of a key, such as "A minor", in the user's language."""
    return localizer(f"music.keys.k{key}")


def tempo_and_key(localizer: Localizer, description: MusicDescription | None) -> list[str]:
    """Return tempo and key, each if it is confident: "≈ 122 BPM", "A minor"."""
    parts: list[str] = []
    if description is None:
        return parts
    if description.sure_bpm is not None:
        parts.append(localizer("music.tempo", bpm=localizer.number(description.sure_bpm)))
    if description.sure_key is not None:
        parts.append(key_text(localizer, description.sure_key))
    return parts


def short_line(localizer: Localizer, description: MusicDescription | None) -> str:
    """Return "≈ 122 BPM · A minor" as small text, or "" if neither is confident."""
    parts = tempo_and_key(localizer, description)
    return small(" · ".join(parts)) if parts else ""


def full_line(localizer: Localizer, description: MusicDescription | None) -> str:
    """Return tempo, key, loudness and brightness as small text; "" without a description."""
    if description is None:
        return ""
    loudness = localizer.number(description.loudness_lufs)
    brightness = localizer.number(description.brightness_hz / 1000, 1)
    parts = [
        *tempo_and_key(localizer, description),
        localizer("music.loudness", number=loudness),
        localizer("music.brightness", number=brightness),
    ]
    return small(" · ".join(parts))


def key_choices(localizer: Localizer) -> list[tuple[str, str]]:
    """Return the name and the value of each choice for a key, the compatible keys first."""
    keys = [(key_text(localizer, key), f"k{key}") for key in range(KEYS)]
    return [(localizer("music.compatible"), COMPATIBLE), *keys]


def typed_key(localizer: Localizer, typed: str) -> int | str | None:
    """Return the key that a choice or a typed text names, or None; see `MusicWish.key`."""
    wanted = typed.casefold().strip()
    for name, value in key_choices(localizer):
        if wanted in (name.casefold(), value):
            return COMPATIBLE if value == COMPATIBLE else int(value[1:])
    return parse_key(typed)
