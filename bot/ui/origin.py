"""Name the origins of a response's tracks: starter catalogue, operator, server."""

from __future__ import annotations

from bot.i18n import Localizer
from db.tracks import LIBRARY, STARTER
from genrec.types import Recommendation


def origin(localizer: Localizer, rec: Recommendation) -> str:
    """Return a line that names the origins of the tracks; "" without tracks.

    It names kinds only, so it tells nothing about another server.
    """
    if not rec.tracks:
        return ""
    if rec.fallback:
        return localizer("origin.fallback")
    places = [localizer(f"origin.{kind}") for kind in origins(rec)]
    return localizer("origin.found", places=", ".join(places))


def origins(rec: Recommendation) -> list[str]:
    """Return the kinds of scopes that the tracks are of: server, library and starter."""
    found = {neighbour.track.scope for neighbour in rec.tracks}
    kinds = {scope if scope in (LIBRARY, STARTER) else "server" for scope in found}
    return [kind for kind in ("server", LIBRARY, STARTER) if kind in kinds]
