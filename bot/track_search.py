"""Search of the catalogue for the tracks that answer a question."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from db.gone_files import GoneFiles
from db.neighbours import NearRows, Neighbours, TrackFilter
from genrec.fingerprint import (
    NO_FINGERPRINT,
    SAME_RECORDING,
    SAME_SPEED,
    SPEEDS,
    Fingerprint,
    RecordingMatcher,
)
from genrec.music_filter import ANY_MUSIC, MusicFilter
from genrec.names import artist_key, song_key
from genrec.preset import Preset
from genrec.questions import Question, Rules, Seed
from genrec.seed_scores import SeedScores
from genrec.selection import (
    SPREADS,
    Candidate,
    Checks,
    Selection,
    SelectionRules,
    select_neighbours,
    select_spread,
)
from genrec.types import Neighbour, Track

FIRST_CANDIDATES = 48  # fetched at first; four times as many each time the rules use them up
# Nearest tracks that are compared with a clip, at every speed and at its own.
ANY_SPEED_CANDIDATES = 64
NEAR_CANDIDATES = 256
MOST_CANDIDATES = 20_000  # fetched where the rules leave out nearly all

Copies = Sequence[tuple[Candidate, float]]
"""Tracks that are a seed's own recording, each with its correlation."""


@dataclass(frozen=True, slots=True, eq=False)
class TrackQuery:
    """Scores and filter of one search."""

    scores: SeedScores
    among: TrackFilter


@dataclass(frozen=True, slots=True, eq=False)
class NearTracks:
    """The tracks with the highest scores.

    ``lowest`` is the smallest score, or minus infinity if the scopes hold no further track.
    """

    candidates: Sequence[Candidate]
    lowest: float


@dataclass(frozen=True, slots=True, eq=False)
class FoundTracks:
    """Neighbours for a question.

    ``known`` is the track that is the only clip's own recording. ``left_out`` names the rules that
    similar tracks break.
    """

    tracks: tuple[Neighbour, ...]
    music: MusicFilter
    known: Track | None = None
    left_out: tuple[str, ...] = ()


class TrackSearch:
    """Finds tracks among the neighbours by the rules of a question."""

    def __init__(self, *, neighbours: Neighbours, gone_files: GoneFiles, preset: Preset) -> None:
        self.preset = preset
        self._neighbours = neighbours
        self._gone_files = gone_files
        self._matcher = RecordingMatcher(preset.spectrogram)

    async def find(self, question: Question) -> FoundTracks:
        """Return the neighbours in the scopes of a question, without its fallback scopes.

        Raises
        ------
        KeyUnclear
            Compatible keys are wanted, and the key of a liked seed is not confident.
        TagUnknown
            A sound tag is wanted that the preset does not have.
        """
        query, rules = self._query(question), question.rules
        count = max(FIRST_CANDIDATES, SPREADS[rules.reach].pool * rules.count)
        if question.single is not None and question.single.track is None:
            # A clip's own recording may have another genre than the wanted one.
            whole = replace(query, among=query.among.whole)
            near = await self._search(whole, max(count, NEAR_CANDIDATES))
            copies = await self._own(question.single, near.candidates)
            if (query.among.genre, query.among.music) != (None, ANY_MUSIC):
                compared = near
                near = await self._search(query, max(count, 4 * rules.count))
            else:
                compared = near
        else:
            near = compared = await self._search(query, count)
            copies = await self._own_of_all(question, near)
        known = best_named(copies) if _is_clip(question) else None
        selection = await self._select(question, query, near, compared, copies)
        return FoundTracks(
            tracks=self._chosen(query.scores, selection.chosen),
            music=query.among.music,
            known=known,
            left_out=tuple(sorted(selection.left_out)),
        )

    async def nearest(self, question: Question, count: int) -> list[Candidate]:
        """Return the tracks with the highest scores that no rule excludes, the nearest first.

        The seeds' own tracks are left out. Versions, tracks of one artist and dissimilar ones stay.
        """
        query = self._query(question)
        rules = self._rules(question, query.scores, ())
        among = replace(
            query.among,
            without=query.among.without | rules.shown | rules.without_tracks,
            without_artists=rules.artists | rules.without_artists,
        )
        query = replace(query, among=among)
        fetched = count
        while True:
            near = await self._search(query, fetched)
            found = await asyncio.to_thread(rules.permitted, near.candidates)
            # The rules leave out songs with guests here; a row has the first artist alone.
            enough = len(found) >= count or fetched >= MOST_CANDIDATES
            if enough or near.lowest == -np.inf:
                return found[:count]
            fetched = min(4 * fetched, MOST_CANDIDATES)

    async def tracks(self, ids: Sequence[int]) -> dict[int, Track]:
        """Return the tracks with these ids by id, without those whose file was deleted."""
        found = await self._neighbours.catalogue.tracks(self.preset.model_id, ids)
        gone = await self._gone_files.among(found.values())
        return {track_id: track for track_id, track in found.items() if track_id not in gone}

    def _query(self, question: Question) -> TrackQuery:
        rules = question.rules
        return TrackQuery(
            SeedScores.of(question, self.preset.calibration.cosine_floor),
            TrackFilter(
                rules.scopes,
                rules.genre,
                music_filter(question),
                frozenset(seed.track.id for seed in question.seeds if seed.track is not None),
                reading=self.preset.tags,
            ),
        )

    def _rules(self, question: Question, scores: SeedScores, copies: Copies) -> SelectionRules:
        rules, artists = question.rules, frozenset[str]()
        calibration = self.preset.calibration
        if rules.new_artists:
            artists = artists.union(
                *(seed.artists for seed in question.seeds), *(copy.artists for copy, _ in copies)
            )
        return SelectionRules(
            count=rules.count,
            per_artist=rules.per_artist,
            floor=scores.floor(calibration.cosine_floor, calibration.cosine_zero),
            artists=artists,
            shown=rules.shown,
            without_tracks=rules.without_tracks,
            without_artists=rules.without_artists,
        )

    async def _select(
        self,
        question: Question,
        query: TrackQuery,
        near: NearTracks,
        compared: NearTracks,
        copies: Copies,
    ) -> Selection:
        """Return the selection among the near tracks; search further while there are too few.

        ``copies`` are those of the ``compared`` tracks that are a seed's recording. Tracks found
        later are compared with the seeds one by one.
        """
        rules = self._rules(question, query.scores, copies)
        checks = self._checks(question, compared, copies)
        count = max(FIRST_CANDIDATES, 4 * rules.count)
        left_out: set[str] = set()
        without = rules.artists | rules.without_artists
        excluded = replace(query, among=replace(query.among, without_artists=without))
        while True:
            selection = await asyncio.to_thread(
                self._of_reach, near.candidates, rules, checks, question.rules
            )
            left_out |= selection.left_out
            if selection.full or near.lowest < rules.floor:
                selection.left_out = left_out
                return selection
            count = 4 * max(count, len(near.candidates))
            near = await self._search(excluded, count)

    def _of_reach(
        self, candidates: Sequence[Candidate], rules: SelectionRules, checks: Checks, asked: Rules
    ) -> Selection:
        if asked.reach == "near":
            return select_neighbours(candidates, rules, checks)
        return select_spread(candidates, rules, checks, SPREADS[asked.reach])

    def _checks(self, question: Question, compared: NearTracks, copies: Copies) -> Checks:
        prints = [seed.fingerprint for seed in question.seeds if seed.fingerprint is not None]

        def is_clip(candidate: Candidate) -> bool:
            return any(self._matcher.same(each, candidate.fingerprint) for each in prints)

        return Checks(
            same_recording=self._matcher.any_is_same,
            is_clip=is_clip,
            songs=[(artist_key(seed.artist), song_key(seed.title)) for seed in question.seeds],
            copies=frozenset(copy.track.id for copy, _ in copies),
            compared=frozenset(candidate.track.id for candidate in compared.candidates),
        )

    def _chosen(self, scores: SeedScores, chosen: Sequence[Candidate]) -> tuple[Neighbour, ...]:
        """Return the neighbours with the similarity to the liked seed that they are least like."""
        calibration = self.preset.calibration
        cosines = [each.cosine for each in chosen]
        if chosen and not scores.plain:
            cosines = scores.worst(np.array([each.vector for each in chosen])).tolist()
        similarities = calibration.similarities(cosines)
        return tuple(
            Neighbour(each.track, similarity)
            for each, similarity in zip(chosen, similarities, strict=True)
        )

    async def _own_of_all(self, question: Question, near: NearTracks) -> Copies:
        """Return the tracks that are a seed's own recording; for clips near to each clip alone."""
        copies: list[tuple[Candidate, float]] = []
        for seed in question.seeds:
            copies += await self._own(seed, near.candidates)
            if seed.track is None:
                alone = SeedScores.of(Question((replace(seed, liked=True),)))
                query = TrackQuery(alone, TrackFilter(question.rules.scopes))
                found = await self._search(query, ANY_SPEED_CANDIDATES)
                copies += await self._own(seed, found.candidates)
        return copies

    async def _own(self, seed: Seed, candidates: Sequence[Candidate]) -> Copies:
        if seed.fingerprint is None:
            return []
        return await asyncio.to_thread(self._copies, seed.fingerprint, candidates)

    def _copies(self, fingerprint: Fingerprint, candidates: Sequence[Candidate]) -> Copies:
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

    async def _search(self, query: TrackQuery, count: int) -> NearTracks:
        """Return the tracks with the highest scores that a query allows."""
        near = await self._neighbours.search(query.scores, query.among, count)
        lowest = float(near.scores[-1]) if len(near.ids) == count else -np.inf
        return NearTracks(await self._candidates(near), lowest)

    async def _candidates(self, near: NearRows) -> list[Candidate]:
        ids = near.ids.tolist()
        tracks = await self.tracks(ids)
        prints = await self._neighbours.catalogue.fingerprints(self.preset.model_id, ids)

        def made() -> list[Candidate]:
            found = zip(ids, near.scores.tolist(), near.vectors, strict=True)
            return [
                Candidate(
                    track=tracks[i],
                    cosine=score,
                    artist_key=artist_key(tracks[i].artist),
                    song_key=song_key(tracks[i].title),
                    fingerprint=prints.get(i, NO_FINGERPRINT),
                    vector=vector,
                )
                for i, score, vector in found
                if i in tracks  # not removed since the search
            ]

        # The keys of thousands of names take long enough to block the event loop.
        return await asyncio.to_thread(made)


def music_filter(question: Question) -> MusicFilter:
    """Return the filter by tempo, key and tags; compatible keys mix with those of all liked seeds.

    Raises
    ------
    KeyUnclear
        Compatible keys are wanted, and the key of a liked seed is not confident.
    """
    found = [question.rules.music.of_clip(seed.description) for seed in question.liked]
    keys = [each.keys for each in found if each.keys is not None]
    return replace(found[0], keys=frozenset.intersection(*keys) if keys else None)


def best_named(copies: Iterable[tuple[Candidate, float]]) -> Track | None:
    """Return the copy with the best correlation, of those with an artist if there is one."""
    best = max(copies, key=lambda copy: (bool(copy[0].artist_key), copy[1]), default=None)
    return best[0].track if best else None


def _is_clip(question: Question) -> bool:
    return question.single is not None and question.single.track is None
