"""The use case of genrec: a clip's genre and similar tracks, without Discord."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from db.analyses import AnalysisCache
from db.catalogue_rows import CatalogueRows
from db.connection import Database
from db.gone_files import GoneFiles
from db.index.live import LiveIndex
from db.similar_names import similar_names
from db.starter_scope import replace_starter
from genrec.agreement import Described, agreements, choose_reasons
from genrec.errors import CatalogueError, NoMusic
from genrec.fingerprint import (
    NO_FINGERPRINT,
    SAME_RECORDING,
    SAME_SPEED,
    SPEEDS,
    Fingerprint,
    RecordingMatcher,
)
from genrec.music_filter import ANY_MUSIC, ANY_WISH, MusicFilter, MusicWish
from genrec.names import artist_key, song_key
from genrec.page_titles import SongName
from genrec.preset import Preset
from genrec.similarity import Candidate, NeighbourIndex, SelectionRules, select_neighbours
from genrec.song_match import SongMatch, match_song
from genrec.types import (
    Analysis,
    Analyzer,
    Clip,
    MusicDescription,
    Neighbour,
    Recommendation,
    Track,
)

Float = NDArray[np.float32]
log = logging.getLogger(__name__)

SCOPES = ("starter", "library")  # of a request that belongs to no guild
FIRST_CANDIDATES = 48  # fetched at first; four times as many each time the rules use them up
NO_MUSIC = (
    "That clip seems to contain speech, noise or effects, and no music. Send a part where music"
    " is playing."
)
# Nearest tracks that are compared with the clip, at every speed and at its own.
ANY_SPEED_CANDIDATES = 64
NEAR_CANDIDATES = 256


@dataclass(frozen=True, slots=True)
class NearTracks:
    """The tracks nearest to an embedding, and the search that found them.

    ``lowest`` is the smallest cosine, or minus infinity if the scopes hold no further track.
    """

    candidates: Sequence[Candidate]
    lowest: float
    rows: CatalogueRows
    embedding: Float
    scopes: Collection[str]
    genre: str | None
    without: int
    music: MusicFilter


class Recommender:
    """Recommends tracks from an index in memory.

    Parameters
    ----------
    pool
        Analyses clips.
    database
        Holds tracks and cached analyses.
    preset
        The model and its starter catalogue.
    """

    def __init__(self, *, pool: Analyzer, database: Database, preset: Preset) -> None:
        self.preset = preset
        self.index = LiveIndex(database, preset.model_id)
        self.catalogue = self.index.catalogue
        self._database = database
        self._pool = pool
        self._cache = AnalysisCache(database)
        self._gone_files = GoneFiles(database)
        self._matcher = RecordingMatcher(preset.spectrogram)

    async def open(self) -> None:
        """Add the starter catalogue to the database where it is missing, and load the index."""
        starter = await asyncio.to_thread(self.preset.starter)
        if starter is not None:
            await replace_starter(self._database, self.preset.model_id, starter)
        await self.reload()

    async def reload(self) -> None:
        """Bring the index up to date; searches that run keep the rows they started with."""
        await self.index.rows()

    def is_empty(self, scopes: Collection[str] = SCOPES) -> bool:
        """Return whether the scopes held no track when the index was last brought up to date."""
        counts = self.index.count_by_scope()
        return not any(counts.get(scope) for scope in scopes)

    async def analyze(self, clip: Clip) -> Analysis:
        """Analyse a clip, or return the cached analysis of the same bytes.

        A cache that cannot be read or written, as on a full disk, costs time and no request.
        """
        start = time.perf_counter()
        cached = None
        try:
            cached = await self._cache.get(clip.sha256, self.preset.model_id)
        except CatalogueError as error:
            log.warning("analysis cache not readable: %s", error)
        if cached is not None:
            return replace(cached, timings_ms={"cache": _ms(start)})
        analysis = await self._pool.analyze(clip.path)
        try:
            await self._cache.put(clip.sha256, analysis)
        except CatalogueError as error:
            log.warning("analysis not cached: %s", error)
        return analysis

    async def cached(self, prefix: str) -> Analysis | None:
        """Return the cached analysis of a clip whose digest begins with ``prefix``, or None."""
        return await self._cache.find(prefix, self.preset.model_id)

    def genre(self, analysis: Analysis) -> Recommendation:
        """Return the genre of an analysed clip, without tracks; no genre if it holds no music."""
        if not self.is_music(analysis):
            return Recommendation(
                model_id=analysis.model_id,
                genre=None,
                unsure=False,
                scores=(),
                tracks=(),
                note=NO_MUSIC,
                timings_ms=dict(analysis.timings_ms),
                music=False,
                music_probability=analysis.music,
            )
        best = analysis.scores[0]
        return Recommendation(
            model_id=analysis.model_id,
            genre=best.label,
            unsure=best.probability < self.preset.calibration.unsure_below,
            scores=analysis.scores,
            tracks=(),
            timings_ms=dict(analysis.timings_ms),
            music_probability=analysis.music,
            description=analysis.description,
        )

    def require_music(self, analysis: Analysis) -> None:
        """Raise NoMusic if an analysed clip holds no music, so that no catalogue gets it."""
        if not self.is_music(analysis):
            raise NoMusic(NO_MUSIC)

    def is_music(self, analysis: Analysis) -> bool:
        """Return whether an analysed clip holds music, by the preset's threshold."""
        return analysis.music >= self.preset.calibration.music_below

    async def recommend(
        self,
        analysis: Analysis,
        *,
        clip: Clip,
        k: int = 5,
        genre: str | None = None,
        scopes: Collection[str] = SCOPES,
        fallback: Collection[str] = (),
        per_artist: int = 1,
        music: MusicWish = ANY_WISH,
    ) -> Recommendation:
        """Return the genre of an analysed clip and up to ``k`` similar tracks of the scopes.

        If they hold none, the scopes of ``fallback`` are searched. ``clip`` names the song, so that
        no other version of it is recommended. ``known`` is the track of the scopes that is the
        clip's own recording. A clip without music gets no tracks.

        Raises
        ------
        KeyUnclear
            Compatible keys are wanted, and the clip's key is not confident.
        """
        if not self.is_music(analysis):
            return self.genre(analysis)
        start = time.perf_counter()
        wanted = music.of_clip(analysis.description)
        near = await self._search(analysis.embedding, NEAR_CANDIDATES, scopes)
        copies = await asyncio.to_thread(self._copies, analysis.fingerprint, near.candidates)
        tracks = await self._neighbours(
            near,
            self._rules(k, per_artist),
            clip=analysis.fingerprint,
            copies={copy.track.id for copy, _ in copies},
            clip_song=(artist_key(clip.artist), song_key(clip.title)),
            genre=genre,
            music=wanted,
        )
        if not tracks and fallback:
            found = await self.recommend(
                analysis, clip=clip, k=k, genre=genre, scopes=fallback, per_artist=per_artist,
                music=music,
            )  # fmt: skip
            if found.tracks:
                return replace(found, known=best_named(copies) or found.known, fallback=True)
        found = replace(
            self.genre(analysis),
            tracks=tracks,
            known=best_named(copies),
            note=shortage(len(tracks), k, genre, wanted),
            filters=filters(genre, wanted),
        )
        found = await asyncio.to_thread(_explained, found, near.rows, scopes)
        return replace(found, timings_ms={**analysis.timings_ms, "search": _ms(start)})

    async def explain(
        self, rec: Recommendation, scopes: Collection[str] = SCOPES
    ) -> Recommendation:
        """Return a recommendation with the description of each track and the reasons for it."""
        return await asyncio.to_thread(_explained, rec, await self.index.rows(), scopes)

    async def tracks(self, ids: Sequence[int], scopes: Collection[str] = SCOPES) -> list[Track]:
        """Return the tracks with these ids that the scopes hold, in the order of ``ids``.

        A track whose file was deleted is left out.
        """
        found = await self._tracks(ids)
        return [found[i] for i in ids if i in found and found[i].scope in scopes]

    async def find_song(
        self, names: Sequence[SongName], scopes: Collection[str] = SCOPES
    ) -> SongMatch:
        """Return the track of the scopes that a song's name means, or tracks with similar names."""
        match = SongMatch()
        async for candidates in similar_names(self._database, self.preset.model_id, scopes, names):
            gone = await self._gone_files.among(candidates)
            present = [track for track in candidates if track.id not in gone]
            match = await asyncio.to_thread(match_song, names, present)
            if match.sure is not None or match.similar:
                break
        return match

    async def like(
        self,
        seed: Track,
        *,
        k: int = 5,
        genre: str | None = None,
        scopes: Collection[str] = SCOPES,
        fallback: Collection[str] = (),
        per_artist: int = 1,
        music: MusicWish = ANY_WISH,
    ) -> Recommendation:
        """Return tracks similar to ``seed``, a track of the catalogue, with its genre.

        If the scopes hold none, those of ``fallback`` are searched.

        Raises
        ------
        CatalogueError
            The track is no longer in the catalogue.
        KeyUnclear
            Compatible keys are wanted, and the track's key is not confident.
        """
        start = time.perf_counter()
        rows = await self.index.rows()
        places = np.flatnonzero(rows.ids == seed.id)
        if not len(places):
            raise CatalogueError("That track is no longer in the catalogue. Send a clip instead.")
        place = int(places[0])
        fingerprints = await self.catalogue.fingerprints(self.preset.model_id, [seed.id])
        clip = fingerprints.get(seed.id)
        description = rows.described([seed.id]).get(seed.id)
        wanted = music.of_clip(description)
        near = await self._search(
            rows.matrix[place], FIRST_CANDIDATES, scopes, genre, seed.id, wanted
        )
        copies = (
            [] if clip is None else await asyncio.to_thread(self._copies, clip, near.candidates)
        )
        tracks = await self._neighbours(
            near,
            self._rules(k, per_artist),
            clip=clip,
            copies={copy.track.id for copy, _ in copies},
            clip_song=(artist_key(seed.artist), song_key(seed.title)),
            genre=genre,
            music=wanted,
        )
        if not tracks and fallback:
            found = await self.like(
                seed, k=k, genre=genre, scopes=fallback, per_artist=per_artist, music=music
            )
            if found.tracks:
                return replace(found, fallback=True)
        found = Recommendation(
            model_id=self.preset.model_id,
            genre=rows.genres[place],
            unsure=False,
            scores=(),
            tracks=tracks,
            note=shortage(len(tracks), k, genre, wanted),
            filters=filters(genre, wanted),
            description=description,
        )
        found = await asyncio.to_thread(_explained, found, near.rows, scopes)
        return replace(found, timings_ms={"total": _ms(start)})

    async def embedding(self, track_id: int) -> Float | None:
        """Return the embedding of a track in the index, or None."""
        rows = await self.index.rows()
        places = np.flatnonzero(rows.ids == track_id)
        return rows.matrix[places[0]] if len(places) else None

    async def description(self, track_id: int) -> MusicDescription | None:
        """Return the music description of a track in the index, or None."""
        rows = await self.index.rows()
        return rows.described([track_id]).get(track_id)

    async def compare(
        self, embedding: Float, ids: Sequence[int], scopes: Collection[str] = SCOPES
    ) -> tuple[Neighbour, ...]:
        """Return those of the tracks that the scopes hold, each with its similarity."""
        rows = await self.index.rows()
        places = await asyncio.to_thread(lambda: np.flatnonzero(np.isin(rows.ids, list(ids))))
        cosines = dict(zip(rows.ids[places].tolist(), rows.matrix[places] @ embedding, strict=True))
        return tuple(
            Neighbour(track, self.preset.calibration.similarity(float(cosines[track.id])))
            for track in await self.tracks(ids, scopes)
            if track.id in cosines
        )

    def _rules(self, k: int, per_artist: int) -> SelectionRules:
        floor = self.preset.calibration.cosine_floor
        return SelectionRules(count=k, per_artist=per_artist, floor=floor)

    def _copies(
        self, fingerprint: Fingerprint, candidates: Sequence[Candidate]
    ) -> list[tuple[Candidate, float]]:
        """Return the candidates that are the clip's recording, each with its correlation."""
        found: list[tuple[Candidate, float]] = []
        for part, speeds in (
            (candidates[:ANY_SPEED_CANDIDATES], SPEEDS),
            (candidates[ANY_SPEED_CANDIDATES:], SAME_SPEED),
        ):
            prints = [candidate.fingerprint for candidate in part]
            correlations = self._matcher.match(fingerprint, prints, speeds)
            found += zip(part, correlations.tolist(), strict=True)
        return [copy for copy in found if copy[1] >= SAME_RECORDING]

    async def _search(
        self,
        embedding: Float,
        count: int,
        scopes: Collection[str],
        genre: str | None = None,
        without: int = 0,
        music: MusicFilter = ANY_MUSIC,
    ) -> NearTracks:
        """Return the nearest tracks of the scopes, of a genre, tempo and key if they are given."""
        rows = await self.index.rows()
        index = NeighbourIndex(rows.ids, rows.matrix)
        # With a million tracks this takes long enough to block the event loop.
        allowed = await asyncio.to_thread(rows.allowed, scopes, genre, None, music)
        allowed &= rows.ids != without
        ids, cosines = await asyncio.to_thread(index.search, embedding, count, allowed=allowed)
        candidates = await self._candidates(ids, cosines)
        lowest = float(cosines[-1]) if len(ids) == count else -np.inf
        return NearTracks(candidates, lowest, rows, embedding, scopes, genre, without, music)

    async def _neighbours(
        self,
        near: NearTracks,
        rules: SelectionRules,
        *,
        clip: Fingerprint | None,
        copies: Collection[int],
        clip_song: tuple[str, str],
        genre: str | None,
        music: MusicFilter,
    ) -> tuple[Neighbour, ...]:
        """Return the neighbours among the near tracks; search further while there are too few.

        ``copies`` are the ids of those near tracks that are the clip's recording. Tracks found
        later are compared with ``clip`` one by one.
        """
        compared = {candidate.track.id for candidate in near.candidates}

        def is_clip(candidate: Candidate) -> bool:
            if candidate.track.id in compared:
                return candidate.track.id in copies
            return clip is not None and self._matcher.same(clip, candidate.fingerprint)

        count = max(FIRST_CANDIDATES, 4 * rules.count)
        search = partial(self._search, near.embedding, scopes=near.scopes, genre=genre)
        search = partial(search, without=near.without, music=music)
        if (genre, music) != (near.genre, near.music):
            near = await search(count=count)
        while True:
            chosen = await asyncio.to_thread(
                select_neighbours,
                near.candidates,
                rules,
                same_recording=self._is_any,
                is_clip=is_clip,
                clip_song=clip_song,
            )
            if len(chosen) == rules.count or near.lowest < rules.floor:
                similarities = [self.preset.calibration.similarity(c.cosine) for c in chosen]
                return tuple(
                    Neighbour(c.track, near_by)
                    for c, near_by in zip(chosen, similarities, strict=True)
                )
            count = 4 * max(count, len(near.candidates))
            near = await search(count=count)

    def _is_any(self, fingerprint: Fingerprint, others: Sequence[Fingerprint]) -> bool:
        """Return whether a fingerprint is of the recording of one of the others."""
        return bool((self._matcher.match(fingerprint, others, SAME_SPEED) >= SAME_RECORDING).any())

    async def _candidates(self, ids: Iterable[int], cosines: Iterable[float]) -> list[Candidate]:
        wanted = [int(i) for i in ids]
        tracks = await self._tracks(wanted)
        fingerprints = await self.catalogue.fingerprints(self.preset.model_id, wanted)
        return [
            Candidate(
                track=tracks[i],
                cosine=float(cosine),
                artist_key=artist_key(tracks[i].artist),
                song_key=song_key(tracks[i].title),
                fingerprint=fingerprints.get(i, NO_FINGERPRINT),
            )
            for i, cosine in zip(wanted, cosines, strict=True)
            if i in tracks  # not removed since the index was loaded
        ]

    async def _tracks(self, ids: Sequence[int]) -> dict[int, Track]:
        found = await self.catalogue.tracks(self.preset.model_id, ids)
        gone = await self._gone_files.among(found.values())
        return {track_id: track for track_id, track in found.items() if track_id not in gone}


def _explained(rec: Recommendation, rows: CatalogueRows, scopes: Collection[str]) -> Recommendation:
    """Return a recommendation with the descriptions of `rows` and the reasons for each track."""
    described = rows.described([each.track.id for each in rec.tracks])
    statistics = rows.statistics(scopes)
    clip = Described(rec.description, "" if rec.unsure else rec.genre or "")
    tracks = [replace(each, description=described.get(each.track.id)) for each in rec.tracks]
    found = [
        agreements(clip, Described(each.description, each.track.genre), statistics)
        for each in tracks
    ]
    chosen = zip(tracks, choose_reasons(found), strict=True)
    return replace(rec, tracks=tuple(replace(each, reasons=why) for each, why in chosen))


def best_named(copies: Iterable[tuple[Candidate, float]]) -> Track | None:
    """Return the copy with the best correlation, of those with an artist if there is one."""
    best = max(copies, key=lambda copy: (bool(copy[0].artist_key), copy[1]), default=None)
    return best[0].track if best else None


def shortage(found: int, k: int, genre: str | None, music: MusicFilter = ANY_MUSIC) -> str:
    """Return a sentence if fewer than ``k`` tracks were found, else ""."""
    if found >= k:
        return ""
    track = f"{genre} track" if genre else "track"
    if limits := " and ".join(name for name in filters(None, music)):
        track += f" of this {limits}"
    if not found:
        return f"No {track} in the library is similar enough."
    return f"Only {found} of {k}: no other {track} in the library is similar enough."


def filters(genre: str | None, music: MusicFilter) -> tuple[str, ...]:
    """Return the names of the options that a track has to fit."""
    asked = (("genre", genre), ("tempo", music.tempo), ("key", music.keys))
    return tuple(name for name, wanted in asked if wanted is not None)


def _ms(since: float) -> float:
    return round(1000 * (time.perf_counter() - since), 3)
