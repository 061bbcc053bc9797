"""Recognise sound files by their first bytes, explain other bodies, and clean names."""

from __future__ import annotations

import re
import unicodedata
from typing import BinaryIO

from genrec.audio.containers import sniff
from genrec.audio.kinds import SOUND_SUFFIXES, UNHEARD_SUFFIXES, format_names
from genrec.audio.other_files import other_kind
from genrec.errors import GenrecError, LinkRefused, UnsupportedFormat, UnsupportedSource

_MAX_NAME_CHARS = 200

# Suffixes of pictures, documents, archives and programs; any other suffix says nothing.
_OTHER_SUFFIXES = frozenset(
    {
        ".7z", ".apk", ".avif", ".bmp", ".bz2", ".css", ".csv", ".doc", ".docx", ".epub", ".exe",
        ".gif", ".gz", ".heic", ".heif", ".htm", ".html", ".ico", ".jar", ".jpe", ".jpeg", ".jpg",
        ".js", ".json", ".log", ".lrc", ".md", ".msi", ".odt", ".otf", ".pdf", ".png", ".ppt",
        ".pptx", ".psd", ".py", ".rar", ".rtf", ".srt", ".svg", ".tar", ".tgz", ".tif", ".tiff",
        ".toml", ".torrent", ".ttf", ".txt", ".vtt", ".webp", ".xls", ".xlsx", ".xml", ".xz",
        ".yaml", ".yml", ".zip",
    }
)  # fmt: skip


def suffix_of(file: BinaryIO) -> str:
    """Return the suffix of an open sound file by its bytes, or "" for another file.

    The decoder asks the same function, so a link and an upload are judged alike. A file of a tag
    and nothing else is left to the decoder, whose error is more precise.
    """
    sniffed = sniff(file)
    if sniffed is None:
        file.seek(0)
        return ".mp3" if file.read(3) == b"ID3" else ""
    return sniffed.container.kind.suffixes[0]


def not_audio_error(head: bytes, alternatives: str) -> GenrecError:
    """Return the error for a body that is not a sound file; ``alternatives`` is its way out."""
    head = head[:2048]
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not head:
        return LinkRefused("That link leads to an empty file. Check it, or upload the file.")
    manifest = text.startswith((b"<?xml", b"<mpd"))
    if b"<html" in text or (text.startswith(b"<") and not manifest):
        return UnsupportedSource(
            f"That link leads to a page that genrec cannot read. {alternatives}"
        )
    if manifest or text.startswith((b"#extm3u", b"ffconcat", b"[playlist]")):
        return UnsupportedFormat(
            "That link leads to a playlist, and genrec opens no files that refer to other files."
            " Send the sound file itself."
        )
    if head[:2] == b"\x1f\x8b" or head[:4] in (b"PK\x03\x04", b"Rar!", b"7z\xbc\xaf", b"\xfd7zX"):
        return UnsupportedFormat(
            "That link leads to a compressed archive. Unpack it and send one sound file."
        )
    kind = other_kind(head)
    if kind:
        return UnsupportedFormat(
            f"That link leads to {kind}. Send a sound file: {format_names('or')}."
        )
    return UnsupportedFormat(
        f"That link does not lead to a sound file that genrec opens. Send {format_names('or')}."
    )


def sound_by_name(file_name: str, content_type: str | None = None) -> bool | None:
    """Return whether name or content type say sound or video; None if neither says anything.

    Either of the two may be missing or wrong, so one is enough for True.
    """
    kind = (content_type or "").partition(";")[0].strip().lower()
    suffix = "." + file_name.lower().rpartition(".")[2].strip() if "." in file_name else ""
    if suffix in SOUND_SUFFIXES or suffix in UNHEARD_SUFFIXES:  # those are refused by their name
        return True
    if kind.startswith(("audio/", "video/")) or kind == "application/ogg":
        return True
    return False if suffix in _OTHER_SUFFIXES or kind.startswith("image/") else None


def clean_name(text: object) -> str:
    """Return untrusted text as one short line without control or direction characters."""
    if not isinstance(text, str):
        return ""
    spaced = (" " if char.isspace() else char for char in text)
    line = "".join(char for char in spaced if unicodedata.category(char)[0] != "C")
    return re.sub(r" +", " ", line).strip()[:_MAX_NAME_CHARS]


def title_of(file_name: str) -> str:
    """Return the title from a file name, without folders, suffix and underscores."""
    stem = file_name.replace("\\", "/").rsplit("/", 1)[-1]
    stem = re.sub(r"\.[A-Za-z0-9]{1,5}$", "", stem)
    return clean_name(stem.replace("_", " "))
