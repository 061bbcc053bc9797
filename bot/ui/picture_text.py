"""Alt text of a response's picture: the same in words."""

from __future__ import annotations

from bot.i18n import Localizer
from bot.ui.markdown import clean
from bot.ui.spectrogram_image import Picture
from genrec.types import Track

MAX_ALT = 1024
_MAX_NAME = 80


def alt_text(localizer: Localizer, picture: Picture, name: str, nearest: Track | None) -> str:
    """Return the alt text, cleaned but not escaped: Discord shows no markup there.

    ``nearest`` is the first track of the response.
    """
    shown = clean(name, _MAX_NAME) or localizer("answer.your_clip")
    sentences = [localizer("answer.alt", name=shown)]
    if picture.bpm is not None:
        sentences.append(localizer("answer.alt_beats", bpm=localizer.number(picture.bpm, 0)))
    if picture.parts:
        sentences.append(localizer("answer.alt_parts"))
    if picture.nearest and nearest is not None:
        title = clean(nearest.title, _MAX_NAME) or localizer("answer.untitled")
        sentences.append(localizer("answer.alt_nearest", title=title))
    return " ".join(sentences)[:MAX_ALT]
