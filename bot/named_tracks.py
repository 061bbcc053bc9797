"""The use case of asking by name: complete a typed name, and find the track that it means."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from bot.recommender import Recommender
from db.name_search import NameSearch
from db.tracks import STARTER
from genrec.names import artist_key, song_key
from genrec.typed_names import NameFit, RankedName, typed_words
from genrec.types import Track

MAX_COMPLETED = 25  # as many choices as Discord shows
MAX_NEAR = 5
_FEWEST_LETTERS = 3  # of a part of a name that means a song without asking
_ID = "track:"
_MAX_ID = 2**63


@dataclass(frozen=True, slots=True)
class NamedTrack:
    """A track with the album that its tags name, to tell it from tracks of the same name."""

    track: Track
    album: str = ""


@dataclass(frozen=True, slots=True)
class NameMatch:
    """Track that a typed name means, or else several that it may mean, or near names.

    ``unclear`` holds the songs that fit: several, or one of which only a letter or two were typed.
    With ``cut`` there may be more.
    ``near`` are names that are similar, if none fits, and ``known`` is the number of tracks in the
    scopes.
    """

    track: Track | None = None
    unclear: tuple[Track, ...] = ()
    near: tuple[Track, ...] = ()
    known: int = 0
    cut: bool = False


def choice_value(track: Track) -> str:
    """Return the text that stands for a track in a choice: a song may be called "1999"."""
    return f"{_ID}{track.id}"


class NamedTracks:
    """Finds tracks of the catalogue by name; knows no Discord."""

    def __init__(self, recommender: Recommender) -> None:
        self._recommender = recommender
        self._search = NameSearch(recommender.catalogue, recommender.preset.model_id)

    async def complete(
        self, typed: str, scopes: Collection[str], *, limit: int = MAX_COMPLETED
    ) -> list[NamedTrack]:
        """Return the tracks of the scopes whose names fit a typed text, the best first."""
        ranked = await self._search.complete(typed, scopes, limit=limit)
        tracks = await self._recommender.tracks([each.id for each in ranked], scopes)
        details = await self._recommender.catalogue.details(track.id for track in tracks)
        return [
            NamedTrack(track, details[track.id].album if track.id in details else "")
            for track in tracks
        ]

    async def match(self, text: str, scopes: Collection[str]) -> NameMatch:
        """Return what a text means: the value of a choice, or a name typed without choosing one."""
        chosen = await self._chosen(text, scopes)
        if chosen is not None:
            return NameMatch(chosen)
        words = typed_words(text)
        if not words:
            return NameMatch(known=self._recommender.count(scopes))
        ranked = await self._search.complete(text, scopes, limit=MAX_COMPLETED)
        tracks = await self._recommender.tracks([each.id for each in ranked], scopes)
        songs = await asyncio.to_thread(_best_songs, ranked, tracks)
        whole = bool(ranked) and ranked[0].fit <= NameFit.ARTIST
        if len(songs) == 1 and (whole or len("".join(words)) >= _FEWEST_LETTERS):
            return NameMatch(songs[0])
        if songs:
            return NameMatch(unclear=tuple(songs), cut=len(ranked) == MAX_COMPLETED)
        near = await self._search.near(text, scopes, limit=MAX_NEAR)
        return NameMatch(
            near=tuple(await self._recommender.tracks([e.id for e in near], scopes)),
            known=self._recommender.count(scopes),
        )

    async def _chosen(self, text: str, scopes: Collection[str]) -> Track | None:
        number = text.strip().removeprefix(_ID)
        if number == text.strip() or not number.isascii() or not number.isdigit():
            return None
        if len(number) > len(str(_MAX_ID)) or int(number) >= _MAX_ID:
            return None
        return next(iter(await self._recommender.tracks([int(number)], scopes)), None)


def _best_songs(ranked: Sequence[RankedName], tracks: Sequence[Track]) -> list[Track]:
    """Return one track of each song whose name fits best; the own one before a starter track.

    A text that is a whole title means only songs of that title. Otherwise every song that fits
    without typos counts, and with typos those with the fewest edits.
    """
    fits = {each.id: (each.fit, each.edits) for each in ranked}
    present = [track for track in tracks if track.id in fits]
    if not present:
        return []
    best = fits[present[0].id]

    def counts(track: Track) -> bool:
        fit = fits[track.id]
        if best[0] in (NameFit.WHOLE, NameFit.TYPOS):
            return fit == best
        return fit[0] < NameFit.TYPOS

    songs: dict[tuple[str, str], Track] = {}
    for track in present:
        key = (artist_key(track.artist), song_key(track.title))
        if counts(track) and (key not in songs or songs[key].scope == STARTER != track.scope):
            songs[key] = track
    return list(songs.values())
