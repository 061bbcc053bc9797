"""The Export button of a response: choose a format, then get the list."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import discord
from discord.ext import commands

from bot.client.buttons import OnPress
from bot.client.responders import respond
from bot.errors import RequestDeclined
from bot.i18n import Localizer, Translations
from bot.jobs.options import scopes_of
from bot.jobs.recovery import ReplyRecovery
from bot.recommender import Recommender
from bot.ui import messages
from bot.ui.custom_ids import packed_key, track_ids
from bot.ui.track_files import has_location, track_file
from db.list_writers import FORMATS, Format
from genrec.types import Track

# JSON is for other programs, so the button does not offer it.
_OFFERED: tuple[Format, ...] = ("m3u8", "jspf", "csv", "txt")


class Exports(commands.Cog):
    """The Export button; ``root`` is the folder that paths in playlists are relative to."""

    def __init__(
        self,
        *,
        recommender: Recommender,
        translations: Translations,
        recovery: ReplyRecovery,
        root: Path | None,
    ) -> None:
        self._recommender = recommender
        self._translations = translations
        self._recovery = recovery
        self._root = root
        self.buttons: Mapping[str, OnPress] = {"export": self.export}

    async def export(self, interaction: discord.Interaction, parts: tuple[str, ...]) -> None:
        """Handle the Export button: offer the formats, or send the list in the chosen one."""
        key, *chosen = parts
        async with self._recovery.deferred(interaction):
            scopes = scopes_of(interaction.guild_id)
            tracks = await self._recommender.tracks(track_ids(key), scopes)
            if not tracks:
                raise RequestDeclined("answer_gone")
            if chosen and chosen[0] in FORMATS:
                await self._send(interaction, tracks, chosen[0])
                return
            localizer = Localizer(self._translations, interaction.locale)
            await respond(interaction, self._choice(localizer, tracks))

    def _choice(self, localizer: Localizer, tracks: Sequence[Track]) -> discord.ui.LayoutView:
        """Return the formats; a playlist only for tracks that a player can open."""
        playable = any(has_location(track.source, self._root) for track in tracks)
        forms = [form for form in _OFFERED if playable or form != "m3u8"]
        return messages.formats(localizer, packed_key([t.id for t in tracks]), forms)

    async def _send(
        self, interaction: discord.Interaction, tracks: Sequence[Track], form: Format
    ) -> None:
        preset, ids = self._recommender.preset, [track.id for track in tracks]
        catalogue = self._recommender.catalogue
        file = await track_file(
            catalogue, preset.model_id, form, ids, root=self._root, analyses=False
        )
        if form == "m3u8" and not file.count:
            raise RequestDeclined("playlist_empty")
        localizer = Localizer(self._translations, interaction.locale)
        if form == "txt":
            view = messages.listed(localizer, file.data.decode(), count=file.count)
            await respond(interaction, view)
            return
        view = messages.attached(
            localizer, file.name, count=file.count, total=len(ids), located=form == "m3u8"
        )
        await respond(
            interaction, view, files=[lambda: discord.File(io.BytesIO(file.data), file.name)]
        )
