"""Layout and file of /library duplicates: groups of tracks that are one recording."""

from __future__ import annotations

from collections.abc import Sequence

from discord import ui

from bot.i18n import Localizer
from bot.ui.components import QUIET, Item, layout, small, text, track_names
from bot.ui.track_files import csv_file
from db.duplicates import Copy

FILE_NAME = "duplicates.csv"
MAX_GROUPS = 8
MAX_COPIES = 4  # of a group; the file has the others

Group = tuple[Copy, ...]


def is_whole(groups: Sequence[Group]) -> bool:
    """Return whether the message shows every copy, so that no file is needed."""
    return len(groups) <= MAX_GROUPS and all(len(group) <= MAX_COPIES for group in groups)


def page(localizer: Localizer, groups: Sequence[Group], *, server: bool) -> ui.LayoutView:
    """Return the message with the first groups, and the attached file unless it shows them all.

    Sources are left out: they are paths of the operator's disk, or links of members.
    """
    heading = localizer("library.duplicates" if server else "library.duplicates_operator")
    if not groups:
        return layout(QUIET, [text(f"## {heading}\n{localizer('library.no_duplicates')}")])
    lines = [f"## {heading}", localizer("library.recordings", count=len(groups))]
    for number, group in enumerate(groups[:MAX_GROUPS], start=1):
        for place, copy in enumerate(group[:MAX_COPIES]):
            title, artist = track_names(localizer, copy.track, 60, 40)
            line = " · ".join(filter(None, (f"**{title}**", artist, _coding(localizer, copy))))
            lines.append(f"{number}. {line}" if place == 0 else small(line))
        if hidden := len(group) - MAX_COPIES:
            lines += [small(localizer("library.more_copies", count=hidden))] if hidden > 0 else []
    items: list[Item] = [text("\n".join(lines))]
    if not is_whole(groups):
        items += [
            text(small(localizer("library.all_in_file"))),
            ui.File(f"attachment://{FILE_NAME}"),
        ]
    return layout(QUIET, items)


def table(localizer: Localizer, groups: Sequence[Group]) -> bytes:
    """Return all groups as CSV: group, place in the group, id, title, artist, coding, seconds."""
    rows = [
        (
            str(number), str(place), str(copy.track.id), copy.track.title, copy.track.artist,
            _coding(localizer, copy), f"{copy.duration_s:.0f}",
        )
        for number, group in enumerate(groups, start=1)
        for place, copy in enumerate(group, start=1)
    ]  # fmt: skip
    return csv_file(("group", "place", "id", "title", "artist", "coding", "seconds"), rows)


def _coding(localizer: Localizer, copy: Copy) -> str:
    rate = f"{localizer.number(copy.bit_rate / 1000, 0)} kbit/s" if copy.bit_rate else ""
    if copy.lossless is None:
        return rate
    kind = localizer("library.lossless" if copy.lossless else "library.lossy")
    return f"{kind}, {rate}" if rate else kind
