"""The refusal of a request for which there are no tracks, with the cause."""

from __future__ import annotations

from bot.errors import RequestDeclined
from bot.jobs.layouts import RequestOptions
from bot.recommender import Recommender
from db.tracks import STARTER


def require_tracks(recommender: Recommender, options: RequestOptions) -> None:
    """Raise RequestDeclined if the scopes of the policy hold no track.

    The sentence names the policy if it leaves out the only tracks, those of the starter catalogue.
    """
    scopes = (*options.scopes, *options.fallback)
    if not recommender.is_empty(scopes):
        return
    left_out = STARTER not in scopes and not recommender.is_empty((STARTER,))
    raise RequestDeclined("only_starter" if left_out else "library_empty")
