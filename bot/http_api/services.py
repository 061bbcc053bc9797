"""Use cases and limits that the routes of the HTTP interface work with."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from bot.http_api.worker_share import WorkerShare
from bot.named_tracks import NamedTracks
from bot.own_genre_cache import OwnGenreCache
from bot.recommender import Recommender
from bot.sources import Sources
from bot.starter_policy import StarterPolicy
from bot.ui.track_links import LinkChoice
from db.connection import Database
from genrec.preset import Preset


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiServices:
    """The use cases and limits of the HTTP interface; ``scopes`` are those that it may name."""

    preset: Preset
    db: Database
    recommender: Recommender
    named: NamedTracks
    sources: Sources
    starter: StarterPolicy
    own: OwnGenreCache
    share: WorkerShare
    links: LinkChoice
    scopes: Collection[str]
