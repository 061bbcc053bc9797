"""Seeds of ``genrec mix`` and ``genrec radio``: files, links, lists and names of tracks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bot.cli.ask import check_kind, open_clip
from bot.cli.linked_song import track_of_linked
from bot.cli.named_song import track_named
from bot.config import Settings
from bot.errors import RequestDeclined
from bot.jobs.asked_seeds import LIST_SUFFIXES, condensed
from bot.jobs.library_import import read_text
from bot.jobs.mix_baskets import MOST_SEEDS
from bot.named_tracks import NamedTracks
from bot.runtime.resources import Resources
from db.list_seeds import tracks_of_list
from db.listed_tracks import Places
from genrec.errors import FileMissing, InputRefused, NoMusic
from genrec.names import artist_key
from genrec.questions import Rules, Seed
from genrec.types import Clip, Track


@dataclass(frozen=True, slots=True)
class SeedText:
    """A seed as it is typed: a path, link or list, or with ``named`` the name of a track."""

    text: str
    liked: bool = True
    named: bool = False

    @property
    def is_list(self) -> bool:
        """Whether the seed is the file of a list."""
        return not self.named and Path(self.text).suffix.lower() in LIST_SUFFIXES


async def seeds_of(
    opened: Resources, settings: Settings, typed: Sequence[SeedText], rules: Rules
) -> tuple[Seed, ...]:
    """Return the seeds, each track once; long lists share the places that are left.

    Raises
    ------
    GenrecError
        A seed cannot be used; the sentence says which.
    """
    scopes = (*rules.scopes, *rules.fallback)
    room = MOST_SEEDS - sum(not each.is_list for each in typed)
    lists = sum(each.is_list for each in typed)
    found: list[Seed] = []
    for each in typed:
        if each.is_list:
            tracks = await _listed(opened, each.text, scopes, max(1, room // lists))
            room, lists = room - len(tracks), lists - 1
        elif each.named:
            tracks = [await track_named(NamedTracks(opened.recommender), each.text, scopes)]
        else:
            check_kind(opened.preset, each.text)
            async with open_clip(settings, each.text) as clip:
                if isinstance(clip, Clip):
                    found.append(await _of_clip(opened, clip, each))
                    continue
            tracks = [await track_of_linked(opened.recommender, clip)]
        found += [await opened.recommender.track_seed(track, liked=each.liked) for track in tracks]
    ids = [seed.track.id if seed.track else -place for place, seed in enumerate(found, start=1)]
    return tuple(dict(zip(reversed(ids), reversed(found), strict=True)).values())[::-1]


async def _of_clip(opened: Resources, clip: Clip, each: SeedText) -> Seed:
    analysis = await opened.recommender.analyze(clip)
    if not opened.recommender.is_music(analysis):
        raise NoMusic(
            f"{each.text} seems to contain speech, noise or effects, and no music: leave it out, or"
            " name a part where music is playing."
        )
    title = clip.title or Path(each.text).stem
    return opened.recommender.clip_seed(analysis, replace(clip, title=title), liked=each.liked)


async def _listed(opened: Resources, name: str, scopes: Sequence[str], room: int) -> list[Track]:
    """Return the tracks of a list, or the medoids of a longer one."""
    path, text = await asyncio.to_thread(_read, name)
    places = Places(scopes=scopes, roots=(path.parent,), absolute=True)
    tracks, unknown = await tracks_of_list(
        opened.recommender.catalogue, opened.preset.model_id, text, path.name, scopes, places=places
    )
    tracks = await condensed(opened.recommender, tracks, room)
    if not tracks:
        raise InputRefused(
            f"The catalogue has none of the {len(unknown):,} tracks of {name}: index their"
            " files, or name another list."
        )
    return tracks


def _read(name: str) -> tuple[Path, str]:
    """Return the full path and the text of a list."""
    path = Path(name)
    if not path.is_file():
        raise FileMissing(f"There is no file {name}: check the path.")
    try:
        return path.resolve(), read_text(path)
    except RequestDeclined as error:
        raise InputRefused(
            f"{name} is no list that genrec can read: use an m3u8, CSV, JSPF or text file."
        ) from error


def seed_json(seed: Seed) -> dict[str, Any]:
    """Return a seed as JSON; ``id`` is None for a clip."""
    return {
        "id": seed.track.id if seed.track else None,
        "title": seed.title,
        "artist": seed.artist if artist_key(seed.artist) else "",
        "liked": seed.liked,
    }
