"""Asking by name: which track a typed text means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from bot.named_tracks import NamedTracks, choice_value
from db.connection import Database, open_db
from db.details import TrackDetails
from db.tracks import Catalogue
from genrec.types import Track
from tests.db.fakes import MODEL, new_track

OWN, STARTER = "library", "starter"
SCOPES = (STARTER, OWN)


class CatalogueOnly:
    """A recommender that only looks up tracks."""

    def __init__(self, db: Database) -> None:
        self.catalogue = Catalogue(db)
        self.preset = type("Preset", (), {"model_id": MODEL})

    def count(self, scopes: Sequence[str]) -> int:
        return 7 if "starter" in scopes else 1

    async def tracks(self, ids: Sequence[int], scopes: Sequence[str]) -> list[Track]:
        found = await self.catalogue.tracks(MODEL, ids)
        return [found[i] for i in ids if i in found and found[i].scope in scopes]


@pytest.fixture
async def named() -> Any:
    async with open_db(":memory:") as db:
        recommender: Any = CatalogueOnly(db)
        catalogue = recommender.catalogue
        held = [
            ("The Beatles", "Come Together"),
            ("Aerosmith", "Come Together"),
            ("The Beatles", "Hey Jude"),
            ("The Beatles", "Hey Jude (Remastered 2015)"),
            ("Prince", "1999"),
            ("Somebody", "1"),
        ]
        tracks = [new_track(n, artist=a, title=t, source=str(n)) for n, (a, t) in enumerate(held)]
        await catalogue.add(STARTER, MODEL, tracks)
        album = TrackDetails(album="Rock in Rio")
        own = [new_track(50, artist="Prince", title="Kiss", details=album), new_track(51)]
        await catalogue.add(OWN, MODEL, own)
        await catalogue.add("guild:1", MODEL, [new_track(60, title="Guild Secret")])
        yield NamedTracks(recommender)


async def _meant(named: NamedTracks, text: str, *scopes: str) -> str | None:
    track = (await named.match(text, scopes or SCOPES)).track
    return track and f"{track.artist} - {track.title}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("beatles come together", "The Beatles - Come Together"),
        ("Come Together - Aerosmith", "Aerosmith - Come Together"),
        ("areosmith togehter", "Aerosmith - Come Together"),
        ("hey jude", "The Beatles - Hey Jude"),  # two versions of one song
        ("1999", "Prince - 1999"),  # no number of a track
        ("1", "Somebody - 1"),
        ("kiss", "Prince - Kiss"),
    ],
)
async def test_typed_name_means_one_track(named: NamedTracks, text: str, expected: str) -> None:
    assert await _meant(named, text) == expected


async def test_name_of_two_songs_is_unclear(named: NamedTracks) -> None:
    match = await named.match("come together", SCOPES)
    assert match.track is None
    assert [track.artist for track in match.unclear] == ["Aerosmith", "The Beatles"]
    assert len((await named.match("prince", SCOPES)).unclear) == 2


async def test_letter_inside_a_name_is_asked_about(named: NamedTracks) -> None:
    match = await named.match("j", SCOPES)
    assert match.track is None
    assert [track.title for track in match.unclear][:1] == ["Hey Jude"]
    assert len(match.unclear) == 1
    assert await _meant(named, "jud") == "The Beatles - Hey Jude"


async def test_short_words_make_no_name_near(named: NamedTracks) -> None:
    assert (await named.match("hey zzqq", SCOPES)).near == ()
    assert (await named.match("judes hey zzqq", SCOPES)).near[0].title.startswith("Hey Jude")


async def test_unknown_name_has_near_ones(named: NamedTracks) -> None:
    match = await named.match("beatles hey judeness forever", SCOPES)
    assert (match.track, match.unclear) == (None, ())
    assert match.near[0].title.startswith("Hey Jude")
    empty = await named.match("qwrtzx", SCOPES)
    assert (empty.track, empty.unclear, empty.near, empty.known) == (None, (), (), 7)
    assert await named.match("", SCOPES) == empty


async def test_choice_means_its_track_only_in_the_scopes(named: NamedTracks) -> None:
    (found,) = await named.complete("guild secret", ["guild:1"])
    value = choice_value(found.track)
    assert (await named.match(value, ["guild:1"])).track == found.track
    assert (await named.match(value, SCOPES)).track is None
    assert await named.complete("guild secret", SCOPES) == []
    for odd in ("track:", "track:x", "track:-1", f"track:{2**63}", "track:" + "9" * 5_000):
        assert (await named.match(odd, SCOPES)).track is None


async def test_own_track_comes_before_the_same_starter_track(named: NamedTracks) -> None:
    catalogue = named._recommender.catalogue
    again = new_track(70, artist="The Beatles", title="Hey Jude", source="own")
    await catalogue.add(OWN, MODEL, [again])
    track = (await named.match("hey jude", SCOPES)).track
    assert track is not None
    assert track.scope == OWN


async def test_completed_tracks_have_their_album(named: NamedTracks) -> None:
    found = await named.complete("kiss", SCOPES)
    assert [(each.track.title, each.album) for each in found] == [("Kiss", "Rock in Rio")]
