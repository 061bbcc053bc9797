"""Recognise sound files by their first bytes, explain other bodies, and clean names."""

from __future__ import annotations

import re
import unicodedata

from genrec.errors import GenrecError, LinkRefused, UnsupportedFormat, UnsupportedSource

# Enough for every signature below, and for the text by which pages and playlists are recognised.
HEAD_BYTES = 512
_MAX_NAME_CHARS = 200


def suffix_of(head: bytes) -> str:
    """Return the suffix of the sound file that starts with ``head``, or "" for other bytes.

    This only stops useless downloads early; the decoder checks the file itself.
    """
    if head[:4] == b"fLaC":
        return ".flac"
    if head[:4] == b"OggS":
        return ".ogg"
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        return ".wav"
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return ".aiff"
    if head[:4] == b"\x1aE\xdf\xa3":
        return ".webm"
    if head[4:8] == b"ftyp":
        return ".m4a"
    if head[:3] == b"ID3":
        return ".mp3"
    return _mpeg_suffix(head)


def _mpeg_suffix(head: bytes) -> str:
    """Distinguish MP3 from ADTS frames by the layer bits after the eleven sync bits."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return ""
    layer = head[1] >> 1 & 3
    if layer == 0:
        return ".aac" if head[1] & 0xF0 == 0xF0 else ""
    reserved = head[1] >> 3 & 3 == 1 or head[2] >> 4 == 15 or head[2] >> 2 & 3 == 3
    return "" if reserved else ".mp3"


def not_audio_error(head: bytes, alternatives: str) -> GenrecError:
    """Return the error for a body that is not a sound file; ``alternatives`` is its way out."""
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
    return UnsupportedFormat(
        "That link does not lead to a sound file that genrec opens. Send WAV, FLAC, MP3, OGG, M4A,"
        " AAC, AIFF or WebM."
    )


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
