"""Compact layout of a response: genre, one line per track, and one row of buttons.

Its Details button shows the full layout of `bot.ui.answer` to the person who presses it.
"""

from __future__ import annotations

import re

import discord
from discord import ui

from bot.i18n import Localizer
from bot.ui import answer
from bot.ui.answer_lines import origin, short_lines, words_line
from bot.ui.components import (
    MAX_CHARACTERS,
    Item,
    button,
    genre_names,
    layout,
    percent,
    row,
    small,
    text,
)
from bot.ui.custom_ids import DetailsSource, details_id
from bot.ui.markdown import clean, cut, escape_width, linked, width
from bot.ui.mix_layouts import MixHead
from bot.ui.reasons import GENRES_SHOWN
from bot.ui.track_links import SEARCH_LINKS, TrackLinks
from genrec.types import Recommendation, Track

# Width, in small letters, that a phone 360 px wide shows in one line beside the number.
LINE_WIDTH = 27.0
# An artist has at least so much of it, if the name needs it.
ARTIST_WIDTH = 11.0
NAME_WIDTH = 30.0
_BOLD = re.compile(r"\*\*(.+)\*\*")
MOST = 80  # characters of a name that are looked at
# The id of the text whose last line is the clip's name; Discord numbers the others from 1.
HEAD_ID = 900_000_002
# Most characters of a link, tried in turn until the message fits.
LINK_LIMITS = (300, 180, 120, 100, 0)


def recommendation(
    localizer: Localizer,
    rec: Recommendation,
    *,
    source: DetailsSource | None,
    key: str,
    name: str,
    count: int,
    seed: Track | MixHead | None = None,
    links: TrackLinks = SEARCH_LINKS,
    remark: str = "",
) -> ui.LayoutView:
    """Return the compact response to /recommend or, with ``seed``, to More like this or /mix.

    ``source`` is what the Details button needs to show the rest; without it there is Export in its
    place. Without tracks, a response to More like this or /mix has no buttons.
    The other parameters are those of `bot.ui.answer.recommendation`.
    """
    if isinstance(seed, MixHead):
        head, colour = f"## {seed.heading}", answer.genre_colour(rec.genre, unsure=False)
    elif seed is None:
        head = _genre_lines(localizer, rec, name)
        colour = answer.genre_colour(rec.genre, unsure=rec.unsure)
    else:
        below = [small(remark) if remark else "", short_lines(localizer, rec)]
        head = "\n".join([answer.seed_block(localizer, seed), *filter(None, below)])
        colour = answer.genre_colour(seed.genre, unsure=False)
    above = [answer.known_line(localizer, rec.known, links)] if rec.known is not None else []
    if note := answer.shortage_note(localizer, rec, count):
        above.append(note)
    below = [small(line) for line in (origin(localizer, rec),) if line]
    room = MAX_CHARACTERS - len(head) - sum(len(line) + 1 for line in (*above, *below))
    lines = [*above, *_track_lines(localizer, rec, room, links), *below]
    items: list[Item] = [ui.TextDisplay(head, id=HEAD_ID), text("\n".join(lines))]
    if seed is not None and not rec.tracks:  # neither a genre nor a track to rate
        return layout(colour, items)
    export = source is None  # otherwise below Details
    buttons = answer.answer_buttons(localizer, key, export=export, tracks=rec.tracks)
    if source is not None:
        buttons.insert(0, button(details_id(source, key), localizer("button.details")))
    if links.listen:  # without its label, so that a phone shows one row
        buttons.append(button(f"listen:{key}", emoji="🎧"))
    return layout(colour, [*items, row(*buttons)])


def shown_name(message: discord.Message | None) -> str:
    """Return the clip's name as a compact response shows it, without escapes; "" if it has none."""
    for container in message.components if message else ():
        for component in getattr(container, "children", ()):
            if isinstance(component, discord.TextDisplay) and component.id == HEAD_ID:
                name = _BOLD.search(component.content.rpartition("\n")[2])
                return re.sub(r"\\(.)", r"\1", name[1]).replace("@\u200b", "@") if name else ""
    return ""


def _genre_lines(localizer: Localizer, rec: Recommendation, name: str) -> str:
    """Return the genre as a heading, and small lines with the next genres and the clip's name."""
    shown = rec.scores[:GENRES_SHOWN]
    names = genre_names(localizer, [score.label for score in shown])
    named = [
        f"{name} {percent(localizer, score.probability)}"
        for name, score in zip(names, shown, strict=True)
    ]
    lines = []
    if rec.unsure and shown:
        unsure = localizer("answer.unsure", genre=names[0])
        lines = ["## " + unsure, small(" · ".join(named))]
    elif named:
        lines = ["## " + named[0], small(" · ".join(named[1:]))]
    if rec.words:
        lines.append(small(words_line(localizer, rec.words)))
    shown_as = escape_width(name, NAME_WIDTH)
    clip = f"**{shown_as}**" if shown_as else localizer("answer.your_clip")
    lines.append(small(localizer("answer.like", title=clip) if rec.tracks else clip))
    lines.insert(-1, short_lines(localizer, rec))
    empty = ("", small(""))
    return "\n".join(line for line in lines if line not in empty)


def _track_lines(
    localizer: Localizer, rec: Recommendation, room: int, links: TrackLinks
) -> list[str]:
    """Return a numbered line for each track, with links shortened to fit into ``room``."""
    lines: list[str] = []
    for limit in LINK_LIMITS:
        lines = [
            f"{place}. {_track_line(localizer, neighbour.track, links, limit)}"
            for place, neighbour in enumerate(rec.tracks, 1)
        ]
        if sum(len(line) + 1 for line in lines) <= room:
            break
    return lines


def _track_line(localizer: Localizer, track: Track, links: TrackLinks, link_limit: int) -> str:
    """Return "title · artist", at most `LINE_WIDTH` wide, with the title as a link."""
    title = clean(track.title, MOST) or localizer("answer.untitled")
    artist = clean(track.artist, MOST)
    for_title, for_artist = LINE_WIDTH, 0.0
    if artist:
        room = LINE_WIDTH - width(" · ")
        for_artist = max(min(width(artist), ARTIST_WIDTH), room - width(title))
        for_title = room - min(width(artist), for_artist)
    label = linked(cut(title, for_title), links.address(track, link_limit))
    return f"{label} · {escape_width(artist, for_artist)}" if artist else label
