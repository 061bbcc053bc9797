"""The Listen button of a response: excerpts of its tracks, for the person who presses it."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import discord
from discord.ext import commands

from bot.client.buttons import OnPress
from bot.client.retry import with_retry
from bot.errors import RequestDeclined
from bot.jobs.excerpts import Excerpts
from bot.jobs.options import OptionsResolver
from bot.jobs.recovery import ReplyRecovery
from bot.recommender import Recommender
from bot.ui.custom_ids import track_ids
from bot.ui.excerpt_list import excerpt_lines, file_name
from genrec.types import SoundExcerpt, Track

_MAX_FILES = 10  # of a message
_UPLOAD_S = 30.0  # ten excerpts have a megabyte


class Listen(commands.Cog):
    """The Listen button."""

    def __init__(
        self,
        *,
        recommender: Recommender,
        excerpts: Excerpts,
        options: OptionsResolver,
        recovery: ReplyRecovery,
    ) -> None:
        self._recommender = recommender
        self._excerpts = excerpts
        self._options = options
        self._recovery = recovery
        self.buttons: Mapping[str, OnPress] = {"listen": self.listen}

    async def listen(self, interaction: discord.Interaction, parts: tuple[str, ...]) -> None:
        """Handle Listen: send an excerpt of each track that has a file."""
        options = await self._options.resolve(
            interaction.user, interaction.guild_id, interaction.locale
        )
        async with self._recovery.deferred(interaction):
            tracks = await self._recommender.tracks(track_ids(parts[-1]), options.scopes)
            if not tracks:
                raise RequestDeclined("answer_gone")
            tracks = tracks[:_MAX_FILES]
            excerpts = await self._excerpts.cut(tracks, user_id=interaction.user.id)
            if not any(excerpts):
                raise RequestDeclined("no_excerpt")
            # Discord plays no sound in a Components V2 layout, so this message is an ordinary one.
            content = excerpt_lines(options.localizer, tracks, excerpts)
            await with_retry(
                lambda: interaction.edit_original_response(
                    content=content, attachments=_files(tracks, excerpts)
                ),
                timeout_s=_UPLOAD_S,
            )


def _files(tracks: Sequence[Track], excerpts: Sequence[SoundExcerpt | None]) -> list[discord.File]:
    return [
        discord.File(io.BytesIO(excerpt.mp3), file_name(place, track))
        for place, (track, excerpt) in enumerate(zip(tracks, excerpts, strict=True), start=1)
        if excerpt is not None
    ]
