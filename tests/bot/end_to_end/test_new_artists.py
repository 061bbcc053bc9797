"""New artists only, the reach of /recommend, and what More like this leaves out."""

from __future__ import annotations

from typing import Any

import pytest

from bot.local_discord import buttons, visible_text
from bot.ui.custom_ids import track_ids
from db.generations import NewTrack
from tests.bot.end_to_end.conftest import World, clip, details, wait_response
from tests.bot.end_to_end.fakes import unit

BAND = 9  # tracks of the crowd


@pytest.fixture
async def crowded(world: World) -> World:
    """Return a world with tracks of one band near the clip, and of others farther away."""
    recommender = world.app.resources.recommender
    named = [("The Crowd", f"Near {n}") for n in range(BAND)]
    named += [(f"Other {n}", f"Far {n}") for n in range(3)]
    tracks = [
        NewTrack(
            title=title, artist=artist, genre="jazz", embedding=unit(400 + number, near=1),
            source=f"https://crowd.example/{number}", content=f"{number + 500:064x}",
        )
        for number, (artist, title) in enumerate(named)
    ]  # fmt: skip
    scope = f"guild:{world.discord.guild.id}"
    await recommender.catalogue.add(scope, recommender.preset.model_id, tracks)
    return world


def more_buttons(message: Any) -> list[str]:
    return [each["custom_id"] for each in buttons(message) if each["custom_id"].startswith("more:")]


async def test_more_like_this_leaves_out_what_its_answer_showed(world: World) -> None:
    used = await world.you.slash("recommend", {"clip": clip()})
    full = await details(world, await wait_response(used))
    ids = more_buttons(full)
    shown = {int(each.split(":")[1]) for each in ids}
    assert all({*track_ids(each.split(":")[2]), int(each.split(":")[1])} == shown for each in ids)
    again = await wait_response(await world.you.press(full, ids[0]))
    next_shown = {int(each.split(":")[1]) for each in more_buttons(again)}
    assert next_shown
    assert not shown & next_shown
    world.discord.assert_clean()


async def test_more_like_this_is_by_other_artists(crowded: World) -> None:
    used = await crowded.you.slash("recommend", {"clip": clip(), "count": 10})
    answer = await wait_response(used)
    assert visible_text(answer).count("The Crowd") == 1
    full = await details(crowded, answer)
    tracks = await crowded.app.resources.recommender.tracks(
        [int(each.split(":")[1]) for each in more_buttons(full)],
        ("starter", f"guild:{crowded.discord.guild.id}"),
    )
    of_band = next(track for track in tracks if track.artist == "The Crowd")
    custom_id = next(each for each in more_buttons(full) if each.split(":")[1] == str(of_band.id))
    again = visible_text(await wait_response(await crowded.you.press(full, custom_id)))
    heading, _, rest = again.partition("\n")
    assert of_band.title in heading
    assert rest.count("The Crowd") == 1  # the seed's own line
    crowded.discord.assert_clean()


@pytest.mark.parametrize(
    ("locale", "sentence"),
    [
        ("en-US", "by an artist that you asked with"),
        ("de", "andere sind ausgelassen: von einem Interpreten, mit dem du gefragt hast"),
        ("ja", "質問と同じアーティスト"),
    ],
)
async def test_answer_with_few_tracks_says_what_is_left_out(
    crowded: World, locale: str, sentence: str
) -> None:
    used = await crowded.you.slash("recommend", {"clip": clip(), "count": 10})
    full = await details(crowded, await wait_response(used))
    crowded.you.locale = locale
    recommender = crowded.app.resources.recommender
    scope = f"guild:{crowded.discord.guild.id}"
    others = await recommender.catalogue.browse(recommender.preset.model_id, scope, text="Other")
    await recommender.catalogue.remove(scope, [track.id for track in others])
    ids = [int(each.split(":")[1]) for each in more_buttons(full)]
    tracks = await recommender.tracks(ids, (scope,))
    of_band = next(track for track in tracks if track.artist == "The Crowd")
    custom_id = next(each for each in more_buttons(full) if each.split(":")[1] == str(of_band.id))
    text = visible_text(await wait_response(await crowded.you.press(full, custom_id)))
    assert sentence in text
    crowded.discord.assert_clean()


async def found(world: World, **options: str) -> list[str]:
    used = await world.you.slash("recommend", {"clip": clip(), "count": 3, **options})
    text = visible_text(await wait_response(used))
    return [line for line in text.splitlines() if line[:2] in ("1.", "2.", "3.")]


async def test_reach_chooses_other_tracks(crowded: World) -> None:
    near = await found(crowded)
    assert near == await found(crowded, reach="near")
    assert len(await found(crowded, reach="balanced")) == 3
    farther = await found(crowded, reach="adventurous")
    assert len(farther) == 3
    assert farther != near
    crowded.discord.assert_clean()


async def test_any_artist_lets_the_clips_own_artist_in(world: World) -> None:
    own = await found(world, artists="any_artist")
    assert len(own) == 3
    world.discord.assert_clean()


@pytest.mark.engines
@pytest.mark.parametrize(
    ("locale", "empty", "gone"),
    [
        ("en-US", "This answer has no tracks.", "others are left out: no longer in the library"),
        ("de", "Diese Antwort hat keine Titel.", "ausgelassen: nicht mehr in der Bibliothek"),
    ],
)
async def test_details_blame_similarity_neither_for_a_filter_nor_for_removed_tracks(
    world: World, locale: str, empty: str, gone: str
) -> None:
    world.you.locale = locale
    used = await world.you.slash("recommend", {"clip": clip(), "tempo": "300-350"})
    assert empty in visible_text(await details(world, await wait_response(used)))
    answer = await wait_response(await world.you.slash("recommend", {"clip": clip()}))
    first = int(more_buttons(await details(world, answer))[0].split(":")[1])
    await world.app.resources.recommender.catalogue.remove("starter", [first])
    assert gone in visible_text(await details(world, answer))
    world.discord.assert_clean()
