"""JSON replies of the routes, and the links of the tracks in them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from aiohttp import web

from bot import answer_json
from bot.http_api.services import ApiServices
from bot.ui.track_links import TrackLinks
from genrec.types import Track

LONGEST_LINK = 300


def json_reply(body: dict[str, Any]) -> web.Response:
    """Return a JSON object as a response."""
    # A damaged tag may hold half of a letter, which is no UTF-8.
    text = json.dumps(body, ensure_ascii=False).encode(errors="replace")
    return web.Response(body=text, content_type="application/json")


async def links_of(services: ApiServices, tracks: Iterable[Track]) -> TrackLinks:
    """Return what the titles of tracks link to."""
    details = await services.recommender.catalogue.details([track.id for track in tracks])
    return TrackLinks(services.links, details)


def track_json(track: Track, links: TrackLinks) -> dict[str, Any]:
    """Return a track without the path of its file."""
    return answer_json.track_json(track, links.address(track, LONGEST_LINK), public=True)
