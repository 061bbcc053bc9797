"""From what a user names to the seeds of a question: tracks, clips, links and lists."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Literal

import numpy as np

from bot.errors import RequestDeclined
from bot.jobs.library_import import read_text
from bot.jobs.mix_baskets import MOST_SEEDS
from bot.jobs.runner import Progress
from bot.jobs.track_names import TrackNames
from bot.recommender import Recommender
from bot.sources import Attachment, CheckedSource, SongLink, SongLookupError, Sources
from bot.ui import song_choice
from bot.ui.markdown import clean
from db.import_export import MAX_LISTED
from db.list_seeds import tracks_of_list
from genrec.errors import (
    CatalogueError,
    ClipTooLarge,
    GenrecError,
    InputRefused,
    LinkRefused,
    UnsupportedSource,
)
from genrec.medoids import medoids
from genrec.questions import Seed
from genrec.types import Track

LIST_SUFFIXES = frozenset({".m3u", ".m3u8", ".csv", ".jspf", ".json", ".txt"})
_NAME_CHARS = 80
_CHOICE = re.compile(r"track:\d+")  # the value of a choice whose track is gone

Kind = Literal["track", "clip", "list"]


@dataclass(frozen=True, slots=True)
class AskedSeed:
    """Something that a mix or a radio list is to begin with, before it is fetched.

    ``text`` is a track's name or the value of a choice; ``source`` an accepted clip, link or list.
    """

    kind: Kind
    name: str
    liked: bool = True
    text: str = ""
    source: CheckedSource | None = None

    @property
    def is_link(self) -> bool:
        """Whether the seed is fetched from outside Discord."""
        return self.source is not None and self.source.is_link


@dataclass(frozen=True, slots=True)
class PartlyKnown:
    """A list of which genrec knows only some tracks, with their numbers."""

    name: str
    known: int
    total: int


class SeedRefused(Exception):
    """The error of one of several seeds, with the seed's name."""

    def __init__(self, name: str, error: GenrecError) -> None:
        super().__init__(name)
        self.name = name
        self.error = error


def asked_track(text: str, *, liked: bool = True) -> AskedSeed:
    """Return the seed of a typed or chosen track."""
    return AskedSeed("track", clean(text, _NAME_CHARS), liked, text=text)


def asked_list(sources: Sources, file: Attachment) -> AskedSeed:
    """Return the seed of an uploaded list, accepted.

    Raises
    ------
    RequestDeclined
        The file is not named as a list.
    GenrecError
        The file is refused.
    """
    seed = asked_source(sources, file)
    if seed.kind != "list":
        raise RequestDeclined("list_unreadable", name=seed.name)
    return seed


def asked_source(sources: Sources, source: Attachment | str, *, liked: bool = True) -> AskedSeed:
    """Return the seed of an upload or a link, accepted; a file that is named as a list is one.

    Raises
    ------
    GenrecError
        The source is refused.
    """
    upload = isinstance(source, Attachment)
    name = source.filename if isinstance(source, Attachment) else source
    listed = upload and PurePosixPath(name).suffix.lower() in LIST_SUFFIXES
    checked = sources.check(source, lookup=True)
    return AskedSeed("list" if listed else "clip", clean(name, _NAME_CHARS), liked, source=checked)


class SeedFinder:
    """Makes seeds of what users name; each clip is fetched and analysed in turn."""

    def __init__(self, *, sources: Sources, recommender: Recommender, names: TrackNames) -> None:
        self._sources = sources
        self._recommender = recommender
        self._names = names

    async def seeds(
        self,
        asked: Sequence[AskedSeed],
        scopes: Sequence[str],
        progress: Progress,
        partly: list[PartlyKnown] | None = None,
    ) -> tuple[Seed, ...]:
        """Return the seeds, each track once; long lists share the places that are left.

        Lists of which only some tracks are known are appended to ``partly``.

        Raises
        ------
        RequestDeclined
            A track, a song or all tracks of a list are unknown, or a track is liked and one to
            have less of.
        SeedRefused
            A clip cannot be used.
        """
        room = MOST_SEEDS - sum(each.kind != "list" for each in asked)
        lists = sum(each.kind == "list" for each in asked)
        seeds: list[Seed] = []
        for each in asked:
            if each.kind == "track":
                seeds.append(await self._of_track(await self._named(each, scopes), each))
            elif each.kind == "list":
                places = max(1, room // lists)
                found = await self._of_list(each, scopes, progress, places, partly)
                room, lists = room - len(found), lists - 1
                seeds += found
            else:
                seeds.append(await self._of_clip(each, scopes, progress))
        liked: dict[int, bool] = {}
        for seed in seeds:
            if seed.track and liked.setdefault(seed.track.id, seed.liked) != seed.liked:
                raise RequestDeclined("seed_both", name=clean(seed.track.title, _NAME_CHARS))
        ids: set[int] = set()
        return tuple(seed for seed in seeds if seed.track is None or _is_new(ids, seed.track.id))

    async def _named(self, each: AskedSeed, scopes: Sequence[str]) -> Track:
        try:
            return await self._names.resolve(each.text, scopes)
        except RequestDeclined as error:
            if _CHOICE.fullmatch(each.text.strip()):
                raise RequestDeclined("track_gone") from error
            raise

    async def _of_track(self, track: Track, each: AskedSeed) -> Seed:
        try:
            return await self._recommender.track_seed(track, liked=each.liked)
        except CatalogueError as error:
            raise RequestDeclined("track_gone") from error

    async def _of_clip(self, each: AskedSeed, scopes: Sequence[str], progress: Progress) -> Seed:
        """Return the seed of a clip or, where a link gives no sound, of the track it names."""
        source = _source(each)
        try:
            return await self._of_sound(each, source, progress)
        except (LinkRefused, UnsupportedSource) as error:
            if source.song is None:
                raise SeedRefused(each.name, error) from error
            return await self._of_song(each, source.song, scopes, progress)
        except GenrecError as error:
            raise SeedRefused(each.name, error) from error

    async def _of_sound(self, each: AskedSeed, source: CheckedSource, progress: Progress) -> Seed:
        progress.now("fetching")
        async with self._sources.fetch(source, owner=progress.request.guild_id) as clip:
            progress.now("analyzing")
            analysis = await self._recommender.analyze(clip)
        progress.now("comparing")
        self._recommender.require_music(analysis)
        if not clip.title:
            clip = replace(clip, title=each.name)
        return self._recommender.clip_seed(analysis, clip, liked=each.liked)

    async def _of_song(
        self, each: AskedSeed, link: SongLink, scopes: Sequence[str], progress: Progress
    ) -> Seed:
        progress.now("looking_up")
        try:
            song = await self._sources.look_up(link, owner=progress.request.guild_id)
        except SongLookupError as error:
            raise RequestDeclined(f"song_{error.reason}", site=error.site.title) from error
        progress.now("comparing")
        match = await self._recommender.find_song(song.names, scopes)
        if match.sure is None:
            name = song_choice.name_of(song.shown)
            raise RequestDeclined("song_unknown", site=link.site.title, song=name)
        return await self._of_track(match.sure, each)

    async def _of_list(
        self,
        each: AskedSeed,
        scopes: Sequence[str],
        progress: Progress,
        room: int,
        partly: list[PartlyKnown] | None,
    ) -> list[Seed]:
        """Return the seeds of a list: its tracks, or the medoids of a longer one."""
        source = _source(each)
        progress.now("fetching")
        try:
            async with self._sources.fetch(source, owner=progress.request.guild_id) as file:
                text = await asyncio.to_thread(read_text, file.path)
        except GenrecError as error:
            raise SeedRefused(each.name, error) from error
        progress.now("comparing")
        catalogue, model_id = self._recommender.catalogue, self._recommender.preset.model_id
        try:
            tracks, unknown = await tracks_of_list(catalogue, model_id, text, each.name, scopes)
        except ClipTooLarge as error:
            raise RequestDeclined("import_too_long", limit=MAX_LISTED) from error
        except InputRefused as error:
            raise RequestDeclined("list_unreadable", name=each.name) from error
        if tracks and unknown and partly is not None:
            partly.append(PartlyKnown(each.name, len(tracks), len(tracks) + len(unknown)))
        tracks = await condensed(self._recommender, tracks, room)
        if not tracks:
            raise RequestDeclined("list_unknown", name=each.name)
        return [await self._of_track(track, each) for track in tracks]


async def condensed(recommender: Recommender, tracks: Sequence[Track], room: int) -> list[Track]:
    """Return up to ``room`` of the tracks that stand for the groups of similar ones among them."""
    by_id = {track.id: track for track in tracks}

    found = await recommender.index.vectors(list(by_id))

    def choose() -> list[Track]:
        order = {track_id: place for place, track_id in enumerate(by_id)}
        places = np.argsort([order[track_id] for track_id in found.ids.tolist()])
        chosen = medoids(found.vectors[places], room)
        return [by_id[int(found.ids[places[place]])] for place in chosen]

    return await asyncio.to_thread(choose)


def _source(each: AskedSeed) -> CheckedSource:
    if each.source is None:
        raise ValueError(f"kind={each.kind!r}: expected a source")
    return each.source


def _is_new(known: set[int], number: int) -> bool:
    new = number not in known
    known.add(number)
    return new
