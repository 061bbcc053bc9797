"""Layout of /radio: a page of the songs, a menu of the other pages, and the list as a file.

The menu's values name the songs of each page, so that pages can be turned after a restart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import discord
from discord import ui

from bot.i18n import Localizer
from bot.radio_station import RadioList
from bot.ui.answer import answer_buttons
from bot.ui.components import (
    MAX_CHARACTERS,
    QUIET,
    Item,
    genre_name,
    layout,
    row,
    small,
    text,
    track_names,
)
from bot.ui.custom_ids import response_key
from bot.ui.mix_layouts import seed_names
from bot.ui.track_links import TrackLinks, title_link
from genrec.questions import Seed
from genrec.types import Track

SONGS_PER_PAGE = 10
# Discord numbers the components without an id from 1.
RADIO_HEAD_ID = 900_000_003
_NAMES_AND_LINKS = ((80, 300), (60, 180), (40, 120), (28, 0))


@dataclass(frozen=True, slots=True)
class RadioPages:
    """The pages of a list: what stands above them, their keys, and the name of the file."""

    head: str
    keys: tuple[str, ...]
    filename: str = ""

    @classmethod
    def of(cls, head: str, ids: Sequence[int], filename: str) -> RadioPages:
        """Return the pages of songs with these ids."""
        starts = range(0, len(ids), SONGS_PER_PAGE)
        keys = tuple(response_key(ids[start : start + SONGS_PER_PAGE]) for start in starts)
        return cls(head, keys, filename)

    @classmethod
    def shown(cls, message: discord.Message | None) -> RadioPages | None:
        """Return the pages that a message of `page` shows; None for another message."""
        head, keys = "", tuple[str, ...]()
        for component in _all(message.components if message else ()):
            if isinstance(component, discord.TextDisplay) and component.id == RADIO_HEAD_ID:
                head = component.content
            if isinstance(component, discord.SelectMenu):
                keys = tuple(option.value for option in component.options)
        if message is None or not head or not keys:
            return None
        files = [attachment.filename for attachment in message.attachments]
        return cls(head, keys, files[0] if files else "")


def head_text(
    localizer: Localizer, songs: RadioList, seeds: Sequence[Seed], *, playlist: bool = True
) -> str:
    """Return what stands above the pages: the seeds, the number of songs, and how to repeat it.

    Without ``playlist``, no player can open the songs, and a sentence says why the file is JSPF.
    """
    lines = [f"## {seed_names(localizer, seeds, key='radio')}"]
    count, wanted = len(songs.tracks), songs.wanted
    if songs.shortage:
        lines.append(localizer(f"radio.few_{songs.shortage}", count=count, wanted=wanted))
    if songs.fallback:
        lines.append(localizer("origin.fallback"))
    option = localizer("commands.radio.options.again.name")
    again = localizer("radio.again", option=option, number=str(songs.chance))
    lines.append(small(f"{localizer('radio.songs', count=count)} · {again}"))
    if not playlist:
        lines.append(small(localizer("radio.no_file")))
    return "\n".join(lines)


def page(
    localizer: Localizer, pages: RadioPages, number: int, tracks: Sequence[Track], links: TrackLinks
) -> ui.LayoutView:
    """Return a page of a radio list; ``number`` is from 0, and ``tracks`` are the page's."""
    items: list[Item] = [ui.TextDisplay(pages.head, id=RADIO_HEAD_ID)]
    room = MAX_CHARACTERS - len(pages.head) - 200
    first = number * SONGS_PER_PAGE + 1
    items.append(text(_lines(localizer, tracks, links, first, room)))
    if len(pages.keys) > 1:
        options = [
            discord.SelectOption(
                label=localizer(
                    "radio.page", first=place * SONGS_PER_PAGE + 1, last=_last(pages, place)
                )[:100],
                value=key,
                default=place == number,
            )
            for place, key in enumerate(pages.keys)
        ]
        items.append(row(ui.Select(custom_id="radio:page", options=options)))
    if pages.filename:
        items.append(ui.File(f"attachment://{pages.filename}"))
    buttons = answer_buttons(localizer, pages.keys[number], listen=links.listen)
    return layout(QUIET, [*items, row(*buttons)])


def _last(pages: RadioPages, place: int) -> int:
    """Return the number of a page's last song."""
    return place * SONGS_PER_PAGE + pages.keys[place].count(".") + 1


def _lines(
    localizer: Localizer, tracks: Sequence[Track], links: TrackLinks, first: int, room: int
) -> str:
    """Return a line for each song, with names and links shortened to fit into ``room``."""
    lines: list[str] = []
    for name_limit, link_limit in _NAMES_AND_LINKS:
        lines = []
        for place, track in enumerate(tracks, start=first):
            title = title_link(localizer, track, links, name_limit, link_limit)
            parts = [track_names(localizer, track, name_limit, name_limit)[1]]
            parts += [genre_name(localizer, track.genre)] if track.genre else []
            lines.append(f"{place}. **{title}** · {' · '.join(parts)}")
        if sum(len(line) + 1 for line in lines) <= room:
            break
    return "\n".join(lines)


def _all(components: Sequence[discord.Component]) -> list[discord.Component]:
    """Return components with those inside them."""
    found: list[discord.Component] = []
    for component in components:
        found.append(component)
        found += _all(getattr(component, "children", ()))
    return found
