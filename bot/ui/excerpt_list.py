"""Text and file names of the excerpts of a response's tracks."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.i18n import Localizer
from bot.ui.components import small, track_names
from bot.ui.markdown import clean
from genrec.names import artist_key
from genrec.types import SoundExcerpt, Track

_TITLE, _ARTIST = 40, 30  # ten tracks stay within the 2,000 characters of a message
_NOT_IN_NAMES = re.compile(r"[^\w\s().,&'-]+")
_MAX_FILE_NAME = 60


def excerpt_lines(
    localizer: Localizer, tracks: Sequence[Track], excerpts: Sequence[SoundExcerpt | None]
) -> str:
    """Return a line for each excerpt, numbered as in the response, and one for the other tracks."""
    seconds = round(max(excerpt.seconds for excerpt in excerpts if excerpt is not None))
    lines = [localizer("excerpts.heading", seconds=seconds)]
    without: list[str] = []
    for place, (track, excerpt) in enumerate(zip(tracks, excerpts, strict=True), start=1):
        title, artist = track_names(localizer, track, _TITLE, _ARTIST)
        if excerpt is not None:
            lines.append(f"{place}. **{title}** · {artist}")
        else:
            without.append(str(place))
    if without:
        lines.append(small(f"{', '.join(without)}: {localizer('excerpts.no_file')}"))
    return "\n".join(lines)


def file_name(place: int, track: Track) -> str:
    """Return the name of an excerpt: number, title and artist, which Discord shows above it."""
    names = [track.title, track.artist if artist_key(track.artist) else ""]
    name = " - ".join(filter(None, (clean(_NOT_IN_NAMES.sub(" ", text), 60) for text in names)))
    return f"{place} {name}"[:_MAX_FILE_NAME].rstrip(" .-") + ".mp3"
