"""Layout of /path: the songs of a way with the similarity of each step, and their picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import groupby

import discord
from discord import ui

from bot.i18n import Localizer
from bot.path_finder import Way, WaySong
from bot.ui.answer import answer_buttons
from bot.ui.components import (
    MAX_CHARACTERS,
    QUIET,
    Item,
    button,
    genre_name,
    layout,
    percent,
    row,
    small,
    text,
    track_names,
)
from bot.ui.custom_ids import packed_key
from bot.ui.map_drawing import MapMark, draw_map
from bot.ui.markdown import clean, escape
from bot.ui.picture_text import MAX_ALT
from bot.ui.track_links import TrackLinks, title_link

PICTURE_NAME = "path.png"
_NAME_IN_HEADING, _NAME_IN_ALT = 60, 80
_NAMES_AND_LINKS = ((80, 300), (60, 180), (40, 100), (28, 0))


@dataclass(frozen=True, slots=True)
class WayPicture:
    """The picture of a way and the same in words."""

    png: bytes
    alt: str

    def file(self) -> discord.File:
        """Return the picture as a Discord file with its alt text."""
        return discord.File(BytesIO(self.png), PICTURE_NAME, description=self.alt)


def draw_way(localizer: Localizer, way: Way) -> WayPicture:
    """Draw a way on the plane of its songs, among the tracks around it."""
    marks = [
        MapMark(float(x), float(y), plain_genre(localizer, song.genre), str(number))
        for number, (song, (x, y)) in enumerate(zip(way.songs, way.places, strict=True), start=1)
    ]
    groups = [plain_genre(localizer, genre) for genre in way.around_genres]
    other = localizer("way.other_genres")
    png = draw_map(way.around, groups, marks=marks, way=True, other=other)
    return WayPicture(png, alt_text(localizer, way))


def alt_text(localizer: Localizer, way: Way) -> str:
    """Return the alt text of a way's picture: its ends and the genres of its songs."""
    start, goal = (_plain_name(localizer, way.songs[i], _NAME_IN_ALT) for i in (0, -1))
    sentence = localizer("way.alt", start=start, goal=goal, count=len(way.songs))
    numbered = enumerate((plain_genre(localizer, song.genre) for song in way.songs), start=1)
    parts = []
    for genre, run in groupby(numbered, key=lambda each: each[1]):
        numbers = [number for number, _ in run]
        ends = f"{numbers[0]}" + (f"\u2013{numbers[-1]}" if len(numbers) > 1 else "")
        parts.append(f"{ends}: {genre}" if genre else ends)
    return f"{sentence} {', '.join(parts)}"[:MAX_ALT]


def way_answer(
    localizer: Localizer, way: Way, *, links: TrackLinks, again_id: str, alt: str = ""
) -> ui.LayoutView:
    """Return the response to /path.

    ``again_id`` is the custom id of Another way, "" for no such button. ``alt`` is the alt text of
    ``path.png``, "" if it is not sent.
    """
    ends = (_plain_name(localizer, way.songs[i], _NAME_IN_HEADING) for i in (0, -1))
    names = [escape(name, 2 * _NAME_IN_HEADING) for name in ends]
    head = f"## {localizer('way.heading', start=names[0], goal=names[1])}"
    if way.is_short:
        inner = len(way.songs) - 2
        few = localizer("way.few", count=len(way.songs), wanted=way.wanted)
        head += f"\n{few if inner else localizer('way.none')}"
    option = localizer("commands.path.options.again.name")
    again = localizer("way.again", option=option, number=str(way.chance_seed))
    foot = small(f"{localizer('way.percentages')} \u00b7 {again}")
    room = MAX_CHARACTERS - len(head) - len(foot) - 20
    items: list[Item] = [text(head)]
    if alt:
        picture = discord.MediaGalleryItem(f"attachment://{PICTURE_NAME}", description=alt)
        items.append(ui.MediaGallery(picture))
    items += [text(_lines(localizer, way, links, room)), text(foot)]
    key = packed_key([track.id for track in way.tracks])
    buttons = answer_buttons(localizer, key, export=bool(way.tracks), listen=links.listen)
    if again_id:
        buttons.append(button(again_id, localizer("button.another_way")))
    return layout(QUIET, [*items, row(*buttons)])


def plain_genre(localizer: Localizer, label: str) -> str:
    """Return a genre's name in the user's language, cleaned but not escaped; "" without one."""
    key = f"genres.{label}"
    return localizer(key) if label and localizer.has(key) else clean(label, 40)


def _lines(localizer: Localizer, way: Way, links: TrackLinks, room: int) -> str:
    """Return a line for each song, with names and links shortened to fit into ``room``."""
    lines: list[str] = []
    for name_limit, link_limit in _NAMES_AND_LINKS:
        lines = [
            _line(localizer, place, song, links, name_limit, link_limit)
            for place, song in enumerate(way.songs, start=1)
        ]
        if sum(len(line) + 1 for line in lines) <= room:
            break
    return "\n".join(lines)


def _line(
    localizer: Localizer, place: int, song: WaySong, links: TrackLinks, name: int, link: int
) -> str:
    if song.track is not None:
        title = title_link(localizer, song.track, links, name, link)
        artist = track_names(localizer, song.track, name, name)[1]
    else:
        title = escape(song.title, name) or localizer("answer.your_clip")
        artist = escape(song.artist, name)
    parts = [f"**{title}**", *([artist] if artist else [])]
    parts += [genre_name(localizer, song.genre)] if song.genre else []
    parts += [percent(localizer, song.similarity)] if song.similarity is not None else []
    line = " \u00b7 ".join(parts)
    return f"{place}. {line}"


def _plain_name(localizer: Localizer, song: WaySong, limit: int) -> str:
    missing = "answer.your_clip" if song.track is None else "answer.untitled"
    return clean(song.title, limit) or localizer(missing)


def another_id(start: str, goal: str, songs: int, chance_seed: int) -> str:
    """Return the custom id of Another way; the ends are keys of `bot.ui.custom_ids.about_key`."""
    return f"way:{start}:{goal}:{songs}:{chance_seed}"


def ends_of(parts: Sequence[str]) -> tuple[str, str, int, int] | None:
    """Return start, goal, songs and chance seed of a custom id's parts; None if malformed."""
    if len(parts) != 4 or not all(p.isascii() and p.isdigit() and len(p) < 7 for p in parts[2:]):
        return None
    return parts[0], parts[1], int(parts[2]), int(parts[3])
