"""Translation files: same keys and placeholders, and names within Discord's limits."""

from __future__ import annotations

import re
from itertools import chain
from string import Formatter

import discord
import pytest

from bot.i18n import ENGLISH, LANGUAGES, PLURALS, Translation, Translations
from genrec import errors

TRANSLATIONS = Translations.load()
OTHER_LANGUAGES = [code for code in LANGUAGES if code != ENGLISH]
ENGLISH_TEXTS = TRANSLATIONS.by_code[ENGLISH].texts
# Discord's pattern for command and option names; \w stands for its \p{L}\p{N}, which re lacks.
COMMAND_NAME = re.compile(r"[-_'\w]{1,32}")
SENTENCE_END = re.compile(r"[.!?](?=\s|$)|。")
# The plural forms of each kind of plural, found by trying small counts.
FORMS = {kind: {form(n) for n in range(5)} for kind, form in PLURALS.items()}


def forms(text) -> dict[str, str]:
    """Return the plural forms of a text; one unnamed form for a plain text."""
    return {"": text} if isinstance(text, str) else dict(text)


def placeholders(text: str) -> set[str]:
    """Return the names of the placeholders in one form."""
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def all_placeholders(text) -> set[str]:
    """Return the names of the placeholders in all forms of a text."""
    return set(chain.from_iterable(placeholders(form) for form in forms(text).values()))


@pytest.mark.parametrize("code", OTHER_LANGUAGES)
def test_keys_equal_those_of_english(code):
    texts = TRANSLATIONS.by_code[code].texts
    assert sorted(ENGLISH_TEXTS.keys() - texts.keys()) == []
    assert sorted(texts.keys() - ENGLISH_TEXTS.keys()) == []


@pytest.mark.parametrize("code", OTHER_LANGUAGES)
def test_placeholders_equal_those_of_english(code):
    differ = {
        key: (all_placeholders(text), all_placeholders(ENGLISH_TEXTS[key]))
        for key, text in TRANSLATIONS.by_code[code].texts.items()
        if all_placeholders(text) != all_placeholders(ENGLISH_TEXTS[key])
    }
    assert differ == {}


@pytest.mark.parametrize("code", LANGUAGES)
def test_placeholders_are_identifiers_or_commands(code):
    for key, text in TRANSLATIONS.by_code[code].texts.items():
        for name in all_placeholders(text):
            if name.startswith("/"):
                assert TRANSLATIONS.command(name[1:], code).startswith("/"), (key, name)
            else:
                assert name.isidentifier(), (key, name)


@pytest.mark.parametrize("code", LANGUAGES)
def test_plural_forms_match_the_language(code):
    translation = TRANSLATIONS.by_code[code]
    expected = FORMS[translation.plurals]
    plural = {key for key, text in ENGLISH_TEXTS.items() if not isinstance(text, str)}
    assert plural
    for key in plural:
        assert set(forms(translation.texts[key])) == expected, key
        assert "count" in placeholders(forms(translation.texts[key])["other"]), key
        if translation.plurals == "zero_and_one_are_singular":  # "one" may be none
            assert "count" in placeholders(forms(translation.texts[key])["one"]), key


@pytest.mark.parametrize("code", LANGUAGES)
def test_texts_are_stripped_and_not_empty(code):
    for key, text in TRANSLATIONS.by_code[code].texts.items():
        for form in forms(text).values():
            assert form.strip() == form != "", key


@pytest.mark.parametrize("code", LANGUAGES)
def test_texts_have_at_most_two_sentences(code):
    too_long = {
        key: form
        for key, text in TRANSLATIONS.by_code[code].texts.items()
        for form in forms(text).values()
        if len(SENTENCE_END.findall(re.sub(r"<[^>]*>|{[^}]*}", "", form))) > 2
    }
    assert too_long == {}


@pytest.mark.parametrize("code", OTHER_LANGUAGES)
def test_sentences_differ_from_english(code):
    texts = TRANSLATIONS.by_code[code].texts
    # Short words and names (Export, Blues, JSON) may be the same.
    sentences = [key for key, text in ENGLISH_TEXTS.items() if len(str(text)) > 40]
    assert [key for key in sentences if texts[key] == ENGLISH_TEXTS[key]] == []


@pytest.mark.parametrize("code", LANGUAGES)
def test_command_and_option_names_match_discords_pattern(code):
    names = command_texts(code, "name")
    assert names
    for key, name in names.items():
        assert COMMAND_NAME.fullmatch(name), (key, name)
        assert name == name.lower(), (key, name)


@pytest.mark.parametrize("code", LANGUAGES)
def test_descriptions_menus_choices_and_buttons_keep_discords_lengths(code):
    for key, text in command_texts(code, "description").items():
        assert 1 <= len(text) <= 100, (key, len(text))
    for key, text in TRANSLATIONS.by_code[code].texts.items():
        if key.startswith("menus."):
            assert 1 <= len(text) <= 32, (key, len(text))
        if key.startswith("choices."):
            assert 1 <= len(text) <= 100, (key, len(text))
        if key.startswith("button."):
            assert 1 <= len(text) <= 80, (key, len(text))


@pytest.mark.parametrize("code", LANGUAGES)
def test_sibling_command_names_differ(code):
    siblings: dict[str, list[str]] = {}
    for key, name in command_texts(code, "name").items():
        siblings.setdefault(key.removesuffix(".name").rpartition(".")[0], []).append(name)
    assert len(siblings["commands"]) > 5
    for parent, names in siblings.items():
        assert len(names) == len(set(names)), parent


@pytest.mark.parametrize("code", LANGUAGES)
def test_command_with_options_stays_under_8000_characters(code):
    sizes: dict[str, int] = {}
    for key, text in TRANSLATIONS.by_code[code].texts.items():
        if key.startswith("commands."):
            command = key.split(".")[1]
            sizes[command] = sizes.get(command, 0) + len(text)
    assert 0 < max(sizes.values()) < 8000


def command_texts(code: str, part: str) -> dict[str, str]:
    """Return the names or descriptions of the commands and their options, by key."""
    texts = TRANSLATIONS.by_code[code].texts
    return {
        key: str(text)
        for key, text in texts.items()
        if key.startswith("commands.") and key.endswith(f".{part}")
    }


def test_every_locale_is_discords_and_belongs_to_one_translation():
    known = {str(locale) for locale in discord.Locale}
    locales = [name for t in TRANSLATIONS.by_code.values() for name in t.locales]
    assert set(locales) <= known
    assert len(locales) == len(set(locales))


def test_every_error_code_has_a_text():
    classes = [errors.GenrecError]
    for cls in classes:
        classes += [sub for sub in cls.__subclasses__() if sub.__module__ == "genrec.errors"]
    assert len(classes) > 10
    assert [c.code for c in classes if not TRANSLATIONS.has(f"errors.{c.code}")] == []


def test_text_uses_language_plural_and_number_format():
    assert TRANSLATIONS.text("button.cancel", discord.Locale.german) == "Abbrechen"
    assert TRANSLATIONS.text("button.cancel", "es-419") == "Cancelar"
    assert TRANSLATIONS.text("button.cancel", discord.Locale.korean) == "Cancel"
    assert TRANSLATIONS.text("library.total", "de", count=1) == "ein Titel"
    assert TRANSLATIONS.text("library.total", "de", count=1234) == "1.234 Titel"
    assert TRANSLATIONS.text("library.total", "fr", count=0) == "0 morceau"
    assert TRANSLATIONS.text("library.total", "en-US", count=0) == "0 tracks"
    assert TRANSLATIONS.text("errors.clip_too_short", "de", min_seconds=1.5).count("1,5 s") == 1


def test_numbers_follow_the_language():
    assert TRANSLATIONS.number(1234.5, "en-GB", digits=1) == "1,234.5"
    assert TRANSLATIONS.number(1234.5, "de", digits=1) == "1.234,5"
    assert TRANSLATIONS.percent(0.721, "fr") == "72\u00a0%"
    assert TRANSLATIONS.percent(0.721, "ja", digits=1) == "72.1%"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.001, "0.1 s"), (0.84, "0.8 s"), (30.0, "30 s"), (89.6, "90 s"), (150, "2 min"),
     (3600, "1 h 0 min"), (7500, "2 h 5 min")],
)  # fmt: skip
def test_durations_use_their_largest_units(seconds, expected):
    assert TRANSLATIONS.duration(seconds, "en-US") == expected


def test_commands_in_a_text_are_localised():
    assert "`/library add`" in TRANSLATIONS.text("refusals.library_empty", "en-US")
    assert "`/bibliothek aufnehmen`" in TRANSLATIONS.text("refusals.library_empty", "de")


def test_missing_key_falls_back_to_english():
    partial = Translation.parse(
        "de",
        '[language]\nlocales=["de"]\nplurals="one_is_singular"\n'
        '[numbers]\ndecimal=","\ngroup="."\npercent="{number}%"\n[button]\ncancel="Halt"',
    )
    translations = Translations({ENGLISH: TRANSLATIONS.by_code[ENGLISH], "de": partial})
    assert translations.text("button.cancel", "de") == "Halt"
    assert translations.text("button.export", "de") == "Export"


def test_unknown_key_and_missing_value_raise_key_error():
    with pytest.raises(KeyError, match="no such"):
        TRANSLATIONS.text("no such", "de")
    with pytest.raises(KeyError, match="place"):
        TRANSLATIONS.text("progress.queued", "de")
