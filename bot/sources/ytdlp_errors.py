"""Map yt-dlp's failures to errors with a message for the user."""

from __future__ import annotations

import re

from bot.sources.policy import MIB, SourcePolicy
from genrec.errors import (
    Busy,
    ClipTooLarge,
    ClipTooLong,
    GenrecError,
    LinkRefused,
    UnsupportedSource,
)

DISK_FULL = "There is no disk space for another clip. Try again in a few minutes."
_UPLOAD = "Send another link, or upload the file."

# Errors that the runner reports by a code of its own.
_BY_CODE: dict[str, tuple[type[GenrecError], str]] = {
    "live": (LinkRefused, f"That is a live stream. {_UPLOAD}"),
    "playlist": (
        LinkRefused,
        "That link leads to an album or playlist. Send the link of one track.",
    ),
    "empty": (LinkRefused, f"That link leads to no track. {_UPLOAD}"),
    "too_long": (
        ClipTooLong,
        "That track is longer than {max_minutes:g} minutes. Send a shorter one.",
    ),
    "too_large": (ClipTooLarge, "That track is larger than {max_mb:.0f} MB. Send a shorter one."),
    "not_installed": (
        UnsupportedSource,
        "This bot cannot read pages, because yt-dlp is not installed. Upload the file.",
    ),
}

# Patterns of yt-dlp's messages; the first match wins. Order matters: an age limit that a sign-in
# would lift counts as a sign-in, and "private" is often followed by the advice to sign in.
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
        "That site limits how often genrec may fetch. Try again later, or upload the file.",
    ),
    (
        (
            r"sign in|log ?in\b|registered users|--cookies|account|subscri|members.only|purchase"
            r"|age.?restrict|confirm your age|password|HTTP Error 401"
        ),
        LinkRefused,
        f"That site needs a sign-in for this track, and genrec has no account there. {_UPLOAD}",
    ),
    (
        (
            r"HTTP Error (?:404|410)|removed|deleted|no longer|does(?:n't| not) exist|not found"
            r"|unavailable|taken down|terminated"
        ),
        LinkRefused,
        f"That track does not exist or has been removed. {_UPLOAD}",
    ),
    (
        r"not currently live|live event|premieres in|will begin in|is live\b",
        LinkRefused,
        _BY_CODE["live"][1],
    ),
    (
        r"No suitable extractor|Unsupported ?(?:URL|Error)",
        UnsupportedSource,
        f"On that site, genrec reads only the pages of single tracks. {_UPLOAD}",
    ),
    (r"Errno 28|No space left|Disk quota", Busy, DISK_FULL),
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
        f"That page offers its sound in no format that genrec accepts. {_UPLOAD}",
    ),
    (
        r"HTTP Error 403|impersonat|client challenge|captcha",
        LinkRefused,
        f"That site does not allow genrec to fetch. {_UPLOAD}",
    ),
    (
        r"timed out|timeout|HTTP Error 5\d\d|IncompleteRead|connection|Unable to connect|transport",
        LinkRefused,
        "That site does not respond properly. Try again later, or upload the file.",
    ),
)

_UNKNOWN = (
    "That page could not be read. The site may have changed since this bot's yt-dlp was updated."
    f" {_UPLOAD}"
)


def error_for(
    code: str, message: str, policy: SourcePolicy, refused: LinkRefused | None = None
) -> GenrecError:
    """Return the error for a failed fetch, from the runner's code and yt-dlp's message.

    ``refused`` is the proxy's own error. It replaces a message in which yt-dlp only reports a
    network failure.
    """
    limits = {"max_minutes": policy.max_seconds / 60, "max_mb": policy.max_bytes / MIB}
    if code in _BY_CODE:
        kind, sentence = _BY_CODE[code]
        return kind(sentence.format(**limits))
    if refused is not None and re.search(r"proxy|tunnel|refused by genrec|403|502", message, re.I):
        return refused
    for pattern, kind, sentence in _BY_WORDS:
        if re.search(pattern, message, re.IGNORECASE):
            return kind(sentence.format(**limits))
    return refused or LinkRefused(_UNKNOWN)
