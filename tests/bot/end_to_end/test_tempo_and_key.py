"""/recommend with tempo and key: answers, choices and sentences."""

from __future__ import annotations

import pytest

from bot.local_discord import visible_text
from db.generations import NewTrack
from genrec.types import MusicDescription
from tests.bot.end_to_end.conftest import World, clip, details, wait_response
from tests.bot.end_to_end.fakes import unit

pytestmark = pytest.mark.engines

SURE = MusicDescription(
    bpm=122.0,
    bpm_confidence=0.9,
    key=21,
    key_confidence=0.9,
    loudness_lufs=-14.2,
    dynamics_lu=6.0,
    brightness_hz=1850.0,
    bass=0.25,
    onsets_per_s=2.5,
)
# Tempo and key: a tempo of the range and a compatible key, then one of the two.
OURS = {"Both": (124.0, 0), "Slow": (90.0, 21), "Far": (120.0, 1)}


@pytest.fixture
async def described(world: World) -> World:
    """Return a world whose clips and some of whose tracks have a description."""
    world.pool.description = SURE
    recommender = world.app.resources.recommender
    tracks = [
        NewTrack(
            title=title, artist=f"Band {title}", genre="jazz", embedding=unit(number, near=1),
            source=f"https://band.example/{number}", content=f"{number:064x}",
            description=MusicDescription(bpm, 0.9, key, 0.9, -14.0, 6.0, 1800.0, 0.25, 2.5),
        )
        for number, (title, (bpm, key)) in enumerate(OURS.items(), 300)
    ]  # fmt: skip
    scope = f"guild:{world.discord.guild.id}"
    await recommender.catalogue.add(scope, recommender.preset.model_id, tracks)
    return world


async def found(world: World, **options: str) -> set[str]:
    used = await world.you.slash("recommend", {"clip": clip(), **options})
    text = visible_text(await wait_response(used))
    return {title for title in OURS if f"Band {title}" in text}


async def test_tempo_and_key_are_shown_and_filter(described: World) -> None:
    answer = await wait_response(await described.you.slash("recommend", {"clip": clip()}))
    assert "≈ 122 BPM · A minor" in visible_text(answer)
    assert await found(described, tempo="118-126") == {"Both", "Far"}
    assert await found(described, key="compatible") == {"Both", "Slow"}
    assert await found(described, key="Am", tempo="90") == {"Slow"}
    assert await found(described, key="C major", tempo="118 - 126") == {"Both"}
    described.discord.assert_clean()


async def test_details_name_the_reasons_and_each_tracks_tempo(described: World) -> None:
    used = await described.you.slash("recommend", {"clip": clip(), "tempo": "118-126"})
    text = visible_text(await details(described, await wait_response(used)))
    text = text.replace("\u00a0", " ")
    assert "≈ 122 BPM · A minor · -14 LUFS · brightness 1.9 kHz" in text
    assert "Band Both · ≈ 124 BPM · C major" in text
    assert "matching key, same tempo" in text
    assert "Band Far · ≈ 120 BPM · D♭ major" in text
    described.discord.assert_clean()


async def test_keys_are_offered_in_the_users_language(world: World) -> None:
    choices = await world.you.autocomplete("recommend", "key", "")
    assert len(choices) == 25
    assert choices[0] == {"name": "compatible with the clip", "value": "compatible"}
    minor = await world.you.autocomplete("recommend", "key", "a min")
    assert [choice["name"] for choice in minor] == ["A minor"]
    world.you.locale = "de"
    german = await world.you.autocomplete("recommend", "key", "a-m")
    assert [choice["name"] for choice in german] == ["a-Moll"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"tempo": "fast"}, "can't read “fast” as a tempo"),
        ({"tempo": "5"}, "“5” isn't a tempo between 20 and 400 beats a minute"),
        ({"tempo": "100-1000"}, "“100-1000” isn't a tempo between 20 and 400 beats a minute"),
        ({"genre": "polka"}, "This model has no genre “polka”"),
        ({"key": "H flat"}, "There is no key “H flat”"),
        ({"key": "compatible"}, "The key of this clip is not clear"),
    ],
)
async def test_what_cannot_be_read_gets_a_sentence(
    world: World, options: dict[str, str], sentence: str
) -> None:
    used = await world.you.slash("recommend", {"clip": clip(), **options})
    await used.wait_until(lambda message: sentence in visible_text(message))
    world.discord.assert_clean()


@pytest.mark.parametrize(
    ("locale", "sentence"),
    [
        ("en-US", "No track of this tempo and key in the library is similar enough."),
        ("de", "Kein ähnlicher Titel passt zu deinem Filter: Tempo, Tonart."),
    ],
)
async def test_filter_that_no_track_fits_is_named(
    described: World, locale: str, sentence: str
) -> None:
    described.you.locale = locale
    used = await described.you.slash("recommend", {"clip": clip(), "tempo": "300-350", "key": "Am"})
    await used.wait_until(lambda message: sentence in visible_text(message))
    described.discord.assert_clean()
