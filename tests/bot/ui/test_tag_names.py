"""Names of sound tags in every language, and what users may type for them."""

from __future__ import annotations

import pytest

from bot.i18n import ENGLISH, LANGUAGES, Localizer, Translations
from bot.ui.tag_names import NEAR, complete_tags, tag_codes, tag_names, typed_tags
from genrec.preset import Preset
from genrec.sound_tags import MOST_TAGS
from genrec.training.teachers.shown_tags import NOT_SHOWN
from tests.repository import ROOT

TRANSLATIONS = Translations.load()
KNOWN = ("mellow", "female vocalists", "male vocalists", "acoustic", "rnb", "hard rock", "sad")
NAMED = [
    key.removeprefix("tags.")
    for key in TRANSLATIONS.by_code[ENGLISH].texts
    if key.startswith("tags.")
]
PRESETS = sorted(path.parent for path in (ROOT / "models").glob("*/config.json"))


def of(language: str) -> Localizer:
    """Return the texts of a language."""
    return Localizer(TRANSLATIONS, language)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("folder", PRESETS, ids=lambda path: path.name)
def test_every_tag_of_a_shipped_preset_has_a_name(folder, language: str) -> None:
    tags = Preset.load(folder).tags
    shown = tags.shown if tags is not None else ()
    assert None not in of(language).named("tags", shown)
    assert set(shown) <= set(NAMED)


def test_no_tag_has_a_name_that_no_shipped_preset_may_show() -> None:
    never = {tag for tags in NOT_SHOWN.values() for tag in tags}
    genres = {label for folder in PRESETS for label in Preset.load(folder).labels}
    assert never
    assert genres
    assert not (never | genres) & set(NAMED)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_tags_have_one_name(language: str) -> None:
    names = [name.casefold() for name in tag_names(of(language), NAMED)]
    assert len(set(names)) == len(names) > 20


def test_codes_of_all_tags_differ() -> None:
    assert len({tag_codes([tag]) for tag in NAMED}) == len(NAMED)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_tag_is_read_by_its_name_the_english_one_and_that_of_the_model(language: str) -> None:
    own = tag_names(of(language), NAMED)
    english = tag_names(of("en"), NAMED)
    for names in zip(NAMED, own, english, strict=True):
        for name in names:
            assert typed_tags(of(language), f" {name.upper()} ", NAMED).tags == (names[0],), name


@pytest.mark.parametrize(
    ("language", "typed", "tags"),
    [
        ("en", "mellow, female vocals", ("mellow", "female vocalists")),
        ("en", "female vocalists,mellow;mellow", ("female vocalists", "mellow")),
        ("de", "Frauenstimme, mellow", ("female vocalists", "mellow")),
        ("ja", "メロウ、悲しい", ("mellow", "sad")),
        ("fr", "voix feminine", ("female vocalists",)),
    ],
)
def test_several_tags_are_separated_by_commas(language: str, typed: str, tags: tuple) -> None:
    found = typed_tags(of(language), typed, KNOWN)
    assert (found.tags, found.unknown) == (tags, "")


@pytest.mark.parametrize(
    ("language", "typed", "unknown", "nearest"),
    [
        ("en", "melow", "melow", "mellow"),
        ("en", "mellow, femal vocal", "femal vocal", "female vocals"),
        ("de", "frauenstime", "frauenstime", "Frauenstimme"),
        ("de", "melow", "melow", "sanft"),  # the English name is read, the German one is shown
        ("en", "#0", "#0", None),
        ("en", "-", "-", None),
        ("en", "", "", None),
        ("en", " , ", " , ", None),
    ],
)
def test_unknown_tag_is_named_with_the_nearest(
    language: str, typed: str, unknown: str, nearest: str | None
) -> None:
    found = typed_tags(of(language), typed, KNOWN)
    assert (found.tags, found.unknown) == ((), unknown)
    assert 1 <= len(found.near) <= NEAR
    assert nearest is None or found.near[0] == nearest


def test_names_that_are_spelt_otherwise_are_not_near() -> None:
    assert typed_tags(of("en"), "melow", KNOWN).near == ("mellow",)
    assert typed_tags(of("en"), "male", KNOWN).near == ("female vocals", "male vocals")


def test_more_tags_than_an_answer_shows_are_too_many() -> None:
    assert not typed_tags(of("en"), ",".join(KNOWN[:MOST_TAGS]), KNOWN).too_many
    assert typed_tags(of("en"), ",".join(KNOWN[: MOST_TAGS + 1]), KNOWN).too_many


def test_codes_are_read_again_while_the_model_has_the_tags() -> None:
    codes = tag_codes(("mellow", "hard rock"))
    assert len(codes) == 7
    assert typed_tags(of("ja"), codes, KNOWN).tags == ("mellow", "hard rock")
    assert typed_tags(of("ja"), codes, KNOWN[1:]).unknown == codes
    assert tag_codes(()) == ""


def completed(language: str, typed: str) -> list[tuple[str, str]]:
    return complete_tags(of(language), typed, KNOWN, limit=25)


def test_choices_are_in_the_users_language_and_fit_the_english_name_too() -> None:
    assert completed("en", "voc") == [
        ("female vocals", "female vocalists"), ("male vocals", "male vocalists"),
    ]  # fmt: skip
    assert completed("de", "frau") == [("Frauenstimme", "female vocalists")]
    assert completed("de", "mello") == [("sanft", "mellow")]
    assert len(completed("ja", "")) == len(KNOWN)
    assert complete_tags(of("en"), "", KNOWN, limit=2) == completed("en", "")[:2]


def test_choices_after_a_comma_keep_the_tags_before_it() -> None:
    assert completed("de", "sanft, aku") == [("sanft, akustisch", "mellow, acoustic")]
    assert ("mellow, mellow", "mellow, mellow") not in completed("en", "mellow,")
    assert len(completed("en", "mellow,")) == len(KNOWN) - 1
    assert completed("en", "melow, ac") == []
    assert completed("en", ",".join(KNOWN[:MOST_TAGS]) + ",") == []
