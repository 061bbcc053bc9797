"""Texts of the bot in all languages, read from one TOML file per language.

``en.toml`` is the original and the fallback. Each other file holds the same keys with the same
placeholders. ``[language]`` lists the Discord locales that use the file and its kind of plural,
``[numbers]`` defines how numbers are written. A text with a ``{count}`` is a table of plural forms.
Keys are dotted paths in the file::

    translations = Translations.load()
    translations.text("notices.thumb_up", "de")
    translations.text("answer.heading", interaction.locale, count=5)
    translations.number(0.83, "de", digits=2)                           # "0,83"

``{/library add}`` in a text becomes that command's name in the reader's language.

``bot/i18n/command_translator.py`` sends the command names and descriptions to Discord.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

ENGLISH = "en"
LANGUAGES = ("en", "de", "es", "fr", "pt-BR", "ja", "id")
# CLDR plural categories of whole numbers. "many" (millions in es, fr and pt-BR) is left out,
# because no count here is that large.
PLURALS: dict[str, Callable[[object], str]] = {
    "one_is_singular": lambda n: "one" if n == 1 else "other",
    "zero_and_one_are_singular": lambda n: "one" if n in (0, 1) else "other",
    "none": lambda _: "other",
}


@dataclass(frozen=True, slots=True)
class Translation:
    """Texts of one language by dotted key; a text with plural forms is a mapping."""

    code: str
    locales: tuple[str, ...]
    plurals: str
    decimal: str
    group: str
    percent: str
    texts: Mapping[str, str | Mapping[str, str]]

    @classmethod
    def parse(cls, code: str, toml: str) -> Translation:
        """Return a translation from its TOML; raise TOMLDecodeError or KeyError if malformed."""
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
        """Return the text of a key in the plural form of ``values["count"]``, or None."""
        text = self.texts.get(key)
        if text is None or isinstance(text, str):
            return text
        return text[PLURALS[self.plurals](values["count"])]


class Translations:
    """The translations by language code, and lookup by Discord locale."""

    def __init__(self, by_code: Mapping[str, Translation]) -> None:
        self.by_code = by_code
        self._english = by_code[ENGLISH]
        self._by_locale = {
            name: translation
            for translation in by_code.values()
            for name in (translation.code, *translation.locales)
        }

    @classmethod
    def load(cls, codes: Iterable[str] = LANGUAGES) -> Translations:
        """Return the translations of these languages from their files; one must be English."""
        folder = resources.files(__name__)
        return cls(
            {
                code: Translation.parse(code, (folder / f"{code}.toml").read_text("utf-8"))
                for code in codes
            }
        )

    def translation(self, locale: object) -> Translation:
        """Return the translation for a locale; English for a language without one."""
        return self._by_locale.get(str(locale), self._english)

    def text(self, key: str, locale: object, **values: object) -> str:
        """Return a text with its placeholders filled; English where the language lacks the key.

        Numbers among the values are formatted for the language. KeyError if English lacks the key
        too, or if a placeholder has no value.
        """
        text = self.translation(locale).form(key, values)
        if text is None:
            text = self._english.form(key, values)
        if text is None:
            raise KeyError(key)
        formatted = {name: self._format(value, locale) for name, value in values.items()}
        return text.format_map(_Placeholders(formatted, self, locale))

    def command(self, name: str, locale: object) -> str:
        """Return a command's localised name: "/bibliothek aufnehmen" for "library add"."""
        key, typed = "commands", []
        for part in name.split():
            key += f".{part}"
            typed.append(self.text(f"{key}.name", locale))
        return "/" + " ".join(typed)

    def has(self, key: str) -> bool:
        """Return True if English has this key."""
        return key in self._english.texts

    def number(self, value: float, locale: object, *, digits: int = 0) -> str:
        """Return a number with ``digits`` decimals: 1,234.5 in English, 1.234,5 in German."""
        translation = self.translation(locale)
        separators = {",": translation.group, ".": translation.decimal}
        return "".join(separators.get(char, char) for char in f"{value:,.{digits}f}")

    def percent(self, share: float, locale: object, *, digits: int = 0) -> str:
        """Return a share of 0..1 as a percentage."""
        number = self.number(100 * share, locale, digits=digits)
        return self.translation(locale).percent.format(number=number)

    def duration(self, seconds: float, locale: object) -> str:
        """Return a duration in its largest units: 0.8 s, 42 s, 3 min, 2 h 5 min."""
        if seconds < 9.95:
            return self.text("time.seconds", locale, count=max(round(seconds, 1), 0.1))
        if seconds < 90:
            return self.text("time.seconds", locale, count=round(seconds))
        hours, minutes = divmod(round(seconds / 60), 60)
        if hours == 0:
            return self.text("time.minutes", locale, count=minutes)
        return self.text("time.hours", locale, hours=hours, minutes=minutes)

    def _format(self, value: object, locale: object) -> object:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return value
        whole = isinstance(value, int) or value.is_integer()
        return self.number(value, locale, digits=0 if whole else 1)


@dataclass(frozen=True, slots=True)
class Localizer:
    """Texts and numbers for one locale."""

    translations: Translations
    locale: object

    def __call__(self, key: str, **values: object) -> str:
        """Return the text of a key with its placeholders filled; string values must be escaped."""
        return self.translations.text(key, self.locale, **values)

    def named(self, table: str, names: Iterable[str]) -> list[str | None]:
        """Return the text of each name in a table such as "tags"; None for one without a text."""
        texts = self.translations.translation(self.locale).texts
        found = [texts.get(f"{table}.{name}") for name in names]
        return [text if isinstance(text, str) else None for text in found]

    @property
    def english(self) -> bool:
        """Whether the texts are in English."""
        return self.translations.translation(self.locale).code == ENGLISH

    @property
    def language(self) -> str:
        """Code of the language of the texts, such as "pt-BR"."""
        return self.translations.translation(self.locale).code

    def has(self, key: str) -> bool:
        """Return True if English has this key."""
        return self.translations.has(key)

    def command(self, name: str) -> str:
        """Return a command's localised name, with its slash."""
        return self.translations.command(name, self.locale)

    def number(self, value: float, digits: int = 0) -> str:
        """Return a number with ``digits`` decimals, in the language's notation."""
        return self.translations.number(value, self.locale, digits=digits)

    def percent(self, share: float, digits: int = 0) -> str:
        """Return a share of 0..1 as a percentage."""
        return self.translations.percent(share, self.locale, digits=digits)

    def duration(self, seconds: float) -> str:
        """Return a duration in its largest units."""
        return self.translations.duration(seconds, self.locale)


class _Placeholders(dict[str, object]):
    """Values of a text's placeholders; for {/command} the command's localised name."""

    def __init__(
        self, values: Mapping[str, object], translations: Translations, locale: object
    ) -> None:
        super().__init__(values)
        self._translations, self._locale = translations, locale

    def __missing__(self, name: str) -> str:
        if not name.startswith("/"):
            raise KeyError(name)
        return f"`{self._translations.command(name[1:], self._locale)}`"


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict) and "other" not in value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
