"""Custom ids and values of votes: the tracks of a response with their ranks and reasons.

Two characters stand for the reasons of a track, one for each: the place of its kind in
`genrec.agreement.KINDS` in base 36, or "_" for none.
"""

from __future__ import annotations

from collections.abc import Sequence

import discord

from bot.ui.custom_ids import track_ids
from db.feedback import RankedTrack
from genrec.agreement import KINDS
from genrec.types import Neighbour

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_NONE = "_"
_REASONS = 2  # of each track
_MOST = 95  # characters after the name, of which "down:" are five


def reason_codes(tracks: Sequence[Neighbour]) -> str:
    """Return the reasons of a response's tracks, two characters each; "" if there are none."""
    codes = "".join(_codes([each.kind for each in track.reasons]) for track in tracks)
    return codes if codes.strip(_NONE) else ""


def thumb_id(direction: str, key: str, codes: str = "") -> str:
    """Return the custom id of a thumb; ``direction`` is "up" or "down".

    Reasons that do not fit are left out.
    """
    rest = f"down:{key}:{codes}"
    return f"thumb:{direction}:{key}" + (f":{codes}" if codes and len(rest) <= _MOST else "")


def ranked_tracks(key: str, codes: str = "") -> tuple[RankedTrack, ...]:
    """Return the tracks that a thumb's custom id names; none for a malformed one."""
    return tuple(
        RankedTrack(track_id, rank + 1, _kinds(codes[_REASONS * rank : _REASONS * (rank + 1)]))
        for rank, track_id in enumerate(track_ids(key))
    )


def option_value(track: RankedTrack) -> str:
    """Return the value of a menu's option for a track."""
    return f"{track.track_id}.{track.rank}.{_codes(track.reasons)}"


def option_track(value: str) -> RankedTrack | None:
    """Return the track of an option's value; None for a malformed one."""
    track_id, rank, codes = (*value.split("."), "", "", "")[:3]
    if not (_is_number(track_id) and _is_number(rank)) or int(rank) < 1:
        return None
    return RankedTrack(int(track_id), int(rank), _kinds(codes))


def offered_values(message: discord.Message | None, custom_id: str) -> list[str]:
    """Return the values that a menu of a message offers; none if it has no such menu."""
    return [
        option.value
        for container in (message.components if message else ())
        for line in getattr(container, "children", ())
        for item in getattr(line, "children", ())
        if isinstance(item, discord.SelectMenu) and item.custom_id == custom_id
        for option in item.options
    ]


def _codes(kinds: Sequence[str]) -> str:
    known = [_DIGITS[KINDS.index(kind)] for kind in kinds if kind in KINDS]
    return "".join(known[:_REASONS]).ljust(_REASONS, _NONE)


def _kinds(codes: str) -> tuple[str, ...]:
    places = [_DIGITS.find(code) for code in codes]
    return tuple(KINDS[place] for place in places if 0 <= place < len(KINDS))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19
