"""Votes, thumbs up or down: for an answer and for its tracks, stored until the user deletes them.

A vote for an answer also counts for its tracks, but not as much as one for a single track: all of
them together weigh as much as that one. So each of n tracks gets 1/n of a vote.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from db.connection import Database, SqlSession
from db.upsert import insert_new, upsert

Verdict = Literal[1, -1]
_PUT_VOTE = upsert("feedback", ("message_id", "user_id"), ("guild_id", "model_id", "verdict"))
_TRACK_KEY = ("message_id", "user_id", "track_id")
_TRACK_COLUMNS = ("guild_id", "model_id", "verdict", "shared", "rank", "reasons", "cast_at")
_PUT_TRACKS = upsert("track_vote", _TRACK_KEY, _TRACK_COLUMNS)
_ADD_TRACKS = insert_new("track_vote", (*_TRACK_KEY, *_TRACK_COLUMNS))


@dataclass(frozen=True, slots=True)
class RankedTrack:
    """A track of an answer: its place from 1, and the kinds of the reasons given for it."""

    track_id: int
    rank: int
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """A user's vote for a response: 1 is thumbs up, -1 thumbs down.

    ``tracks`` are those of the response, none for a response without tracks.
    """

    message_id: int
    user_id: int
    guild_id: int | None
    model_id: str
    verdict: Verdict
    tracks: tuple[RankedTrack, ...] = ()


@dataclass(frozen=True, slots=True)
class VoteCounts:
    """Numbers of thumbs up and down."""

    up: int
    down: int

    @property
    def share(self) -> float | None:
        """Share of thumbs up among all votes, 0..1, or None without a vote."""
        return self.up / (self.up + self.down) if self.up + self.down else None


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Votes for single tracks, by their place in the answer and by kind of reason."""

    by_rank: Mapping[int, VoteCounts] = field(default_factory=dict)
    by_reason: Mapping[str, VoteCounts] = field(default_factory=dict)


async def vote(db: Database, cast: Vote) -> bool:
    """Store a user's vote, or withdraw an equal earlier one; return whether a vote is stored.

    A different earlier vote of the user for the same message is replaced. The tracks of the
    response that the user has not voted for one by one get the same verdict.
    """
    key = (cast.message_id, cast.user_id)
    async with db.transaction(lock=f"votes:{cast.user_id}") as tx:
        deleted = await tx.run(
            "DELETE FROM feedback WHERE message_id = ? AND user_id = ? AND verdict = ?",
            (*key, cast.verdict),
        )
        await tx.run(
            "DELETE FROM track_vote WHERE message_id = ? AND user_id = ? AND shared > 0", key
        )
        if not deleted:
            await tx.run(
                _PUT_VOTE,
                (*key, cast.guild_id, cast.model_id, cast.verdict),
            )
            await _insert(tx, cast, shared=len(cast.tracks))
    return not deleted


async def vote_for_tracks(
    db: Database, cast: Vote, chosen: Collection[int]
) -> tuple[RankedTrack, ...]:
    """Store a user's verdict for the ``chosen`` tracks of a response; return those that are new.

    Votes with the same verdict for the other tracks of ``cast`` are withdrawn. A vote for a single
    track replaces that for the whole response, and comes back to it when it is withdrawn.
    """
    key = (cast.message_id, cast.user_id)
    async with db.transaction(lock=f"votes:{cast.user_id}") as tx:
        single = await _singles(tx, *key)
        tracks = {track.track_id: track for track in cast.tracks}
        withdrawn = [
            track_id
            for track_id, verdict in single.items()
            if verdict == cast.verdict and track_id in tracks and track_id not in chosen
        ]
        await tx.many(
            "DELETE FROM track_vote WHERE message_id = ? AND user_id = ? AND track_id = ?",
            [(*key, track_id) for track_id in withdrawn],
        )
        new = tuple(
            track
            for track in cast.tracks
            if track.track_id in chosen and single.get(track.track_id) != cast.verdict
        )
        await _insert(tx, cast, new, shared=0, replace=True)
        whole = await tx.one(
            "SELECT verdict FROM feedback WHERE message_id = ? AND user_id = ?", key
        )
        if whole is not None and withdrawn:
            again = [tracks[track_id] for track_id in withdrawn]
            await _insert(tx, cast, again, shared=len(cast.tracks), verdict=whole[0])
    return new


async def votes_for_tracks(db: Database, message_id: int, user_id: int) -> dict[int, Verdict]:
    """Return a user's votes for single tracks of a response, by track id."""
    async with db.snapshot() as session:
        return await _singles(session, message_id, user_id)


async def count_votes(db: Database, *, model_id: str | None = None) -> VoteCounts:
    """Return the numbers of thumbs up and down for one model, or for all."""
    rows = await db.all(
        "SELECT verdict, count(*) FROM feedback"
        " WHERE CAST(?1 AS text) IS NULL OR model_id = ?1 GROUP BY verdict",
        (model_id,),
    )
    counts = dict(rows)
    return VoteCounts(up=counts.get(1, 0), down=counts.get(-1, 0))


async def acceptance(db: Database, *, model_id: str) -> Acceptance:
    """Count a model's votes for single tracks by rank and by kind of reason.

    A vote for a whole response says nothing about its single tracks, so it is not counted.
    """
    rows = await db.all(
        "SELECT rank, reasons, verdict, count(*) FROM track_vote"
        " WHERE model_id = ? AND shared = 0 GROUP BY rank, reasons, verdict",
        (model_id,),
    )
    ranks: dict[int, list[int]] = {}
    kinds: dict[str, list[int]] = {}
    for rank, reasons, verdict, count in rows:
        place = 0 if verdict > 0 else 1
        ranks.setdefault(rank, [0, 0])[place] += count
        for kind in reasons.split():
            kinds.setdefault(kind, [0, 0])[place] += count
    return Acceptance(
        {rank: VoteCounts(*ranks[rank]) for rank in sorted(ranks)},
        {kind: VoteCounts(*kinds[kind]) for kind in sorted(kinds)},
    )


async def _singles(session: SqlSession, message_id: int, user_id: int) -> dict[int, Verdict]:
    rows = await session.all(
        "SELECT track_id, verdict FROM track_vote"
        " WHERE message_id = ? AND user_id = ? AND shared = 0",
        (message_id, user_id),
    )
    return dict(rows)


async def _insert(
    tx: SqlSession,
    cast: Vote,
    tracks: Sequence[RankedTrack] | None = None,
    *,
    shared: int,
    replace: bool = False,
    verdict: Verdict | None = None,
) -> None:
    await tx.many(
        _PUT_TRACKS if replace else _ADD_TRACKS,
        [
            (
                cast.message_id, cast.user_id, track.track_id, cast.guild_id, cast.model_id,
                cast.verdict if verdict is None else verdict, shared, track.rank,
                " ".join(track.reasons), time.time(),
            )
            for track in (cast.tracks if tracks is None else tracks)
        ],
    )  # fmt: skip
