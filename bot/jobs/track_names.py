"""Names of tracks in options of commands: choices while typing, and the track that a text means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

import discord
from discord import app_commands

from bot.errors import RequestDeclined
from bot.i18n import Localizer, Translations
from bot.jobs.options import OptionsResolver
from bot.named_tracks import NamedTrack, NamedTracks, NameMatch, choice_value
from bot.ui.components import MAX_OPTION, genre_name
from bot.ui.markdown import clean
from db.tracks import LIBRARY, STARTER
from genrec.names import artist_key, credited_artists
from genrec.typed_names import are_similar
from genrec.types import Track

_MAX_SUFFIX = 40
_NEAR_CHARS = 30
_NAMES_IN_SENTENCE = 3


class TrackNames:
    """Completes and resolves the track options of commands.

    A choice's value stands for a track. A text that is no such value is a name that was typed.
    """

    def __init__(
        self, *, named: NamedTracks, options: OptionsResolver, translations: Translations
    ) -> None:
        self._named = named
        self._options = options
        self._translations = translations

    async def choices(
        self, interaction: discord.Interaction, typed: str
    ) -> list[app_commands.Choice[str]]:
        """Return the choices for an option of a command that is being typed.

        They are the tracks that the user's answers may have: none for a user who lacks the role
        that may use the bot.
        """
        try:
            options = await self._options.resolve(
                interaction.user, interaction.guild_id, interaction.locale
            )
        except RequestDeclined:
            return []
        chosen = await options.with_choice()
        scopes = (*chosen.scopes, *chosen.fallback)
        return await self.complete(typed, scopes, interaction.locale)

    async def complete(
        self, typed: str, scopes: Collection[str], locale: object
    ) -> list[app_commands.Choice[str]]:
        """Return up to 25 tracks of the scopes whose names fit a typed text, as choices."""
        found = await self._named.complete(typed, scopes)
        labels = choice_labels(Localizer(self._translations, locale), found)
        return [
            app_commands.Choice(name=label, value=choice_value(each.track))
            for label, each in zip(labels, found, strict=True)
        ]

    async def match(self, text: str, scopes: Collection[str]) -> NameMatch:
        """Return what a text means: a track, several songs, or near names."""
        return await self._named.match(text, scopes)

    async def artists_like(self, artist: str, scopes: Collection[str]) -> str | None:
        """Return "" if the scopes have a track by an artist, else similar names, None without.

        Guests count as artists, too.
        """
        tracks = [each.track for each in await self._named.complete(artist, scopes)]
        if any(artist_key(artist) in credited_artists(each.artist, each.title) for each in tracks):
            return ""
        near = {
            artist_key(each.artist): clean(each.artist, _NEAR_CHARS)
            for each in tracks
            if artist_key(each.artist) and are_similar(artist, each.artist)
        }
        return "; ".join(list(near.values())[:_NAMES_IN_SENTENCE]) or None

    async def resolve(self, text: str, scopes: Collection[str]) -> Track:
        """Return the track that a choice's value or a typed name means.

        Raises
        ------
        RequestDeclined
            The name fits several songs or none; the sentence lists the nearest names.
        """
        match = await self.match(text, scopes)
        if match.track is not None:
            return match.track
        raise declined(text, match)


def declined(text: str, match: NameMatch) -> RequestDeclined:
    """Return the refusal of a name that fits several songs or none."""
    if more := len(match.unclear[_NAMES_IN_SENTENCE:]):
        number = f"{more}+" if match.cut else str(more)
        near = _sentence(match.unclear)
        return RequestDeclined("name_unclear_more", name=text, near=near, more=number)
    if len(match.unclear) > 1:
        return RequestDeclined("name_unclear", name=text, near=_sentence(match.unclear))
    if tracks := match.unclear or match.near:
        return RequestDeclined("name_unknown_near", name=text, near=_sentence(tracks))
    return RequestDeclined("name_unknown", name=text, known=match.known)


def choice_labels(localizer: Localizer, found: Sequence[NamedTrack]) -> list[str]:
    """Return "Artist - Title" for each track, with what tells equal names apart.

    That is the album, else the genre, else whose track it is, else a number.
    """
    labels = [_label(localizer, each.track) for each in found]
    for kind in (_album, _genre, _place):
        equal = Counter(labels)
        if max(equal.values(), default=0) < 2:
            return labels
        labels = [
            _label(localizer, each.track, kind(localizer, each)) if equal[label] > 1 else label
            for label, each in zip(labels, found, strict=True)
        ]
    seen: Counter[str] = Counter()
    equal = Counter(labels)
    for place, (label, each) in enumerate(zip(labels, found, strict=True)):
        if equal[label] > 1:
            seen[label] += 1
            labels[place] = _label(localizer, each.track, str(seen[label]))
    return labels


def _label(localizer: Localizer, track: Track, suffix: str = "") -> str:
    artist = clean(track.artist, MAX_OPTION) if artist_key(track.artist) else ""
    title = clean(track.title, MAX_OPTION, otherwise=localizer("answer.untitled"))
    name = f"{artist} - {title}" if artist else title
    if not suffix:
        return clean(name, MAX_OPTION)
    end = f" \u00b7 {clean(suffix, _MAX_SUFFIX)}"
    return clean(name, MAX_OPTION - len(end)) + end


def _album(_: Localizer, each: NamedTrack) -> str:
    return each.album


def _genre(localizer: Localizer, each: NamedTrack) -> str:
    return genre_name(localizer, each.track.genre) if each.track.genre else ""


def _place(localizer: Localizer, each: NamedTrack) -> str:
    places = {STARTER: "origin.starter", LIBRARY: "origin.library"}
    return localizer(places.get(each.track.scope, "origin.server"))


def _sentence(tracks: Sequence[Track]) -> str:
    names = []
    for track in tracks[:_NAMES_IN_SENTENCE]:
        artist = clean(track.artist, _NEAR_CHARS) if artist_key(track.artist) else ""
        title = clean(track.title, _NEAR_CHARS)
        names.append(f"{artist} - {title}" if artist else title)
    return "; ".join(names)
