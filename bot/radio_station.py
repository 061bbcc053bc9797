"""The use case of radio: a list of songs near the seeds under radio rules, without Discord."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from bot.recommender import Recommender
from genrec.fingerprint import SAME_RECORDING, SAME_SPEED, Fingerprint, RecordingMatcher
from genrec.questions import Question
from genrec.radio import NEIGHBOURHOOD, RadioRules, draw_songs, order_songs
from genrec.seed_scores import SeedScores
from genrec.selection import Candidate
from genrec.types import Track

MOST_CANDIDATES = 5_000
CHANCES = 10_000
"""Numbers of lists from the same seeds: 0 up to this."""


@dataclass(frozen=True, slots=True)
class RadioList:
    """Songs in the order of play.

    Attributes
    ----------
    tracks
        The songs; fewer than ``wanted`` if the library is too small.
    wanted
        Number of songs that were requested.
    chance
        The number that gives the same list again.
    apart
        Number of other songs between two of the same artist, or more.
    shortage
        Why there are fewer: ``similar`` (no further song is similar enough) or ``artists`` (further
        ones are by artists that were just played); "" if there are enough.
    fallback
        True if the scopes of the question held no song, and these are from the others.
    """

    tracks: tuple[Track, ...]
    wanted: int
    chance: int
    apart: int
    shortage: Literal["", "similar", "artists"] = ""
    fallback: bool = False


class RadioStation:
    """Makes radio lists of the tracks of a recommender."""

    def __init__(self, recommender: Recommender) -> None:
        self._recommender = recommender
        self._matcher = RecordingMatcher(recommender.preset.spectrogram)

    async def play(self, question: Question, *, chance: int, apart: int = 4) -> RadioList:
        """Return ``question.rules.count`` songs near the seeds, no song and no recording twice.

        The fallback scopes of the question are used if its scopes hold no song.

        Raises
        ------
        ValueError
            ``question.rules.count`` is more than 100, or a number is negative.
        NoMusic
            A seed is a clip without music.
        KeyUnclear
            Compatible keys are wanted, and the key of a liked seed is not confident.
        """
        for seed in question.seeds:
            if seed.analysis is not None:
                self._recommender.require_music(seed.analysis)
        wanted = question.rules
        rules = RadioRules(count=wanted.count, apart=apart, chance=chance)
        found = await self._list(question, rules)
        if not found.tracks and wanted.fallback:
            other = replace(question, rules=replace(wanted, scopes=wanted.fallback, fallback=()))
            again = await self._list(other, rules)
            if again.tracks:
                return replace(again, fallback=True)
        return found

    async def _list(self, question: Question, rules: RadioRules) -> RadioList:
        calibration = self._recommender.preset.calibration
        scores = SeedScores.of(question, calibration.cosine_floor)
        floor = scores.floor(calibration.cosine_floor, calibration.cosine_zero)
        count = 2 * NEIGHBOURHOOD * rules.count
        while True:
            candidates = await self._recommender.nearest(question, count)
            near = [candidate for candidate in candidates if candidate.cosine >= floor]
            drawn = await asyncio.to_thread(draw_songs, near, rules, same_recording=self._is_any)
            songs = drawn.songs
            full = len(songs) == rules.count
            if full or len(near) < count or count >= MOST_CANDIDATES:
                break
            count = min(4 * count, MOST_CANDIDATES)
        ordered = await asyncio.to_thread(_ordered, songs, rules.apart)
        too_few = len(ordered) < rules.count
        few_artists = drawn.too_few_artists or len(ordered) < len(songs)
        return RadioList(
            tracks=tuple(song.track for song in ordered),
            wanted=rules.count,
            chance=rules.chance,
            apart=rules.apart,
            shortage="" if not too_few else "artists" if few_artists else "similar",
        )

    def _is_any(self, fingerprint: Fingerprint, others: Sequence[Fingerprint]) -> bool:
        """Return whether a fingerprint is of the recording of one of the others."""
        return bool((self._matcher.match(fingerprint, others, SAME_SPEED) >= SAME_RECORDING).any())


def _ordered(songs: Sequence[Candidate], apart: int) -> list[Candidate]:
    """Return songs, of which the nearest to the seeds is the first, in the order of play."""
    if not songs:
        return []
    embeddings = np.stack([song.vector for song in songs])
    artists = [song.artist_key for song in songs]
    return [songs[place] for place in order_songs(embeddings, artists, apart=apart)]
