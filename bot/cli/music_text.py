"""Tempo, key, sound and tags on a terminal, and the options --tempo, --key and --tag."""

from __future__ import annotations

from dataclasses import replace

from bot.ui.tag_names import SEVERAL, english, tag_names, typed_tags
from genrec.errors import DataError
from genrec.music_filter import MusicWish, parse_key, parse_tempo
from genrec.musical_key import key_name
from genrec.preset import Preset
from genrec.sound_tags import MOST_TAGS
from genrec.types import MusicDescription


def wish(tempo: str | None = None, key: str | None = None, tag: str | None = None) -> MusicWish:
    """Return the wish that the options --tempo, --key and --tag name.

    The text of --tag stays as it is typed, for `preset_tags`: the preset is not open yet.

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
    return MusicWish(tempo=bpm, key=wanted, tags=() if tag is None else (tag,))


def preset_tags(music: MusicWish, preset: Preset) -> MusicWish:
    """Return a wish with the sound tags as the preset names them.

    Raises
    ------
    DataError
        The preset has no such tag, or there are too many.
    """
    if not music.tags:
        return music
    if preset.tags is None:
        raise DataError(f"--tag: the preset {preset.name} has no sound tags; leave the option out.")
    found = typed_tags(english(), SEVERAL.join(music.tags), preset.tags.shown)
    if not found.tags:
        names = tags_line(preset.tags.shown)
        raise DataError(f"--tag: there is no tag {found.unknown!r}; the tags are {names}.")
    if found.too_many:
        raise DataError(f"--tag: {len(found.tags)} tags are named; name at most {MOST_TAGS}.")
    return replace(music, tags=found.tags)


def tags_line(tags: tuple[str, ...]) -> str:
    """Return "mellow, female vocals" for the sound tags of a clip."""
    return SEVERAL.join(tag_names(english(), tags))


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
