"""The catalogues: complete, with the same gaps to fill, and within Discord's rules for names."""

from __future__ import annotations

import re
from itertools import chain
from string import Formatter

import discord
import pytest

from bot.i18n import ENGLISH, LANGUAGES, PLURALS, Translation, Translations
from genrec import errors

WORDS = Translations.load()
OTHERS = [code for code in LANGUAGES if code != ENGLISH]
ENGLISH_TEXTS = WORDS.catalogues[ENGLISH].texts
# Discord's pattern for command and option names; \w stands for its \p{L}\p{N}, which re lacks.
COMMAND_NAME = re.compile(r"[-_'\w]{1,32}")
# The forms that each kind of plural has, found by counting.
FORMS = {kind: {form(n) for n in range(5)} for kind, form in PLURALS.items()}


def forms(text) -> dict[str, str]:
    return {"": text} if isinstance(text, str) else dict(text)


def gaps(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def all_gaps(text) -> set[str]:
    return set(chain.from_iterable(gaps(form) for form in forms(text).values()))


@pytest.mark.parametrize("code", OTHERS)
def test_no_string_is_missing_or_left_over(code):
    texts = WORDS.catalogues[code].texts
    assert sorted(ENGLISH_TEXTS.keys() - texts.keys()) == []
    assert sorted(texts.keys() - ENGLISH_TEXTS.keys()) == []


@pytest.mark.parametrize("code", OTHERS)
def test_placeholders_are_those_of_english(code):
    differ = {
        key: (all_gaps(text), all_gaps(ENGLISH_TEXTS[key]))
        for key, text in WORDS.catalogues[code].texts.items()
        if all_gaps(text) != all_gaps(ENGLISH_TEXTS[key])
    }
    assert differ == {}


@pytest.mark.parametrize("code", LANGUAGES)
def test_placeholders_are_plain_names_or_known_commands(code):
    for key, text in WORDS.catalogues[code].texts.items():
        for gap in all_gaps(text):
            if gap.startswith("/"):
                assert WORDS.command(gap[1:], code).startswith("/"), (key, gap)
            else:
                assert gap.isidentifier(), (key, gap)


@pytest.mark.parametrize("code", LANGUAGES)
def test_plural_forms_are_those_of_the_language(code):
    catalogue = WORDS.catalogues[code]
    wanted = FORMS[catalogue.plurals]
    plural = {key for key, text in ENGLISH_TEXTS.items() if not isinstance(text, str)}
    assert plural
    for key in plural:
        assert set(forms(catalogue.texts[key])) == wanted, key
        assert "count" in gaps(forms(catalogue.texts[key])["other"]), key
        if catalogue.plurals == "zero_and_one_are_singular":  # "one" may be none
            assert "count" in gaps(forms(catalogue.texts[key])["one"]), key


@pytest.mark.parametrize("code", LANGUAGES)
def test_texts_are_neither_empty_nor_unstripped(code):
    for key, text in WORDS.catalogues[code].texts.items():
        for form in forms(text).values():
            assert form.strip() == form != "", key


@pytest.mark.parametrize("code", OTHERS)
def test_translations_are_translated(code):
    texts = WORDS.catalogues[code].texts
    # Sentences never stay English; short words and names (Export, Blues, JSON) may be the same.
    sentences = [key for key, text in ENGLISH_TEXTS.items() if len(str(text)) > 40]
    assert [key for key in sentences if texts[key] == ENGLISH_TEXTS[key]] == []


@pytest.mark.parametrize("code", LANGUAGES)
def test_names_of_commands_and_options_keep_discords_rules(code):
    names = command_texts(code, "name")
    assert names
    for key, name in names.items():
        assert COMMAND_NAME.fullmatch(name), (key, name)
        assert name == name.lower(), (key, name)


@pytest.mark.parametrize("code", LANGUAGES)
def test_descriptions_menus_and_choices_keep_discords_lengths(code):
    for key, text in command_texts(code, "description").items():
        assert 1 <= len(text) <= 100, (key, len(text))
    for key, text in WORDS.catalogues[code].texts.items():
        if key.startswith("menus."):
            assert 1 <= len(text) <= 32, (key, len(text))
        if key.startswith("choices."):
            assert 1 <= len(text) <= 100, (key, len(text))
        if key.startswith("button."):
            assert 1 <= len(text) <= 80, (key, len(text))


@pytest.mark.parametrize("code", LANGUAGES)
def test_siblings_have_different_names(code):
    siblings: dict[str, list[str]] = {}
    for key, name in command_texts(code, "name").items():
        siblings.setdefault(key.removesuffix(".name").rpartition(".")[0], []).append(name)
    assert len(siblings["commands"]) > 5
    for parent, names in siblings.items():
        assert len(names) == len(set(names)), parent


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_command_with_all_its_options_stays_within_8000_characters(code):
    sizes: dict[str, int] = {}
    for key, text in WORDS.catalogues[code].texts.items():
        if key.startswith("commands."):
            command = key.split(".")[1]
            sizes[command] = sizes.get(command, 0) + len(text)
    assert 0 < max(sizes.values()) < 8000


def command_texts(code: str, part: str) -> dict[str, str]:
    texts = WORDS.catalogues[code].texts
    return {
        key: str(text)
        for key, text in texts.items()
        if key.startswith("commands.") and key.endswith(f".{part}")
    }


def test_every_locale_is_one_of_discords_and_read_by_one_catalogue():
    known = {str(locale) for locale in discord.Locale}
    locales = [name for c in WORDS.catalogues.values() for name in c.locales]
    assert set(locales) <= known
    assert len(locales) == len(set(locales))


def test_every_code_of_the_core_has_a_sentence():
    classes = [errors.GenrecError]
    for cls in classes:
        classes += [sub for sub in cls.__subclasses__() if sub.__module__ == "genrec.errors"]
    assert len(classes) > 10
    assert [c.code for c in classes if not WORDS.has(f"errors.{c.code}")] == []


def test_text_picks_language_plural_and_number():
    assert WORDS.text("button.cancel", discord.Locale.german) == "Abbrechen"
    assert WORDS.text("button.cancel", "es-419") == "Cancelar"
    assert WORDS.text("button.cancel", discord.Locale.korean) == "Cancel"
    assert WORDS.text("library.total", "de", count=1) == "ein Titel"
    assert WORDS.text("library.total", "de", count=1234) == "1.234 Titel"
    assert WORDS.text("library.total", "fr", count=0) == "0 morceau"
    assert WORDS.text("library.total", "en-US", count=0) == "0 tracks"
    assert WORDS.text("errors.clip_too_short", "de", min_seconds=1.5).count("1,5 s") == 1


def test_numbers_are_written_as_the_language_writes_them():
    assert WORDS.number(1234.5, "en-GB", digits=1) == "1,234.5"
    assert WORDS.number(1234.5, "de", digits=1) == "1.234,5"
    assert WORDS.percent(0.721, "fr") == "72\u00a0%"
    assert WORDS.percent(0.721, "ja", digits=1) == "72.1%"


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(0.001, "0.1 s"), (0.84, "0.8 s"), (30.0, "30 s"), (89.6, "90 s"), (150, "2 min"),
     (3600, "1 h 0 min"), (7500, "2 h 5 min")],
)  # fmt: skip
def test_lengths_of_time_are_written_in_their_largest_units(seconds, written):
    assert WORDS.duration(seconds, "en-US") == written


def test_commands_in_a_text_are_named_in_its_language():
    assert "`/library add`" in WORDS.text("refusals.library_empty", "en-US")
    assert "`/bibliothek aufnehmen`" in WORDS.text("refusals.library_empty", "de")


def test_what_a_language_lacks_is_english():
    part = Translation.parse(
        "de",
        '[language]\nlocales=["de"]\nplurals="one_is_singular"\n'
        '[numbers]\ndecimal=","\ngroup="."\npercent="{number}%"\n[button]\ncancel="Halt"',
    )
    words = Translations({ENGLISH: WORDS.catalogues[ENGLISH], "de": part})
    assert words.text("button.cancel", "de") == "Halt"
    assert words.text("button.export", "de") == "Export"


def test_an_unknown_key_and_a_missing_value_are_errors():
    with pytest.raises(KeyError, match="no such"):
        WORDS.text("no such", "de")
    with pytest.raises(KeyError, match="place"):
        WORDS.text("progress.queued", "de")
