"""The use case of /path: a way of songs between two seeds, without Discord."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bot.recommender import Recommender
from bot.track_search import music_filter
from db.neighbours import TrackFilter
from genrec.errors import SameSong
from genrec.fingerprint import NO_FINGERPRINT, SAME_RECORDING, SAME_SPEED, SPEEDS, RecordingMatcher
from genrec.local_map import local_plane, nearest_around
from genrec.names import artist_key, credited_artists, song_key
from genrec.paths import LONGER, MAX_SONGS, MIN_SONGS, find_way, largest_step
from genrec.questions import Question, Rules, Seed
from genrec.types import Track

Float = NDArray[np.float32]
Fingerprint = NDArray[np.int8]
Plane = NDArray[np.float64]

DEFAULT_SONGS = 8
_COMPARED = 24  # tracks nearest to an end that are compared with its recording
_ROUNDS = 12  # of songs that a way drops because they repeat another


@dataclass(frozen=True, slots=True)
class WaySong:
    """A song of a way; an end that is a clip has no track.

    ``similarity`` is that to the song before, 0..1; None for the first.
    """

    track: Track | None
    title: str
    artist: str
    genre: str
    similarity: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """Songs from a start to a goal, each nearer to the goal than the one before.

    Attributes
    ----------
    songs
        Both ends included; only those if no song lies between them.
    wanted
        Number of songs that was asked for.
    chance_seed
        0 for the best way; another number repeats another way.
    places
        float (songs, 2), on a plane.
    around, around_genres
        float (n, 2) and n genres: the places of tracks near the way.
    """

    songs: tuple[WaySong, ...]
    wanted: int
    chance_seed: int
    places: Plane
    around: Plane
    around_genres: tuple[str, ...]

    @property
    def is_short(self) -> bool:
        """Whether the way has fewer songs than were asked for."""
        return len(self.songs) < self.wanted

    @property
    def tracks(self) -> tuple[Track, ...]:
        """The songs that are tracks of the catalogue."""
        return tuple(song.track for song in self.songs if song.track is not None)


@dataclass(frozen=True, slots=True, eq=False)
class _Node:
    """An end or a candidate of a way with what tells whether it repeats another song."""

    track: Track | None
    title: str
    artist: str
    genre: str
    embedding: Float
    fingerprint: Fingerprint

    @property
    def artists(self) -> frozenset[str]:
        return credited_artists(self.artist, self.title)

    @property
    def song(self) -> tuple[str, str]:
        return artist_key(self.artist), song_key(self.title)


class PathFinder:
    """Finds ways of songs between two seeds in the catalogue of a recommender, one at a time."""

    def __init__(self, recommender: Recommender) -> None:
        self._recommender = recommender
        self._matcher = RecordingMatcher(recommender.preset.spectrogram)
        self._turn = asyncio.Lock()

    async def find(
        self, start: Seed, goal: Seed, rules: Rules, *, songs: int = DEFAULT_SONGS,
        chance_seed: int = 0,
    ) -> Way:  # fmt: skip
        """Return the way of ``songs`` songs between two seeds, or a shorter one.

        The songs between the ends are of artists that are not those of the ends, and of one artist
        each. Of the rules count the scopes, the genre, tempo and key, and what is left out by its
        id or artist. The fallback scopes are added if the scopes hold too few songs.

        Raises
        ------
        ValueError
            ``songs`` is not within ``MIN_SONGS`` and ``MAX_SONGS``.
        SameSong
            Both ends are the same song.
        NoMusic
            An end is a clip without music.
        KeyUnclear
            Compatible keys are wanted, and the key of an end is not confident.
        TagUnknown
            A sound tag is wanted that the preset does not have.
        """
        if not MIN_SONGS <= songs <= MAX_SONGS:
            raise ValueError(f"songs={songs}: expected {MIN_SONGS}..{MAX_SONGS}")
        for seed in (start, goal):
            if seed.analysis is not None:
                self._recommender.require_music(seed.analysis)
        ends = (_end(start), _end(goal))
        if await asyncio.to_thread(self._is_same, start, goal):
            raise SameSong("Both ends are the same song. Choose two songs.")
        question = Question((start, goal), rules)
        way = await self._find(question, ends, songs, chance_seed)
        if way.is_short and rules.fallback:
            scopes = (*rules.scopes, *rules.fallback)
            wider = replace(question, rules=replace(rules, scopes=scopes, fallback=()))
            other = await self._find(wider, ends, songs, chance_seed)
            if len(other.songs) > len(way.songs):
                return other
        return way

    async def _find(
        self, question: Question, ends: tuple[_Node, _Node], songs: int, chance_seed: int
    ) -> Way:
        nodes = await self._candidates(question, ends)
        async with self._turn:  # a way of few artists takes long
            return await asyncio.to_thread(self._way, ends, nodes, songs, chance_seed)

    async def _candidates(self, question: Question, ends: tuple[_Node, _Node]) -> list[_Node]:
        """Return the tracks near the arc between the ends that the rules allow."""
        rules = question.rules
        artists = frozenset().union(rules.without_artists, *(end.artists for end in ends))
        ids = frozenset(end.track.id for end in ends if end.track is not None)
        among = TrackFilter(
            rules.scopes,
            rules.genre,
            music_filter(question),
            without=ids | rules.without_tracks | rules.shown,
            without_artists=artists,
            reading=self._recommender.preset.tags,
        )
        near = await self._recommender.index.near_arc(ends[0].embedding, ends[1].embedding, among)
        found = near.ids.tolist()
        tracks = {track.id: track for track in await self._recommender.tracks(found, rules.scopes)}
        model_id = self._recommender.preset.model_id
        prints = await self._recommender.catalogue.fingerprints(model_id, found)
        nodes = [
            _Node(
                track=tracks[i],
                title=tracks[i].title,
                artist=tracks[i].artist,
                genre=tracks[i].genre,
                embedding=vector,
                fingerprint=prints.get(i, NO_FINGERPRINT),
            )
            for i, vector in zip(found, near.vectors, strict=True)
            if i in tracks
        ]
        return [node for node in nodes if not node.artists & artists]

    def _way(
        self, ends: tuple[_Node, _Node], nodes: Sequence[_Node], songs: int, chance_seed: int
    ) -> Way:
        """Return the way through candidates; songs that repeat another are dropped in turn."""
        around = np.array([node.embedding for node in nodes], dtype=np.float32)
        around = around.reshape(len(nodes), len(ends[0].embedding))
        own = {id(node) for end in ends for node in self._copies(end, nodes)}
        left = [node for node in nodes if id(node) not in own]
        chosen = self._chosen(ends, left, songs, chance_seed)
        if songs > DEFAULT_SONGS:
            # Songs that were dropped may have left larger steps than a shorter way has.
            fewer = self._chosen(ends, left, DEFAULT_SONGS, chance_seed)
            if _largest(chosen) > LONGER * _largest(fewer):
                chosen = fewer
        return self._drawn(chosen, nodes, around, songs, chance_seed)

    def _chosen(
        self, ends: tuple[_Node, _Node], left: list[_Node], songs: int, chance_seed: int
    ) -> list[_Node]:
        """Return the songs of a way; those that repeat another are dropped in turn."""
        chosen: list[_Node] = list(ends)
        for _ in range(_ROUNDS):
            all_nodes = [ends[0], *left, ends[1]]
            rows = np.array([node.embedding for node in all_nodes], dtype=np.float32)
            ids = np.array([node.track.id if node.track else 0 for node in all_nodes])
            way = find_way(rows, _groups(all_nodes), songs, ids=ids, chance_seed=chance_seed)
            chosen = [all_nodes[i] for i in way]
            repeated = self._repeated(chosen)
            if not repeated:
                break
            left = [node for node in left if id(node) not in repeated]
        else:
            repeated = self._repeated(chosen)
            chosen = [node for node in chosen if id(node) not in repeated]
        return chosen

    def _drawn(
        self, chosen: Sequence[_Node], nodes: Sequence[_Node], around: Float, songs: int,
        chance_seed: int,
    ) -> Way:  # fmt: skip
        """Return the way with the similarity of each step and its places on a plane."""
        rows = np.array([node.embedding for node in chosen], dtype=np.float32)
        used = {id(node) for node in chosen}
        others = [i for i, node in enumerate(nodes) if id(node) not in used]
        kept = [others[i] for i in nearest_around(rows, around[others])]
        places, around_places = local_plane(rows, around[kept])
        similarity = self._recommender.preset.calibration.similarity
        steps = [None, *(similarity(float(a @ b)) for a, b in pairwise(rows))]
        return Way(
            songs=tuple(
                WaySong(node.track, node.title, node.artist, node.genre, step)
                for node, step in zip(chosen, steps, strict=True)
            ),
            wanted=songs,
            chance_seed=chance_seed,
            places=places,
            around=around_places,
            around_genres=tuple(nodes[i].genre for i in kept),
        )

    def _is_same(self, start: Seed, goal: Seed) -> bool:
        """Return whether two seeds are one track, one recording or versions of one song."""
        if start.track is not None and goal.track is not None and start.track.id == goal.track.id:
            return True
        ends = _end(start), _end(goal)
        if all(ends[0].song) and ends[0].song == ends[1].song:
            return True
        return self._matcher.same(ends[0].fingerprint, ends[1].fingerprint)

    def _copies(self, end: _Node, nodes: Sequence[_Node]) -> list[_Node]:
        """Return the candidates that are an end's own recording."""
        if not nodes:
            return []
        cosines = np.array([node.embedding @ end.embedding for node in nodes])
        near = [nodes[i] for i in np.argsort(-cosines, kind="stable")[:_COMPARED]]
        prints = [node.fingerprint for node in near]
        speeds = SPEEDS if end.track is None else SAME_SPEED
        found = self._matcher.match(end.fingerprint, prints, speeds)
        return [node for node, value in zip(near, found, strict=True) if value >= SAME_RECORDING]

    def _repeated(self, chosen: Sequence[_Node]) -> set[int]:
        """Return the songs between the ends, by identity, that repeat one before or an end."""
        repeated: set[int] = set()
        kept = [chosen[0], chosen[-1]]
        for node in chosen[1:-1]:
            prints = [other.fingerprint for other in kept]
            same = self._matcher.match(node.fingerprint, prints, SAME_SPEED) >= SAME_RECORDING
            if same.any() or any(node.artists & other.artists for other in kept):
                repeated.add(id(node))
            else:
                kept.append(node)
        return repeated


def _end(seed: Seed) -> _Node:
    return _Node(
        track=seed.track,
        title=seed.title,
        artist=seed.artist,
        genre=seed.track.genre if seed.track is not None else seed.genre,
        embedding=seed.embedding,
        fingerprint=NO_FINGERPRINT if seed.fingerprint is None else seed.fingerprint,
    )


def _largest(nodes: Sequence[_Node]) -> float:
    rows = np.array([node.embedding for node in nodes], dtype=np.float32)
    return largest_step(rows, list(range(len(nodes))))


def _groups(nodes: Sequence[_Node]) -> NDArray[np.int64]:
    """Return a number for each artist; -1 without one."""
    known: dict[str, int] = {}
    keys = [artist_key(node.artist) for node in nodes]
    return np.array([known.setdefault(key, len(known)) if key else -1 for key in keys])
