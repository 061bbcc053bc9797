"""/recommend and /genre with the name of a song: choices while typing, and what a name means."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.local_discord import LocalDiscord, visible_text
from db.tracks import guild_scope
from tests.bot.end_to_end.conftest import World, bot_on, clip, wait_response
from tests.bot.end_to_end.test_song_links import list_id, options_of
from tests.db.fakes import new_track

OTHER_GUILD = 999


async def add(world: World, scope: str, *names: tuple[str, str]) -> None:
    """Add tracks to a scope, whose embeddings fit the preset of the tests."""
    recommender = world.app.resources.recommender
    rows = await recommender.index.rows()
    tracks = [
        new_track(
            900 + number, artist=artist, title=title, genre="jazz",
            source=f"{scope}/{artist}/{title}", embedding=rows.matrix[number],
        )
        for number, (artist, title) in enumerate(names)
    ]  # fmt: skip
    await recommender.catalogue.add(scope, recommender.preset.model_id, tracks)
    await recommender.reload()


async def named(world: World, typed: str, command: str = "recommend") -> list[str]:
    choices = await world.you.autocomplete(command, "track", typed)
    return [choice["name"] for choice in choices]


def own_scope(world: World) -> str:
    return guild_scope(int(world.discord.state.guild.id))


async def test_choices_are_what_the_server_may_see(world: World) -> None:
    await add(world, own_scope(world), ("Sigur Rós", "Svefn-g-englar"))
    await add(world, guild_scope(OTHER_GUILD), ("Sigur Rós", "Hoppípolla"))
    assert await named(world, "sigur ros") == ["Sigur Rós - Svefn-g-englar"]
    assert await named(world, "svfen ros", "genre") == ["Sigur Rós - Svefn-g-englar"]
    assert await named(world, "song 3 artist 3") == ["Artist 3 - Song 3"]
    assert len(await named(world, "")) == 13


async def test_chosen_track_gets_tracks_like_it(world: World) -> None:
    (choice,) = await world.you.autocomplete("recommend", "track", "artist 3 song 3")
    used = await world.you.slash("recommend", {"track": choice["value"], "count": 3})
    text = visible_text(await wait_response(used))
    assert "Song 3" in text
    assert "\n3. " in text
    assert not world.pool.analyzed
    world.discord.assert_clean()


@pytest.mark.parametrize("typed", ["Song 3 - Artist 3", "artits 3 sogn 3"])
async def test_typed_name_is_enough(world: World, typed: str) -> None:
    used = await world.you.slash("recommend", {"track": typed})
    assert "Song 3" in visible_text(await wait_response(used))


async def test_genre_of_a_named_track_is_the_catalogues(world: World) -> None:
    await add(world, own_scope(world), ("Sigur Rós", "Svefn-g-englar"))
    used = await world.you.slash("genre", {"track": "svefn g englar"})
    shown = await used.wait_until(lambda m: "Jazz" in visible_text(m))
    assert "as the catalogue has it" in visible_text(shown)


async def test_unclear_name_leads_to_a_list_whose_choice_becomes_the_answer(world: World) -> None:
    await add(world, own_scope(world), ("One", "Same Song"), ("Two", "Same Song"))
    you = world.you
    shown = await (await you.slash("recommend", {"track": "same song"})).wait_until(options_of)
    assert "Several tracks fit" in visible_text(shown)
    assert [o["label"] for o in options_of(shown)] == ["Same Song", "Same Song", "None of these"]
    pressed = await you.select(shown, list_id(shown), [options_of(shown)[1]["value"]])
    answer = await pressed.wait_until(lambda m: not options_of(m) and "1. " in visible_text(m))
    assert answer["id"] == shown["id"]
    far = {"track": "same song", "artists": "any_artist", "reach": "adventurous"}
    shown = await (await you.slash("recommend", far)).wait_until(options_of)
    assert list_id(shown).endswith(":any:a"), "the list keeps the options"
    assert "gives genrec no sound" not in visible_text(answer)


async def test_letter_of_a_name_is_asked_about(world: World) -> None:
    await add(world, own_scope(world), ("Gabrieli", "Canzon XIII"))
    for locale, sentence in (("en-US", "“x” is part of one track's name."), ("de", "„x“ kommt im")):
        world.you.locale = locale
        shown = await (await world.you.slash("recommend", {"track": "x"})).wait_until(options_of)
        assert sentence in visible_text(shown)
        assert options_of(shown)[0]["label"] == "Canzon XIII"


@pytest.mark.parametrize(
    ("locale", "unknown", "near", "both"),
    [
        ("en-US", "No track is named", "Similar names", "not several"),
        ("de", "heißt keiner", "Ähnliche Namen", "Gib nur eines"),
        ("ja", "という名前の曲はありません", "近い名前", "一つだけ"),
    ],
)
async def test_sentences_about_a_name(
    world: World, locale: str, unknown: str, near: str, both: str
) -> None:
    await add(world, own_scope(world), ("Sigur Rós", "Svefn-g-englar"))
    you = world.you
    you.locale = locale

    async def refused(**options: object) -> str:
        used = await you.slash("recommend", options)
        text = visible_text(await used.wait_edited())
        assert used.ephemeral
        return text

    assert unknown in await refused(track="zzyzx qwrt")
    about = await refused(track="sigur ros svefn forever and ever")
    assert near in about
    assert "Svefn-g-englar" in about
    assert both in await refused(track="song 3", clip=clip())
    assert "`" in await refused()


async def test_choices_respect_the_starter_policy(discord: LocalDiscord, tmp_path: Path) -> None:
    async with bot_on(discord, tmp_path, starter="never") as world:
        assert await named(world, "song 3") == []
        await add(world, own_scope(world), ("Own", "Song 3"))
        assert await named(world, "song 3") == ["Own - Song 3"]
        discord.assert_clean()
