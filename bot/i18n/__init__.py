"""The words of the bot in every language: catalogue files that a translator can edit.

One TOML file a language lies beside this module. ``en.toml`` is the original and the fallback;
each other file holds the same keys with the same placeholders. ``[language]`` names Discord's
locales that read the file, ``[numbers]`` how numbers are written, ``plurals`` the forms of a text
that has a ``{count}``: such a text is a table of these forms. Keys are dotted paths in the file::

    words = Words.load()
    words.text("notices.thumb_up", "de")
    words.text("answer.heading", interaction.locale, count=5)
    words.number(0.83, "de", digits=2)                                  # "0,83"

``{/library add}`` in a text becomes that command's name in the reader's language.

``bot/i18n/commands.py`` gives the same catalogues to Discord for the commands' own names.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

ENGLISH = "en"
LANGUAGES = ("en", "de", "es", "fr", "pt-BR", "ja", "id")
# The forms each language tells apart for a whole number, as in CLDR; "many" (millions in es, fr
# and pt-BR) is left out, as no text here counts so far.
PLURALS: dict[str, Callable[[object], str]] = {
    "one_is_singular": lambda n: "one" if n == 1 else "other",
    "zero_and_one_are_singular": lambda n: "one" if n in (0, 1) else "other",
    "none": lambda _: "other",
}


@dataclass(frozen=True, slots=True)
class Translation:
    """The texts of one language, by dotted key; a text with plural forms is a mapping."""

    code: str
    locales: tuple[str, ...]
    plurals: str
    decimal: str
    group: str
    percent: str
    texts: Mapping[str, str | Mapping[str, str]]

    @classmethod
    def parse(cls, code: str, toml: str) -> Translation:
        """Read a catalogue file; tomllib's and KeyError's words name what is wrong in it."""
        data = tomllib.loads(toml)
        language, numbers = data.pop("language"), data.pop("numbers")
        return cls(
            code,
            tuple(language["locales"]),
            language["plurals"],
            numbers["decimal"],
            numbers["group"],
            numbers["percent"],
            dict(_flat(data)),
        )

    def form(self, key: str, values: Mapping[str, object]) -> str | None:
        """Return the text of a key, in the form that ``count`` asks for; None where missing."""
        text = self.texts.get(key)
        if text is None or isinstance(text, str):
            return text
        return text[PLURALS[self.plurals](values["count"])]


class Translations:
    """All catalogues, and which of them a locale reads."""

    def __init__(self, catalogues: Mapping[str, Translation]) -> None:
        self.catalogues = catalogues
        self._english = catalogues[ENGLISH]
        self._of_locale = {name: c for c in catalogues.values() for name in (c.code, *c.locales)}

    @classmethod
    def load(cls) -> Translations:
        """Read the catalogue files that lie in this package."""
        folder = resources.files(__name__)
        return cls(
            {
                code: Translation.parse(code, (folder / f"{code}.toml").read_text("utf-8"))
                for code in LANGUAGES
            }
        )

    def catalogue(self, locale: object) -> Translation:
        """Return the catalogue a locale reads; English for a language without one."""
        return self._of_locale.get(str(locale), self._english)

    def text(self, key: str, locale: object, **values: object) -> str:
        """Return a text, its placeholders filled; English where the language lacks it.

        Whole numbers and fractions among the values are written as the language writes them.
        KeyError where no language has the key or a placeholder has no value.
        """
        catalogue = self.catalogue(locale)
        text = catalogue.form(key, values)
        if text is None:
            text = self._english.form(key, values)
        if text is None:
            raise KeyError(key)
        shown = {name: self._shown(value, locale) for name, value in values.items()}
        return text.format_map(_Values(shown, self, locale))

    def command(self, name: str, locale: object) -> str:
        """Return a command as its users type it: /bibliothek aufnehmen for "library add"."""
        key, typed = "commands", []
        for part in name.split():
            key += f".{part}"
            typed.append(self.text(f"{key}.name", locale))
        return "/" + " ".join(typed)

    def has(self, key: str) -> bool:
        """Tell whether there is such a text."""
        return key in self._english.texts

    def number(self, value: float, locale: object, *, digits: int = 0) -> str:
        """Write a number with ``digits`` decimals: 1,234.5 in English, 1.234,5 in German."""
        catalogue = self.catalogue(locale)
        swap = {",": catalogue.group, ".": catalogue.decimal}
        return "".join(swap.get(char, char) for char in f"{value:,.{digits}f}")

    def percent(self, share: float, locale: object, *, digits: int = 0) -> str:
        """Write a share of 0..1 as percent."""
        number = self.number(100 * share, locale, digits=digits)
        return self.catalogue(locale).percent.format(number=number)

    def duration(self, seconds: float, locale: object) -> str:
        """Write a length of time in its largest units: 0.8 s, 42 s, 3 min, 2 h 5 min."""
        if seconds < 9.95:
            return self.text("time.seconds", locale, count=max(round(seconds, 1), 0.1))
        if seconds < 90:
            return self.text("time.seconds", locale, count=round(seconds))
        hours, minutes = divmod(round(seconds / 60), 60)
        if hours == 0:
            return self.text("time.minutes", locale, count=minutes)
        return self.text("time.hours", locale, hours=hours, minutes=minutes)

    def _shown(self, value: object, locale: object) -> object:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return value
        whole = isinstance(value, int) or value.is_integer()
        return self.number(value, locale, digits=0 if whole else 1)


class _Values(dict[str, object]):
    """The values of a text's placeholders, and on demand {/command}: that command's name."""

    def __init__(self, values: Mapping[str, object], words: Translations, locale: object) -> None:
        super().__init__(values)
        self._words, self._locale = words, locale

    def __missing__(self, name: str) -> str:
        if not name.startswith("/"):
            raise KeyError(name)
        return f"`{self._words.command(name[1:], self._locale)}`"


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict) and "other" not in value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
