"""Policy of the starter catalogue: whether a request also gets tracks from it."""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal, get_args

from db.connection import Database
from db.key_values import get_value, set_value
from db.neighbours import Neighbours
from db.tracks import LIBRARY, OWN_TRACKS_ONLY, STARTER, guild_scope
from genrec.errors import CatalogueError

Policy = Literal["auto", "always", "never"]
POLICIES: tuple[Policy, ...] = get_args(Policy)

# The smallest library that answers like the whole archive: `genrec evaluate-library` has the table.
ENOUGH_TRACKS, ENOUGH_ARTISTS = 150, 50
# Fewer than these bring the starter catalogue back, so that one removed track does not.
TOO_FEW_TRACKS, TOO_FEW_ARTISTS = 120, 40
_MAX_CACHED = 2_000


@dataclass(frozen=True, slots=True)
class ScopeChoice:
    """The scopes of a request under a policy.

    ``scopes`` are searched, and ``fallback`` if they hold no track that is similar enough.
    ``tracks`` and ``artists`` count the own tracks: those of the operator and of the server.
    """

    policy: Policy
    scopes: tuple[str, ...]
    fallback: tuple[str, ...]
    tracks: int
    artists: int

    @property
    def starter(self) -> bool:
        """Whether every search includes the starter catalogue."""
        return STARTER in self.scopes


@dataclass(slots=True)
class _OwnTracks:
    """Numbers of own tracks at a revision; ``enough`` is None until a request needs it."""

    revision: int
    tracks: int
    artists: int
    enough: bool | None = None


def own_scopes(guild_id: int | None) -> tuple[str, ...]:
    """Return the scopes of a request besides the starter catalogue; None is a direct message."""
    return (LIBRARY,) if guild_id is None else (LIBRARY, guild_scope(guild_id))


class StarterPolicy:
    """Chooses the scopes of requests from the operator's policy and that of the server.

    With ``auto`` the starter catalogue is left out as soon as the own tracks are `ENOUGH_TRACKS` by
    `ENOUGH_ARTISTS`, until they are fewer than `TOO_FEW_TRACKS` or by fewer than `TOO_FEW_ARTISTS`.
    Which of the two holds is stored, so a restart changes nothing.
    """

    def __init__(self, *, index: Neighbours, db: Database, policy: Policy = "auto") -> None:
        self._index = index
        self._db = db
        self._policy: Policy = policy
        self._counts: OrderedDict[tuple[str, ...], _OwnTracks] = OrderedDict()

    async def choose(self, guild_id: int | None, policy: str | None = None) -> ScopeChoice:
        """Return the scopes of a request; ``policy`` is the server's, None for the operator's."""
        chosen: Policy = policy if policy in POLICIES else self._policy
        own = own_scopes(guild_id)
        found = await self._count(own)
        tracks, artists = found.tracks, found.artists
        if chosen == "always":
            return ScopeChoice(chosen, (STARTER, *own), (), tracks, artists)
        if chosen == "never":
            return ScopeChoice(chosen, own, (), tracks, artists)
        if found.enough is None:
            found.enough = await self._is_enough(own[-1], tracks, artists)
        if found.enough:
            return ScopeChoice(chosen, own, (STARTER,), tracks, artists)
        return ScopeChoice(chosen, (STARTER, *own), (), tracks, artists)

    async def _count(self, scopes: tuple[str, ...]) -> _OwnTracks:
        revision = await self._index.refresh()
        known = self._counts.get(scopes)
        if known is None or known.revision != revision:
            counts = await self._index.count_artists(scopes)
            known = self._counts[scopes] = _OwnTracks(revision, *counts)
            while len(self._counts) > _MAX_CACHED:
                self._counts.popitem(last=False)
        return known

    async def _is_enough(self, scope: str, tracks: int, artists: int) -> bool:
        name = OWN_TRACKS_ONLY.format(scope)
        enough = tracks >= ENOUGH_TRACKS and artists >= ENOUGH_ARTISTS
        too_few = tracks < TOO_FEW_TRACKS or artists < TOO_FEW_ARTISTS
        before = json.loads(await get_value(self._db, name) or "false")
        now = enough or (bool(before) and not too_few)
        if now != before:
            try:
                await set_value(self._db, name, json.dumps(now))
            except CatalogueError:  # a full disk costs only the memory of this choice
                return now
        return now


def policy_sentence(choice: ScopeChoice) -> str:
    """Return the policy and what it means for answers outside servers, for the operator."""
    own = f"{choice.tracks:,} own tracks by {choice.artists:,} artists"
    if choice.policy != "auto":
        return f"{choice.policy}: {'included' if choice.starter else 'left out'} ({own})"
    if choice.starter:
        limit = f"{ENOUGH_TRACKS} by {ENOUGH_ARTISTS}"
        return f"auto: included, because {own} are fewer than {limit}"
    return f"auto: left out, because {own} are enough"
