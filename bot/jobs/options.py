"""How an answer is wanted: what was asked for, else what the server has set."""

from __future__ import annotations

from collections.abc import Sequence

import discord
from discord import app_commands

from bot.client.checks import require_role
from bot.errors import Declined
from bot.i18n import Translations
from bot.jobs.guild_settings import GuildSettingsCache
from bot.jobs.handlers import Wanted
from bot.ui.components import Localizer
from db.tracks import LIBRARY, STARTER, guild_scope

MOST_CHOICES = 25


class Preferences:
    """Puts a person's wish and a server's settings together."""

    def __init__(
        self, *, servers: GuildSettingsCache, translations: Translations, labels: Sequence[str]
    ) -> None:
        self._servers = servers
        self._words = translations
        self._labels = tuple(labels)

    async def wanted(
        self,
        user: discord.abc.User,
        guild_id: int | None,
        locale: object,
        *,
        count: int | None = None,
        genre: str | None = None,
    ) -> Wanted:
        """Return how somebody wants an answer, if they may have one."""
        settings = await self._servers.settings(guild_id)
        if settings.allowed_role is not None:
            require_role(user, frozenset({settings.allowed_role}))
        own = () if guild_id is None else (guild_scope(guild_id),)
        return Wanted(
            locale=str(locale),
            count=count or settings.default_count,
            genre=self._label(genre, locale) if genre else None,
            scopes=(STARTER, LIBRARY, *own),
        )

    async def private(self, guild_id: int | None, asked: bool | None) -> bool:
        """Tell whether only who asked sees the answer."""
        if asked is not None:
            return asked
        return (await self._servers.settings(guild_id)).private

    def genres(self, typed: str, locale: object) -> list[app_commands.Choice[str]]:
        """Complete a genre while it is typed, in the language of who types."""
        localizer, begun = Localizer(self._words, locale), typed.casefold().strip()
        named = [(localizer.genre(label), label) for label in self._labels]
        return [
            app_commands.Choice(name=name[:100], value=label)
            for name, label in named
            if begun in name.casefold() or begun in label
        ][:MOST_CHOICES]

    def _label(self, typed: str, locale: object) -> str:
        localizer, wanted = Localizer(self._words, locale), typed.casefold().strip()
        for label in self._labels:
            if wanted in (label, localizer.genre(label).casefold()):
                return label
        raise Declined("genre_unknown", genre=typed)
