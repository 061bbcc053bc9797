"""/library, /reindex and Export: the tracks that answers are made of."""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping, Sequence
from typing import Literal

import discord
from discord import app_commands
from discord.ext import commands

from bot.client.buttons import Press
from bot.client.checks import one_source, require_manage_guild
from bot.client.responders import InteractionResponder, acknowledge, say
from bot.errors import Declined
from bot.jobs.handlers import Listener, RequestHandlers
from bot.jobs.reindex import Reindexing
from bot.jobs.runner import Handler, JobRunner, Progress, Response
from bot.sources import Attachment, Sources
from bot.ui.custom_ids import track_ids
from bot.ui.markdown import clean
from bot.ui.messages import Replies
from bot.ui.pages import TRACKS_A_PAGE, LibraryPage, Pages
from bot.ui.track_files import track_file
from db.generations import NewTrack
from db.import_export import Format
from db.tracks import Catalogue, guild_scope
from genrec.preset import Preset
from genrec.types import Track

log = logging.getLogger(__name__)

_CHOICES = 25
_EXPORTED = 10_000
_NAME = 200


@app_commands.guild_only()
@app_commands.default_permissions(manage_guild=True)
class Library(commands.GroupCog, name="library", description="This server's tracks"):
    """What a server adds to the library, and how it is kept up to date."""

    def __init__(
        self,
        *,
        runner: JobRunner,
        handlers: RequestHandlers,
        sources: Sources,
        recommender: Listener,
        catalogue: Catalogue,
        preset: Preset,
        replies: Replies,
        pages: Pages,
    ) -> None:
        self._runner = runner
        self._handlers = handlers
        self._sources = sources
        self._recommender = recommender
        self._catalogue = catalogue
        self._preset = preset
        self._replies = replies
        self._pages = pages
        self.presses: Mapping[str, Press] = {
            "export": self.export_answer,
            "library": self.turn_page,
        }

    @app_commands.command(description="Add a track to this server's library")
    @app_commands.describe(
        clip="An audio or video file",
        link="A link to a track, instead of a file",
        title="Title of the track",
        artist="Artist of the track",
    )
    async def add(
        self,
        interaction: discord.Interaction,
        clip: discord.Attachment | None = None,
        link: str | None = None,
        title: str | None = None,
        artist: str | None = None,
    ) -> None:
        """Answer /library add."""
        source, guild_id = one_source(clip, link), _server_of(interaction)
        self._handlers.check(source)
        answer = InteractionResponder(interaction, private=True)
        work = self._adding(source, guild_id, answer, title or "", artist or "")
        await self._runner.run(answer, "library add", work)

    def _adding(
        self,
        source: Attachment | str,
        guild_id: int,
        answer: InteractionResponder,
        title: str,
        artist: str,
    ) -> Handler:
        scope = guild_scope(guild_id)

        async def work(progress: Progress) -> Response:
            async with self._sources.fetch(source) as clip:
                progress.now("listening")
                analysis = await self._recommender.analyze(clip)
            new = NewTrack.of(
                analysis,
                title=clean(title or clip.title, _NAME, otherwise=clip.sha256[:12]),
                artist=clean(artist or clip.artist, _NAME),
                source=clip.source,
                content=clip.sha256,
                added_by=answer.user_id,
            )
            progress.now("comparing")
            before = await self._catalogue.count(self._preset.model_id, scope)
            await self._catalogue.add(scope, self._preset.model_id, [new])
            known = await self._catalogue.count(self._preset.model_id, scope) == before
            await self._recommender.reload()
            return Response(
                self._replies.notice(
                    "library_known" if known else "library_added",
                    answer.locale,
                    title=new.title,
                    artist=new.artist
                    or self._replies.translations.text("answer.unknown_artist", answer.locale),
                    genre=self._replies.translations.text(f"genres.{new.genre}", answer.locale)
                    if self._replies.translations.has(f"genres.{new.genre}")
                    else new.genre,
                )
            )

        return work

    @app_commands.command(description="Remove a track from this server's library")
    @app_commands.describe(track="Start typing the title or artist")
    async def remove(self, interaction: discord.Interaction, track: str) -> None:
        """Answer /library remove."""
        guild_id = _server_of(interaction)
        await acknowledge(interaction, private=True)
        found = await self._find(track, guild_scope(guild_id))
        await self._catalogue.remove(found.scope, [found.id])
        await self._recommender.reload()
        notice = self._replies.notice(
            "library_removed", interaction.locale, title=found.title, artist=found.artist
        )
        await say(interaction, notice)

    @remove.autocomplete("track")
    async def complete_track(
        self, interaction: discord.Interaction, typed: str
    ) -> list[app_commands.Choice[str]]:
        """Complete a track of this server."""
        tracks = await self._catalogue.browse(
            self._preset.model_id, guild_scope(_server_of(interaction)), text=typed, limit=_CHOICES
        )
        return [
            app_commands.Choice(name=self._replies.label(track), value=str(track.id))
            for track in tracks
        ]

    async def _find(self, wanted: str, scope: str) -> Track:
        """Return the track that was picked from the list, or the only one typed."""
        model_id = self._preset.model_id
        if wanted.isascii() and wanted.isdigit() and len(wanted) < 19:
            found = (await self._catalogue.tracks(model_id, [int(wanted)])).get(int(wanted))
            if found is not None and found.scope == scope:
                return found
        typed = await self._catalogue.browse(model_id, scope, text=wanted, limit=2)
        if len(typed) != 1:
            raise Declined("track_unknown")
        return typed[0]

    @app_commands.command(name="list", description="Show this server's tracks")
    @app_commands.describe(search="Part of a title or artist")
    async def list_tracks(
        self, interaction: discord.Interaction, search: str | None = None
    ) -> None:
        """Answer /library list."""
        scope = guild_scope(_server_of(interaction))
        await acknowledge(interaction, private=True)
        page = await self._page(scope, 0, clean(search or "", 60))
        await say(interaction, self._pages.library(page, interaction.locale))

    async def turn_page(self, interaction: discord.Interaction, parts: tuple[str, ...]) -> None:
        """Turn a page of /library list in its place."""
        scope = guild_scope(_server_of(interaction))
        _, number, *search = parts
        wanted = int(number) if number.isascii() and number.isdigit() else 0
        await acknowledge(interaction, private=True, thinking=False)
        page = await self._page(scope, min(wanted, 10_000), ":".join(search))
        await say(interaction, self._pages.library(page, interaction.locale))

    async def _page(self, scope: str, number: int, search: str) -> LibraryPage:
        model_id = self._preset.model_id
        total = await self._catalogue.count(model_id, scope, text=search)
        pages = max(1, -(-total // TRACKS_A_PAGE))
        number = min(number, pages - 1)
        tracks = await self._catalogue.browse(
            model_id, scope, text=search, limit=TRACKS_A_PAGE, offset=number * TRACKS_A_PAGE
        )
        return LibraryPage(tuple(tracks), number, pages, total, search)

    @app_commands.command(description="Download the list of this server's tracks")
    @app_commands.describe(format="File format")
    @app_commands.choices(
        format=[
            app_commands.Choice(name="playlist (m3u8)", value="m3u8"),
            app_commands.Choice(name="table (CSV)", value="csv"),
            app_commands.Choice(name="JSON", value="json"),
        ]
    )
    async def export(
        self,
        interaction: discord.Interaction,
        format: Literal["m3u8", "csv", "json"] = "csv",
    ) -> None:
        """Answer /library export."""
        scope = guild_scope(_server_of(interaction))
        await acknowledge(interaction, private=True)
        tracks = await self._catalogue.browse(self._preset.model_id, scope, limit=_EXPORTED)
        if not tracks:
            raise Declined("library_empty")
        await self._send(interaction, [track.id for track in tracks], format)

    async def export_answer(self, interaction: discord.Interaction, parts: tuple[str, ...]) -> None:
        """Answer the Export button under an answer."""
        await acknowledge(interaction, private=True)
        wanted = track_ids(parts[-1])
        found = await self._catalogue.tracks(self._preset.model_id, wanted)
        ids = [track_id for track_id in wanted if track_id in found]
        if not ids:
            raise Declined("answer_gone")
        await self._send(interaction, ids, "m3u8")

    async def _send(
        self, interaction: discord.Interaction, ids: Sequence[int], form: Format
    ) -> None:
        file = await track_file(self._catalogue, self._preset.model_id, form, ids)
        view = self._replies.attached(file.name, interaction.locale, count=file.count)
        await say(interaction, view, files=[lambda: discord.File(io.BytesIO(file.data), file.name)])


class Reindex(commands.Cog):
    """/reindex and its Cancel button."""

    def __init__(
        self,
        *,
        runner: JobRunner,
        reindexing: Reindexing,
        replies: Replies,
        admin_servers: Sequence[int],
    ) -> None:
        self._runner = runner
        self._reindexing = reindexing
        self._replies = replies
        self._admin_servers = frozenset(admin_servers)
        self.presses: Mapping[str, Press] = {"cancel": self.cancel}

    @app_commands.command(description="Index the library again (admins)")
    @app_commands.describe(scope="The operator's music folder, or this server's tracks")
    @app_commands.choices(
        scope=[
            app_commands.Choice(name="the library", value="library"),
            app_commands.Choice(name="this server's tracks", value="server"),
        ]
    )
    @app_commands.default_permissions(manage_guild=True)
    @app_commands.guild_only()
    async def reindex(
        self, interaction: discord.Interaction, scope: Literal["library", "server"] = "library"
    ) -> None:
        """Answer /reindex."""
        guild_id = self._allowed(interaction, library=scope == "library")
        target = None if scope == "library" else guild_id
        self._reindexing.check(target)
        log.info("/reindex %s by user %s of server %s", scope, interaction.user.id, guild_id)
        answer = InteractionResponder(interaction, private=False)
        work = self._reindexing.work(target, answer.locale)
        await self._runner.run_background(answer, "reindex", work)

    async def cancel(self, interaction: discord.Interaction, parts: tuple[str, ...]) -> None:
        """Answer the Cancel button."""
        key = parts[0]
        guild_id = self._allowed(interaction, library=key == "library")
        if key not in ("library", str(guild_id)):
            raise Declined("no_permission")
        self._reindexing.cancel(key)
        log.info("/reindex %s cancelled by user %s", key, interaction.user.id)
        await say(interaction, self._replies.notice("cancelling", interaction.locale))

    def _allowed(self, interaction: discord.Interaction, *, library: bool) -> int:
        guild_id = require_manage_guild(interaction)
        if library and self._admin_servers and guild_id not in self._admin_servers:
            raise Declined("not_operator")
        return guild_id


def _server_of(interaction: discord.Interaction) -> int:
    if interaction.guild_id is None:
        raise Declined("guild_only")
    return interaction.guild_id
