"""Lists of songs and artists that are not recommended again: what a user may see and change."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from bot.errors import RequestDeclined
from bot.ui.markdown import clean
from db import not_again
from db.connection import Database
from db.not_again import ListOwner, NotAgain
from genrec.names import artist_key, fold
from genrec.types import Track

MAX_NAME = 100
_LETTERS = {"user": "u", "guild": "g"}


@dataclass(frozen=True, slots=True)
class OwnedEntry:
    """An entry of a list and its owner."""

    owner: ListOwner
    entry: NotAgain

    @property
    def value(self) -> str:
        """The value of a choice that stands for the entry."""
        return f"{_LETTERS[self.owner.kind]}{self.entry.id}"


@dataclass(frozen=True, slots=True)
class Unwanted:
    """A song or, with ``artist``, all songs of a track's artist."""

    track: Track
    artist: bool


class NotAgainLists:
    """Shows and changes the list of a user and, for admins, that of the guild."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def entries(self, owners: Sequence[ListOwner]) -> list[OwnedEntry]:
        """Return the entries of some lists, list after list, the newest first."""
        return [
            OwnedEntry(owner, entry)
            for owner in owners
            for entry in await not_again.entries(self._db, owner)
        ]

    async def add_song(self, owner: ListOwner, track: Track) -> str:
        """Add a song and return its name; decline it if the list is full."""
        name = song_name(track)
        if not await not_again.add_song(self._db, owner, track.id, name):
            raise _full()
        return name

    async def add_artist(self, owner: ListOwner, artist: str) -> str:
        """Add an artist and return the name; decline one without a name, or if the list is full."""
        name = clean(artist, MAX_NAME)
        if not artist_key(name):
            raise RequestDeclined("not_again_no_artist")
        if not await not_again.add_artist(self._db, owner, name):
            raise _full()
        return name

    async def choose(
        self, owner: ListOwner, offered: Collection[Unwanted], chosen: Collection[Unwanted]
    ) -> None:
        """Put the ``chosen`` ones on the list, and take the other ``offered`` ones off it."""
        stored = {
            entry.artist_key if entry.is_artist else entry.track_id: entry.id
            for entry in await not_again.entries(self._db, owner)
        }
        for each in offered:
            entry_id = stored.get(artist_key(each.track.artist) if each.artist else each.track.id)
            if each not in chosen and entry_id is not None:
                await not_again.remove(self._db, owner, entry_id)
            elif each in chosen and entry_id is None:
                if each.artist:
                    await self.add_artist(owner, each.track.artist)
                else:
                    await self.add_song(owner, each.track)

    async def remove(self, owners: Sequence[ListOwner], typed: str) -> str:
        """Remove the entry that a choice's value or a typed name stands for; return its name.

        Words of a name are enough if only one entry has them.
        """
        listed = await self.entries(owners)
        wanted = [each for each in listed if typed == each.value]
        wanted = wanted or [each for each in listed if fold(each.entry.name) == fold(typed)]
        wanted = wanted or _only_with(listed, fold(typed).split())
        if wanted:
            name = await not_again.remove(self._db, wanted[0].owner, wanted[0].entry.id)
            if name is not None:
                return name
        raise RequestDeclined("not_again_unknown", name=typed)


def _only_with(listed: Sequence[OwnedEntry], words: Sequence[str]) -> list[OwnedEntry]:
    """Return the entries of the only name that has all of the folded words."""
    found = [each for each in listed if set(words) <= set(fold(each.entry.name).split())]
    return found if words and len({each.entry.name for each in found}) == 1 else []


def song_name(track: Track) -> str:
    """Return "Artist - Title" as one plain line."""
    artist = clean(track.artist, MAX_NAME // 2) if artist_key(track.artist) else ""
    title = clean(track.title, MAX_NAME // 2)
    return f"{artist} - {title}" if artist else title or f"#{track.id}"


def _full() -> RequestDeclined:
    return RequestDeclined("not_again_full", limit=not_again.MOST_ENTRIES)
