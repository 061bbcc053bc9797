"""Names of sound tags in the user's language, and what users may type for them.

A user may type names of the own language and English ones, and the names that the model has.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from rapidfuzz import fuzz, process

from bot.i18n import ENGLISH, Localizer, Translations
from genrec.names import fold
from genrec.sound_tags import MOST_TAGS

NEAR = 4  # names that are offered for an unknown one, at most
_MUCH_WORSE = 25.0  # a name whose score, 0..100, is so much below the best is not offered
_SEPARATOR = re.compile(r"[,;\u3001\uff0c]")
_CODES = re.compile(r"#((?:[0-9a-f]{3})+)")
_CODE_LETTERS = 3
SEVERAL = ", "


@dataclass(frozen=True, slots=True)
class TypedTags:
    """Tags that a text names, or the part of it that names none and the nearest names."""

    tags: tuple[str, ...] = ()
    unknown: str = ""
    near: tuple[str, ...] = ()

    @property
    def too_many(self) -> bool:
        """Whether there are more tags than one answer shows."""
        return len(self.tags) > MOST_TAGS


@lru_cache(maxsize=1)
def english() -> Localizer:
    """Return English names, for the command line and the HTTP interface."""
    return Localizer(Translations.load((ENGLISH,)), ENGLISH)


def tag_names(localizer: Localizer, tags: Sequence[str]) -> list[str]:
    """Return the names of tags in the user's language; a tag without one keeps the model's name."""
    named = zip(localizer.named("tags", tags), tags, strict=True)
    return [name or tag for name, tag in named]


def typed_tags(localizer: Localizer, typed: str, known: Sequence[str]) -> TypedTags:
    """Return the tags that a text names, separated by commas, each once.

    ``known`` are the model's tags. Case, accents, spaces and punctuation do not count. A text of
    `tag_codes` is read too. A text that names nothing, such as a comma, is an unknown tag.
    """
    if match := _CODES.fullmatch(typed):
        by_code = {_code(tag): tag for tag in known}
        found = [by_code.get(code, "") for code in re.findall("...", match[1])]
        return TypedTags(tuple(found)) if all(found) else TypedTags(unknown=typed)
    by_name = _by_name(localizer, known)
    tags: list[str] = []
    for part in _parts(typed) or [typed]:
        tag = by_name.get(_plain(part))
        if tag is None:
            return TypedTags(unknown=part, near=_nearest(localizer, part, known))
        tags.append(tag)
    return TypedTags(tuple(dict.fromkeys(tags)))


def tag_codes(tags: Sequence[str]) -> str:
    """Return a short text that `typed_tags` reads, for a custom id; "" without tags."""
    return "#" + "".join(map(_code, tags)) if tags else ""


def complete_tags(
    localizer: Localizer, typed: str, known: Sequence[str], *, limit: int
) -> list[tuple[str, str]]:
    """Return names and values of the choices for a text that is being typed.

    What stands before the last comma stays, and each tag that contains the rest is added to it.
    The names are in the user's language, and the values are the model's.
    """
    *before, last = _SEPARATOR.split(typed)
    first = SEVERAL.join(before)
    chosen = typed_tags(localizer, first, known) if _parts(first) else TypedTags()
    if chosen.unknown or len(chosen.tags) >= MOST_TAGS:
        return []
    found: dict[str, str] = {}
    for name, tag in zip(tag_names(localizer, known), known, strict=True):
        fits = any(_plain(last) in _plain(each) for each in _names(localizer, tag))
        if fits and tag not in chosen.tags:
            tags = (*chosen.tags, tag)
            found[SEVERAL.join((*tag_names(localizer, chosen.tags), name))] = SEVERAL.join(tags)
    return sorted(found.items(), key=lambda choice: choice[0].casefold())[:limit]


def _parts(typed: str) -> list[str]:
    return [" ".join(part.split()) for part in _SEPARATOR.split(typed) if part.strip()]


def _names(localizer: Localizer, tag: str) -> list[str]:
    """Return the user's name of a tag, the English one and the model's, without repetitions."""
    english = Localizer(localizer.translations, ENGLISH)
    named = [*localizer.named("tags", [tag]), *english.named("tags", [tag]), tag]
    return list(dict.fromkeys(name for name in named if name))


def _by_name(localizer: Localizer, known: Sequence[str]) -> dict[str, str]:
    """Return the tag of each name without case, accents, spaces and punctuation.

    Names of the user's language come first where one is the English name of another tag.
    """
    found: dict[str, str] = {}
    ranked = [_names(localizer, tag) for tag in known]
    for place in range(max(map(len, ranked), default=0)):
        for tag, names in zip(known, ranked, strict=True):
            if place < len(names):
                found.setdefault(_plain(names[place]), tag)
    return found


def _nearest(localizer: Localizer, part: str, known: Sequence[str]) -> tuple[str, ...]:
    """Return the user's names of the tags that are spelt most like a text, at least one."""
    spelt = {name: tag for tag in known for name in _names(localizer, tag)}
    ranked = process.extract(part, list(spelt), scorer=fuzz.WRatio, processor=fold, limit=None)
    enough = ranked[0][1] - _MUCH_WORSE
    tags = list(dict.fromkeys(spelt[name] for name, score, _ in ranked if score >= enough))
    return tuple(tag_names(localizer, tags[:NEAR]))


def _plain(text: str) -> str:
    return fold(text).replace(" ", "")


def _code(tag: str) -> str:
    return f"{zlib.crc32(tag.encode()):08x}"[:_CODE_LETTERS]
