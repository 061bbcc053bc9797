"""Cog of the thumbs under a response, and of the menus to rate its single tracks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import discord
from discord.ext import commands

from bot.client.buttons import OnPress, selected
from bot.client.checks import require_manage_guild
from bot.client.responders import acknowledge, respond
from bot.cogs.not_again import is_admin
from bot.errors import RequestDeclined
from bot.i18n import Localizer, Translations
from bot.jobs.recovery import ReplyRecovery
from bot.jobs.track_votes import TrackVotes, Voter
from bot.ui.vote_ids import offered_values, option_track, ranked_tracks
from bot.ui.vote_panel import vote_panel
from db.feedback import RankedTrack, Verdict
from db.not_again import ListOwner

_VERDICTS: Mapping[str, Verdict] = {"up": 1, "down": -1}


class Votes(commands.Cog):
    """The thumbs, and the private panel that follows them."""

    def __init__(
        self, *, votes: TrackVotes, translations: Translations, recovery: ReplyRecovery
    ) -> None:
        self._votes = votes
        self._translations = translations
        self._recovery = recovery
        self.buttons: Mapping[str, OnPress] = {
            "thumb": self.thumb,
            "rate": self.rate,
            "unwanted": self.leave_out,
        }

    async def thumb(self, interaction: discord.Interaction, parts: tuple[str, ...]) -> None:
        """Handle a thumb: store the vote, or delete it if the same one was stored before."""
        verdict = _VERDICTS.get(parts[0])
        if interaction.message is None or verdict is None:
            raise RequestDeclined("answer_gone")
        message_id, ranked = interaction.message.id, ranked_tracks(*parts[1:3])
        async with self._recovery.deferred(interaction):
            voter = self._voter(interaction)
            stands = await self._votes.whole(voter, message_id, verdict, ranked)
            said = f"notices.thumb_{parts[0]}" if stands else "notices.thumb_removed"
            await self._respond(interaction, voter, message_id, ranked, said)

    async def rate(self, interaction: discord.Interaction, parts: tuple[str, ...]) -> None:
        """Handle a menu of tracks: store the verdict for those chosen."""
        verdict, message_id = _VERDICTS.get(parts[0]), _number(parts)
        ranked = _offered(interaction, message_id)
        if verdict is None or not ranked:
            raise RequestDeclined("answer_gone")
        await acknowledge(interaction, private=True, thinking=False)
        voter = self._voter(interaction)
        chosen = {track.track_id for track in map(option_track, selected(interaction)) if track}
        complete = await self._votes.single(voter, message_id, verdict, ranked, chosen)
        said = "notices.settings_saved" if complete else "refusals.track_gone"
        await self._respond(interaction, voter, message_id, ranked, said)

    async def leave_out(self, interaction: discord.Interaction, parts: tuple[str, ...]) -> None:
        """Handle a menu of songs and artists: those chosen are not recommended again."""
        voter, message_id = self._voter(interaction), _number(parts)
        owner = voter.own
        if parts[0] == "server":
            owner = ListOwner("guild", require_manage_guild(interaction))
        offered = offered_values(interaction.message, f"unwanted:{parts[0]}:{message_id}")
        if not offered:
            raise RequestDeclined("answer_gone")
        await acknowledge(interaction, private=True, thinking=False)
        await self._votes.leave_out(voter, owner, offered, selected(interaction))
        said = "votes.left_out_server" if parts[0] == "server" else "votes.left_out"
        await self._respond(interaction, voter, message_id, _offered(interaction, message_id), said)

    async def _respond(
        self,
        interaction: discord.Interaction,
        voter: Voter,
        message_id: int,
        ranked: Sequence[RankedTrack],
        said: str,
    ) -> None:
        panel = await self._votes.panel(voter, message_id, ranked)
        failed = said.startswith("refusals.")
        view = vote_panel(voter.localizer, panel, voter.localizer(said), failed=failed)
        await respond(interaction, view)

    def _voter(self, interaction: discord.Interaction) -> Voter:
        localizer = Localizer(self._translations, interaction.locale)
        return Voter(
            interaction.user.id, interaction.guild_id, localizer, admin=is_admin(interaction)
        )


def _offered(interaction: discord.Interaction, message_id: int) -> list[RankedTrack]:
    """Return the tracks that the panel's menu of good tracks offers."""
    values = offered_values(interaction.message, f"rate:up:{message_id}")
    return [track for track in map(option_track, values) if track is not None]


def _number(parts: tuple[str, ...]) -> int:
    return int(parts[1]) if len(parts) == 2 and parts[1].isdigit() else 0
