"""Texts of reasons, tempo and key in every language."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.i18n import LANGUAGES, Localizer, Translations
from bot.ui.answer_lines import full_lines, key_choices, short_lines, typed_key
from bot.ui.reasons import agreement_text, reason_text
from genrec.agreement import GENRE, KINDS
from genrec.music_filter import COMPATIBLE
from genrec.types import Agreement, GenreScore, MusicDescription, Neighbour, Recommendation, Track

TRANSLATIONS = Translations.load()
ENGLISH = Localizer(TRANSLATIONS, "en-GB")
SURE = MusicDescription(
    bpm=121.6,
    bpm_confidence=0.9,
    key=21,
    key_confidence=0.9,
    loudness_lufs=-14.2,
    dynamics_lu=6.0,
    brightness_hz=1850.0,
    bass=0.25,
    onsets_per_s=2.5,
)
TRACK = Track(1, "Song", "Artist", "rock", "/music/1.mp3")
CLIP = Recommendation(
    model_id="m@1", genre="rock", unsure=False, scores=(GenreScore("rock", 0.9),), tracks=()
)


def reasons(
    *found: Agreement, genre: str = "rock", similarity: float = 0.6,
    rec: Recommendation = CLIP, seed: Track | None = None,
) -> str:  # fmt: skip
    neighbour = Neighbour(replace(TRACK, genre=genre), similarity, SURE, found)
    return reason_text(ENGLISH, neighbour, rec, seed, genre=genre.capitalize())


def test_reasons_name_what_both_have() -> None:
    both = (Agreement("tempo", 0.1, 121.6), Agreement("bright", 0.2))
    assert reasons(*both) == "same tempo, both bright"
    assert reasons(*both, genre="jazz") == "genre: Jazz, same tempo, both bright"
    assert reasons(Agreement(GENRE, 0.5, "rock")) == "same genre, similar sound"


def test_without_an_agreement_genre_and_sound_are_named() -> None:
    assert reasons() == "same genre, similar sound"
    assert reasons(genre="jazz", similarity=0.8) == "genre: Jazz, very similar sound"


def test_the_first_guess_of_an_unsure_clip_is_not_also_possible() -> None:
    scores = (GenreScore("rock", 0.45), GenreScore("jazz", 0.3), GenreScore("pop", 0.01))
    unsure = replace(CLIP, unsure=True, scores=scores)
    assert reasons(rec=unsure) == "Rock, your clip's most likely genre, similar sound"
    assert reasons(rec=unsure, genre="jazz") == "Jazz, also possible for your clip, similar sound"
    assert reasons(rec=unsure, genre="pop") == "genre: Pop, similar sound"
    assert reasons(rec=replace(unsure, unsure=False)) == "same genre, similar sound"
    assert reasons(rec=replace(unsure, scores=()), seed=TRACK) == "same genre, similar sound"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_has_its_own_text(language: str) -> None:
    localizer = Localizer(TRANSLATIONS, language)
    texts = [agreement_text(localizer, Agreement(kind, 0.1, "live")) for kind in KINDS]
    assert len(set(texts)) == len(KINDS)
    assert all(texts)


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("en-US", "-# ≈ 122 BPM · A minor"), ("de", "-# ≈ 122 BPM · a-Moll"),
        ("ja", "-# ≈ 122 BPM · イ短調"), ("fr", "-# ≈ 122 BPM · la mineur"),
    ],
)  # fmt: skip
def test_short_line_has_tempo_and_key(language: str, line: str) -> None:
    assert short_lines(Localizer(TRANSLATIONS, language), replace(CLIP, description=SURE)) == line


def test_lines_show_only_what_is_confident() -> None:
    unsure = replace(CLIP, description=replace(SURE, bpm_confidence=0.1, key_confidence=0.1))
    assert short_lines(ENGLISH, unsure) == short_lines(ENGLISH, CLIP) == ""
    assert full_lines(ENGLISH, CLIP) == ""
    assert full_lines(ENGLISH, unsure) == "-# -14 LUFS · brightness 1.9 kHz"
    sure = replace(CLIP, description=SURE)
    assert full_lines(ENGLISH, sure).startswith("-# ≈ 122 BPM · A minor · ")


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("en-US", "-# mellow, female vocals"), ("de", "-# sanft, Frauenstimme"),
        ("es-ES", "-# suave, voz femenina"), ("fr", "-# douce, voix féminine"),
        ("pt-BR", "-# suave, voz feminina"), ("ja", "-# メロウ, 女性ボーカル"),
        ("id", "-# lembut, vokal perempuan"),
    ],
)  # fmt: skip
def test_sound_tags_are_a_line_of_their_own(language: str, line: str) -> None:
    localizer = Localizer(TRANSLATIONS, language)
    clip = replace(CLIP, tags=("mellow", "female vocalists"))
    assert short_lines(localizer, clip) == full_lines(localizer, clip) == line
    assert short_lines(localizer, replace(clip, tags=(*clip.tags, "sad", "folk"))).count(",") == 2
    assert full_lines(localizer, replace(clip, tags=(*clip.tags, "sad", "folk"))).count(",") == 3
    described = replace(clip, description=SURE)
    assert short_lines(localizer, described).splitlines()[1:] == [line]
    assert full_lines(localizer, described).splitlines()[1:] == [line]


def test_sound_tag_of_an_own_preset_is_escaped() -> None:
    assert short_lines(ENGLISH, replace(CLIP, tags=("*loud*",))) == "-# \\*loud\\*"


@pytest.mark.parametrize("language", LANGUAGES)
def test_keys_are_read_in_the_users_language(language: str) -> None:
    localizer = Localizer(TRANSLATIONS, language)
    choices = key_choices(localizer)
    assert len({name for name, _ in choices}) == len(choices) == 25
    found = [typed_key(localizer, name.upper()) for name, _ in choices]
    assert found == [COMPATIBLE, *range(24)]
    assert [typed_key(localizer, value) for _, value in choices] == found
    assert typed_key(localizer, "8A") == 21
    assert typed_key(localizer, "noise") is None
