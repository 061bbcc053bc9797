"""/library: the tracks of a guild."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import discord
from discord import app_commands, ui
from discord.ext import commands

from bot.client.buttons import OnPress
from bot.client.checks import as_source, one_source, operator_ids, require_manage_guild
from bot.client.responders import InteractionResponder, MakeFile, acknowledge, respond
from bot.errors import RequestDeclined
from bot.i18n import Localizer, Translations
from bot.jobs.last_answers import LastAnswers
from bot.jobs.library_import import import_handler
from bot.jobs.map_answers import MapAnswers, with_sign
from bot.jobs.options import OptionsResolver, scopes_of
from bot.jobs.recovery import ReplyRecovery
from bot.jobs.runner import Handler, Progress, RequestRunner, Response
from bot.jobs.track_names import TrackNames
from bot.recommender import Recommender
from bot.sources import CheckedSource, Sources
from bot.ui import duplicate_groups, messages, pages
from bot.ui.components import genre_name
from bot.ui.markdown import clean
from bot.ui.pages import TRACKS_PER_PAGE, LibraryPage
from bot.ui.track_files import track_file
from db.duplicates import find_duplicates
from db.generations import UNKNOWN_ARTIST, KnownTrack, NewTrack
from db.known_clips import known_clip
from db.list_writers import Format
from db.quality import file_quality
from db.tags import match_label
from db.tracks import LIBRARY, guild_scope
from genrec.fingerprint import RecordingMatcher
from genrec.track_map import MIN_TRACKS
from genrec.types import Track

_MAX_CHOICES = 25
_MAX_EXPORTED = 10_000
_MAX_NAME = 200
_MAX_GENRE = 40
_MAX_PAGE = 10_000


@app_commands.guild_only()
@app_commands.default_permissions(manage_guild=True)
class Library(commands.GroupCog, name="library", description="This server's tracks"):
    """The /library commands of a guild; ``root`` is the folder of paths in playlists."""

    def __init__(
        self,
        *,
        runner: RequestRunner,
        sources: Sources,
        recommender: Recommender,
        translations: Translations,
        recovery: ReplyRecovery,
        options: OptionsResolver,
        maps: MapAnswers,
        names: TrackNames,
        last: LastAnswers,
        root: Path | None,
    ) -> None:
        self._root = root
        self._options = options
        self._maps = maps
        self._names = names
        self._last = last
        self._runner = runner
        self._sources = sources
        self._recommender = recommender
        self._catalogue = recommender.catalogue
        self._model_id = recommender.preset.model_id
        self._translations = translations
        self._recovery = recovery
        self._adding_track = asyncio.Lock()
        self._comparing = asyncio.Lock()  # a large library takes a while, on one core
        self.buttons: Mapping[str, OnPress] = {
            "library": self.turn_page,
        }

    @app_commands.command(description="Add a track for this server")
    @app_commands.describe(
        clip="An audio or video file",
        link="A link to a track, instead of a file",
        title="Title of the track",
        artist="Artist of the track",
        genre="Genre in your own words",
    )
    async def add(
        self,
        interaction: discord.Interaction,
        clip: discord.Attachment | None = None,
        link: str | None = None,
        title: str | None = None,
        artist: str | None = None,
        genre: app_commands.Range[str, 1, 40] | None = None,
    ) -> None:
        """Handle /library add: analyse a clip and add it to the guild's tracks."""
        guild_id = require_manage_guild(interaction)
        checked = self._sources.check(one_source(clip, link))
        responder = InteractionResponder(interaction, private=True)
        localizer = Localizer(self._translations, interaction.locale)
        names = (title or "", artist or "", clean(genre or "", _MAX_GENRE))
        handler = self._adding(checked, localizer, guild_id, interaction.user.id, names)
        await self._runner.run(responder, "library add", handler, link=checked.is_link)

    def _adding(
        self,
        source: CheckedSource,
        localizer: Localizer,
        guild_id: int,
        user_id: int,
        names: tuple[str, str, str],
    ) -> Handler:
        scope, (title, artist, genre) = guild_scope(guild_id), names
        label = match_label(genre, self._recommender.preset.labels)

        async def handle(progress: Progress) -> Response:
            async with self._sources.fetch(source, owner=guild_id) as clip:
                progress.now("analyzing")
                analysis = await self._recommender.analyze(clip)
                self._recommender.require_music(analysis)
                quality = await asyncio.to_thread(file_quality, clip.path, analysis.duration_s)
            new = NewTrack.of(
                analysis,
                title=clean(title or clip.title, _MAX_NAME, otherwise=clip.sha256[:12]),
                artist=clean(artist or clip.artist, _MAX_NAME),
                source=clip.source,
                content=clip.sha256,
                genre=label or genre,
                label=label,
                added_by=user_id,
            )
            progress.now("comparing")
            new = replace(new, quality=quality)
            async with self._adding_track:
                known = await known_clip(self._catalogue.db, scope, self._model_id, new)
                if known is not None:
                    new = _again(new, known, clean(title, _MAX_NAME), clean(artist, _MAX_NAME))
                await self._catalogue.add(scope, self._model_id, [new])
            await self._recommender.reload()
            return Response(_added(localizer, new, known))

        return handle

    @app_commands.command(description="Remove one of this server's tracks")
    @app_commands.describe(track="Start typing the title or artist")
    async def remove(self, interaction: discord.Interaction, track: str) -> None:
        """Handle /library remove: delete a track of the guild."""
        guild_id = require_manage_guild(interaction)
        async with self._recovery.deferred(interaction):
            found = await self._find(track, guild_scope(guild_id))
            await self._catalogue.remove(found.scope, [found.id])
            await self._recommender.reload()
            localizer = Localizer(self._translations, interaction.locale)
            view = messages.notice(
                localizer, "library_removed", title=found.title, artist=found.artist
            )
            await respond(interaction, view)

    @remove.autocomplete("track")
    async def complete_track(
        self, interaction: discord.Interaction, typed: str
    ) -> list[app_commands.Choice[str]]:
        """Return the guild's tracks that match the typed text, for users who may remove them."""
        if not interaction.permissions.manage_guild:
            return []
        tracks = await self._catalogue.browse(
            self._model_id, guild_scope(_require_guild(interaction)), text=typed, limit=_MAX_CHOICES
        )
        return [
            app_commands.Choice(name=messages.label(track), value=str(track.id)) for track in tracks
        ]

    async def _find(self, wanted: str, scope: str) -> Track:
        """Return the scope's track with an id from autocomplete, or the only match of a text."""
        if wanted.isascii() and wanted.isdigit() and len(wanted) < 19:
            found = (await self._catalogue.tracks(self._model_id, [int(wanted)])).get(int(wanted))
            if found is not None and found.scope == scope:
                return found
        matches = await self._catalogue.browse(self._model_id, scope, text=wanted, limit=2)
        if len(matches) != 1:
            raise RequestDeclined("track_unknown")
        return matches[0]

    @app_commands.command(name="list", description="Show this server's tracks")
    @app_commands.describe(search="Part of a title or artist")
    async def list_tracks(
        self, interaction: discord.Interaction, search: str | None = None
    ) -> None:
        """Handle /library list: send the first page of the guild's tracks."""
        scope = guild_scope(_require_guild(interaction))
        async with self._recovery.deferred(interaction):
            page = await self._page(scope, 0, clean(search or "", 60))
            localizer = Localizer(self._translations, interaction.locale)
            await respond(interaction, pages.library(localizer, page))

    async def turn_page(self, interaction: discord.Interaction, parts: tuple[str, ...]) -> None:
        """Handle Back and Next of /library list: show the other page in the same message."""
        scope = guild_scope(_require_guild(interaction))
        side, number, *rest = parts
        beside = _number(rest.pop(0)) if side != "page" and rest else 0
        await acknowledge(interaction, private=True, thinking=False)
        page = await self._page(
            scope,
            min(_number(number), _MAX_PAGE),
            ":".join(rest),
            after=beside if side == "after" else None,
            before=beside if side == "before" else None,
        )
        localizer = Localizer(self._translations, interaction.locale)
        await respond(interaction, pages.library(localizer, page))

    async def _page(
        self,
        scope: str,
        number: int,
        search: str,
        *,
        after: int | None = None,
        before: int | None = None,
    ) -> LibraryPage:
        """Return a page by the track beside it; by its number without one, or if it is gone."""
        total = await self._catalogue.count(self._model_id, scope, text=search)
        count = max(1, -(-total // TRACKS_PER_PAGE))
        number = min(number, count - 1)
        tracks: list[Track] = []
        if number and (after or before):
            tracks = await self._catalogue.browse(
                self._model_id,
                scope,
                text=search,
                limit=TRACKS_PER_PAGE,
                after=after,
                before=before,
            )
        if not tracks:
            offset = number * TRACKS_PER_PAGE
            tracks = await self._catalogue.browse(
                self._model_id, scope, text=search, limit=TRACKS_PER_PAGE, offset=offset
            )
        return LibraryPage(tuple(tracks), number, count, total, search)

    @app_commands.command(description="List tracks that are the same recording")
    @app_commands.describe(
        scope="This server's tracks, or the operator's music (only for the bot's operator)"
    )
    @app_commands.choices(
        scope=[
            app_commands.Choice(name="this server's tracks", value="server"),
            app_commands.Choice(name="the operator's music", value="library"),
        ]
    )
    async def duplicates(
        self, interaction: discord.Interaction, scope: Literal["server", "library"] = "server"
    ) -> None:
        """Handle /library duplicates: send the groups of a scope, the best copies first."""
        operator = interaction.user.id in operator_ids(interaction.client.application)
        if scope == "library" and not operator:
            raise RequestDeclined("operator_only")
        server = scope == "server"
        wanted = guild_scope(require_manage_guild(interaction)) if server else LIBRARY
        async with self._recovery.deferred(interaction):
            matcher = RecordingMatcher(self._recommender.preset.spectrogram)
            rows = await self._recommender.index.rows((wanted,))
            async with self._comparing:
                groups = await find_duplicates(self._catalogue, rows, wanted, matcher)
            localizer = Localizer(self._translations, interaction.locale)
            files: list[MakeFile] = []
            if not duplicate_groups.is_whole(groups):
                data = duplicate_groups.table(localizer, groups)
                files.append(lambda: discord.File(io.BytesIO(data), duplicate_groups.FILE_NAME))
            view = duplicate_groups.page(localizer, groups, server=server)
            await respond(interaction, view, files=files)

    @app_commands.command(
        name="map", description="Show tracks as a map on which similar ones lie together"
    )
    @app_commands.describe(
        scope="This server's tracks, or all that answers may name",
        colour="What the colours stand for",
        track="A track to mark; start typing its title or artist",
    )
    @app_commands.choices(
        scope=[
            app_commands.Choice(name="this server's tracks", value="server"),
            app_commands.Choice(name="all tracks", value="all"),
        ],
        colour=[
            app_commands.Choice(name="genre", value="genre"),
            app_commands.Choice(name="artist", value="artist"),
        ],
    )
    async def show_map(
        self,
        interaction: discord.Interaction,
        scope: Literal["server", "all"] | None = None,
        colour: Literal["genre", "artist"] = "genre",
        track: str | None = None,
    ) -> None:
        """Handle /library map: send a picture and a page; of all tracks if the guild has few."""
        guild_id = _require_guild(interaction)
        own, localizer = guild_scope(guild_id), Localizer(self._translations, interaction.locale)
        options = await self._options.resolve(interaction.user, guild_id, interaction.locale)
        counts = self._recommender.index.count_by_scope()
        server = scope == "server" or (scope is None and counts.get(own, 0) >= MIN_TRACKS)

        async def handle(progress: Progress) -> Response:
            named = [await self._names.resolve(track, scopes_of(guild_id))] if track else []
            return await self._maps.respond(
                progress,
                localizer,
                scopes=(own,) if server else scopes_of(guild_id),
                marked=with_sign(named),
                last=self._last.get((interaction.user.id, guild_id)),
                heading=localizer("map.title" if server else "map.title_all"),
                colour=colour,
                links=options.links,
            )

        responder = InteractionResponder(interaction, private=True)
        await self._runner.run(responder, "library map", handle)

    @show_map.autocomplete("track")
    async def complete_marked(
        self, interaction: discord.Interaction, typed: str
    ) -> list[app_commands.Choice[str]]:
        """Return the tracks that the user may see whose names fit the typed text."""
        return await self._names.choices(interaction, typed)

    @app_commands.command(description="Download the list of this server's tracks")
    @app_commands.describe(format="File format")
    @app_commands.choices(
        format=[
            app_commands.Choice(name="playlist (m3u8)", value="m3u8"),
            app_commands.Choice(name="table (CSV)", value="csv"),
            app_commands.Choice(name="playlist (JSPF)", value="jspf"),
            app_commands.Choice(name="plain text", value="txt"),
            app_commands.Choice(name="JSON", value="json"),
        ]
    )
    async def export(
        self,
        interaction: discord.Interaction,
        format: Literal["m3u8", "csv", "json", "jspf", "txt"] = "csv",
    ) -> None:
        """Handle /library export: send the guild's tracks as a file."""
        scope = guild_scope(require_manage_guild(interaction))
        async with self._recovery.deferred(interaction):
            tracks = await self._catalogue.browse(self._model_id, scope, limit=_MAX_EXPORTED)
            if not tracks:
                raise RequestDeclined("library_empty")
            total = await self._catalogue.count(self._model_id, scope)
            await self._send(interaction, [track.id for track in tracks], format, total=total)

    @app_commands.command(name="import", description="Add the tracks of an exported file")
    @app_commands.describe(file="A list from /library export, or a text file of artists and titles")
    async def import_file(self, interaction: discord.Interaction, file: discord.Attachment) -> None:
        """Handle /library import: add the tracks of an export to the guild's tracks."""
        guild_id = require_manage_guild(interaction)
        checked = self._sources.check(as_source(file))
        handler = import_handler(
            checked,
            Localizer(self._translations, interaction.locale),
            guild_id,
            sources=self._sources,
            recommender=self._recommender,
            root=self._root,
        )
        responder = InteractionResponder(interaction, private=True)
        await self._runner.run(responder, "library import", handler)

    async def _send(
        self, interaction: discord.Interaction, ids: Sequence[int], form: Format, *, total: int
    ) -> None:
        file = await track_file(self._catalogue, self._model_id, form, ids, root=self._root)
        if form == "m3u8" and not file.count:
            raise RequestDeclined("playlist_empty")
        localizer = Localizer(self._translations, interaction.locale)
        view = messages.attached(
            localizer, file.name, count=file.count, total=total, located=form == "m3u8"
        )
        await respond(
            interaction, view, files=[lambda: discord.File(io.BytesIO(file.data), file.name)]
        )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _require_guild(interaction: discord.Interaction) -> int:
    if interaction.guild_id is None:
        raise RequestDeclined("guild_only")
    return interaction.guild_id


def _again(new: NewTrack, known: KnownTrack, title: str, artist: str) -> NewTrack:
    """Return the new analysis of a known track, with its names unless others were given."""
    track = replace(
        new,
        title=title or known.title,
        artist=artist or known.artist,
        source=known.source,
        added_by=known.added_by,
    )
    if known.source == new.source and known.content != new.content:
        return track  # the link leads to another file now
    if track.tagged:
        return replace(track, content=known.content)
    return replace(
        track, content=known.content, genre=known.genre, label=known.label, tagged=known.tagged
    )


def _added(localizer: Localizer, track: NewTrack, known: KnownTrack | None) -> ui.LayoutView:
    """Return the message about an added, a known or a renamed track."""
    names = {"title": track.title, "artist": _artist(localizer, track.artist)}
    if known is None:
        return messages.notice(
            localizer, "library_added", **names, genre=genre_name(localizer, track.genre)
        )
    if (track.title, track.artist) == (known.title, known.artist):
        return messages.notice(localizer, "library_known", **names)
    old = {"old_title": known.title, "old_artist": _artist(localizer, known.artist)}
    return messages.notice(localizer, "library_renamed", **names, **old)


def _artist(localizer: Localizer, name: str) -> str:
    return localizer("answer.unknown_artist") if name in ("", UNKNOWN_ARTIST) else name
