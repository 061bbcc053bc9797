"""Page of a library map: one HTML file that works from the disk and loads nothing.

The tracks are in it as deflated JSON, and its script turns texts into text only. A policy in the
page allows this script and no request.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bot.i18n import Localizer
from bot.ui.map_drawing import MapMark, styles
from bot.ui.markdown import clean
from bot.ui.track_links import SEARCH_PAGES, TrackLinks, searches_in_path
from genrec.names import artist_key
from genrec.track_map import Float
from genrec.types import Track

FILE_NAME = "map.html"
MAX_TRACKS = 200_000  # more make a page that browsers draw slowly
_NAME = 200  # characters of a title or an artist
_LINK = 512
_UNIT = 32767  # of a place, which is a whole number in the page
_TEXTS = (
    "search", "colour", "keys", "found", "none", "open", "others", "zoom_in", "zoom_out", "all",
    "close",
)  # fmt: skip


def genre_label(localizer: Localizer, genre: str) -> str:
    """Return a genre's name for a legend, not escaped; "" for none."""
    key = f"genres.{genre.lower()}"
    return localizer(key) if genre and localizer.has(key) else clean(genre.capitalize(), _NAME)


@dataclass(frozen=True, slots=True, eq=False)
class MapTracks:
    """Tracks of a map, their places, float32 (n, 2), and their groups by colouring.

    ``groups`` maps the name of a colouring, such as "genre", to the group of each track, "" for
    none; the first colouring is the one that is shown.
    """

    tracks: Sequence[Track]
    positions: Float
    groups: Mapping[str, Sequence[str]]

    @property
    def first(self) -> Sequence[str]:
        """The groups of the first colouring."""
        return next(iter(self.groups.values()))


def map_page(
    localizer: Localizer,
    shown: MapTracks,
    *,
    title: str,
    alt: str,
    links: TrackLinks,
    marks: Sequence[MapMark] = (),
) -> bytes:
    """Return the page as UTF-8; it takes a second for 100,000 tracks, so call it in a thread.

    Raises
    ------
    ValueError
        There is not one place and one group for each track.
    """
    lengths = {len(shown.positions), *(len(groups) for groups in shown.groups.values())}
    if lengths != {len(shown.tracks)}:
        raise ValueError(f"tracks: {len(shown.tracks)}, places and groups: {sorted(lengths)}")
    packed = json.dumps(
        _content(localizer, shown, alt, links, marks), ensure_ascii=False, separators=(",", ":")
    )
    data = base64.b64encode(zlib.compress(packed.encode("utf-8", "replace"), 9)).decode()
    folder = Path(__file__).parent
    script, style, page = (
        (folder / f"map_page.{suffix}").read_text("utf-8") for suffix in ("js", "css", "html")
    )
    policy = (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}';"
        " base-uri 'none'; form-action 'none'"
    )
    values = {
        "lang": localizer.language, "policy": html.escape(policy), "title": html.escape(title),
        "style": style, "script": script, "data": data,
    }  # fmt: skip
    # In one pass, so that no value is taken for a placeholder.
    return re.sub(r"\{(\w+)\}", lambda found: values[found[1]], page).encode("utf-8")


def _content(
    localizer: Localizer,
    shown: MapTracks,
    alt: str,
    links: TrackLinks,
    marks: Sequence[MapMark],
) -> dict[str, Any]:
    titles = [clean(track.title, _NAME) or localizer("answer.untitled") for track in shown.tracks]
    artists = [
        clean(track.artist, _NAME) if artist_key(track.artist) else "" for track in shown.tracks
    ]
    artist_codes, artist_names = _coded(artists)
    genre_codes, genre_names = _coded([genre_label(localizer, t.genre) for t in shown.tracks])
    places = np.round(np.clip(shown.positions, -1, 1) * _UNIT).astype(int)
    own = {
        str(row): address
        for row, track in enumerate(shown.tracks)
        if (address := links.own_address(track)) and len(address) <= _LINK
    }
    texts = {name: localizer(f"map.page.{name}", number="{count}") for name in _TEXTS}
    return {
        "lang": localizer.language,
        "alt": alt,
        "texts": texts,
        "x": places[:, 0].tolist(),
        "y": places[:, 1].tolist(),
        "titles": titles,
        "artist": artist_codes,
        "artists": artist_names,
        "genre": genre_codes,
        "genres": genre_names,
        "links": own,
        "search": "" if links.choice.template else SEARCH_PAGES.get(links.choice.site, ""),
        "plus": not searches_in_path(links.choice.site),
        "colourings": [
            _colouring(localizer(f"map.colours.{name}"), groups, [mark.group for mark in marks])
            for name, groups in shown.groups.items()
        ],
        "marks": [{"x": mark.x, "y": mark.y, "text": mark.text} for mark in marks],
    }


def _colouring(name: str, groups: Sequence[str], first: Sequence[str]) -> dict[str, Any]:
    """Return a colouring with the styles of the picture, which gives ``first`` the first ones."""
    known = styles(groups, [group for group in first if group in groups])
    code = {group: number for number, group in enumerate(known)}
    return {
        "name": name,
        "groups": [
            {"name": group, "colour": "#" + bytes(style.colour).hex(), "shape": style.shape}
            for group, style in known.items()
        ],
        "codes": [code.get(group, -1) for group in groups],
    }


def _coded(labels: Sequence[str]) -> tuple[list[int], list[str]]:
    code: dict[str, int] = {}
    codes = [code.setdefault(label, len(code)) for label in labels]
    return codes, list(code)


def _digest(text: str) -> str:
    """Return the source of a policy that allows an inline script or style with this text."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
