"""Layouts of /foryou: the question before the first use, the tracks, and too few ratings."""

from __future__ import annotations

from collections.abc import Mapping

import discord
from discord import ui

from bot.i18n import Localizer
from bot.ui.answer import answer_buttons
from bot.ui.answer_lines import origin, tempo_and_key
from bot.ui.components import (
    CAREFUL,
    MAX_CHARACTERS,
    QUIET,
    Item,
    button,
    genre_name,
    layout,
    row,
    rule,
    small,
    text,
    track_names,
)
from bot.ui.reasons import agreement_text
from bot.ui.track_links import TrackLinks, title_link
from genrec.types import Neighbour, Recommendation, Track

# Most characters of a name and of a link, tried in turn until the message fits.
_LIMITS = ((40, 180), (40, 120), (28, 100), (20, 0))
_OTHER = 500  # characters of the message that are of no track


def ask(localizer: Localizer, count: int, genre: str) -> ui.LayoutView:
    """Return the question whether the user's ratings may be used; the options go on with it."""
    buttons = (
        button(
            f"foryou:on:{count}:{genre}",
            localizer("for_you.allow"),
            style=discord.ButtonStyle.primary,
        ),
        button("foryou:no", localizer("for_you.no")),
    )
    return layout(QUIET, [text(localizer("for_you.ask")), row(*buttons)])


def too_few(localizer: Localizer, have: int, needed: int) -> ui.LayoutView:
    """Return how many ratings are needed, and how to give them."""
    line = localizer("for_you.few", have=have, needed=needed)
    off = button("foryou:off", localizer("for_you.stop"))
    return layout(CAREFUL, [text(f"{line}\n{small(localizer('for_you.how'))}"), row(off)])


def for_you(
    localizer: Localizer,
    rec: Recommendation,
    *,
    key: str,
    groups: int,
    because: Mapping[int, Track],
    links: TrackLinks,
    private: bool = True,
) -> ui.LayoutView:
    """Return the tracks for a user; ``because`` has the liked track that one is recommended for.

    Only a ``private`` response has the button that stops it.
    """
    lines = [f"## {localizer('for_you.title')}"]
    if groups > 1:
        lines.append(small(localizer("for_you.groups", count=groups)))
    if not rec.tracks:
        lines.append(localizer("for_you.nothing"))
    items: list[Item] = [text("\n".join(lines))]
    contents = _fitted(localizer, rec, because, links)
    for neighbour, content in zip(rec.tracks, contents, strict=True):
        more = button(f"more:{neighbour.track.id}", localizer("button.more"))
        items.append(ui.Section(ui.TextDisplay(content), accessory=more))
    items.append(rule())
    if shown := origin(localizer, rec):
        items.append(text(small(shown)))
    buttons: list[Item] = []
    if rec.tracks:
        buttons = answer_buttons(
            localizer, key, export=True, listen=links.listen, tracks=rec.tracks
        )
    if private:
        buttons.append(button("foryou:off", localizer("for_you.stop")))
    return layout(QUIET, [*items, row(*buttons)] if buttons else items)


def _fitted(
    localizer: Localizer, rec: Recommendation, because: Mapping[int, Track], links: TrackLinks
) -> list[str]:
    """Return the tracks' texts, with names and links shortened to fit into a message."""
    contents: list[str] = []
    for limits in _LIMITS:
        contents = [
            _track(localizer, place, neighbour, because, links, limits)
            for place, neighbour in enumerate(rec.tracks, 1)
        ]
        if sum(map(len, contents)) <= MAX_CHARACTERS - _OTHER:
            break
    return contents


def _track(
    localizer: Localizer,
    place: int,
    neighbour: Neighbour,
    because: Mapping[int, Track],
    links: TrackLinks,
    limits: tuple[int, int],
) -> str:
    track, (most, link) = neighbour.track, limits
    title = title_link(localizer, track, links, most, link)
    parts = [track_names(localizer, track, most, most)[1]]
    parts += [genre_name(localizer, track.genre)] if track.genre else []
    parts += tempo_and_key(localizer, neighbour.description)
    reasons = [agreement_text(localizer, each) for each in neighbour.reasons]
    if liked := because.get(track.id):
        name = track_names(localizer, liked, most, most)[0]
        reasons.insert(0, localizer("for_you.because", title=name))
    below = f"\n{small(', '.join(reasons))}" if reasons else ""
    return f"**{place}. {title}**\n{' · '.join(parts)}{below}"
