"""/mix, Add to my mix and /radio, by an unmodified client on the local Discord."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.local_discord import Interaction, LocalDiscord, Upload, buttons, visible_text
from genrec.errors import SilentAudio
from tests.bot.end_to_end.asking import link_to
from tests.bot.end_to_end.conftest import World, bot_on, clip, wait_response, wait_text
from tests.bot.end_to_end.fakes import FakePool

FIRST, SECOND = clip("first.wav", b"RIFF" + b"\x01" * 2000), clip("second.wav", b"RIFF\x02" * 500)
MENU = "Add to my mix"


@pytest.fixture
async def world(discord: LocalDiscord, tmp_path: Path) -> AsyncIterator[World]:
    async with bot_on(discord, tmp_path, songs=60) as running:
        yield running
        discord.assert_clean()


async def choice(world: World, typed: str, option: str = "track", command: str = "mix") -> str:
    """Return the value of the first choice while a name is typed."""
    choices = await world.you.autocomplete(command, option, typed)
    return choices[0]["value"]


async def ask(world: World, command: str, **options: object) -> Interaction:
    """Use a command."""
    return await world.you.slash(command, options)


def titles(message: dict) -> list[str]:
    """Return the titles of the tracks of an answer, without links."""
    lines = [line for line in visible_text(message).splitlines() if line.startswith("**")]
    return [line.strip("*").partition(". ")[2].partition("](")[0].strip("[*") for line in lines]


async def collect(world: World, *uploads: Upload) -> dict:
    """Post a message with clips and add them to the mix; return the basket."""
    message = await world.you.say(uploads=list(uploads), channel="general")
    used = await world.you.menu(MENU, message)
    return await used.wait_edited()


# /mix


async def test_mix_of_named_tracks_names_them_and_leaves_them_out(world: World) -> None:
    one, two = await choice(world, "song 7"), await choice(world, "artist 12", "track2")
    used = await ask(world, "mix", track=one, track2=two, count=5, private=True)
    message = await wait_response(used)
    text = visible_text(message)
    assert "Mix of Song 7 and Song 12" in text
    assert text.count("nearest to Song 7") + text.count("nearest to Song 12") == 5
    assert len(titles(message)) == 5
    assert not {"Song 7", "Song 12"} & set(titles(message))
    labels = {button.get("label") for button in buttons(message)}
    assert {"More like this", "Export"} <= labels
    assert {button["custom_id"][:9] for button in buttons(message)} >= {"thumb:up:"}
    assert world.pool.analyzed == []


async def test_mix_takes_every_kind_of_seed_in_one_request(world: World) -> None:
    playlist = Upload("list.csv", b"title,artist\nSong 3,Artist 3\nSong 4,Artist 4\n")
    used = await ask(
        world,
        "mix",
        clip=FIRST,
        links=link_to(world, "linked.mp3"),
        list=playlist,
        less_track="Artist 9 - Song 9",
    )
    text = await wait_text(used, "less of Song 9")
    heading = text.splitlines()[0]
    assert heading.startswith("## Mix of first, Song 3, Song 4 and linked")
    assert heading.endswith("less of Song 9")
    assert len(world.pool.analyzed) == 2


async def test_mix_in_german_is_german(world: World) -> None:
    world.you.locale = "de"
    used = await ask(world, "mix", clip=FIRST, track="Song 7", private=True)
    text = visible_text(await wait_response(used))
    assert "Mix aus Song 7 und first" in text
    assert "am nächsten an" in text
    used = await ask(world, "mix", track="Song 7", less_track="Song 9")
    text = visible_text(await wait_response(used))
    assert "Mix aus Song 7, weniger von Song 9" in text
    used = await ask(world, "mix", track="Song 7")
    assert "Ein Mix braucht 2 bis 5 verschiedene Titel" in visible_text(await used.wait_edited())


async def test_private_mix_and_its_follow_ups_are_private(world: World) -> None:
    used = await ask(world, "mix", track="Song 7", track2="Song 8", private=True)
    message = await wait_response(used)
    assert used.ephemeral
    more = await world.you.press(message, "More like this")
    await wait_response(more)
    assert more.ephemeral


async def test_compact_mix_has_a_line_for_each_track_and_no_details(world: World) -> None:
    await (await ask(world, "settings layout", short=True)).wait_edited()
    used = await ask(world, "mix", track="Song 7", track2="Song 8")
    message = await wait_response(used)
    text = visible_text(message)
    assert "Mix of Song 7 and Song 8" in text
    assert "5. " in text
    assert "Details" not in {button.get("label") for button in buttons(message)}
    exported = await world.you.press(message, "Export")
    await wait_text(exported, "Choose a format for this list")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"track": "Song 7"}, "A mix needs 2 to 5 different songs, and genrec got 1."),
        ({"track": "Song 7", "track2": "Song 7"}, "and genrec got 1."),
        ({"less_track": "Song 7"}, "Every song is one that you want less of."),
        ({}, "Your mix is empty."),
        ({"track": "Song 7", "track2": "Nothing at all"}, "No track is named “Nothing at all”"),
        ({"track": "Song 7", "track2": "track:999999"}, "That track is no longer available."),
        (
            {"track": "Song 1", "track2": "Song 2", "track3": "Song 3", "clip": FIRST,
             "clip2": SECOND, "track4": "Song 4"},
            "genrec can start from at most 5 songs, and you gave 6.",
        ),
        (
            {"track": "Song 7", "list": Upload("other.csv", b"title,artist\nYesterday,Beatles\n")},
            "genrec knows none of the tracks in **other.csv**.",
        ),
        (
            {"track": "Song 7", "list": Upload("odd.jspf", b"{not a list")},
            "**odd.jspf** isn't a list that genrec can read.",
        ),
        (
            {"track": "Song 7", "less_track": "Artist 7 - Song 7"},
            "**Song 7** is both a song that you like and one that you want less of.",
        ),
        (
            {"list": Upload("long.txt", b"Band - Song\n" * 20_001)},
            "genrec looks up at most 20,000 at a time.",
        ),
        ({"track": "Song 7", "list": FIRST}, "**first.wav** isn't a list that genrec can read."),
        (
            {"list": Upload("some.csv", b"title,artist\nSong 3,Artist 3\nYesterday,Beatles\n")},
            "and genrec knows 1 of the 2 tracks in **some.csv**.",
        ),
    ],
    ids=["one", "twice", "only less", "none", "unknown", "gone", "six", "unknown list", "no list",
         "both", "long list", "clip as list", "short list"],
)  # fmt: skip
async def test_mix_that_cannot_be_made_has_its_sentence(
    world: World, options: dict, sentence: str
) -> None:
    used = await ask(world, "mix", **options)
    assert sentence in await wait_text(used, sentence)


async def test_seed_without_music_is_named(world: World) -> None:
    world.pool.music = 0.1
    used = await ask(world, "mix", track="Song 7", clip=FIRST)
    text = await wait_text(used, "**first.wav** seems to contain speech, noise or effects")
    assert "Mix of" not in text


async def test_seed_that_cannot_be_analysed_is_named(world: World) -> None:
    world.pool.error = SilentAudio("That clip is silent.")
    used = await ask(world, "mix", track="Song 7", clip=FIRST)
    text = await wait_text(used, "That clip is silent.")
    assert "first.wav" in text


async def test_list_alone_is_a_mix_and_a_long_one_is_condensed(world: World) -> None:
    rows = "".join(f"Song {n},Artist {n}\n" for n in range(40))
    playlist = Upload("list.csv", f"title,artist\n{rows}".encode())
    message = await wait_response(await ask(world, "mix", list=playlist))
    heading = visible_text(message).splitlines()[0]
    assert heading.count("Song ") == 5


async def test_unknown_tracks_of_a_list_are_counted(world: World) -> None:
    world.you.locale = "de"
    rows = b"title,artist\nSong 3,Artist 3\nSong 4,Artist 4\nYesterday,Beatles\n"
    for command in ("mix", "radio"):
        used = await ask(world, command, list=Upload("some.csv", rows))
        text = visible_text(await wait_response(used))
        assert "genrec kennt 2 der 3 Titel in **some.csv**." in text
    used = await ask(world, "mix", track="Song 7", less_track="Song 7")
    await wait_text(used, "**Song 7** ist ein Titel, den du magst, und zugleich einer")


# Add to my mix


async def test_clips_are_collected_across_messages_and_mixed(world: World) -> None:
    basket = await collect(world, FIRST)
    assert "first.wav" in visible_text(basket)
    assert "Kept for 15 minutes" in visible_text(basket)
    basket = await collect(world, SECOND)
    assert "1. first.wav" in visible_text(basket)
    assert "2. second.wav" in visible_text(basket)
    pressed = await world.you.press(basket, "Mix now")
    message = await wait_response(pressed)
    assert pressed.ephemeral
    assert "Mix of first and second" in visible_text(message)
    asked = await wait_response(await ask(world, "mix"))
    assert "Mix of first and second" in visible_text(asked)


async def test_basket_is_private_and_of_one_person(world: World) -> None:
    message = await world.you.say(uploads=[FIRST], channel="general")
    used = await world.you.menu(MENU, message)
    await used.wait_edited()
    assert used.ephemeral
    other = world.discord.person("other")
    await wait_text(await other.slash("mix"), "Your mix is empty.")


async def test_basket_is_changed_by_its_buttons(world: World) -> None:
    await collect(world, FIRST)
    basket = await collect(world, SECOND)
    used = await world.you.press(basket, "basket:turn:2")
    basket = await used.wait_until(lambda m: "less of this" in visible_text(m))
    message = await wait_response(await ask(world, "mix"))
    assert "Mix of first, less of second" in visible_text(message)
    used = await world.you.press(basket, "basket:remove:2")
    basket = await used.wait_until(lambda m: "second.wav" not in visible_text(m))
    used = await world.you.press(basket, "Clear")
    await used.wait_until(lambda m: "It is empty." in visible_text(m))
    await wait_text(await ask(world, "mix"), "Your mix is empty.")


async def test_deleting_the_own_data_empties_the_basket(world: World) -> None:
    await collect(world, FIRST)
    asked = await (await ask(world, "privacy delete")).wait_edited()
    pressed = await world.you.press(asked, "Delete my data")
    await pressed.wait_until(lambda m: "Everything stored about you was deleted" in visible_text(m))
    used = await ask(world, "mix")
    assert "Apps › Add to my mix" in await wait_text(used, "Your mix is empty.")


async def test_mix_may_name_the_artists_of_its_songs(world: World) -> None:
    used = await ask(
        world, "mix", track="Song 7", track2="Song 8", artists="any_artist", reach="adventurous",
        private=True,
    )  # fmt: skip
    assert len(titles(await wait_response(used))) == 5


async def test_collected_clips_join_options_only_if_wanted(world: World) -> None:
    await collect(world, FIRST)
    alone = await wait_response(await ask(world, "mix", track="Song 7", track2="Song 8"))
    assert "Mix of Song 7 and Song 8\n" in visible_text(alone)
    both = await wait_response(await ask(world, "mix", track="Song 7", collected=True))
    assert "Mix of Song 7 and first" in visible_text(both)


async def test_full_basket_tells_what_has_no_place(world: World) -> None:
    uploads = [clip(f"{n}.wav", b"RIFF" + bytes([n]) * 2000) for n in range(7)]
    await collect(world, *uploads[:4])
    basket = await collect(world, *uploads[4:])
    assert "2 more clips have no place: a mix has at most 5." in visible_text(basket)
    assert "5. 4.wav" in visible_text(basket)


async def test_same_clip_is_collected_once(world: World) -> None:
    message = await world.you.say(uploads=[FIRST], channel="general")
    await (await world.you.menu(MENU, message)).wait_edited()
    basket = await (await world.you.menu(MENU, message)).wait_edited()
    assert visible_text(basket).count("first.wav") == 1
    assert "Already in your mix." in visible_text(basket)
    assert next(b for b in buttons(basket) if b.get("label") == "Mix now")["disabled"]


# /radio


async def test_radio_sends_pages_and_the_whole_list_as_a_file(world: World) -> None:
    used = await ask(world, "radio", track="Song 7", count=25, again=3)
    message = await wait_response(used)
    text = visible_text(message)
    assert "Radio from Song 7" in text
    assert "25 songs" in text
    assert "again:3" in text
    file = world.discord.cdn.read(message["attachments"][0]["url"])
    listed = [entry["title"] for entry in json.loads(file)["playlist"]["track"]]
    assert len(listed) == len(set(listed)) == 25
    assert "Song 7" not in listed
    assert all(f"{title}]" in text for title in listed[:10])
    keys = [o["value"] for c in message["components"] for o in options(c)]
    turned = await world.you.select(message, "radio:page", [keys[2]])
    last = await turned.wait_until(lambda m: "25. " in visible_text(m))
    assert [title for title in listed[20:] if f"{title}]" not in visible_text(last)] == []
    assert "Radio from Song 7" in visible_text(last)
    assert last["attachments"] == message["attachments"]
    again = await wait_response(await ask(world, "radio", track="Song 7", count=25, again=3))
    assert visible_text(again) == text


def options(component: dict) -> list[dict]:
    """Return the options of the select menus inside a component."""
    inside = [o for c in component.get("components", []) for o in options(c)]
    return inside + component.get("options", [])


async def test_radio_of_a_small_library_is_shorter_with_the_reason(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    async with bot_on(discord, tmp_path, songs=12) as world:
        world.you.locale = "fr"
        text = visible_text(await wait_response(await ask(world, "radio", track="Song 7")))
        assert "Seulement 11 sur 30 : aucun autre morceau n’est assez proche." in text
        assert "Radio à partir de Song 7" in text
    discord.assert_clean()


async def test_radio_from_a_clip_is_made_in_the_chosen_format(world: World) -> None:
    used = await ask(world, "radio", clip=FIRST, count=10, file="txt")
    message = await wait_response(used)
    assert message["attachments"][0]["filename"] == "radio.txt"
    lines = world.discord.cdn.read(message["attachments"][0]["url"]).decode().splitlines()
    assert len(lines) == 10
    assert all(" - Song " in line for line in lines)


async def test_radio_without_seeds_has_its_sentence(world: World) -> None:
    used = await ask(world, "radio")
    assert "a clip, a link or a list" in await wait_text(used, "Name a song to start from")


async def test_radio_after_a_restart_turns_its_pages(discord: LocalDiscord, tmp_path: Path) -> None:
    async with bot_on(discord, tmp_path, songs=40) as world:
        used = await ask(world, "radio", track="Song 7", count=20)
        message = await wait_response(used)
    async with bot_on(discord, tmp_path, songs=40, pool=FakePool()) as world:
        keys = [o["value"] for c in message["components"] for o in options(c)]
        turned = await world.you.select(message, "radio:page", [keys[1]])
        last = await turned.wait_until(lambda m: "20. " in visible_text(m))
        assert "11. " in visible_text(last)
