"""Lines of an answer: tempo and key, sound tags, genres in own words, origin of the tracks."""

from __future__ import annotations

from collections.abc import Sequence

from bot.i18n import Localizer
from bot.ui.components import percent, small
from bot.ui.markdown import escape
from db.tracks import LIBRARY, STARTER
from genrec.music_filter import COMPATIBLE, parse_key
from genrec.musical_key import KEYS
from genrec.types import GenreScore, MusicDescription, Recommendation

_MOST_WORD = 40  # characters
SHORT_TAGS = 3  # that one line of a phone holds


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


def short_lines(localizer: Localizer, rec: Recommendation) -> str:
    """Return "≈ 122 BPM · A minor" and the first sound tags as small lines; "" if none is sure."""
    tags = _tags(localizer, rec.tags[:SHORT_TAGS])
    parts = tempo_and_key(localizer, rec.description)
    return "\n".join([small(line) for line in (" · ".join(parts), tags) if line])


def full_lines(localizer: Localizer, rec: Recommendation) -> str:
    """Return tempo, key, loudness and brightness, and the sound tags, as small lines.

    "" without a description and without tags.
    """
    tags, parts, description = _tags(localizer, rec.tags), [], rec.description
    if description is not None:
        loudness = localizer.number(description.loudness_lufs)
        brightness = localizer.number(description.brightness_hz / 1000, 1)
        parts = [
            *tempo_and_key(localizer, description),
            localizer("music.loudness", number=loudness),
            localizer("music.brightness", number=brightness),
        ]
    return "\n".join([small(line) for line in (" · ".join(parts), tags) if line])


def _tags(localizer: Localizer, tags: Sequence[str]) -> str:
    """Return "mellow, acoustic, female vocals"; "" without tags."""
    if not tags:
        return ""
    texts = zip(localizer.named("tags", tags), tags, strict=True)
    return ", ".join([text or escape(tag, _MOST_WORD) for text, tag in texts])


def words_line(localizer: Localizer, words: Sequence[GenreScore]) -> str:
    """Return a clip's genres in the library's own words; "" if there are none."""
    if not words:
        return ""
    named = [
        f"**{escape(score.label, _MOST_WORD)}** {percent(localizer, score.probability)}"
        for score in words
    ]
    return localizer("own_genres.line", words=" · ".join(named))


def origin(localizer: Localizer, rec: Recommendation) -> str:
    """Return a line that names the origins of the tracks; "" without tracks.

    It names kinds only, so it tells nothing about another server.
    """
    if not rec.tracks:
        return ""
    if rec.fallback:
        return localizer("origin.fallback")
    places = [localizer(f"origin.{kind}") for kind in origins(rec)]
    return localizer("origin.found", places=", ".join(places))


def origins(rec: Recommendation) -> list[str]:
    """Return the kinds of scopes that the tracks are of: server, library and starter."""
    found = {neighbour.track.scope for neighbour in rec.tracks}
    kinds = {scope if scope in (LIBRARY, STARTER) else "server" for scope in found}
    return [kind for kind in ("server", LIBRARY, STARTER) if kind in kinds]


def key_choices(localizer: Localizer) -> list[tuple[str, str]]:
    """Return the name and the value of each choice for a key, the compatible keys first."""
    keys = [(key_text(localizer, key), key_value(key)) for key in range(KEYS)]
    return [(localizer("music.compatible"), COMPATIBLE), *keys]


def key_value(key: int | str) -> str:
    """Return the value of the choice for a key, which `typed_key` reads in every language."""
    return f"k{key}" if isinstance(key, int) else key


def typed_key(localizer: Localizer, typed: str) -> int | str | None:
    """Return the key that a choice or a typed text names, or None; see `MusicWish.key`."""
    wanted = typed.casefold().strip()
    for name, value in key_choices(localizer):
        if wanted in (name.casefold(), value):
            return COMPATIBLE if value == COMPATIBLE else int(value[1:])
    return parse_key(typed)
