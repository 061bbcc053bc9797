"""Lines of /about about votes for single tracks."""

from __future__ import annotations

from collections.abc import Iterable

from bot.i18n import Localizer
from bot.ui.components import percent
from bot.ui.reasons import kind_text
from db.feedback import Acceptance, VoteCounts

MOST_RANKS, MOST_REASONS = 10, 8


def acceptance_lines(localizer: Localizer, accepted: Acceptance) -> list[str]:
    """Return shares of good tracks by place and by reason, each with its votes; none without votes.

    Of the reasons, those with the most votes are shown.
    """
    ranks = [(str(rank), votes) for rank, votes in accepted.by_rank.items()][:MOST_RANKS]
    often = sorted(accepted.by_reason.items(), key=lambda each: -(each[1].up + each[1].down))
    reasons = [(kind_text(localizer, kind), votes) for kind, votes in often[:MOST_REASONS]]
    return [
        localizer(f"about.{key}", shares=_shares(localizer, shares))
        for key, shares in (("by_rank", ranks), ("by_reason", reasons))
        if shares
    ]


def _shares(localizer: Localizer, named: Iterable[tuple[str, VoteCounts]]) -> str:
    return " · ".join(
        localizer(
            "about.good_of",
            name=name,
            percent=percent(localizer, votes.up / (votes.up + votes.down)),
            votes=votes.up + votes.down,
        )
        for name, votes in named
    )
