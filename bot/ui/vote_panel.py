"""Layout that follows a thumb: menus to rate single tracks and to leave songs and artists out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import discord
from discord import ui

from bot.i18n import Localizer
from bot.ui.components import CAREFUL, GOOD, MAX_OPTION, Item, layout, row, small, text
from bot.ui.markdown import clean
from bot.ui.vote_ids import option_value
from db.feedback import RankedTrack
from genrec.names import artist_key
from genrec.types import Track

MAX_OPTIONS = 25  # of a menu


@dataclass(frozen=True, slots=True)
class RatedTrack:
    """A track of a response and the user's vote for it alone: 1, -1 or 0."""

    track: Track
    ranked: RankedTrack
    verdict: int = 0


@dataclass(frozen=True, slots=True)
class VotePanel:
    """Tracks and lists that the menus show.

    ``listed`` has the values on the user's list, and ``listed_server`` those on the server's; it is
    None for a user who may not change that one.
    """

    message_id: int
    tracks: Sequence[RatedTrack]
    listed: Collection[str] = ()
    listed_server: Collection[str] | None = None


def vote_panel(
    localizer: Localizer, panel: VotePanel, said: str, *, failed: bool = False
) -> ui.LayoutView:
    """Return the panel below the sentence ``said``; without tracks it is that sentence alone."""
    items: list[Item] = [text(said)]
    if panel.tracks:
        items[0] = text(f"{said}\n{small(localizer('votes.each'))}")
        for name, sign in _RATINGS:
            items += _named(localizer, name, _rating(localizer, panel, name, sign))
        menu = _leaving_out(localizer, panel, "me", panel.listed)
        items += _named(localizer, "never_me", menu)
        if panel.listed_server is not None:
            menu = _leaving_out(localizer, panel, "server", panel.listed_server)
            items += _named(localizer, "never_server", menu)
    return layout(CAREFUL if failed else GOOD, items)


_RATINGS = (("up", 1), ("down", -1))


def unwanted_values(tracks: Sequence[Track]) -> Mapping[str, Track]:
    """Return the songs and artists of tracks by option value: "s" or "a" and a track's id.

    Each known artist occurs once.
    """
    found = {f"s{track.id}": track for track in tracks}
    artists: set[str] = set()
    for track in tracks:
        key = artist_key(track.artist)
        if key and key not in artists:
            artists.add(key)
            found[f"a{track.id}"] = track
    return dict(list(found.items())[:MAX_OPTIONS])


def _named(localizer: Localizer, name: str, menu: Item) -> list[Item]:
    """Return a menu below its name, since Discord hides the placeholder once options are chosen."""
    return [text(f"**{localizer(f'votes.{name}')}**"), row(menu)]


def _rating(localizer: Localizer, panel: VotePanel, name: str, sign: int) -> Item:
    options = [
        discord.SelectOption(
            label=clean(f"{each.ranked.rank}. {_title(localizer, each.track)}", MAX_OPTION),
            description=_artist(localizer, each.track),
            value=option_value(each.ranked),
            default=each.verdict == sign,
        )
        for each in panel.tracks[:MAX_OPTIONS]
    ]
    return ui.Select(
        custom_id=f"rate:{name}:{panel.message_id}",
        placeholder=localizer(f"votes.{name}")[:150],
        min_values=0,
        max_values=len(options),
        options=options,
    )


def _leaving_out(
    localizer: Localizer, panel: VotePanel, whose: str, listed: Collection[str]
) -> Item:
    options = []
    for value, track in unwanted_values([each.track for each in panel.tracks]).items():
        if value.startswith("s"):
            label, below = _title(localizer, track), _artist(localizer, track)
        else:
            label = localizer("votes.all_by", artist=clean(track.artist, 60))
            below = localizer("not_again.artist")
        options.append(
            discord.SelectOption(
                label=clean(label, MAX_OPTION),
                description=below,
                value=value,
                default=value in listed,
            )
        )
    return ui.Select(
        custom_id=f"unwanted:{whose}:{panel.message_id}",
        placeholder=localizer(f"votes.never_{whose}")[:150],
        min_values=0,
        max_values=len(options),
        options=options,
    )


def _title(localizer: Localizer, track: Track) -> str:
    return clean(track.title, 80) or localizer("answer.untitled")


def _artist(localizer: Localizer, track: Track) -> str:
    return clean(track.artist, MAX_OPTION) or localizer("answer.unknown_artist")
