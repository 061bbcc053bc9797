"""Cog of /recommend, /genre, their message menus, More like this and Details."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal

import discord
from discord import app_commands
from discord.ext import commands

from bot.client.buttons import OnPress, selected
from bot.client.checks import one_source, typed_name
from bot.client.error_handler import ErrorHandler
from bot.client.responders import (
    EditingResponder,
    FollowUpResponder,
    InteractionResponder,
    respond,
)
from bot.client.retry import with_retry
from bot.errors import RequestDeclined
from bot.jobs.full_answer import DetailsHandler
from bot.jobs.handlers import RequestHandlers
from bot.jobs.layouts import RequestOptions
from bot.jobs.message_clips import ClipFinder
from bot.jobs.options import OptionsResolver
from bot.jobs.recovery import ReplyRecovery
from bot.jobs.runner import Handler, RequestRunner
from bot.jobs.track_names import TrackNames
from bot.sources import Attachment, CheckedSource, Sources
from bot.ui import compact, messages
from bot.ui.custom_ids import track_ids
from bot.ui.song_choice import NONE_OF_THESE, song_choice
from genrec.questions import Reach

MakeHandler = Callable[[CheckedSource, RequestOptions], Handler]

_CLIP = "An audio or video file"
_LINK_HELP = "A link to a track, instead of a file"
_TRACK = "The name of a song in the catalogue, instead of a file"
_PRIVATE = "Only you see the answer"
TAG_HELP = "Only tracks with this tag, such as mellow; several with commas"
ARTISTS = [
    app_commands.Choice(name="new artists only", value="new_artists"),
    app_commands.Choice(name="any artist", value="any_artist"),
]
REACH = [
    app_commands.Choice(name="near: the most similar tracks", value="near"),
    app_commands.Choice(name="balanced: similar tracks that differ", value="balanced"),
    app_commands.Choice(name="adventurous: farther tracks", value="adventurous"),
]


class Recommend(commands.Cog):
    """Commands and menus about a clip, and the buttons More like this and Details."""

    def __init__(
        self,
        *,
        runner: RequestRunner,
        sources: Sources,
        clips: ClipFinder,
        errors: ErrorHandler,
        handlers: RequestHandlers,
        options: OptionsResolver,
        recovery: ReplyRecovery,
        details: DetailsHandler,
        names: TrackNames,
    ) -> None:
        self._names = names
        self._recovery = recovery
        self._details = details
        self._runner = runner
        self._sources = sources
        self._clips = clips
        self._errors = errors
        self._handlers = handlers
        self._options = options
        self.menus = [
            _everywhere(app_commands.ContextMenu(name=name, callback=callback))
            for name, callback in (
                ("Recommend from this message", self.recommend_from_message),
                ("What genre is this?", self.genre_from_message),
            )
        ]
        self.buttons: Mapping[str, OnPress] = {
            "more": self.more,
            "details": self.details,
            "song": self.choose_song,
        }

    @app_commands.command(description="Find tracks that sound similar to a clip or a named track")
    @app_commands.describe(
        clip=_CLIP,
        link=_LINK_HELP,
        track=_TRACK,
        count="Number of tracks, 1 to 10",
        genre="Only tracks of this genre",
        tempo="Only tracks of this tempo, such as 118-126",
        key="Only tracks in this key, or in compatible ones",
        tag=TAG_HELP,
        private=_PRIVATE,
        artists="Default: new artists only, without that of the clip",
        reach="How far afield the tracks may be (default: the nearest)",
    )
    @app_commands.choices(artists=ARTISTS, reach=REACH)
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def recommend(
        self,
        interaction: discord.Interaction,
        clip: discord.Attachment | None = None,
        link: str | None = None,
        track: str | None = None,
        count: app_commands.Range[int, 1, 10] | None = None,
        genre: str | None = None,
        tempo: str | None = None,
        key: str | None = None,
        tag: str | None = None,
        private: bool | None = None,
        artists: Literal["new_artists", "any_artist"] = "new_artists",
        reach: Reach = "near",
    ) -> None:
        """Handle /recommend: send the genre of a clip and similar tracks, or those of a track."""
        name = typed_name(clip, link, track)
        options = await self._options.resolve(
            interaction.user, interaction.guild_id, interaction.locale, count=count, genre=genre,
            tempo=tempo, key=key, tag=tag, any_artist=artists == "any_artist", reach=reach,
        )  # fmt: skip
        if name is not None:
            await self._typed(interaction, name, "recommend", options, private=private)
            return
        await self._recommend(interaction, one_source(clip, link), options, private=private)

    @recommend.autocomplete("genre")
    async def complete_genre(
        self, interaction: discord.Interaction, typed: str
    ) -> list[app_commands.Choice[str]]:
        """Return the genres that contain the typed text."""
        return self._options.complete_genre(typed, interaction.locale)

    @recommend.autocomplete("key")
    async def complete_key(
        self, interaction: discord.Interaction, typed: str
    ) -> list[app_commands.Choice[str]]:
        """Return the keys that contain the typed text, and the compatible keys."""
        return self._options.complete_key(typed, interaction.locale)

    @recommend.autocomplete("tag")
    async def complete_tag(
        self, interaction: discord.Interaction, typed: str
    ) -> list[app_commands.Choice[str]]:
        """Return the sound tags that contain the typed text, behind those before a comma."""
        return self._options.complete_tag(typed, interaction.locale)

    @app_commands.command(description="Find the genre of a clip")
    @app_commands.describe(clip=_CLIP, link=_LINK_HELP, track=_TRACK, private=_PRIVATE)
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def genre(
        self,
        interaction: discord.Interaction,
        clip: discord.Attachment | None = None,
        link: str | None = None,
        track: str | None = None,
        private: bool | None = None,
    ) -> None:
        """Handle /genre: send the genre of a clip or of a track of the catalogue."""
        name = typed_name(clip, link, track)
        if name is None:
            await self._genre(interaction, one_source(clip, link), private=private)
            return
        options = await self._options.resolve(
            interaction.user, interaction.guild_id, interaction.locale
        )
        await self._typed(interaction, name, "genre", options, private=private)

    @recommend.autocomplete("track")
    @genre.autocomplete("track")
    async def complete_track(
        self, interaction: discord.Interaction, typed: str
    ) -> list[app_commands.Choice[str]]:
        """Return the tracks that fit the typed text, of those that the user's answers may have."""
        return await self._names.choices(interaction, typed)

    async def recommend_from_message(
        self, interaction: discord.Interaction, message: discord.Message
    ) -> None:
        """Handle Apps > Recommend from this message: recommend for its clips."""
        await self._from_message(interaction, message, "recommend", self._handlers.recommend)

    async def genre_from_message(
        self, interaction: discord.Interaction, message: discord.Message
    ) -> None:
        """Handle Apps > What genre is this?: send the genres of a message's clips."""
        await self._from_message(interaction, message, "genre", self._handlers.genre)

    async def more(self, interaction: discord.Interaction, parts: tuple[str, ...]) -> None:
        """Handle More like this: send tracks similar to the button's track."""
        track_id = _track_id(parts[0])
        options = await self._options.resolve(
            interaction.user, interaction.guild_id, interaction.locale
        )
        shown = track_ids(parts[1]) if len(parts) > 1 else ()
        options = replace(options, shown=frozenset(shown))
        # A private response has private follow-ups.
        hidden = bool(interaction.message and interaction.message.flags.ephemeral)
        private = await self._options.private(interaction.guild_id, True if hidden else None)
        responder = InteractionResponder(interaction, private=private)
        handler = self._handlers.more(track_id, options.visible_to_one(private))
        await self._runner.run(responder, "more", handler, quick=True)

    async def details(self, interaction: discord.Interaction, parts: tuple[str, ...]) -> None:
        """Handle Details: send the full layout of a response to the user alone."""
        if len(parts) != 2:
            raise RequestDeclined("answer_gone")
        options = await self._options.resolve(
            interaction.user, interaction.guild_id, interaction.locale
        )
        async with self._recovery.deferred(interaction):
            name = compact.shown_name(interaction.message)
            response = await self._details.respond(*parts, name, options)
            assert response.view is not None
            await respond(interaction, response.view, files=response.files)

    async def choose_song(self, interaction: discord.Interaction, parts: tuple[str, ...]) -> None:
        """Handle a choice among the songs that a link may name: its list becomes the response."""
        choice, values = song_choice(parts), selected(interaction)
        if choice is None or len(values) != 1:
            raise RequestDeclined("answer_gone")
        if interaction.user.id != choice.user_id:
            raise RequestDeclined("song_not_yours")
        options = await self._options.resolve(
            interaction.user,
            interaction.guild_id,
            interaction.locale,
            count=choice.wanted,
            genre=choice.genre,
            tempo=choice.tempo,
            key=choice.key,
            tag=choice.tags,
            any_artist=choice.any_artist,
            reach=choice.reach,
        )
        if values[0] == NONE_OF_THESE:
            view = messages.decline(options.localizer, "song_none")
            await with_retry(lambda: interaction.response.edit_message(view=view))
            return
        responder = EditingResponder(interaction)
        options = options.visible_to_one(responder.private)
        handler = self._handlers.chosen_song(choice, _track_id(values[0]), options)
        await self._runner.run(responder, choice.command, handler, quick=True)

    async def _from_message(
        self,
        interaction: discord.Interaction,
        message: discord.Message,
        kind: str,
        make_handler: MakeHandler,
    ) -> None:
        """Respond to each clip of a message: the first in the response, others in follow-ups."""
        own_id = interaction.client.user.id if interaction.client.user else 0
        clips = await self._clips.asked(message, own_id=own_id, sniff=False)
        options = await self._options.resolve(
            interaction.user, interaction.guild_id, interaction.locale
        )
        private = await self._options.private(interaction.guild_id, None)
        options = options.visible_to_one(private)
        checked = self._sources.check_all(clips.sources)
        several = len(clips.sources) > 1
        if not checked.accepted and not several:
            raise checked.refused[0][1]
        steps = [
            (
                _responder(interaction, options, private, name if several else "", number),
                make_handler(source, options),
            )
            for number, (name, source) in enumerate(checked.accepted)
        ]
        if steps:
            link = str in map(type, clips.sources)
            await self._runner.run_series(kind, steps, link=link)
        if checked.refused or clips.left_out:
            await self._errors.explain(interaction, checked.refused, clips.left_out)

    async def _recommend(
        self,
        interaction: discord.Interaction,
        source: Attachment | str,
        options: RequestOptions,
        *,
        private: bool | None = None,
    ) -> None:
        checked = self._sources.check(source, lookup=True)
        hidden = await self._options.private(interaction.guild_id, private)
        responder = InteractionResponder(interaction, private=hidden)
        handler = self._handlers.recommend(checked, options.visible_to_one(hidden))
        await self._runner.run(responder, "recommend", handler, link=checked.is_link)

    async def _typed(
        self,
        interaction: discord.Interaction,
        name: str,
        kind: str,
        options: RequestOptions,
        *,
        private: bool | None,
    ) -> None:
        hidden = await self._options.private(interaction.guild_id, private)
        responder = InteractionResponder(interaction, private=hidden)
        handler = self._handlers.typed(name, kind, options.visible_to_one(hidden))
        await self._runner.run(responder, kind, handler, quick=True)

    async def _genre(
        self,
        interaction: discord.Interaction,
        source: Attachment | str,
        *,
        private: bool | None = None,
    ) -> None:
        checked = self._sources.check(source, lookup=True)
        options = await self._options.resolve(
            interaction.user, interaction.guild_id, interaction.locale
        )
        hidden = await self._options.private(interaction.guild_id, private)
        responder = InteractionResponder(interaction, private=hidden)
        handler = self._handlers.genre(checked, options)
        await self._runner.run(responder, "genre", handler, link=checked.is_link)


def _track_id(text: str) -> int:
    """Return the track id of a custom id or a select's value; raise RequestDeclined."""
    if not text.isascii() or not text.isdigit() or int(text) >= 2**63:
        raise RequestDeclined("track_gone")
    return int(text)


def _responder(
    interaction: discord.Interaction, options: RequestOptions, private: bool, clip: str, number: int
) -> InteractionResponder:
    """Return the responder of a message's clip; ``number`` 0 is the interaction's response."""
    if not number:
        return InteractionResponder(interaction, private=private, clip=clip)
    progress = messages.progress(options.localizer, "fetching")
    return FollowUpResponder(
        interaction, private=private, clip=clip, number=number, progress=progress
    )


def _everywhere(menu: app_commands.ContextMenu) -> app_commands.ContextMenu:
    menu.allowed_installs = app_commands.AppInstallationType(guild=True, user=True)
    menu.allowed_contexts = app_commands.AppCommandContext(
        guild=True, dm_channel=True, private_channel=True
    )
    return menu
