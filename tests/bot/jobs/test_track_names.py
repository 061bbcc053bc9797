"""Choices of tracks while a name is typed, and the sentences about names that fit no track."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

import pytest

from bot.errors import RequestDeclined
from bot.i18n import Localizer, Translations
from bot.jobs.layouts import RequestOptions
from bot.jobs.track_names import TrackNames, choice_labels
from bot.named_tracks import NamedTrack, NameMatch
from bot.ui import messages
from genrec.types import Track

TRANSLATIONS = Translations.load()
ENGLISH = Localizer(TRANSLATIONS, "en-US")
LOCALES = ("en-US", "de", "es-ES", "fr", "id", "ja", "pt-BR")
NOTHING = NameMatch()


def track(number: int, title: str, artist: str = "Somebody", **changes: str) -> Track:
    values = {"genre": "rock", "source": str(number), "scope": "library", **changes}
    return Track(number, title, artist, **values)


def names(match: NameMatch = NOTHING, found: tuple[NamedTrack, ...] = ()) -> Any:
    named: Any = SimpleNamespace(
        match=AsyncMock(return_value=match), complete=AsyncMock(return_value=list(found))
    )
    options: Any = SimpleNamespace(resolve=AsyncMock(return_value=RequestOptions(ENGLISH)))
    return TrackNames(named=named, options=options, translations=TRANSLATIONS)


def labels(*found: NamedTrack, localizer: Localizer = ENGLISH) -> list[str]:
    return choice_labels(localizer, found)


def test_label_is_artist_and_title() -> None:
    assert labels(NamedTrack(track(1, "One"))) == ["Somebody - One"]
    assert labels(NamedTrack(track(1, "One", "Unknown artist"))) == ["One"]


@pytest.mark.parametrize("locale", LOCALES)
def test_equal_names_are_told_apart(locale: str) -> None:
    localizer = Localizer(TRANSLATIONS, locale)
    one = track(1, "One")
    albums = labels(NamedTrack(one, "First"), NamedTrack(one, "Last"), localizer=localizer)
    assert albums == ["Somebody - One · First", "Somebody - One · Last"]
    genres = labels(NamedTrack(one), NamedTrack(track(2, "One", genre="pop")), localizer=localizer)
    assert len(set(genres)) == 2
    places = labels(
        NamedTrack(one),
        NamedTrack(track(2, "One", scope="starter")),
        NamedTrack(track(3, "One", scope="guild:1")),
        localizer=localizer,
    )
    assert len(set(places)) == 3
    assert labels(NamedTrack(one), NamedTrack(one), localizer=localizer)[1].endswith("· 2")


def test_labels_fit_and_differ_when_cut() -> None:
    long = "x" * 300
    found = labels(
        NamedTrack(track(1, long + "a"), "y" * 200), NamedTrack(track(2, long + "b"), "Other")
    )
    assert all(len(label) <= 100 for label in found)
    assert len(set(found)) == 2


async def test_user_without_the_role_gets_no_choice() -> None:
    offered = names(found=(NamedTrack(track(1, "One")),))
    interaction: Any = SimpleNamespace(user=None, guild_id=1, locale="de")
    (choice,) = await offered.choices(interaction, "o")
    assert (choice.name, choice.value) == ("Somebody - One", "track:1")
    offered._options.resolve.side_effect = RequestDeclined("role_missing")
    assert await offered.choices(interaction, "o") == []


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize(
    ("match", "key"),
    [
        (NameMatch(unclear=(track(1, "One"), track(2, "Only"))), "name_unclear"),
        (NameMatch(unclear=tuple(track(n, "One") for n in range(5))), "name_unclear_more"),
        (NameMatch(unclear=(track(1, "One"),)), "name_unknown_near"),
        (NameMatch(near=(track(1, "*One*"),)), "name_unknown_near"),
        (NameMatch(), "name_unknown"),
    ],
)
async def test_name_that_fits_no_track_is_declined(match: NameMatch, key: str, locale: str) -> None:
    with pytest.raises(RequestDeclined) as declined:
        await names(match).resolve("on", ())
    assert declined.value.key == key
    view = messages.decline(Localizer(TRANSLATIONS, locale), key, **declined.value.values)
    shown = str(view.to_components())
    assert ("One" in shown) == bool(match.unclear or match.near)
    assert "*One*" not in shown.replace("\\\\*", "")


@pytest.mark.parametrize(("cut", "more"), [(False, "2"), (True, "2+")])
async def test_sentence_counts_the_songs_that_it_does_not_name(cut: bool, more: str) -> None:
    unclear = tuple(track(n, f"One {n}") for n in range(5))
    with pytest.raises(RequestDeclined) as declined:
        await names(NameMatch(unclear=unclear, cut=cut)).resolve("one", ())
    assert declined.value.values["more"] == more
    assert declined.value.values["near"].count("One") == 3


async def test_track_that_is_meant_is_returned() -> None:
    one = track(1, "One")
    assert await names(NameMatch(one)).resolve("one", ()) is one


async def test_choices_do_not_read_what_is_not_recommended() -> None:
    offered, read = names(found=(NamedTrack(track(1, "One")),)), AsyncMock()
    offered._options.resolve.return_value = RequestOptions(ENGLISH, left_out=read)
    interaction: Any = SimpleNamespace(user=None, guild_id=None, locale="de")
    assert len(await offered.choices(interaction, "o")) == 1
    read.assert_not_awaited()
