"""Options of a request: how a typed genre and a typed tempo are read."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

import pytest

from bot.errors import RequestDeclined
from bot.i18n import Translations
from bot.jobs.options import OptionsResolver
from db.guild_settings import GuildSettings

USER: Any = SimpleNamespace(id=1)


def made(**given: Any) -> OptionsResolver:
    """Return the options of a bot whose model has two genres."""
    services: Any = {
        "guilds": SimpleNamespace(settings=AsyncMock(return_value=GuildSettings(guild_id=0))),
        "starter": SimpleNamespace(choose=AsyncMock()),
    }
    return OptionsResolver(
        translations=Translations.load(),
        labels=("hiphop", "rock"),
        compact=True,
        **services,
        **given,
    )


@pytest.fixture
def resolver() -> OptionsResolver:
    return made()


@pytest.mark.parametrize("locale", ["en-US", "de", "ja"])
@pytest.mark.parametrize("typed", ["hip hop", "HIPHOP", "Hip-Hop", "h\u00edp hop "])
async def test_genre_is_read_without_case_accents_and_punctuation(
    resolver: OptionsResolver, typed: str, locale: str
) -> None:
    assert (await resolver.resolve(USER, None, locale, genre=typed)).genre == "hiphop"
    offered = resolver.complete_genre(typed, locale)
    assert [choice.value for choice in offered] == ["hiphop"]


async def test_genre_is_read_in_the_users_language(resolver: OptionsResolver) -> None:
    (name,) = [choice.name for choice in resolver.complete_genre("rock", "ja")]
    assert name != "Rock"
    assert (await resolver.resolve(USER, None, "ja", genre=name)).genre == "rock"
    assert len(resolver.complete_genre("", "ja")) == 2


@pytest.mark.parametrize("typed", ["polka", "-", "hop"])
async def test_another_genre_is_declined(resolver: OptionsResolver, typed: str) -> None:
    with pytest.raises(RequestDeclined) as declined:
        await resolver.resolve(USER, None, "en-US", genre=typed)
    assert declined.value.key == "genre_unknown"


@pytest.mark.parametrize(
    ("typed", "key"),
    [("fast", "tempo_unknown"), ("5", "tempo_out_of_range"), ("1000", "tempo_out_of_range")],
)
async def test_tempo_is_declined_for_its_own_reason(
    resolver: OptionsResolver, typed: str, key: str
) -> None:
    with pytest.raises(RequestDeclined) as declined:
        await resolver.resolve(USER, None, "en-US", tempo=typed)
    assert declined.value.key == key


@pytest.mark.parametrize(("typed", "key"), [("melow", "tag_unknown"), ("a,b,c,d,e", "tags_many")])
async def test_tag_is_declined_for_its_own_reason(typed: str, key: str) -> None:
    tagged = made(tags=("mellow", "a", "b", "c", "d", "e"))
    with pytest.raises(RequestDeclined) as declined:
        await tagged.resolve(USER, None, "de", tag=typed)
    assert declined.value.key == key


async def test_tags_are_read_in_the_users_language(resolver: OptionsResolver) -> None:
    tagged = made(tags=("mellow", "acoustic"))
    music = (await tagged.resolve(USER, None, "de", tag="Sanft, acoustic")).music
    assert music.tags == ("mellow", "acoustic")
    with pytest.raises(RequestDeclined) as declined:
        await tagged.resolve(USER, None, "de", tag=" ,")
    assert declined.value.key == "tag_unknown"
    (choice,) = tagged.complete_tag("aku", "de")
    assert (choice.name, choice.value) == ("akustisch", "acoustic")
    with pytest.raises(RequestDeclined) as declined:
        await resolver.resolve(USER, None, "de", tag="Sanft")
    assert declined.value.key == "no_tags"
