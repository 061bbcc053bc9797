"""Votes for a response and its tracks: store them and make the panel that shows them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from bot.i18n import Localizer
from bot.jobs.not_again_lists import NotAgainLists, Unwanted
from bot.jobs.options import scopes_of
from bot.metrics import Metrics
from bot.recommender import Recommender
from bot.ui.vote_panel import RatedTrack, VotePanel, unwanted_values
from db.connection import Database
from db.feedback import RankedTrack, Verdict, Vote, vote, vote_for_tracks, votes_for_tracks
from db.not_again import ListOwner
from genrec.names import artist_key
from genrec.types import Track


@dataclass(frozen=True, slots=True)
class Voter:
    """The user who votes; ``admin`` may change the list of the guild."""

    user_id: int
    guild_id: int | None
    localizer: Localizer
    admin: bool = False

    @property
    def own(self) -> ListOwner:
        """The owner of the user's list."""
        return ListOwner("user", self.user_id)

    @property
    def guild(self) -> ListOwner | None:
        """The owner of the guild's list; None for a user who may not change it."""
        return ListOwner("guild", self.guild_id) if self.admin and self.guild_id else None


class TrackVotes:
    """Stores votes and lists from the menus of a panel."""

    def __init__(
        self, *, db: Database, recommender: Recommender, lists: NotAgainLists, metrics: Metrics
    ) -> None:
        self._db = db
        self._recommender = recommender
        self._lists = lists
        self._metrics = metrics

    async def whole(
        self, voter: Voter, message_id: int, verdict: Verdict, tracks: Sequence[RankedTrack]
    ) -> bool:
        """Store a vote for a response, or withdraw it; return whether a vote is stored."""
        stands = await vote(self._db, self._vote(voter, message_id, verdict, tracks))
        self._metrics.vote(_name(verdict) if stands else "withdrawn")
        return stands

    async def single(
        self,
        voter: Voter,
        message_id: int,
        verdict: Verdict,
        tracks: Sequence[RankedTrack],
        chosen: Collection[int],
    ) -> bool:
        """Store the verdict for the chosen tracks of a response, and withdraw it for the others.

        Return whether all chosen tracks are still in the catalogue; the others get no vote.
        """
        there = {track.id for track in await self._tracks(voter, chosen)}
        cast = self._vote(voter, message_id, verdict, tracks)
        for track in await vote_for_tracks(self._db, cast, there):
            self._metrics.track_vote(_name(verdict), track.rank, track.reasons)
        return len(there) == len(set(chosen))

    async def leave_out(
        self, voter: Voter, owner: ListOwner, offered: Collection[str], chosen: Collection[str]
    ) -> None:
        """Put the chosen songs and artists on a list, and take the other offered ones off it.

        Values are those of `bot.ui.vote_panel.unwanted_values`.
        """
        ids = [int(value[1:]) for value in offered if value[1:].isdigit()]
        tracks = {track.id: track for track in await self._tracks(voter, ids)}
        wanted = {
            value: Unwanted(tracks[int(value[1:])], artist=value.startswith("a"))
            for value in offered
            if value[1:].isdigit() and int(value[1:]) in tracks
        }
        await self._lists.choose(
            owner,
            list(wanted.values()),
            [each for value, each in wanted.items() if value in chosen],
        )

    async def panel(
        self, voter: Voter, message_id: int, ranked: Sequence[RankedTrack]
    ) -> VotePanel:
        """Return the panel about the tracks of a response that are still in the catalogue."""
        tracks = {t.id: t for t in await self._tracks(voter, [each.track_id for each in ranked])}
        votes = await votes_for_tracks(self._db, message_id, voter.user_id)
        rated = [
            RatedTrack(tracks[each.track_id], each, votes.get(each.track_id, 0))
            for each in ranked
            if each.track_id in tracks
        ]
        panel = VotePanel(message_id, rated, await self._listed(voter.own, list(tracks.values())))
        if voter.guild is None:
            return panel
        listed = await self._listed(voter.guild, list(tracks.values()))
        return replace(panel, listed_server=listed)

    async def _listed(self, owner: ListOwner, tracks: Sequence[Track]) -> frozenset[str]:
        """Return the option values of the songs and artists that are on a list."""
        entries = [each.entry for each in await self._lists.entries([owner])]
        songs = {entry.track_id for entry in entries if not entry.is_artist}
        artists = {entry.artist_key for entry in entries if entry.is_artist}
        return frozenset(
            value
            for value, track in unwanted_values(tracks).items()
            if (artist_key(track.artist) in artists if value[0] == "a" else track.id in songs)
        )

    async def _tracks(self, voter: Voter, ids: Collection[int]) -> list[Track]:
        return await self._recommender.tracks(list(ids), scopes_of(voter.guild_id))

    def _vote(
        self, voter: Voter, message_id: int, verdict: Verdict, tracks: Sequence[RankedTrack]
    ) -> Vote:
        return Vote(
            message_id=message_id,
            user_id=voter.user_id,
            guild_id=voter.guild_id,
            model_id=self._recommender.preset.model_id,
            verdict=verdict,
            tracks=tuple(tracks),
        )


def _name(verdict: Verdict) -> str:
    return "up" if verdict > 0 else "down"
