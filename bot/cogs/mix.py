"""/mix: tracks that are near several seeds, and the basket of clips that users collect for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import discord
from discord import app_commands
from discord.ext import commands

from bot.client.buttons import OnPress
from bot.client.responders import respond
from bot.client.retry import with_retry
from bot.cogs.recommend import ARTISTS, REACH, TAG_HELP
from bot.cogs.seed_options import SeedOptions, SeedServices
from bot.errors import RequestDeclined
from bot.i18n import Localizer
from bot.jobs.asked_seeds import AskedSeed
from bot.jobs.layouts import RequestOptions
from bot.jobs.message_clips import ClipFinder
from bot.jobs.mix_baskets import KEPT_S, MOST_SEEDS
from bot.jobs.mix_handlers import FEWEST_SEEDS, check_liked
from bot.sources import Attachment
from bot.ui import mix_layouts as layouts
from genrec.questions import Reach

_ANOTHER = "Another track"
_ANOTHER_CLIP = "Another audio or video file"


class Mix(commands.Cog):
    """/mix, Add to my mix, and the buttons of the basket."""

    def __init__(self, *, services: SeedServices, clips: ClipFinder) -> None:
        self._services = services
        self._clips = clips
        menu = app_commands.ContextMenu(name="Add to my mix", callback=self.add_from_message)
        menu.allowed_installs = app_commands.AppInstallationType(guild=True, user=True)
        menu.allowed_contexts = app_commands.AppCommandContext(
            guild=True, dm_channel=True, private_channel=True
        )
        self.menus = [menu]
        self.buttons: Mapping[str, OnPress] = {"basket": self.change_basket}

    @app_commands.command(description="Find tracks that are near several songs at once")
    @app_commands.describe(
        track="A track by name: start typing artist or title",
        track2=_ANOTHER,
        track3=_ANOTHER,
        track4=_ANOTHER,
        track5=_ANOTHER,
        clip="An audio or video file",
        clip2=_ANOTHER_CLIP,
        clip3=_ANOTHER_CLIP,
        clip4=_ANOTHER_CLIP,
        clip5=_ANOTHER_CLIP,
        links="Links to tracks, separated by spaces",
        list="A playlist or table of known tracks: m3u8, CSV, JSPF or text",
        less_track="A track that you want less of",
        less_clip="A file that you want less of",
        less_link="A link to a track that you want less of",
        collected="Also use the clips of Add to my mix",
        count="Number of tracks, 1 to 10",
        genre="Only tracks of this genre",
        tag=TAG_HELP,
        private="Only you see the answer",
        artists="Default: new artists only, without that of the clip",
        reach="How far afield the tracks may be (default: the nearest)",
    )
    @app_commands.choices(artists=ARTISTS, reach=REACH)
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def mix(
        self,
        interaction: discord.Interaction,
        track: str | None = None,
        track2: str | None = None,
        track3: str | None = None,
        track4: str | None = None,
        track5: str | None = None,
        clip: discord.Attachment | None = None,
        clip2: discord.Attachment | None = None,
        clip3: discord.Attachment | None = None,
        clip4: discord.Attachment | None = None,
        clip5: discord.Attachment | None = None,
        links: str | None = None,
        list: discord.Attachment | None = None,  # noqa: A002 - the option's name
        less_track: str | None = None,
        less_clip: discord.Attachment | None = None,
        less_link: str | None = None,
        collected: bool | None = None,
        count: app_commands.Range[int, 1, 10] | None = None,
        genre: str | None = None,
        tag: str | None = None,
        private: bool | None = None,
        artists: Literal["new_artists", "any_artist"] = "new_artists",
        reach: Reach = "near",
    ) -> None:
        """Handle /mix: send tracks near all seeds; without seeds, those that were collected."""
        given = SeedOptions(
            tracks=(track, track2, track3, track4, track5),
            clips=(clip, clip2, clip3, clip4, clip5),
            links=links,
            list_file=list,
            less_track=less_track,
            less_clip=less_clip,
            less_link=less_link,
        )
        services = self._services
        asked = services.seeds(interaction, given, collected)
        if not asked:
            raise RequestDeclined("mix_empty", menu=self._menu_name(interaction))
        options = await services.options.resolve(
            interaction.user, interaction.guild_id, interaction.locale, count=count, genre=genre,
            tag=tag, any_artist=artists == "any_artist", reach=reach,
        )  # fmt: skip
        hidden = await services.options.private(interaction.guild_id, private)
        await self._mix(interaction, asked, options, private=hidden)

    @mix.autocomplete("genre")
    async def complete_genre(
        self, interaction: discord.Interaction, typed: str
    ) -> list[app_commands.Choice[str]]:
        """Return the genres that contain the typed text."""
        return self._services.options.complete_genre(typed, interaction.locale)

    @mix.autocomplete("tag")
    async def complete_tag(
        self, interaction: discord.Interaction, typed: str
    ) -> list[app_commands.Choice[str]]:
        """Return the sound tags that contain the typed text, behind those before a comma."""
        return self._services.options.complete_tag(typed, interaction.locale)

    @mix.autocomplete("track")
    @mix.autocomplete("track2")
    @mix.autocomplete("track3")
    @mix.autocomplete("track4")
    @mix.autocomplete("track5")
    @mix.autocomplete("less_track")
    async def complete_track(
        self, interaction: discord.Interaction, typed: str
    ) -> list[app_commands.Choice[str]]:
        """Return the tracks whose names fit the typed text."""
        return await self._services.names.choices(interaction, typed)

    async def add_from_message(
        self, interaction: discord.Interaction, message: discord.Message
    ) -> None:
        """Handle Apps > Add to my mix: add a message's clips to the user's basket."""
        services = self._services
        own_id = interaction.client.user.id if interaction.client.user else 0
        found = await self._clips.asked(message, own_id=own_id, sniff=False)
        checked = services.sources.check_all(found.sources)
        if not checked.accepted:
            raise checked.refused[0][1]
        await services.options.resolve(
            interaction.user, interaction.guild_id, interaction.locale
        )  # the role that may use the bot
        refused = {name for name, _ in checked.refused}
        sources = [each for each in found.sources if _name(each) not in refused]
        added = services.baskets.add(interaction.user.id, sources)
        localizer = self._localizer(interaction)
        left_out = added.left_out + found.left_out
        notes = [localizer("mix.basket_full", count=left_out, limit=MOST_SEEDS)] if left_out else []
        notes += [localizer("mix.basket_known")] if added.known else []
        await respond(interaction, self._basket(interaction, notes))

    async def change_basket(self, interaction: discord.Interaction, parts: tuple[str, ...]) -> None:
        """Handle the buttons of the basket: mix now, less of this, remove, clear."""
        services, user_id = self._services, interaction.user.id
        action, number = parts[0], _number(parts[-1])
        if action == "mix":
            asked = services.collected(user_id)
            if not asked:
                raise RequestDeclined("mix_empty", menu=self._menu_name(interaction))
            options = await services.options.resolve(
                interaction.user, interaction.guild_id, interaction.locale
            )
            await self._mix(interaction, asked, options, private=True)  # as the basket is
            return
        if action == "turn":
            services.baskets.turn(user_id, number)
        elif action == "remove":
            services.baskets.remove(user_id, number)
        else:
            services.baskets.clear(user_id)
        view = self._basket(interaction)
        await with_retry(lambda: interaction.response.edit_message(view=view))

    async def _mix(
        self,
        interaction: discord.Interaction,
        asked: Sequence[AskedSeed],
        options: RequestOptions,
        *,
        private: bool,
    ) -> None:
        check_liked(asked)
        if len(asked) < FEWEST_SEEDS and not any(each.kind == "list" for each in asked):
            raise RequestDeclined(
                "mix_too_few", low=FEWEST_SEEDS, high=MOST_SEEDS, count=len(asked)
            )
        handler = self._services.handlers.mix(asked, options.visible_to_one(private))
        await self._services.run(interaction, "mix", asked, handler, private=private)

    def _basket(
        self, interaction: discord.Interaction, notes: Sequence[str] = ()
    ) -> discord.ui.LayoutView:
        clips = self._services.baskets.clips(interaction.user.id)
        lines = [layouts.BasketLine(clip.number, clip.name, clip.liked) for clip in clips]
        minutes = round(KEPT_S / 60)
        return layouts.basket(self._localizer(interaction), lines, minutes=minutes, notes=notes)

    def _localizer(self, interaction: discord.Interaction) -> Localizer:
        return Localizer(self._services.translations, interaction.locale)

    def _menu_name(self, interaction: discord.Interaction) -> str:
        return self._localizer(interaction)("menus.mix.name")


def _name(source: Attachment | str) -> str:
    """Return a source's name as `Sources.check_all` gives it."""
    return source.filename if isinstance(source, Attachment) else source


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
