"""Read CUE sheets: the songs of albums that are one sound file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from db.tagging.code_pages import decode_texts
from db.tagging.read import tag_fields
from genrec.types import Section

# Smaller files are not searched for a sheet among their tags: an album of 20 minutes as FLAC is
# larger. So a scan opens few files.
MIN_ALBUM_BYTES = 60 * 2**20
# A CD has at most 99 tracks; a sheet of 99 has 20 kB.
_MAX_BYTES, _MAX_SONGS, _MAX_LINE = 1 << 18, 99, 1_000
_FRAMES_PER_S = 75
_REMARK = re.compile(r"(?P<name>[A-Za-z]+)\s+(?P<rest>.*)")
_QUOTED = re.compile(r'"(?P<text>[^"]*)"?(?:\s+\S+)?')
_INDEX = re.compile(r"0?1\s+(?P<minutes>\d{1,4}):(?P<seconds>\d{1,2})(?::(?P<frames>\d{1,2}))?")
_REMARKS = {"DATE": "year", "GENRE": "genre"}
_COMMANDS = {"TITLE": "title", "PERFORMER": "artist", "ISRC": "isrc"}


@dataclass(frozen=True, slots=True)
class CueSong:
    """A song of an album file: its section, and its tags by field.

    ``sheet`` is the path of the CUE sheet.
    """

    path: str
    sheet: str
    section: Section
    fields: Mapping[str, str]


@dataclass(slots=True)
class _Entry:
    """A track of a sheet; ``start_s`` is None until its INDEX 01. A CD may have one of data."""

    fields: dict[str, str]
    is_audio: bool = True
    file: str = ""
    start_s: float | None = None


@dataclass(slots=True)
class _Sheet:
    album: dict[str, str] = field(default_factory=dict)
    entries: list[_Entry] = field(default_factory=list)


def album_songs(sheet: str, sounds: Sequence[str]) -> list[CueSong]:
    """Return the songs of the files that a CUE sheet divides into two or more.

    Parameters
    ----------
    sheet
        Path of the CUE sheet.
    sounds
        Paths of the sound files in its folder.

    Raises
    ------
    OSError
        The sheet cannot be read.
    """
    with Path(sheet).open("rb") as file:
        parsed = _parse(_decode(file.read(_MAX_BYTES), Path(sheet)))
    songs: list[CueSong] = []
    names = list(dict.fromkeys(entry.file for entry in parsed.entries))
    for name in names:
        entries = [entry for entry in parsed.entries if entry.file == name]
        if len(entries) > 1 and (path := _find(name, sheet, sounds, alone=len(names) == 1)):
            songs += _songs(path, sheet, entries, parsed.album)
    return songs


def embedded_songs(path: str) -> list[CueSong]:
    """Return the songs of an album file with a CUE sheet among its tags."""
    parsed = _parse(tag_fields(Path(path), ()).get("cuesheet", "")[:_MAX_BYTES])
    return list(_songs(path, path, parsed.entries, parsed.album))


def _parse(text: str) -> _Sheet:
    """Return a CUE sheet's album and tracks; lines that are not understood are skipped."""
    sheet, file_name = _Sheet(), ""
    for command, rest in _commands(text):
        entry = sheet.entries[-1] if sheet.entries else None
        fields = entry.fields if entry else sheet.album
        if command == "FILE":
            quoted = _QUOTED.fullmatch(rest)
            file_name = quoted["text"] if quoted else rest.rpartition(" ")[0] or rest
        elif command == "TRACK":
            sheet.entries.append(_Entry({}, is_audio=rest.upper().endswith("AUDIO")))
        elif command == "INDEX" and entry and entry.start_s is None:
            if index := _INDEX.fullmatch(rest):
                entry.file, entry.start_s = file_name, _start_s(index)
        elif command == "REM" and (remark := _REMARK.fullmatch(rest)):
            if name := _REMARKS.get(remark["name"].upper()):
                fields.setdefault(name, _unquoted(remark["rest"]))
        elif name := _COMMANDS.get(command):
            fields.setdefault(name, _unquoted(rest))
    sheet.entries = [entry for entry in sheet.entries if entry.start_s is not None][:_MAX_SONGS]
    return sheet


def _songs(
    path: str, sheet: str, entries: Sequence[_Entry], album: Mapping[str, str]
) -> Iterator[CueSong]:
    """Yield the songs of one file, if they are two or more."""
    starts = sorted({entry.start_s or 0.0 for entry in entries})
    if len(starts) < 2:
        return
    for number, entry in enumerate(entries, start=1):
        start_s = entry.start_s or 0.0
        if not entry.is_audio:
            continue
        end_s = next((later for later in starts if later > start_s), None)
        fields = {
            **{name: text for name, text in album.items() if name != "title"},
            "album": album.get("title", ""),
            "title": f"Track {number}",
            **entry.fields,
        }
        yield CueSong(path, sheet, Section(start_s, end_s), fields)


def _find(name: str, sheet: str, sounds: Sequence[str], *, alone: bool) -> str:
    """Return the sound file that a sheet means.

    Programs encode "Album.wav" later, and leave that name in the sheet.
    """
    wanted = os.path.basename(name.replace("\\", "/")).casefold()  # noqa: PTH119 - of any system
    for path in sounds:
        if Path(path).name.casefold() == wanted:
            return path
    stems = [Path(wanted).stem, Path(sheet).stem.casefold()] if alone else [Path(wanted).stem]
    for stem in stems:
        for path in sounds:
            if stem in (Path(path).stem.casefold(), Path(path).name.casefold()):
                return path
    return sounds[0] if alone and len(sounds) == 1 else ""


def _commands(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        if len(line) > _MAX_LINE:  # the patterns take quadratic time
            continue
        if len(words := line.split(maxsplit=1)) == 2:
            yield words[0].upper(), words[1].strip()


def _start_s(index: re.Match[str]) -> float:
    frames = int(index["frames"] or 0)
    return int(index["minutes"]) * 60 + int(index["seconds"]) + frames / _FRAMES_PER_S


def _unquoted(text: str) -> str:
    found = _QUOTED.fullmatch(text)
    return (found["text"] if found else text).strip()


def _decode(data: bytes, path: Path) -> str:
    """Return the text of a sheet: UTF-8, UTF-16, or in the code page of its writer."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    data = data.removeprefix(b"\xef\xbb\xbf")
    # Only the texts matter for the choice of the code page.
    names = (path.stem, *path.parts[-3:-1])
    decoded = decode_texts({"sheet": data}, names)
    return decoded["sheet"] if decoded else data.decode("cp1252", "replace")


def is_sheet(name: str) -> bool:
    """Return whether a file is a CUE sheet by its suffix."""
    return name[-4:].casefold() == ".cue"
