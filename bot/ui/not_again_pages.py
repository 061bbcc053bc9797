"""Layout of /notagain list."""

from __future__ import annotations

from collections.abc import Sequence

from discord import ui

from bot.i18n import Localizer
from bot.ui.components import MAX_CHARACTERS, QUIET, layout, small, text
from bot.ui.markdown import escape
from db.not_again import NotAgain

MAX_LISTED = 25  # of each list
_NAME_LIMITS = (60, 40, 28, 16)  # characters of a name, tried in turn until the message fits


def not_again_list(
    localizer: Localizer, own: Sequence[NotAgain], guild: Sequence[NotAgain] | None = None
) -> ui.LayoutView:
    """Return the page with a user's entries and, for an admin, those of the guild."""
    content = ""
    for most in _NAME_LIMITS:
        lines = [f"## {localizer('not_again.title')}", *_listed(localizer, own, most)]
        if guild is not None:
            lines += [f"### {localizer('not_again.server')}", *_listed(localizer, guild, most)]
        lines.append(small(localizer("not_again.how")))
        content = "\n".join(lines)
        if len(content) <= MAX_CHARACTERS:
            break
    return layout(QUIET, [text(content)])


def _listed(localizer: Localizer, entries: Sequence[NotAgain], most: int) -> list[str]:
    if not entries:
        return [localizer("not_again.none")]
    lines = []
    for entry in entries[:MAX_LISTED]:
        kind = localizer("not_again.artist" if entry.is_artist else "not_again.song")
        lines.append(f"- **{escape(entry.name, most)}** · {kind}")
    if len(entries) > MAX_LISTED:
        lines.append(localizer("not_again.more", count=len(entries) - MAX_LISTED))
    return lines
