"""yt-dlp's failures, turned into sentences for the person who sent the link."""

from __future__ import annotations

import re

from genrec.errors import (
    Busy,
    ClipTooLarge,
    ClipTooLong,
    GenrecError,
    LinkRefused,
    UnsupportedSource,
)

NO_ROOM = "There is no room for another clip just now. Try again in a few minutes."
_UPLOAD = "Send another link, or upload the file."

# What the runner says itself.
_BY_CODE: dict[str, tuple[type[GenrecError], str]] = {
    "live": (LinkRefused, f"That is a live stream, which has no end yet. {_UPLOAD}"),
    "playlist": (
        LinkRefused,
        "That link leads to an album or a playlist. Send the link of one of its tracks.",
    ),
    "empty": (LinkRefused, f"There is no track behind that link. {_UPLOAD}"),
    "too_long": (ClipTooLong, "That track is longer than genrec takes. Send a shorter one."),
    "too_large": (ClipTooLarge, "That track is larger than genrec takes. Send a shorter one."),
    "not_installed": (
        UnsupportedSource,
        "Links to pages cannot be read here, because yt-dlp is not installed. Upload the file.",
    ),
}

# What yt-dlp says, the first that fits. Order matters: a sign-in that would lift an age limit is
# a sign-in, and "private" is often followed by the advice to sign in.
_BY_WORDS: tuple[tuple[str, type[GenrecError], str], ...] = (
    (
        r"\bprivate\b(?! (?:ip|network|address))",
        LinkRefused,
        f"That track is private. {_UPLOAD}",
    ),
    (r"drm", LinkRefused, f"That track is copy-protected. {_UPLOAD}"),
    (
        r"geo.?restrict|your (?:location|country|region)|not available in your|GeoRestrictedError",
        LinkRefused,
        f"That track is not available in the country this bot runs in. {_UPLOAD}",
    ),
    (
        r"HTTP Error 429|too many requests|rate.?limit|try again later",
        LinkRefused,
        "That site is asked too often just now. Try again in a while, or upload the file.",
    ),
    (
        (
            r"sign in|log ?in\b|registered users|--cookies|account|subscri|members.only|purchase"
            r"|age.?restrict|confirm your age|password|HTTP Error 401"
        ),
        LinkRefused,
        f"That site wants a sign-in for this track, and genrec has no account there. {_UPLOAD}",
    ),
    (
        (
            r"HTTP Error (?:404|410)|removed|deleted|no longer|does(?:n't| not) exist|not found"
            r"|unavailable|taken down|terminated"
        ),
        LinkRefused,
        f"That track is not there, or has been removed. {_UPLOAD}",
    ),
    (
        r"not currently live|live event|premieres in|will begin in|is live\b",
        LinkRefused,
        _BY_CODE["live"][1],
    ),
    (
        r"No suitable extractor|Unsupported ?(?:URL|Error)",
        UnsupportedSource,
        f"Of that site genrec reads the pages of single tracks only. {_UPLOAD}",
    ),
    (r"Errno 28|No space left|Disk quota", Busy, NO_ROOM),
    (
        r"File too large|Errno 27|max-filesize",
        ClipTooLarge,
        _BY_CODE["too_large"][1],
    ),
    (
        (
            r"Requested format is not available|no (?:audio|video) formats|UnavailableVideo"
            r"|ffmpeg|only images"
        ),
        LinkRefused,
        f"That page offers its sound in no form genrec can take. {_UPLOAD}",
    ),
    (
        r"HTTP Error 403|impersonat|client challenge|captcha",
        LinkRefused,
        f"That site does not let genrec in. {_UPLOAD}",
    ),
    (
        r"timed out|timeout|HTTP Error 5\d\d|IncompleteRead|connection|Unable to connect|transport",
        LinkRefused,
        "That site does not answer properly just now. Try again later, or upload the file.",
    ),
)

_UNKNOWN = (
    "That page could not be read; the site may have changed since this bot's yt-dlp was updated."
    f" {_UPLOAD}"
)


def explain(code: str, message: str, refused: LinkRefused | None = None) -> GenrecError:
    """Return the error for a failed fetch.

    ``refused`` is what the proxy turned away on the way; it explains a failure that yt-dlp itself
    could only describe as a network's.
    """
    if code in _BY_CODE:
        kind, sentence = _BY_CODE[code]
        return kind(sentence)
    if refused is not None and re.search(r"proxy|tunnel|refused by genrec|403|502", message, re.I):
        return refused
    for pattern, kind, sentence in _BY_WORDS:
        if re.search(pattern, message, re.IGNORECASE):
            return kind(sentence)
    return refused or LinkRefused(_UNKNOWN)
