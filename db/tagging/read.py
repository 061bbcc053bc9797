"""Read the tags of a sound file of any kind that genrec reads, as texts by field."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO

from tinytag import TinyTag

from db.tagging.ape import ape_fields
from db.tagging.chunks import aiff_fields, caf_fields, riff_fields
from db.tagging.code_pages import decode_texts, repair_texts
from db.tagging.id3 import mended_id3
from db.tagging.matroska import matroska_fields
from db.tagging.quicktime import quicktime_fields
from genrec.audio.containers import sniff

FIELDS = (
    "title", "artist", "albumartist", "album", "genre", "year", "isrc",
    "recording_id", "release_id", "artist_id", "page", "cuesheet",
)  # fmt: skip
_TEXTS = FIELDS[:6]
# The names of other taggers, without spaces, marks and case.
_SYNONYMS = {
    "albumtitle": "album", "date": "year", "daterecorded": "year", "datereleased": "year",
    "originaldate": "year", "recordeddate": "year", "performer": "artist", "author": "artist",
    "musicbrainztrackid": "recording_id", "musicbrainzrecordingid": "recording_id",
    "musicbrainzalbumid": "release_id", "musicbrainzreleaseid": "release_id",
    "musicbrainzartistid": "artist_id", "purl": "page", "url": "page", "website": "page",
} | {name.replace("_", ""): name for name in FIELDS}  # fmt: skip
# A file name with which TinyTag chooses its reader, by FFmpeg's name of the container.
_TINYTAG_NAMES = {
    "wav": "x.wav", "aiff": "x.aiff", "flac": "x.flac", "mp3": "x.mp3", "aac": "x.mp3",
    "ogg": "x.ogg", "mov": "x.m4a", "asf": "x.wma",
}  # fmt: skip
TAG_FORMATS = {
    "MP3, AAC": "ID3v2, APEv2, ID3v1",
    "FLAC, OGG": "Vorbis comments",
    "M4A, MP4, MOV, 3GP": "iTunes, QuickTime and 3GPP user data, keys",
    "WebM, MKA, MKV": "Matroska tags of the song and of the album",
    "WAV": "ID3v2, RIFF INFO",
    "AIFF": "ID3v2, NAME and AUTH",
    "WMA": "ASF",
    "WavPack": "APEv2",
    "CAF": "information chunk",
}
"""Tags that are read, the first with a field counts, for the documentation."""
# An encoding whose letters are not those of Latin-1 for the same bytes.
_OTHER_ENCODING = "cp037"
_MUSICBRAINZ_OWNER = "http://musicbrainz.org\0"
_Reader = Callable[[BinaryIO, Sequence[str]], Mapping[str, str]]


def tag_fields(path: Path, names: Sequence[str]) -> dict[str, str]:
    """Return the tags of a file by names of ``FIELDS``; empty if it has none or is damaged.

    ``names`` are those of the file and its folders: they help to choose the code page of texts.
    """
    fields: dict[str, str] = {}
    # Tags are optional, and a hostile file may raise any error.
    with contextlib.suppress(Exception), path.open("rb") as file:
        sniffed = sniff(file)
        demuxer = sniffed.container.demuxer if sniffed else ""
        for reader in _readers(demuxer, path.name, file, sniffed.start if sniffed else 0):
            with contextlib.suppress(Exception):
                for field, text in reader(file, names).items():
                    if text.strip():
                        fields.setdefault(field, text)
    return fields


def _readers(demuxer: str, name: str, file: BinaryIO, sound: int) -> list[_Reader]:
    """Return the readers for a container; the first that has a field counts."""
    named: _Reader = partial(_with_tinytag, _TINYTAG_NAMES.get(demuxer, name))
    if demuxer == "matroska":
        return [lambda file, _: _named(matroska_fields(file))]
    if demuxer == "caf":
        return [lambda file, _: _named(caf_fields(file))]
    if demuxer == "mov":
        return [named, lambda file, _: _named(quicktime_fields(file))]
    if demuxer == "wav":
        return [named, lambda file, names: decode_texts(riff_fields(file), names) or {}]
    if demuxer == "aiff":
        return [named, lambda file, names: decode_texts(aiff_fields(file), names) or {}]
    if demuxer in ("ogg", "asf", "au"):
        return [named]
    if (tags := mended_id3(file, sound)) is not None:
        return [lambda _, names: named(tags, names), _with_ape]
    file.seek(0)
    # An ID3v1 tag, which TinyTag reads too, has room for 30 letters only.
    return [named, _with_ape] if file.read(3) == b"ID3" else [_with_ape, named]


def _with_ape(file: BinaryIO, names: Sequence[str]) -> dict[str, str]:
    return _named(decode_texts(ape_fields(file), names) or {})


def _with_tinytag(name: str, file: BinaryIO, names: Sequence[str]) -> dict[str, str]:
    fields = _tinytag_fields(name, file)
    # RIFF and AIFF texts that are not UTF-8 are read again, as bytes.
    texts = {field: fields.pop(field) for field in _TEXTS if field in fields}
    texts = {field: text for field, text in texts.items() if "\ufffd" not in text}
    if all(text.isascii() for text in texts.values()):
        return fields | texts
    # A text that depends on the assumed encoding has no declared one, or Latin-1.
    other = _tinytag_fields(name, file, _OTHER_ENCODING)
    declared = {field: text for field, text in texts.items() if other.get(field) == text}
    unsure = {field: text for field, text in texts.items() if field not in declared}
    fields |= repair_texts(declared, names, unicode=True)
    return fields | repair_texts(unsure, [*names, *declared.values()], unicode=False)


def _tinytag_fields(name: str, file: BinaryIO, encoding: str | None = None) -> dict[str, str]:
    tag = TinyTag.get(name, file, duration=False, encoding=encoding)
    fields = _named({key: values[0] for key, values in tag.other.items() if values})
    for value in tag.other.get("ufid", []):
        if value.startswith(_MUSICBRAINZ_OWNER):
            fields["recording_id"] = value.removeprefix(_MUSICBRAINZ_OWNER)
    known = {field: getattr(tag, field) for field in _TEXTS}
    return fields | {field: text for field, text in known.items() if isinstance(text, str)}


def _named(texts: Mapping[str, str]) -> dict[str, str]:
    """Return the texts whose names are those of a field, by field; the first counts."""
    fields: dict[str, str] = {}
    for name, text in texts.items():
        key = "".join(letter for letter in name.casefold() if letter.isalnum())
        if key in _SYNONYMS and text.strip():
            fields.setdefault(_SYNONYMS[key], text)
    return fields


def tags_table() -> str:
    """Return the Markdown table of docs/library.md: files, and the tags that are read."""
    rows = ["| Files | Tags |", "|---|---|"]
    return "\n".join(rows + [f"| {files} | {tags} |" for files, tags in TAG_FORMATS.items()]) + "\n"
