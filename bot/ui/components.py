"""Components V2 building blocks: colours, limits, texts, bars and buttons."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import discord
from discord import ui

from bot.i18n import Localizer
from bot.ui.custom_ids import MAX_ID
from bot.ui.markdown import escape
from genrec.types import Track

Item = ui.Item[Any]

MAX_COMPONENTS = 40
MAX_CHARACTERS = 4000
MAX_LABEL = 80
MAX_OPTION = 100

# The id of the container of an unfinished message; Discord numbers the others from 1.
UNFINISHED_ID = 900_000_001
QUIET, CAREFUL, BAD, GOOD = 0x5865F2, 0xE0A030, 0xDA3E44, 0x2FA35B
UNSURE = 0x99A0AA
GENRE_COLOURS = {
    "blues": 0x3B82F6,
    "classical": 0xC9A227,
    "country": 0xB7793E,
    "disco": 0xD946EF,
    "hiphop": 0xF97316,
    "jazz": 0x8B5CF6,
    "metal": 0x64748B,
    "pop": 0xFB7FB5,
    "reggae": 0x22A55B,
    "rock": 0xDC3B3B,
}


def percent(localizer: Localizer, share: float) -> str:
    """Format a share of 0..1 as a percentage; only exactly 0 and 1 give 0 % and 100 %."""
    return localizer.percent(share if share in (0, 1) else min(max(share, 0.01), 0.99))


def genre_name(localizer: Localizer, label: str) -> str:
    """Return a genre's translated name; without a translation, the escaped label."""
    return genre_names(localizer, [label])[0]


def genre_names(localizer: Localizer, labels: Sequence[str]) -> list[str]:
    """Return the names of genres, as `genre_name` does."""
    named = zip(localizer.named("genres", labels), labels, strict=True)
    return [name or escape(label.capitalize(), 40) for name, label in named]


def track_names(
    localizer: Localizer, track: Track, title_limit: int, artist_limit: int
) -> tuple[str, str]:
    """Return a track's title and artist, escaped; placeholders replace empty ones."""
    title, artist = escape(track.title, title_limit), escape(track.artist, artist_limit)
    return title or localizer("answer.untitled"), artist or localizer("answer.unknown_artist")


def layout(colour: int, items: Iterable[Item], *, unfinished: bool = False) -> ui.LayoutView:
    """Return the items in one container with an accent colour, as a stopped layout view.

    Separators are left out if there are more components than a message may have.
    ``unfinished`` marks a message that waits for its final content, for `is_unfinished`.
    """
    view = ui.LayoutView(timeout=None)
    container: ui.Container[Any] = ui.Container(
        *items, accent_colour=colour, id=UNFINISHED_ID if unfinished else None
    )
    if len(list(container.walk_children())) >= MAX_COMPONENTS:
        for item in [each for each in container.children if isinstance(each, ui.Separator)]:
            container.remove_item(item)
    view.add_item(container)
    view.stop()
    return view


def is_unfinished(message: discord.Message) -> bool:
    """Return whether a message of the bot waits for its final content."""
    return message.flags.loading or any(
        getattr(component, "id", None) == UNFINISHED_ID for component in message.components
    )


def text(content: str) -> Item:
    """Return a text display, cut to the character limit of a message."""
    fits = len(content) <= MAX_CHARACTERS
    return ui.TextDisplay(content if fits else content[: MAX_CHARACTERS - 1] + "…")


def button(
    custom_id: str,
    label: str | None = None,
    *,
    style: discord.ButtonStyle = discord.ButtonStyle.secondary,
    emoji: str | None = None,
    disabled: bool = False,
) -> ui.Button[Any]:
    """Return a button; ValueError for a custom_id that is too long."""
    if len(custom_id) > MAX_ID:
        raise ValueError(
            f"custom_id {custom_id!r} has {len(custom_id)} characters: expected at most {MAX_ID}"
        )
    return ui.Button(
        custom_id=custom_id,
        label=label[:MAX_LABEL] if label else None,
        style=style,
        emoji=emoji,
        disabled=disabled,
    )


def row(*items: Item) -> Item:
    """Return an action row: up to five buttons, or one select."""
    return ui.ActionRow(*items)


def rule() -> Item:
    """Return a horizontal separator."""
    return ui.Separator()


def bar(share: float, cells: int = 12) -> str:
    """Return a bar of blocks for a share of 0..1."""
    full = round(cells * min(max(share, 0.0), 1.0))
    return "`" + "█" * full + "░" * (cells - full) + "`"


def small(line: str) -> str:
    """Return a line in small print."""
    return f"-# {line}"
