"""/radio: a long list of songs from any seeds, with its pages and its file."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Literal

import discord
from discord import app_commands
from discord.ext import commands

from bot.client.buttons import OnPress, selected
from bot.client.retry import with_retry
from bot.cogs.recommend import ARTISTS, TAG_HELP
from bot.cogs.seed_options import SeedOptions, SeedServices
from bot.errors import RequestDeclined
from bot.jobs.mix_handlers import check_liked
from bot.radio_station import CHANCES
from bot.ui.radio_pages import RadioPages
from genrec.radio import FEWEST_SONGS, MOST_SONGS

DEFAULT_SONGS, DEFAULT_APART = 30, 4


class Radio(commands.Cog):
    """/radio and the menu of its pages."""

    def __init__(self, *, services: SeedServices) -> None:
        self._services = services
        self.buttons: Mapping[str, OnPress] = {"radio": self.turn_page}

    @app_commands.command(description="Make a long list of songs that go on from yours")
    @app_commands.describe(
        track="A track by name: start typing artist or title",
        track2="Another track",
        track3="Another track",
        clip="An audio or video file",
        clip2="Another audio or video file",
        links="Links to tracks, separated by spaces",
        list="A playlist or table of known tracks: m3u8, CSV, JSPF or text",
        less_track="A track that you want less of",
        less_clip="A file that you want less of",
        less_link="A link to a track that you want less of",
        collected="Also use the clips of Add to my mix",
        count="Number of songs, 10 to 100",
        genre="Only tracks of this genre",
        tag=TAG_HELP,
        apart="Other songs between two by the same artist, 0 to 20",
        again="Number of an earlier list, to get the same one again",
        file="Format of the attached list",
        private="Only you see the answer",
        artists="Default: new artists only, without that of the clip",
    )
    @app_commands.choices(
        artists=ARTISTS,
        file=[
            app_commands.Choice(name="playlist (m3u8)", value="m3u8"),
            app_commands.Choice(name="playlist (JSPF)", value="jspf"),
            app_commands.Choice(name="table (CSV)", value="csv"),
            app_commands.Choice(name="plain text", value="txt"),
        ],
    )
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def radio(
        self,
        interaction: discord.Interaction,
        track: str | None = None,
        track2: str | None = None,
        track3: str | None = None,
        clip: discord.Attachment | None = None,
        clip2: discord.Attachment | None = None,
        links: str | None = None,
        list: discord.Attachment | None = None,  # noqa: A002 - the option's name
        less_track: str | None = None,
        less_clip: discord.Attachment | None = None,
        less_link: str | None = None,
        collected: bool | None = None,
        count: app_commands.Range[int, FEWEST_SONGS, MOST_SONGS] | None = None,
        genre: str | None = None,
        tag: str | None = None,
        apart: app_commands.Range[int, 0, 20] | None = None,
        again: app_commands.Range[int, 0, CHANCES - 1] | None = None,
        file: Literal["m3u8", "jspf", "csv", "txt"] | None = None,
        private: bool | None = None,
        artists: Literal["new_artists", "any_artist"] = "new_artists",
    ) -> None:
        """Handle /radio: send the first songs of a list, and the whole list as a file."""
        given = SeedOptions(
            tracks=(track, track2, track3),
            clips=(clip, clip2),
            links=links,
            list_file=list,
            less_track=less_track,
            less_clip=less_clip,
            less_link=less_link,
        )
        services = self._services
        asked = services.seeds(interaction, given, collected)
        if not asked:
            raise RequestDeclined("seeds_missing")
        check_liked(asked)
        options = await services.options.resolve(
            interaction.user, interaction.guild_id, interaction.locale,
            count=count or DEFAULT_SONGS, genre=genre, tag=tag,
            any_artist=artists == "any_artist",
        )  # fmt: skip
        hidden = await services.options.private(interaction.guild_id, private)
        handler = services.handlers.radio(
            asked, options, chance=secrets.randbelow(CHANCES) if again is None else again,
            apart=DEFAULT_APART if apart is None else apart, form=file,
        )  # fmt: skip
        await services.run(interaction, "radio", asked, handler, private=hidden)

    @radio.autocomplete("genre")
    async def complete_genre(
        self, interaction: discord.Interaction, typed: str
    ) -> list[app_commands.Choice[str]]:
        """Return the genres that contain the typed text."""
        return self._services.options.complete_genre(typed, interaction.locale)

    @radio.autocomplete("tag")
    async def complete_tag(
        self, interaction: discord.Interaction, typed: str
    ) -> list[app_commands.Choice[str]]:
        """Return the sound tags that contain the typed text, behind those before a comma."""
        return self._services.options.complete_tag(typed, interaction.locale)

    @radio.autocomplete("track")
    @radio.autocomplete("track2")
    @radio.autocomplete("track3")
    @radio.autocomplete("less_track")
    async def complete_track(
        self, interaction: discord.Interaction, typed: str
    ) -> list[app_commands.Choice[str]]:
        """Return the tracks whose names fit the typed text."""
        return await self._services.names.choices(interaction, typed)

    async def turn_page(self, interaction: discord.Interaction, parts: tuple[str, ...]) -> None:
        """Handle the menu of pages: show the chosen page in the same message."""
        pages, values = RadioPages.shown(interaction.message), selected(interaction)
        if pages is None or len(values) != 1:
            raise RequestDeclined("answer_gone")
        options = await self._services.options.resolve(
            interaction.user, interaction.guild_id, interaction.locale
        )
        view = await self._services.handlers.radio_page(pages, values[0], options)
        await with_retry(lambda: interaction.response.edit_message(view=view))
