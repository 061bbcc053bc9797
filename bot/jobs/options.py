"""Options of a request: the command's own, else the guild's settings."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import discord
from discord import app_commands

from bot.client.checks import require_role
from bot.errors import RequestDeclined
from bot.i18n import Localizer, Translations
from bot.jobs.guild_settings_cache import GuildSettingsCache
from bot.jobs.layouts import RequestOptions
from bot.starter_policy import StarterPolicy, own_scopes
from bot.ui.answer_lines import key_choices, typed_key
from bot.ui.components import genre_name
from bot.ui.tag_names import SEVERAL, complete_tags, typed_tags
from bot.ui.track_links import DEFAULT_LINKS, LinkChoice
from db.connection import Database
from db.guild_settings import GuildSettings
from db.not_again import left_out
from db.tags import match_label
from db.tracks import STARTER
from genrec.music_filter import HIGHEST_BPM, LOWEST_BPM, MusicWish, parse_tempo, read_tempo
from genrec.names import fold
from genrec.questions import Reach
from genrec.sound_tags import MOST_TAGS

MAX_CHOICES = 25
MAX_CHOICE = 100  # characters of a name and of a value


def scopes_of(guild_id: int | None) -> tuple[str, ...]:
    """Return the scopes whose tracks a guild may see; None means a direct message."""
    return (STARTER, *own_scopes(guild_id))


def is_compact(settings: GuildSettings, operators: bool) -> bool:
    """Return whether a guild's answers are compact: its own choice, else the operator's."""
    return operators if settings.compact is None else settings.compact


class OptionsResolver:
    """Combines the options of a command with the settings of its guild.

    ``labels`` and ``tags`` are the genres and the sound tags of the preset. ``db`` has the lists of
    what users and guilds do not want again; None leaves nothing out.
    """

    def __init__(
        self,
        *,
        guilds: GuildSettingsCache,
        translations: Translations,
        labels: Sequence[str],
        tags: Sequence[str] = (),
        starter: StarterPolicy,
        links: LinkChoice = DEFAULT_LINKS,
        compact: bool,
        db: Database | None = None,
    ) -> None:
        self._db = db
        self._links = links
        self._guilds = guilds
        self._starter = starter
        self._translations = translations
        self._labels = tuple(labels)
        self._tags = tuple(tags)
        self._compact = compact

    async def resolve(
        self,
        user: discord.abc.User,
        guild_id: int | None,
        locale: object,
        *,
        count: int | None = None,
        genre: str | None = None,
        tempo: str | None = None,
        key: str | None = None,
        tag: str | None = None,
        any_artist: bool = False,
        reach: Reach = "near",
    ) -> RequestOptions:
        """Return the options of a request, with the guild's settings as defaults.

        Raises
        ------
        RequestDeclined
            The user lacks the role that may use the bot, the genre is not a label, or tempo, key or
            tag cannot be read.
        """
        settings = await self._guilds.settings(guild_id)
        if settings.allowed_role is not None:
            require_role(user, frozenset({settings.allowed_role}))
        localizer = Localizer(self._translations, locale)
        return RequestOptions(
            localizer=localizer,
            count=count or settings.default_count,
            genre=self._label(genre, localizer) if genre else None,
            music=self._wish(localizer, tempo, key, tag),
            links=self._links.of_guild(settings.link_site, settings.link_template),
            compact=guild_id is not None and is_compact(settings, self._compact),
            scopes=scopes_of(guild_id),
            asker=(user.id, guild_id),
            choose=partial(self._starter.choose, guild_id, settings.starter),
            left_out=partial(left_out, self._db, user.id, guild_id) if self._db else None,
            new_artists=not any_artist,
            reach=reach,
        )

    async def private(self, guild_id: int | None, chosen: bool | None) -> bool:
        """Return ``chosen``, else the guild's setting: True if only the user sees the response."""
        if chosen is not None:
            return chosen
        return (await self._guilds.settings(guild_id)).private

    def complete_genre(self, typed: str, locale: object) -> list[app_commands.Choice[str]]:
        """Return the genres that contain ``typed``, with their names in the user's language."""
        localizer, part = Localizer(self._translations, locale), _plain(typed)
        named = [(genre_name(localizer, label), label) for label in self._labels]
        return [
            app_commands.Choice(name=name[:100], value=label)
            for name, label in named
            if part in _plain(name) or part in _plain(label)
        ][:MAX_CHOICES]

    def complete_key(self, typed: str, locale: object) -> list[app_commands.Choice[str]]:
        """Return the compatible keys and the keys that contain ``typed``, in the user's language.

        Discord shows 25 choices, which is one for each.
        """
        localizer, part = Localizer(self._translations, locale), typed.casefold().strip()
        return [
            app_commands.Choice(name=name[:100], value=value)
            for name, value in key_choices(localizer)
            if part in name.casefold()
        ][:MAX_CHOICES]

    def complete_tag(self, typed: str, locale: object) -> list[app_commands.Choice[str]]:
        """Return the tags that contain ``typed``, in the user's language.

        After a comma, each choice has the tags before it too.
        """
        localizer = Localizer(self._translations, locale)
        return [
            app_commands.Choice(name=name, value=value)
            for name, value in complete_tags(localizer, typed, self._tags, limit=MAX_CHOICES)
            if len(name) <= MAX_CHOICE and len(value) <= MAX_CHOICE
        ]

    def _label(self, typed: str, localizer: Localizer) -> str:
        named = {genre_name(localizer, label): label for label in self._labels}
        label = match_label(typed, self._labels) or named.get(match_label(typed, tuple(named)))
        if not label:
            raise RequestDeclined("genre_unknown", genre=typed)
        return label

    def _wish(
        self, localizer: Localizer, tempo: str | None, key: str | None, tag: str | None
    ) -> MusicWish:
        """Return the wish that tempo, key and tag name; decline what cannot be read."""
        bpm = parse_tempo(tempo) if tempo else None
        if tempo and bpm is None:
            if read_tempo(tempo) is None:
                raise RequestDeclined("tempo_unknown", name=tempo)
            bounds = [localizer.number(bound) for bound in (LOWEST_BPM, HIGHEST_BPM)]
            raise RequestDeclined("tempo_out_of_range", name=tempo, low=bounds[0], high=bounds[1])
        wanted = typed_key(localizer, key) if key else None
        if key and wanted is None:
            raise RequestDeclined("key_unknown", name=key)
        tags = self._wanted_tags(localizer, tag) if tag else ()
        return MusicWish(tempo=bpm, key=wanted, tags=tags)

    def _wanted_tags(self, localizer: Localizer, typed: str) -> tuple[str, ...]:
        if not self._tags:
            raise RequestDeclined("no_tags")
        found = typed_tags(localizer, typed, self._tags)
        if not found.tags:
            raise RequestDeclined("tag_unknown", name=found.unknown, near=SEVERAL.join(found.near))
        if found.too_many:
            raise RequestDeclined("tags_many", count=len(found.tags), limit=MOST_TAGS)
        return found.tags


def _plain(text: str) -> str:
    """Return a text without case, accents, punctuation and spaces."""
    return fold(text).replace(" ", "")
