"""Picture, alt text and message of a library map."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Literal, get_args

import discord
import numpy as np
from discord import ui
from PIL import ImageFont

from bot.i18n import Localizer
from bot.ui.components import QUIET, Item, layout, small, text, track_names
from bot.ui.map_drawing import POINT, MapMark, draw_map, styles
from bot.ui.map_labels import drawable
from bot.ui.map_page import FILE_NAME, MapTracks
from bot.ui.markdown import clean
from genrec.names import artist_key
from genrec.track_map import landmarks
from genrec.types import Track

Colouring = Literal["genre", "artist", "folder"]
COLOURINGS: tuple[Colouring, ...] = get_args(Colouring)
PICTURE_NAME = "map.png"
SIZE = (420, 380)  # of the picture, in points
MAX_DRAWN = 40_000  # points of the picture; more would cover each other
SMALLEST = 0.6  # radius of a point, in points
SIGN = "+"  # of a named track or a seed; the font of pictures has few signs
_FULL_SIZE_BELOW = 600  # points; more are drawn smaller
_OTHERS = "other"  # where the font lacks the letters of the translation
_MAX_ALT, _ALT_GROUPS, _MAX_NAME = 1024, 6, 60


@dataclass(frozen=True, slots=True)
class MarkedTrack:
    """A track or clip that a map marks: its place, its sign, and the track; None for a clip."""

    x: float
    y: float
    sign: str
    track: Track | None = None


def artist_label(artist: str) -> str:
    """Return an artist's name for a legend, not escaped; "" if it is unknown."""
    return clean(artist, _MAX_NAME) if artist_key(artist) else ""


def drawn_marks(shown: MapTracks, marked: Sequence[MarkedTrack]) -> list[MapMark]:
    """Return the marks with the group of their track, which gives them their colour."""
    rows = {track.id: row for row, track in enumerate(shown.tracks)}
    found = []
    for mark in marked:
        row = rows.get(mark.track.id) if mark.track else None
        found.append(
            MapMark(mark.x, mark.y, shown.first[row] if row is not None else "", mark.sign)
        )
    return found


def map_picture(localizer: Localizer, shown: MapTracks, marks: Sequence[MapMark] = ()) -> bytes:
    """Return the map as a PNG with a legend; it takes up to two seconds, so call it in a thread.

    A genre whose translated name the picture's font cannot draw has its English name.
    """
    names = _drawable_names(shown)
    marks = [replace(mark, group=names.get(mark.group, "")) for mark in marks]
    ids = np.array([track.id for track in shown.tracks], dtype=np.int64)
    rows = landmarks(ids, MAX_DRAWN)
    radius = max(SMALLEST, POINT * min(1.0, (_FULL_SIZE_BELOW / max(len(rows), 1)) ** 0.5))
    return draw_map(
        shown.positions[rows].astype(np.float64),
        [names.get(shown.first[row], "") for row in rows],
        marks=marks,
        other=_drawable_name(localizer("map.page.others", number=""), _OTHERS),
        first=[names[group] for group in styles(shown.first)],  # as on the page
        size=SIZE,
        radius=radius,
    )


def _drawable_name(name: str, otherwise: str) -> str:
    font = ImageFont.load_default(10)
    fits = isinstance(font, ImageFont.FreeTypeFont) and drawable(name, font) == name
    return name if fits else otherwise


def _drawable_names(shown: MapTracks) -> dict[str, str]:
    """Return the name of each group in the picture's legend."""
    names = {group: group for group in shown.first}
    if next(iter(shown.groups)) != "genre":
        return names
    known = styles(shown.first)
    for track, group in zip(shown.tracks, shown.first, strict=True):
        if group in known and names[group] == group:
            del known[group]  # one look at each
            names[group] = _drawable_name(group, clean(track.genre.capitalize(), _MAX_NAME))
    return names


def map_alt(localizer: Localizer, shown: MapTracks, marked: Sequence[MarkedTrack] = ()) -> str:
    """Return the map in words: the number of tracks, the largest groups and the marks."""
    name = next(iter(shown.groups))
    counts = Counter(group for group in shown.first if group).most_common(_ALT_GROUPS)
    groups = ", ".join(f"{group} {localizer.number(count)}" for group, count in counts)
    alt = localizer("map.alt", count=len(shown.tracks), colour=localizer(f"map.by.{name}"))
    parts = [alt, f"{groups}." if groups else ""]
    names = [f"{mark.sign} {clean(mark.track.title, _MAX_NAME)}" for mark in marked if mark.track]
    if names:
        parts.append(localizer("map.marked", tracks=", ".join(names)))
    return " ".join(filter(None, parts))[:_MAX_ALT]


def map_message(
    localizer: Localizer,
    shown: MapTracks,
    *,
    heading: str,
    marked: Sequence[MarkedTrack] = (),
    alt: str,
    page: bool,
) -> ui.LayoutView:
    """Return the message with the attached picture and, with ``page``, the attached page."""
    lines = [f"## {heading}", localizer("map.tracks", count=len(shown.tracks))]
    named = []
    for mark in marked:
        if mark.track is not None:
            title, artist = track_names(localizer, mark.track, _MAX_NAME, _MAX_NAME)
            named.append(f"{mark.sign} **{title}** · {artist}")
        else:
            named.append(f"{mark.sign} {localizer('answer.your_clip')}")
    if named:
        lines.append(localizer("map.marked", tracks=", ".join(named)))
    items: list[Item] = [
        text("\n".join(lines)),
        ui.MediaGallery(discord.MediaGalleryItem(f"attachment://{PICTURE_NAME}", description=alt)),
        text(small(localizer("map.page_hint" if page else "map.no_page"))),
    ]
    if page:
        items.append(ui.File(f"attachment://{FILE_NAME}"))
    return layout(QUIET, items)


def map_file(png: bytes, alt: str) -> discord.File:
    """Return the picture as a Discord file with its alt text."""
    return discord.File(BytesIO(png), PICTURE_NAME, description=alt)
