"""Layouts of own genres: within Discord's limits, harmless, and with the reasons of refusals."""

from __future__ import annotations

import pytest

from bot.i18n import LANGUAGES, Localizer, Translations
from bot.ui import answer, answer_lines, compact, genre_pages
from bot.ui.custom_ids import DetailsSource
from bot.ui.genre_pages import GenrePage
from db.taught_genres import Taught, TaughtGenre
from genrec.own_genres import GenreCheck
from genrec.types import GenreScore
from tests.bot.ui.visible import HOSTILE, LONG, assert_harmless, body, recommendation, seen

TRANSLATIONS = Translations.load()
REASONS = ("few_tracks", "one_artist", "few_others", "not_told_apart")


def localizer(locale: str = "en-US") -> Localizer:
    return Localizer(TRANSLATIONS, locale)


def checks(name: str, count: int = 60) -> list[GenreCheck]:
    return [
        GenreCheck(f"{n} {name}", 5 + n, 3, 0.9, ("", *REASONS)[n % 5], taught=n % 2 == 0)
        for n in range(count)
    ]


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize(
    "name", ["dub", HOSTILE, LONG, "*" * 500], ids=["", "hostile", "long", "stars"]
)
def test_layouts_keep_discords_limits_and_are_harmless(code: str, name: str) -> None:
    speak = localizer(code)
    words = (GenreScore(name, 0.62), GenreScore(name, 0.31))
    rec = recommendation(3, words=words)
    source = DetailsSource(sha256="ab" * 32)
    page = GenrePage(
        checks(name), checks(name), [TaughtGenre(f"{name}{n}", 0, 3) for n in range(50)]
    )
    refused = [(name, "Why it is refused.")] * 10
    for view in (
        answer.recommendation(speak, rec, key="1.2", name=name, count=5),
        answer.genre(speak, rec, key="1.2", name=name),
        compact.recommendation(speak, rec, source=source, key="1.2", name=name, count=5),
        genre_pages.genre_list(speak, page),
        genre_pages.genre_list(speak, GenrePage((), (), ())),
        genre_pages.taught(speak, Taught(name, 2, 2, 0), None, refused),
        genre_pages.taught(speak, Taught(name, 10, 3, 4), checks(name)[0], refused),
    ):
        assert body(view)["components"]
        assert_harmless(seen(view))


def test_line_names_the_words_with_their_probabilities() -> None:
    words = (GenreScore("shoegaze", 0.62), GenreScore("dream pop", 0.31))
    line = answer_lines.words_line(localizer(), words)
    assert line == "In this library: **shoegaze** 62% · **dream pop** 31%"
    assert answer_lines.words_line(localizer(), ()) == ""


def test_list_names_every_reason_for_a_genre_that_is_left_out() -> None:
    text = seen(genre_pages.genre_list(localizer(), GenrePage(checks("dub", 5), (), ())))
    for part in (
        "Too few tracks: 1 dub",
        "By one artist only",
        "Too little other",
        "by sound: 4 dub",
    ):
        assert part in text
    assert "**0 dub** · taught, 5 clips and tracks" in text


def test_result_says_what_a_genre_lacks() -> None:
    few = seen(genre_pages.taught(localizer(), Taught("dub", 2, 2, 0), checks("dub", 2)[1]))
    assert "It needs at least 3 clips" in few
    unclear = seen(genre_pages.taught(localizer(), Taught("dub", 4, 2, 0), checks("dub", 5)[4]))
    assert "can't be told apart" in unclear
    full = seen(genre_pages.taught(localizer(), Taught("dub", 10, 2, 1), checks("dub")[0]))
    assert "from now on" in full
    assert "at most 10 clips, so one was left out" in full
