"""Cog of /genres: teach, list and forget genres in a server's own words."""

from __future__ import annotations

import asyncio

import discord
from discord import app_commands, ui
from discord.ext import commands

from bot.client.checks import as_source, require_manage_guild
from bot.client.error_handler import ErrorHandler
from bot.client.responders import InteractionResponder, respond
from bot.errors import RequestDeclined
from bot.i18n import Localizer, Translations
from bot.jobs.message_clips import ClipFinder
from bot.jobs.recovery import ReplyRecovery
from bot.jobs.runner import RequestRunner
from bot.jobs.teaching import Teacher
from bot.own_genre_cache import OwnGenreCache
from bot.sources import Attachment, Sources, links_in
from bot.ui import genre_pages, messages
from bot.ui.genre_pages import GenrePage
from bot.ui.markdown import clean
from db.connection import Database
from db.tagging.genre_names import genre_key
from db.taught_genres import MAX_CLIPS, forget_genre, taught_genres
from db.tracks import LIBRARY, guild_scope

_MAX_CHOICES = 25
_CLIP = "A clip of the genre"


@app_commands.guild_only()
@app_commands.default_permissions(manage_guild=True)
class Genres(commands.GroupCog, name="genres", description="Genres in this server's own words"):
    """The /genres commands of a guild, and the message menu that teaches."""

    def __init__(
        self,
        *,
        db: Database,
        model_id: str,
        runner: RequestRunner,
        sources: Sources,
        clips: ClipFinder,
        teacher: Teacher,
        own: OwnGenreCache,
        errors: ErrorHandler,
        translations: Translations,
        recovery: ReplyRecovery,
    ) -> None:
        self._db = db
        self._model_id = model_id
        self._runner = runner
        self._sources = sources
        self._clips = clips
        self._teacher = teacher
        self._own = own
        self._errors = errors
        self._translations = translations
        self._recovery = recovery
        menu = app_commands.ContextMenu(
            name="Teach a genre from this message", callback=self.teach_from_message
        )
        menu.guild_only = True
        menu.default_permissions = discord.Permissions(manage_guild=True)
        self.menus = [menu]

    @app_commands.command(description="Teach a genre with 3 to 10 clips of it")
    @app_commands.describe(
        name="Name of the genre, as answers show it",
        clip=_CLIP, clip2=_CLIP, clip3=_CLIP, clip4=_CLIP, clip5=_CLIP,
        links="Links to tracks, separated by spaces",
    )  # fmt: skip
    async def teach(
        self,
        interaction: discord.Interaction,
        name: app_commands.Range[str, 1, 40],
        clip: discord.Attachment | None = None,
        clip2: discord.Attachment | None = None,
        clip3: discord.Attachment | None = None,
        clip4: discord.Attachment | None = None,
        clip5: discord.Attachment | None = None,
        links: str | None = None,
    ) -> None:
        """Handle /genres teach: learn a genre from uploads and links."""
        require_manage_guild(interaction)
        uploads = [as_source(each) for each in (clip, clip2, clip3, clip4, clip5) if each]
        await self._teach(interaction, name, [*uploads, *links_in(links or "")])

    async def teach_from_message(
        self, interaction: discord.Interaction, message: discord.Message
    ) -> None:
        """Handle Apps > Teach a genre from this message: ask for the name in a modal."""
        require_manage_guild(interaction)
        own_id = interaction.client.user.id if interaction.client.user else 0
        found = await self._clips.asked(message, own_id=own_id, sniff=False, most=MAX_CLIPS)
        localizer = Localizer(self._translations, interaction.locale)
        await interaction.response.send_modal(_NameModal(self, localizer, list(found.sources)))

    async def _teach(
        self, interaction: discord.Interaction, name: str, sources: list[Attachment | str]
    ) -> None:
        guild_id = require_manage_guild(interaction)
        name = clean(name, genre_pages.NAME)
        if not genre_key(name):
            raise RequestDeclined("genre_name_missing")
        if not sources:
            raise RequestDeclined("no_clips_to_teach")
        checked = self._sources.check_all(sources[:MAX_CLIPS])
        if not checked.accepted:
            raise checked.refused[0][1]
        localizer = Localizer(self._translations, interaction.locale)
        handler = self._teacher.teach(
            checked, name, guild_scope(guild_id), localizer, interaction.user.id
        )
        responder = InteractionResponder(interaction, private=True)
        link = any(source.is_link for _, source in checked.accepted)
        await self._runner.run(responder, "genres teach", handler, link=link)

    async def submitted(
        self, interaction: discord.Interaction, name: str, sources: list[Attachment | str]
    ) -> None:
        """Handle the submitted modal: teach, and answer a refusal like that of a command."""
        async with self._errors.interaction(interaction):
            await self._teach(interaction, name, sources)

    @app_commands.command(name="list", description="Show the genres in this server's own words")
    async def list_genres(self, interaction: discord.Interaction) -> None:
        """Handle /genres list: send the genres that answers name, and those left out."""
        guild_id = require_manage_guild(interaction)
        async with self._recovery.deferred(interaction):
            scope = guild_scope(guild_id)
            own, operators = await asyncio.gather(
                self._own.learned(scope, patient=True), self._own.learned(LIBRARY, patient=True)
            )
            page = GenrePage(
                own=own.checks if own else (),
                operators=operators.checks if operators else (),
                taught=await taught_genres(self._db, scope, self._model_id),
            )
            localizer = Localizer(self._translations, interaction.locale)
            await respond(interaction, genre_pages.genre_list(localizer, page))

    @app_commands.command(description="Forget a genre that was taught")
    @app_commands.describe(name="Start typing its name")
    async def forget(self, interaction: discord.Interaction, name: str) -> None:
        """Handle /genres forget: delete a taught genre with its embeddings."""
        guild_id = require_manage_guild(interaction)
        async with self._recovery.deferred(interaction):
            forgotten = await forget_genre(self._db, guild_scope(guild_id), name)
            if forgotten is None:
                raise RequestDeclined("genre_not_taught", genre=name)
            localizer = Localizer(self._translations, interaction.locale)
            view = messages.notice(localizer, "genre_forgotten", genre=forgotten)
            await respond(interaction, view)

    @forget.autocomplete("name")
    async def complete_taught(
        self, interaction: discord.Interaction, typed: str
    ) -> list[app_commands.Choice[str]]:
        """Return the taught genres that contain the typed text, for users who may forget them."""
        if interaction.guild_id is None or not interaction.permissions.manage_guild:
            return []
        taught = await taught_genres(self._db, guild_scope(interaction.guild_id), self._model_id)
        part = genre_key(typed)
        return [
            app_commands.Choice(name=genre.name, value=genre.name)
            for genre in taught
            if part in genre_key(genre.name)
        ][:_MAX_CHOICES]


class _NameModal(ui.Modal):
    """Asks for the name of a genre; a restart of the bot forgets an open one."""

    def __init__(self, cog: Genres, localizer: Localizer, sources: list[Attachment | str]) -> None:
        super().__init__(title=localizer("own_genres.modal_title")[:45], timeout=900.0)
        self._cog = cog
        self._sources = sources
        self.name: ui.TextInput[_NameModal] = ui.TextInput(max_length=genre_pages.NAME)
        self.add_item(ui.Label(text=localizer("own_genres.modal_label")[:45], component=self.name))

    async def on_submit(self, interaction: discord.Interaction) -> None:
        """Teach the genre with the message's clips."""
        await self._cog.submitted(interaction, self.name.value, self._sources)
