"""Sound tags in answers, as a filter, and as choices, in several languages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.local_discord import LocalDiscord, Upload, buttons, visible_text
from db.generations import NewTrack
from tests.bot.end_to_end.conftest import World, bot_on, clip, details, wait_response, wait_text
from tests.bot.end_to_end.fakes import acoustic, add_tags, make_preset
from tests.bot.end_to_end.test_song_links import list_id, options_of

OURS = {"Log": True, "Cave": True, "Neon": False}  # whether it is acoustic
SENTENCES = {
    "en-US": "No track with this tag in the library is similar enough.",
    "de": "Kein ähnlicher Titel passt zu deinem Filter: Schlagwort.",
}


@pytest.fixture
async def tagged(discord: LocalDiscord, tmp_path: Path) -> AsyncIterator[World]:
    """Return a world whose preset has tags, with tracks of the server that have one or not."""
    preset = add_tags(make_preset(tmp_path / "preset", songs=5))
    async with bot_on(discord, tmp_path) as world:
        tracks = [
            NewTrack(
                title=title, artist=f"Band {title}", genre="jazz",
                embedding=acoustic(number, has=has), source=f"https://band.example/{number}",
                content=f"{number:064x}",
            )
            for number, (title, has) in enumerate(OURS.items(), 300)
        ]  # fmt: skip
        catalogue = world.app.resources.recommender.catalogue
        await catalogue.add(f"guild:{discord.guild.id}", preset.model_id, tracks)
        yield world


def named(text: str) -> set[str]:
    return {title for title in OURS if f"Band {title}" in text}


async def found(world: World, command: str = "recommend", **options: object) -> set[str]:
    return named(visible_text(await wait_response(await world.you.slash(command, options))))


@pytest.mark.parametrize(
    ("locale", "line"),
    [
        ("en-US", "mellow, female vocals"), ("de", "sanft, Frauenstimme"),
        ("ja", "メロウ, 女性ボーカル"),
    ],
)  # fmt: skip
async def test_answers_show_the_sure_tags(tagged: World, locale: str, line: str) -> None:
    tagged.you.locale = locale
    answer = await wait_response(await tagged.you.slash("recommend", {"clip": clip()}))
    assert f"-# {line}\n" in visible_text(answer)
    label = next(b["label"] for b in buttons(answer) if b["custom_id"].startswith("details:"))
    full = await wait_response(await tagged.you.press(answer, label))
    assert f"-# {line}" in visible_text(full).splitlines()
    genre = await wait_response(await tagged.you.slash("genre", {"clip": clip()}))
    assert f"-# {line}" in visible_text(genre).splitlines()
    tagged.discord.assert_clean()


async def test_uploads_and_menus_show_the_tags_too(tagged: World) -> None:
    await (await tagged.you.slash("settings uploads")).wait_edited()
    posted = await tagged.you.say(uploads=[clip()])
    await tagged.you.wait_message(lambda m: "mellow, female vocals" in visible_text(m))
    menu = await tagged.you.menu("What genre is this?", posted)
    assert "mellow, female vocals" in visible_text(await wait_response(menu))
    tagged.discord.assert_clean()


async def test_clip_without_music_has_no_tags(tagged: World) -> None:
    tagged.pool.music = 0.0
    answer = await wait_response(await tagged.you.slash("recommend", {"clip": clip()}))
    assert "No music found" in visible_text(answer)
    assert "mellow" not in visible_text(answer)


async def test_more_like_this_shows_the_tags_of_its_track(tagged: World) -> None:
    used = await tagged.you.slash("recommend", {"track": "Band Log - Log"})
    assert "mellow, female vocals, acoustic" in visible_text(await wait_response(used))


async def test_preset_without_tags_answers_as_before(world: World) -> None:
    answer = await wait_response(await world.you.slash("recommend", {"clip": clip()}))
    assert "vocals" not in visible_text(await details(world, answer))
    assert await world.you.autocomplete("recommend", "tag", "") == []
    used = await world.you.slash("recommend", {"clip": clip(), "tag": "mellow"})
    await wait_text(used, "The model of this bot has no tags.")


@pytest.mark.engines
async def test_tag_filters_recommend_mix_and_radio(tagged: World) -> None:
    assert await found(tagged, clip=clip(), count=10) == set(OURS)
    assert await found(tagged, clip=clip(), tag="acoustic") == {"Log", "Cave"}
    assert await found(tagged, clip=clip(), tag="female vocals, ACOUSTIC") == {"Log", "Cave"}
    assert await found(tagged, track="Neon", tag="acoustic") == {"Neon", "Log", "Cave"}  # the head
    mixed = {"clip": clip(), "clip2": Upload("b.wav", b"RIFF" + bytes(3000))}
    assert await found(tagged, "mix", **mixed, tag="acoustic") == {"Log", "Cave"}
    used = await tagged.you.slash("radio", {"clip": clip(), "tag": "acoustic"})
    assert named(await wait_text(used, "Band Cave")) == {"Log", "Cave"}
    tagged.you.locale = "de"
    assert await found(tagged, clip=clip(), tag="akustisch") == {"Log", "Cave"}
    tagged.discord.assert_clean()


async def test_choice_among_songs_keeps_the_tag(tagged: World) -> None:
    used = await tagged.you.slash("recommend", {"track": "Band", "tag": "acoustic"})
    asked = await used.wait_until(lambda message: "Several tracks fit" in visible_text(message))
    number = next(each["value"] for each in options_of(asked) if each["label"] == "Log")
    chosen = await tagged.you.select(asked, list_id(asked), [number])
    assert named(await wait_text(chosen, "Band Cave")) == {"Log", "Cave"}
    tagged.discord.assert_clean()


@pytest.mark.parametrize("locale", SENTENCES)
async def test_filter_that_no_track_fits_is_named(tagged: World, locale: str) -> None:
    tagged.you.locale = locale
    options = {"clip": clip(), "tag": "acoustic", "genre": "metal"}
    used = await tagged.you.slash("recommend", options)
    wanted = SENTENCES[locale].replace("No track", "No metal track")
    wanted = wanted.replace("Filter: Schlag", "Filter: Genre, Schlag")
    text = await wait_text(used, wanted)
    assert not named(text)


@pytest.mark.parametrize(
    ("locale", "typed", "sentence"),
    [
        ("en-US", "mellow, acustic", "There is no tag “acustic”. Similar names: acoustic."),
        ("de", "melow", "Das Schlagwort „melow“ gibt es nicht. Ähnliche Namen: sanft."),
    ],
)
async def test_unknown_tag_is_named_with_the_nearest(
    tagged: World, locale: str, typed: str, sentence: str
) -> None:
    tagged.you.locale = locale
    used = await tagged.you.slash("recommend", {"clip": clip(), "tag": typed})
    await wait_text(used, sentence)
    tagged.discord.assert_clean()


async def test_tags_are_offered_in_the_users_language(tagged: World) -> None:
    async def offered(command: str, typed: str) -> list[str]:
        choices = await tagged.you.autocomplete(command, "tag", typed)
        return [choice["name"] for choice in choices]

    assert await offered("recommend", "") == ["acoustic", "female vocals", "mellow"]
    assert await offered("mix", "mellow, ac") == ["mellow, acoustic"]
    tagged.you.locale = "de"
    assert await offered("radio", "frau") == ["Frauenstimme"]
    assert await offered("recommend", "mellow") == ["sanft"]


@pytest.mark.parametrize("locale", ["en-US", "fr"])
async def test_about_names_the_teacher_of_the_tags(tagged: World, locale: str) -> None:
    tagged.you.locale = locale
    text = await wait_text(await tagged.you.slash("about"), "musicnn")
    assert "2019" in text
    assert "ISC" in text
