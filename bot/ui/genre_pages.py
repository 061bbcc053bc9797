"""Layouts of genres of a library's own: the line in a response, /genres teach and /genres list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from discord import ui

from bot.i18n import Localizer
from bot.ui.components import (
    CAREFUL,
    GOOD,
    MAX_CHARACTERS,
    QUIET,
    layout,
    small,
    text,
)
from bot.ui.markdown import escape
from bot.ui.messages import Limits, sentence
from db.taught_genres import MAX_CLIPS, Taught, TaughtGenre
from genrec.errors import GenrecError
from genrec.own_genres import MIN_TAUGHT, GenreCheck

NAME = 40  # most letters of a name
MAX_LISTED = 25  # genres of one list


@dataclass(frozen=True, slots=True)
class GenrePage:
    """Genres of a server: its own and the operator's checks, and those that were taught."""

    own: Sequence[GenreCheck]
    operators: Sequence[GenreCheck]
    taught: Sequence[TaughtGenre]


def taught(
    localizer: Localizer,
    result: Taught,
    check: GenreCheck | None,
    refused: Sequence[tuple[str, str]] = (),
) -> ui.LayoutView:
    """Return the result of /genres teach: the clips, whether they are enough, refused ones.

    ``refused`` are names of clips and sentences, ready for a message.
    """
    lines = [
        localizer("own_genres.taught", count=result.clips, name=f"**{escape(result.name, NAME)}**")
    ]
    usable = check is not None and not check.refusal
    if result.clips < MIN_TAUGHT:
        lines.append(localizer("own_genres.needs_more", least=MIN_TAUGHT))
    else:
        lines.append(localizer("own_genres.ready" if usable else "own_genres.unclear"))
    if result.left_out:
        lines.append(small(localizer("own_genres.left_out", count=result.left_out, most=MAX_CLIPS)))
    lines += [f"**{escape(clip, 80)}**\n{sentence}" for clip, sentence in refused]
    colour = GOOD if usable and not refused else CAREFUL
    return layout(colour, [text("\n".join(_fitting(lines, MAX_CHARACTERS)))])


def genre_list(localizer: Localizer, page: GenrePage) -> ui.LayoutView:
    """Return the page of /genres list: genres that answers name, and those that are left out."""
    lines = [f"## {localizer('own_genres.title')}"]
    parts = ((page.own, "own_genres.of_server"), (page.operators, "own_genres.of_operator"))
    for checks, heading in parts:
        if checks:
            lines.append(f"### {localizer(heading)}")
            lines += _rows(localizer, checks)
    if not page.own and not page.operators:
        lines.append(localizer("own_genres.empty"))
    if old := [escape(genre.name, NAME) for genre in page.taught if genre.others > genre.clips]:
        lines.append(small(localizer("own_genres.other_model", names=", ".join(old[:MAX_LISTED]))))
    how = small(localizer("own_genres.how"))
    return layout(QUIET, [text("\n".join([*_fitting(lines, MAX_CHARACTERS - len(how)), how]))])


def _fitting(lines: Sequence[str], room: int) -> list[str]:
    """Return the first lines that fit into so many letters, with an ellipsis if some do not."""
    kept: list[str] = []
    for line in lines:
        room -= len(line) + 1
        if room < 2:
            return [*kept, "…"]
        kept.append(line)
    return kept


def _rows(localizer: Localizer, checks: Sequence[GenreCheck]) -> list[str]:
    """Return a line for each genre that is used, and one for those left out for each reason."""
    used = [check for check in checks if not check.refusal][:MAX_LISTED]
    lines = [
        f"**{escape(check.name, NAME)}** · "
        + localizer("own_genres.clips" if check.taught else "own_genres.tracks", count=check.tracks)
        for check in used
    ]
    for reason in ("few_tracks", "one_artist", "few_others", "not_told_apart"):
        names = [escape(c.name, NAME) for c in checks if c.refusal == reason]
        if names:
            shown = ", ".join(names[:MAX_LISTED])
            lines.append(small(localizer(f"own_genres.{reason}", names=shown)))
    return lines


def refusals(
    localizer: Localizer, refused: Sequence[tuple[str, GenrecError]], limits: Limits
) -> list[tuple[str, str]]:
    """Return names and sentences of clips that were refused."""
    return [(name, sentence(localizer, error, limits)) for name, error in refused]
