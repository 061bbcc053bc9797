"""The use case of genrec: a clip's genre and similar tracks, without Discord."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bot.explanations import explained, filters, shortage
from bot.track_search import FoundTracks, TrackSearch
from db.analyses import AnalysisCache
from db.connection import Database
from db.gone_files import GoneFiles
from db.matrix import MatrixNeighbours
from db.neighbours import Neighbours
from db.similar_names import similar_names
from db.starter_scope import replace_starter
from genrec.agreement import Described
from genrec.errors import CatalogueError, NoMusic
from genrec.page_titles import SongName
from genrec.preset import Preset
from genrec.questions import SCOPES, Question, Seed
from genrec.selection import Candidate
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

NO_MUSIC = (
    "That clip seems to contain speech, noise or effects, and no music. Send a part where music"
    " is playing."
)
# Rules that the answer names where they leave out similar tracks.
_NAMED_RULES = ("artist", "per_artist", "shown", "unwanted")


class Recommender:
    """Recommends tracks from the catalogue.

    Parameters
    ----------
    pool
        Analyses clips.
    database
        Holds tracks and cached analyses.
    preset
        The model and its starter catalogue.
    index
        Finds neighbours; by default in memory.
    """

    def __init__(
        self,
        *,
        pool: Analyzer,
        database: Database,
        preset: Preset,
        index: Neighbours | None = None,
    ) -> None:
        self.preset = preset
        self.index = index or MatrixNeighbours(database, preset.model_id)
        self.catalogue = self.index.catalogue
        self._database = database
        self._pool = pool
        self._cache = AnalysisCache(database)
        self._gone_files = GoneFiles(database)
        self._search = TrackSearch(
            neighbours=self.index, gone_files=self._gone_files, preset=preset
        )

    async def open(self) -> None:
        """Add the starter catalogue to the database where it is missing, and load the index."""
        starter = await asyncio.to_thread(self.preset.starter)
        if starter is not None:
            await replace_starter(self._database, self.preset.model_id, starter)
        await self.reload()

    async def reload(self) -> None:
        """Bring the index up to date; searches that run keep the rows they started with."""
        await self.index.refresh()

    def is_empty(self, scopes: Collection[str] = SCOPES) -> bool:
        """Return whether the scopes held no track when the index was last brought up to date."""
        return not self.count(scopes)

    def count(self, scopes: Collection[str]) -> int:
        """Return the number of tracks of the scopes when the index was last brought up to date."""
        counts = self.index.count_by_scope()
        return sum(counts.get(scope, 0) for scope in set(scopes))

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
            tags=self.tags(analysis.embedding),
        )

    def tags(self, embedding: Float) -> tuple[str, ...]:
        """Return the sound tags of an embedding, most probable first; none without a reading."""
        return self.preset.tags.sure(embedding) if self.preset.tags is not None else ()

    def require_music(self, analysis: Analysis) -> None:
        """Raise NoMusic if an analysed clip holds no music, so that no catalogue gets it."""
        if not self.is_music(analysis):
            raise NoMusic(NO_MUSIC)

    def is_music(self, analysis: Analysis) -> bool:
        """Return whether an analysed clip holds music, by the preset's threshold."""
        return analysis.music >= self.preset.calibration.music_below

    def clip_seed(self, analysis: Analysis, clip: Clip, *, liked: bool = True) -> Seed:
        """Return the seed of an analysed clip; the clip's names are those of the song."""
        best = analysis.scores[0]
        unsure = best.probability < self.preset.calibration.unsure_below
        return Seed(
            analysis.embedding,
            liked=liked,
            title=clip.title,
            artist=clip.artist,
            fingerprint=analysis.fingerprint,
            description=analysis.description,
            genre="" if unsure else best.label,
            analysis=analysis,
            sha256=clip.sha256,
        )

    async def track_seed(self, track: Track, *, liked: bool = True) -> Seed:
        """Return the seed of a track of the catalogue.

        Raises
        ------
        CatalogueError
            The track is no longer in the catalogue.
        """
        found = await self.index.vectors([track.id])
        if not len(found.ids):
            raise CatalogueError("That track is no longer in the catalogue. Send a clip instead.")
        fingerprints = await self.catalogue.fingerprints(self.preset.model_id, [track.id])
        return Seed(
            found.vectors[0],
            liked=liked,
            track=track,
            title=track.title,
            artist=track.artist,
            fingerprint=fingerprints.get(track.id),
            description=await self.description(track.id),
            genre=found.genres[0],
        )

    async def answer(self, question: Question) -> Recommendation:
        """Return tracks for a question: those of its scopes, or else of its fallback scopes.

        For a single clip the answer has its genre too, and ``known`` is the track of the scopes
        that is the clip's own recording. A single clip without music gets no tracks.

        Raises
        ------
        KeyUnclear
            Compatible keys are wanted, and the key of a liked seed is not confident.
        TagUnknown
            A sound tag is wanted that the preset does not have.
        NoMusic
            One of several seeds is a clip without music.
        """
        analyses = [seed.analysis for seed in question.seeds if seed.analysis is not None]
        alone = analyses[0] if question.single is not None and analyses else None
        if alone is not None and not self.is_music(alone):
            return self.genre(alone)
        for analysis in analyses:
            self.require_music(analysis)
        start = time.perf_counter()
        rules = question.rules
        first = found = await self._search.find(question)
        if not found.tracks and rules.fallback:
            again = replace(question, rules=replace(rules, scopes=rules.fallback, fallback=()))
            other = await self._search.find(again)
            if other.tracks:
                question, found = again, replace(other, known=first.known or other.known)
        rec = replace(self._recommendation(question, found), fallback=found is not first)
        seeds = [Described(seed.description, seed.genre) for seed in question.liked]
        rec = await self.explain(rec, question.rules.scopes, seeds)
        if alone is None:
            return replace(rec, timings_ms={"total": _ms(start)})
        return replace(rec, timings_ms={**alone.timings_ms, "search": _ms(start)})

    async def nearest(self, question: Question, count: int) -> list[Candidate]:
        """Return up to ``count`` tracks nearest to the seeds, also ones that are not similar.

        Scopes, genre, tempo, key, tags, new artists and what is left out by its id or artist count.
        The other rules do not: one artist may have many of the tracks, and a song several versions.

        Raises
        ------
        KeyUnclear
            Compatible keys are wanted, and the key of a liked seed is not confident.
        TagUnknown
            A sound tag is wanted that the preset does not have.
        """
        return await self._search.nearest(question, count)

    async def explain(
        self,
        rec: Recommendation,
        scopes: Collection[str] = SCOPES,
        seeds: Sequence[Described] = (),
    ) -> Recommendation:
        """Return a recommendation with the description of each track and the reasons for it.

        ``seeds`` are the liked ones: by default what the recommendation describes.
        """
        described = await self.index.described([each.track.id for each in rec.tracks])
        statistics = await self.index.statistics(scopes)
        return await asyncio.to_thread(explained, rec, described, statistics, seeds)

    async def tracks(self, ids: Sequence[int], scopes: Collection[str] = SCOPES) -> list[Track]:
        """Return the tracks with these ids that the scopes hold, in the order of ``ids``.

        A track whose file was deleted is left out.
        """
        found = await self._search.tracks(ids)
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

    async def embedding(self, track_id: int) -> Float | None:
        """Return the embedding of a track in the index, or None."""
        found = await self.index.vectors([track_id])
        return found.vectors[0] if len(found.ids) else None

    async def description(self, track_id: int) -> MusicDescription | None:
        """Return the music description of a track in the index, or None."""
        return (await self.index.described([track_id])).get(track_id)

    async def compare(
        self, embedding: Float, ids: Sequence[int], scopes: Collection[str] = SCOPES
    ) -> tuple[Neighbour, ...]:
        """Return those of the tracks that the scopes hold, each with its similarity."""
        found = await self.index.vectors(ids)
        if not len(found.ids):
            return ()
        cosines = dict(zip(found.ids.tolist(), found.vectors @ embedding, strict=True))
        return tuple(
            Neighbour(track, self.preset.calibration.similarity(float(cosines[track.id])))
            for track in await self.tracks(ids, scopes)
            if track.id in cosines
        )

    def _recommendation(self, question: Question, found: FoundTracks) -> Recommendation:
        """Return the recommendation of found tracks, without reasons and timings."""
        rules, seed = question.rules, question.single
        left_out: tuple[str, ...] = ()
        if len(found.tracks) < rules.count:
            left_out = tuple(rule for rule in _NAMED_RULES if rule in found.left_out)
        if seed is not None and seed.analysis is not None:
            rec = self.genre(seed.analysis)
        else:
            genres = {seed.genre for seed in question.liked}
            rec = Recommendation(
                model_id=self.preset.model_id,
                genre=genres.pop() if len(genres) == 1 else None,
                unsure=False,
                scores=(),
                tracks=(),
                description=question.liked[0].description if len(question.liked) == 1 else None,
                tags=self.tags(seed.embedding) if seed is not None else (),
            )
        return replace(
            rec,
            tracks=found.tracks,
            known=found.known,
            note=shortage(len(found.tracks), rules.count, rules.genre, found.music, left_out),
            filters=filters(rules.genre, found.music),
            left_out=left_out,
        )


def _ms(since: float) -> float:
    return round(1000 * (time.perf_counter() - since), 3)
