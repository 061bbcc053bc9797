"""The use case: a clip in, its genre and the tracks that sound alike out. Knows no Discord."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from db.analyses import AnalysisCache
from db.connection import Database
from db.index.live import LiveIndex
from db.starter_scope import replace_starter
from genrec.errors import CatalogueError
from genrec.fingerprint import COLUMNS_EACH, same_recording
from genrec.names import artist_key, song_key
from genrec.preset import Preset
from genrec.similarity import Candidate, NeighbourIndex, SelectionRules, select_neighbours
from genrec.types import Analysis, Analyzer, Clip, Neighbour, Recommendation

Float = NDArray[np.float32]

FIRST_LOOK = 48  # candidates fetched at first; more only where the choice uses them up
NO_FINGERPRINT = np.zeros((15, 1), dtype=np.int8)


class Recommender:
    """Answers clips from a catalogue held in memory as one matrix.

    Parameters
    ----------
    pool
        Hears clips.
    database
        Keeps tracks and analyses.
    preset
        The model; its starter catalogue is served from the start.
    """

    def __init__(self, *, pool: Analyzer, database: Database, preset: Preset) -> None:
        self.preset = preset
        self.served = LiveIndex(database, preset.model_id)
        self.catalogue = self.served.catalogue
        self._database = database
        self._pool = pool
        self._cache = AnalysisCache(database)

    async def open(self) -> None:
        """Put the starter catalogue into the database where it is not yet, and load the index."""
        starter = await asyncio.to_thread(self.preset.starter)
        if starter is not None:
            await replace_starter(self._database, self.preset.model_id, starter)
        await self.reload()

    async def reload(self) -> None:
        """Hold what is served now; searches under way keep the rows they started with."""
        await self.served.rows()

    async def analyze(self, clip: Clip) -> Analysis:
        """Hear a clip, or remember what was heard in the same bytes."""
        known = await self._cache.get(clip.sha256, self.preset.model_id)
        if known is not None:
            return replace(known, timings_ms={"cache": 0.0})
        analysis = await self._pool.analyze(clip.path)
        await self._cache.put(clip.sha256, analysis)
        return analysis

    async def recommend(
        self,
        clip: Clip,
        *,
        k: int = 5,
        genre: str | None = None,
        scopes: Collection[str] = ("starter", "library"),
        per_artist: int = 1,
    ) -> Recommendation:
        """Answer a clip with its genre and up to ``k`` tracks of the scopes."""
        start = time.perf_counter()
        analysis = await self.analyze(clip)
        heard = time.perf_counter()
        tracks = await self._neighbours(
            analysis.embedding,
            SelectionRules(
                count=k, per_artist=per_artist, floor=self.preset.calibration.cosine_floor
            ),
            clip=analysis.fingerprint,
            clip_song=(artist_key(clip.artist), song_key(clip.title)),
            genre=genre,
            scopes=scopes,
        )
        return replace(
            self._genre(analysis),
            tracks=tracks,
            note=shortage(len(tracks), k, genre),
            timings_ms={**analysis.timings_ms, "search": _ms(heard), "total": _ms(start)},
        )

    async def genre(self, clip: Clip) -> Recommendation:
        """Answer a clip with its genre alone."""
        start = time.perf_counter()
        analysis = await self.analyze(clip)
        return replace(
            self._genre(analysis), timings_ms={**analysis.timings_ms, "total": _ms(start)}
        )

    def _genre(self, analysis: Analysis) -> Recommendation:
        best = analysis.scores[0]
        return Recommendation(
            model_id=analysis.model_id,
            genre=best.label,
            unsure=best.probability < self.preset.calibration.unsure_below,
            scores=analysis.scores,
            tracks=(),
        )

    async def like(
        self,
        track_id: int,
        *,
        k: int = 5,
        genre: str | None = None,
        scopes: Collection[str] = ("starter", "library"),
        per_artist: int = 1,
    ) -> Recommendation:
        """Answer with what sounds like a track of the catalogue; its genre is the one it has there.

        A track that is served no more is a CatalogueError.
        """
        start = time.perf_counter()
        rows = await self.served.rows()
        place = np.flatnonzero(rows.ids == track_id)
        known = await self.catalogue.tracks(self.preset.model_id, [track_id])
        if not len(place) or track_id not in known:
            raise CatalogueError("That track is not in the catalogue any more; ask with a clip.")
        seed = known[track_id]
        prints = await self.catalogue.fingerprints(self.preset.model_id, [track_id])
        tracks = await self._neighbours(
            rows.matrix[place[0]],
            SelectionRules(
                count=k, per_artist=per_artist, floor=self.preset.calibration.cosine_floor
            ),
            clip=prints.get(track_id),
            clip_song=(artist_key(seed.artist), song_key(seed.title)),
            genre=genre,
            scopes=scopes,
            without=track_id,
        )
        return Recommendation(
            model_id=self.preset.model_id,
            genre=rows.genres[int(place[0])],
            unsure=False,
            scores=(),
            tracks=tracks,
            note=shortage(len(tracks), k, genre),
            timings_ms={"total": _ms(start)},
        )

    async def _neighbours(
        self,
        embedding: Float,
        choice: SelectionRules,
        *,
        clip: NDArray[np.int8] | None,
        clip_song: tuple[str, str],
        genre: str | None,
        scopes: Collection[str],
        without: int = 0,
    ) -> tuple[Neighbour, ...]:
        rows = await self.served.rows()
        index = NeighbourIndex(rows.ids, rows.matrix)
        # In a million tracks this too takes long enough to hold up the event loop.
        allowed = await asyncio.to_thread(rows.allowed, scopes, genre)
        allowed &= rows.ids != without
        same = partial(same_recording, column_s=self.preset.spectrogram.column_s * COLUMNS_EACH)
        look = max(FIRST_LOOK, 4 * choice.count)
        while True:
            ids, cosines = await asyncio.to_thread(index.search, embedding, look, allowed=allowed)
            candidates = await self._candidates(ids, cosines)
            chosen = await asyncio.to_thread(
                select_neighbours,
                candidates,
                choice,
                same_recording=same,
                clip=clip,
                clip_song=clip_song,
            )
            exhausted = len(ids) < look or cosines[-1] < choice.floor
            if len(chosen) == choice.count or exhausted:
                return tuple(
                    Neighbour(c.track, self.preset.calibration.similarity(c.cosine)) for c in chosen
                )
            look *= 4

    async def _candidates(self, ids: Iterable[int], cosines: Iterable[float]) -> list[Candidate]:
        wanted = [int(i) for i in ids]
        tracks = await self.catalogue.tracks(self.preset.model_id, wanted)
        prints = await self.catalogue.fingerprints(self.preset.model_id, wanted)
        return [
            Candidate(
                track=tracks[i],
                cosine=float(cosine),
                artist_key=artist_key(tracks[i].artist),
                song_key=song_key(tracks[i].title),
                fingerprint=prints.get(i, NO_FINGERPRINT),
            )
            for i, cosine in zip(wanted, cosines, strict=True)
            if i in tracks  # removed since the matrix was loaded
        ]


def shortage(found: int, k: int, genre: str | None) -> str:
    """Say why there are fewer tracks than asked for; nothing where there are enough."""
    if found >= k:
        return ""
    among = f"{genre} tracks" if genre else "tracks"
    if not found:
        return f"No {among} in the catalogue sound enough like this clip to recommend one."
    return f"Only {found} of {k}: no other {among} in the catalogue sound enough like this clip."


def _ms(since: float) -> float:
    return round(1000 * (time.perf_counter() - since), 3)
