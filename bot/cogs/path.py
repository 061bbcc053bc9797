"""/path: a way of songs from one track or clip to another, and its button Another way."""

from __future__ import annotations

from collections.abc import Mapping

import discord
from discord import app_commands
from discord.ext import commands

from bot.client.buttons import OnPress
from bot.client.checks import as_source
from bot.client.responders import InteractionResponder
from bot.errors import RequestDeclined
from bot.jobs.asked_seeds import AskedSeed, asked_source, asked_track
from bot.jobs.options import OptionsResolver
from bot.jobs.runner import RequestRunner
from bot.jobs.track_names import TrackNames
from bot.jobs.way_handlers import CHANCES, WayHandlers
from bot.path_finder import DEFAULT_SONGS
from bot.sources import Sources, links_in
from bot.ui.way import ends_of
from genrec.paths import MAX_SONGS, MIN_SONGS

_NAME = "by name, or a link"


class Path(commands.Cog):
    """/path and the button Another way."""

    def __init__(
        self,
        *,
        runner: RequestRunner,
        sources: Sources,
        handlers: WayHandlers,
        options: OptionsResolver,
        names: TrackNames,
    ) -> None:
        self._runner = runner
        self._sources = sources
        self._handlers = handlers
        self._options = options
        self._names = names
        self.buttons: Mapping[str, OnPress] = {"way": self.another}

    @app_commands.command(description="Find songs that lead from one song to another")
    @app_commands.rename(start="from", goal="to", start_clip="from_clip", goal_clip="to_clip")
    @app_commands.describe(
        start=f"The first song: {_NAME}",
        goal=f"The last song: {_NAME}",
        start_clip="An audio or video file to begin with",
        goal_clip="An audio or video file to end with",
        steps="Number of songs with both ends, 3 to 20",
        again="Number of an earlier path, to get the same one again",
        private="Only you see the answer",
    )
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def path(
        self,
        interaction: discord.Interaction,
        start: str | None = None,
        goal: str | None = None,
        start_clip: discord.Attachment | None = None,
        goal_clip: discord.Attachment | None = None,
        steps: app_commands.Range[int, MIN_SONGS, MAX_SONGS] | None = None,
        again: app_commands.Range[int, 0, CHANCES - 1] | None = None,
        private: bool | None = None,
    ) -> None:
        """Handle /path: send the songs of a way and a picture of it."""
        ends = self._end(start, start_clip), self._end(goal, goal_clip)
        options = await self._options.resolve(
            interaction.user, interaction.guild_id, interaction.locale
        )
        handler = self._handlers.way(
            ends[0], ends[1], options, songs=steps or DEFAULT_SONGS, chance_seed=again or 0
        )
        hidden = await self._options.private(interaction.guild_id, private)
        responder = InteractionResponder(interaction, private=hidden)
        quick = all(end.source is None for end in ends)  # nothing is fetched or analysed
        link = any(end.is_link for end in ends)
        await self._runner.run(responder, "path", handler, link=link, quick=quick)

    @path.autocomplete("start")
    async def complete_start(
        self, interaction: discord.Interaction, typed: str
    ) -> list[app_commands.Choice[str]]:
        """Return the tracks whose names fit the typed text."""
        return await self._names.choices(interaction, typed)

    @path.autocomplete("goal")
    async def complete_goal(
        self, interaction: discord.Interaction, typed: str
    ) -> list[app_commands.Choice[str]]:
        """Return the tracks whose names fit the typed text."""
        return await self._names.choices(interaction, typed)

    async def another(self, interaction: discord.Interaction, parts: tuple[str, ...]) -> None:
        """Handle Another way: send another way between the same ends."""
        ends = ends_of(parts)
        if ends is None:
            raise RequestDeclined("answer_gone")
        start, goal, songs, chance_seed = ends
        options = await self._options.resolve(
            interaction.user, interaction.guild_id, interaction.locale
        )
        handler = self._handlers.another(start, goal, options, songs=songs, chance_seed=chance_seed)
        # A private response has private follow-ups.
        hidden = bool(interaction.message and interaction.message.flags.ephemeral)
        private = await self._options.private(interaction.guild_id, True if hidden else None)
        responder = InteractionResponder(interaction, private=private)
        await self._runner.run(responder, "path", handler, quick=True)

    def _end(self, typed: str | None, clip: discord.Attachment | None) -> AskedSeed:
        """Return an end of a way: a track, a link or a file; decline none or two of them."""
        typed = (typed or "").strip()
        if bool(typed) == (clip is not None):
            raise RequestDeclined("way_two_ends" if typed else "way_end_missing")
        if clip is not None:
            return asked_source(self._sources, as_source(clip))
        links = links_in(typed)
        if links or "://" in typed:
            return asked_source(self._sources, links[0] if links else typed)
        return asked_track(typed)
