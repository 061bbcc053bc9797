"""Layouts about songs that a link names: the list to choose from, and the catalogue's genre."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import discord
from discord import ui

from bot.i18n import Localizer
from bot.ui.answer import genre_colour
from bot.ui.answer_lines import key_value
from bot.ui.components import (
    MAX_OPTION,
    QUIET,
    button,
    genre_name,
    layout,
    row,
    small,
    text,
    track_names,
)
from bot.ui.markdown import clean, escape
from bot.ui.tag_names import tag_codes
from genrec.music_filter import ANY_WISH, MusicWish, tempo_text
from genrec.names import artist_key
from genrec.page_titles import SongName
from genrec.questions import REACHES, Reach
from genrec.types import Track

NONE_OF_THESE = "0"
_NAME_CHARS = 80
_MAX_SONGS = 24  # a select has 25 options, and one of them is none of these


KINDS = ("recommend", "genre", "track", "track_genre")
"""Commands about a link, and about a typed name."""


class SongChoice(NamedTuple):
    """The parts of a list's custom id: who may choose, and what was requested."""

    kind: str
    user_id: int
    wanted: int
    genre: str | None = None
    tempo: str | None = None
    key: str | None = None
    any_artist: bool = False
    reach: Reach = "near"
    tags: str | None = None

    @property
    def command(self) -> str:
        """The command that was used: recommend or genre."""
        return "genre" if self.kind in ("genre", "track_genre") else "recommend"

    @property
    def linked(self) -> bool:
        """Whether a link named the song, and not a typed name."""
        return self.kind in ("recommend", "genre")


def custom_id(
    kind: str,
    user_id: int,
    count: int,
    genre: str | None,
    music: MusicWish = ANY_WISH,
    *,
    any_artist: bool = False,
    reach: Reach = "near",
) -> str:
    """Return the custom id of a list of songs, with the options of the request as texts."""
    tempo = "" if music.tempo is None else tempo_text(music.tempo)
    key = "" if music.key is None else key_value(music.key)
    artists, tags = "any" if any_artist else "", tag_codes(music.tags)
    options = (genre or "", tempo, key, artists, reach[:1], *filter(None, [tags]))
    return f"song:{kind}:{user_id}:{count}:{':'.join(options)}"


def song_choice(parts: Sequence[str]) -> SongChoice | None:
    """Return the parts of a list's custom id after "song"; None for a malformed one."""
    kind, user, count, genre, tempo, key, artists, far, tags = (*parts, *[""] * 9)[:9]
    numbers = user.isascii() and user.isdigit() and count.isascii() and count.isdigit()
    if kind not in KINDS or not numbers or not 1 <= int(count) <= 10:
        return None
    reach = next((each for each in REACHES if far and each.startswith(far)), REACHES[0])
    music = (genre or None, tempo or None, key or None)
    return SongChoice(kind, int(user), int(count), *music, artists == "any", reach, tags or None)


def name_of(name: SongName) -> str:
    """Return a song's name as one raw line: "Artist - Title"."""
    parts = [clean(name.artist, _NAME_CHARS), clean(name.title, _NAME_CHARS)]
    return " \u2013 ".join(part for part in parts if part)


def choices(
    localizer: Localizer, tracks: Sequence[Track], *, site: str, name: SongName, custom_id: str
) -> ui.LayoutView:
    """Return the list of tracks with names similar to a linked song's."""
    found = localizer("songs.found", site=site, song=escape(name_of(name), 2 * _NAME_CHARS))
    return _list(localizer, tracks, found, custom_id)


def typed_choices(
    localizer: Localizer, tracks: Sequence[Track], *, typed: str, custom_id: str
) -> ui.LayoutView:
    """Return the list of tracks that fit a typed name, or of the one that part of a name fits."""
    key = "songs.typed" if len(tracks) > 1 else "songs.typed_one"
    found = localizer(key, name=escape(typed, _NAME_CHARS))
    return _list(localizer, tracks[:_MAX_SONGS], found, custom_id)


def _list(
    localizer: Localizer, tracks: Sequence[Track], found: str, custom_id: str
) -> ui.LayoutView:
    options = [
        discord.SelectOption(
            label=clean(track.title, MAX_OPTION, otherwise=localizer("answer.untitled")),
            description=_description(localizer, track),
            value=str(track.id),
        )
        for track in tracks
    ]
    none = clean(localizer("songs.none"), MAX_OPTION)
    options.append(discord.SelectOption(label=none, value=NONE_OF_THESE))
    placeholder = localizer("songs.placeholder")[:150]
    return layout(
        QUIET,
        [
            text(f"## {localizer('songs.choose')}\n{found}"),
            row(ui.Select(custom_id=custom_id, placeholder=placeholder, options=options)),
        ],
    )


def genre(localizer: Localizer, track: Track, *, linked: bool = True) -> ui.LayoutView:
    """Return the response to /genre for a link or a name: the genre of the catalogue's track."""
    title, artist = track_names(localizer, track, _NAME_CHARS, _NAME_CHARS)
    lines = [
        f"## {genre_name(localizer, track.genre)}",
        small(f"**{title}** \u00b7 {artist}"),
        small(localizer("songs.genre_by_name" if linked else "songs.genre_of_track")),
    ]
    more = button(f"more:{track.id}", localizer("button.more"))
    return layout(genre_colour(track.genre, unsure=False), [text("\n".join(lines)), row(more)])


def _description(localizer: Localizer, track: Track) -> str:
    artist = clean(track.artist, 60) if artist_key(track.artist) else ""
    label = genre_name(localizer, track.genre) if track.genre else ""
    return clean(" \u00b7 ".join(filter(None, (artist, label))), MAX_OPTION) or "\u2013"
