"""Decide by name and first bytes which files are sound, with a reason for each other file."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from genrec.audio.containers import AAC, MP3, sniff
from genrec.audio.kinds import SOUND_SUFFIXES, UNHEARD_SUFFIXES


class LeftOutReason(StrEnum):
    """Why a file of a music folder is not analysed."""

    UNREAD_FORMAT = "unread_format"
    PACKED = "packed"
    UNFINISHED = "unfinished"
    SYSTEM_FOLDER = "system_folder"
    SYSTEM_FILE = "system_file"
    NO_FILE = "no_file"
    DEAD_LINK = "dead_link"
    NO_SOUND = "no_sound"
    NO_MUSIC = "no_music"


SENTENCES = {
    LeftOutReason.UNREAD_FORMAT: "genrec does not read this format: convert it to FLAC or MP3.",
    LeftOutReason.PACKED: "An archive: unpack it if it holds music.",
    LeftOutReason.UNFINISHED: "An unfinished download or copy: let it finish.",
    LeftOutReason.SYSTEM_FOLDER: "In a folder that the system or a NAS keeps for itself.",
    LeftOutReason.SYSTEM_FILE: "A file that the system keeps for itself.",
    LeftOutReason.NO_FILE: "Not a file but a pipe, socket or device.",
    LeftOutReason.DEAD_LINK: "The link leads nowhere: remove it or restore its target.",
    LeftOutReason.NO_SOUND: "By its name or its first bytes this is not a sound file.",
    LeftOutReason.NO_MUSIC: "No music was found in this file.",
}
"""One sentence for each reason."""

QUIET_REASONS = frozenset({LeftOutReason.NO_SOUND, LeftOutReason.SYSTEM_FILE})
"""Reasons of files in which nobody expects music: they are counted, and only a CSV names them."""


@dataclass(frozen=True, slots=True)
class LeftOutFile:
    """A file that is not analysed: its path, the reason, and its kind, such as ``WavPack``."""

    path: str
    reason: LeftOutReason
    kind: str


_RECYCLE_BIN, _SNAPSHOTS = "recycle bin", "snapshots"
_THUMBNAILS, _NAS = "thumbnails", "NAS folder"
_SYNC, _SYSTEM = "synchronisation folder", "system folder"
# Casefolded names; such a folder never holds the music that its owner means.
_SYSTEM_FOLDERS = {
    **dict.fromkeys(
        (
            "$recycle.bin", "#recycle", "@recycle", ".recycle", ".trash", ".trashes",
            "network trash folder",
        ),
        _RECYCLE_BIN,
    ),
    **dict.fromkeys(
        (
            ".snapshot", ".snapshots", "#snapshot", "~snapshot", ".zfs", "@snapshots",
            "@recently-snapshot", ".timemachine", ".mobilebackups",
        ),
        _SNAPSHOTS,
    ),
    **dict.fromkeys(("@eadir", ".thumbnails", ".thumb", ".thumbs", ".wdmc"), _THUMBNAILS),
    **dict.fromkeys(("@tmp", "@sharebin", "@appstore", "@database", "@docker"), _NAS),
    **dict.fromkeys(
        (".stversions", ".stfolder", ".sync", ".dropbox", ".dropbox.cache", ".owncloudsync"), _SYNC
    ),
    **dict.fromkeys(
        (
            "system volume information", ".appledouble", ".appledesktop", ".appledb",
            "temporary items", ".temporaryitems", ".spotlight-v100", ".fseventsd",
            ".documentrevisions-v100", "__macosx", ".cache", ".config", ".local", ".gvfs", ".git",
            ".hg", ".svn", "msdownld.tmp",
        ),
        _SYSTEM,
    ),
}  # fmt: skip
# As the system writes them: a band may be named like them in other letters.
_EXACT_FOLDERS = {
    "RECYCLER": _RECYCLE_BIN, "RECYCLED": _RECYCLE_BIN, "Recycled": _RECYCLE_BIN,
    "trashbox": _RECYCLE_BIN, "lost+found": _SYSTEM,
}  # fmt: skip
_BANDS = frozenset({"recycled", "recycler"})
_FOLDER_PATTERNS = (
    (re.compile(r"\.trash-\d+"), _RECYCLE_BIN),
    (re.compile(r"\.@.+"), _NAS),
    (re.compile(r"found\.\d{3}"), _SYSTEM),
)
_BINS_MARKS = re.compile(r"s-1-5-.*|info2|desktop\.ini", re.IGNORECASE)

_UNFINISHED = frozenset(
    {
        ".part", ".partial", ".crdownload", ".download", ".opdownload", ".filepart", ".tmp",
        ".temp", ".aria2", ".!ut", ".!qb", ".bc!", ".unfinished", ".incomplete", ".ytdl",
    }
)  # fmt: skip
# rsync writes "Song.mp3" as ".Song.mp3.aB3xYz" until it is complete.
_RSYNC = re.compile(r"\.(?P<name>.+)\.[A-Za-z0-9]{6}")
_OPEN_FILE = re.compile(
    r"\.nfs[0-9a-f]{16,}|\.fuse_hidden[0-9a-f]+|\.~lock\..*#|\.goutputstream-.*"
)
_SYSTEM_FILES = frozenset(
    {
        "thumbs.db", "ehthumbs.db", "desktop.ini", ".ds_store", "icon\r", ".nomedia", ".stignore",
        ".directory", ".volumeicon.icns", ".localized", ".hidden", ".apdisk",
    }
)  # fmt: skip
_ARCHIVE = "archive"
_OTHER_SUFFIXES = {
    suffix: kind
    for kind, suffixes in {
        "picture": ".jpg .jpeg .jpe .jfif .png .gif .bmp .webp .tif .tiff .heic .avif",
        "drawing": ".svg .ico .psd .ai .xcf",
        "text": ".txt .nfo .log .md .rtf .doc .docx .odt .html .htm .xml .json .ini .url .csv .pdf",
        "checksum": ".sfv .md5 .ffp .st5 .sha1 .sha256 .accurip",
        "playlist": ".m3u .m3u8 .pls .xspf .wpl .asx .fpl .zpl",
        "CUE sheet": ".cue",
        "lyrics or subtitles": ".lrc .srt .ass .vtt .sub .idx",
        _ARCHIVE: ".zip .rar .7z .tar .gz .bz2 .xz .zst .iso .dmg",
        "sheet music": ".mscz .musicxml .gp3 .gp4 .gp5 .gpx .gp .sib .ly",
        "player's data": ".db .sqlite .itl .itdb .asd .pek .sfk .pkf .reapeaks .torrent",
        "program": ".exe .dll .sh .py .js .bat .msi .apk .jar",
    }.items()
    for suffix in suffixes.split()
}
# Videos whose suffixes are too common among other files to be in the table of sound kinds.
_VIDEO_SUFFIXES = frozenset({".ts", ".swf", ".ogm"})
_SUFFIX = re.compile(r"\.[a-z0-9_+!~-]{1,16}")
_HEAD_BYTES = 8192
_APPLE_DOUBLE = b"\x00\x05\x16\x07"
# An ISO file that is a picture: HEIF and AVIF.
_PICTURE_BRANDS = (b"heic", b"heix", b"mif1", b"msf1", b"avif", b"avis", b"crx ")


def system_folder(path: str, name: str) -> str:
    """Return the kind of a folder that the system keeps for itself, or "" for any other folder."""
    folded = name.casefold()
    if kind := _SYSTEM_FOLDERS.get(folded):
        return kind
    for pattern, kind in _FOLDER_PATTERNS:
        if pattern.fullmatch(folded):
            return kind
    if folded in _BANDS and not _has_marks_of_a_bin(Path(path)):
        return ""
    return _EXACT_FOLDERS.get(name, "")


def is_snapshot(kind: str) -> bool:
    """Return whether folders of this kind have copies of the whole disk: they are not listed."""
    return kind == _SNAPSHOTS


def reason_to_leave_out(path: str, name: str) -> LeftOutFile | None:
    """Return why a file is not analysed, or None for a file that may be sound.

    A name with the suffix of a format that genrec reads is enough. Any other file counts as sound
    if its first bytes do. Raises OSError if they cannot be read.
    """
    suffix = suffix_of(name)
    if name.startswith("._") and _head(path)[:4] == _APPLE_DOUBLE:
        return LeftOutFile(path, LeftOutReason.SYSTEM_FILE, "resource fork")
    if name.casefold() in _SYSTEM_FILES or _OPEN_FILE.fullmatch(name):
        return LeftOutFile(path, LeftOutReason.SYSTEM_FILE, "system file")
    if suffix in SOUND_SUFFIXES:
        return None
    partial = _RSYNC.fullmatch(name)
    if suffix in _UNFINISHED or (partial and suffix_of(partial["name"]) in SOUND_SUFFIXES):
        complete = partial["name"] if partial else Path(name).stem
        return LeftOutFile(path, LeftOutReason.UNFINISHED, kind_of(complete))
    if kind := _OTHER_SUFFIXES.get(suffix):
        reason = LeftOutReason.PACKED if kind == _ARCHIVE else LeftOutReason.NO_SOUND
        return LeftOutFile(path, reason, kind)
    if _begins_like_sound(_head(path)):
        return None
    if kind := UNHEARD_SUFFIXES.get(suffix) or ("video" if suffix in _VIDEO_SUFFIXES else ""):
        return LeftOutFile(path, LeftOutReason.UNREAD_FORMAT, kind)
    return LeftOutFile(path, LeftOutReason.NO_SOUND, kind_of(name))


def kind_of(path: str) -> str:
    """Return a file's kind by its suffix, for tables: ``FLAC``, ``WavPack``, ``no suffix``."""
    suffix = suffix_of(path)
    named = UNHEARD_SUFFIXES.get(suffix) or _OTHER_SUFFIXES.get(suffix)
    return named or suffix.lstrip(".").upper() or "no suffix"


def suffix_of(name: str) -> str:
    """Return a name's suffix in lower case with its dot, or "" without one: not for "Mr. Jones"."""
    # pathlib takes ten times as long, which counts among a million files.
    stem, dot, last = name.rpartition(".")
    suffix = dot + last.casefold()
    return suffix if stem.rpartition("/")[2] and _SUFFIX.fullmatch(suffix) else ""


def _has_marks_of_a_bin(folder: Path) -> bool:
    try:
        return any(_BINS_MARKS.fullmatch(entry.name) for entry in folder.iterdir())
    except OSError:
        return False


def _head(path: str) -> bytes:
    with Path(path).open("rb", buffering=0) as file:
        return file.read(_HEAD_BYTES)


def _begins_like_sound(head: bytes) -> bool:
    if head[4:8] == b"ftyp" and head[8:12] in _PICTURE_BRANDS:
        return False
    if head.startswith(b"ID3"):
        return True  # the tag may be longer than the bytes at hand
    sniffed = sniff(io.BytesIO(head))
    if sniffed is not None and sniffed.container in (MP3, AAC):
        # Any data may contain bytes like a frame's first ones.
        return head.lstrip(b"\0").startswith(b"\xff")
    return sniffed is not None


def left_out_table() -> str:
    """Return the Markdown tables of docs/library.md: reasons, system folders, other files."""
    rows = ["| Code | Reason |", "|---|---|"]
    rows += [f"| `{reason.value}` | {SENTENCES[reason]} |" for reason in LeftOutReason]
    rows += ["", "| System folders | Names |", "|---|---|"]
    folders = {**_SYSTEM_FOLDERS, **_EXACT_FOLDERS, ".Trash-1000": _RECYCLE_BIN, ".@...": _NAS,
               "found.000": _SYSTEM}  # fmt: skip
    rows += _by_kind(folders)
    rows += ["", "| Files without sound | Suffixes |", "|---|---|"]
    rows += _by_kind(_OTHER_SUFFIXES)
    rows += [f"| unfinished | {' '.join(f'`{name}`' for name in sorted(_UNFINISHED))} |"]
    rows += [f"| system file | {' '.join(f'`{name.strip()}`' for name in sorted(_SYSTEM_FILES))} |"]
    return "\n".join(rows) + "\n"


def _by_kind(kinds: Mapping[str, str]) -> Iterator[str]:
    for kind in dict.fromkeys(kinds.values()):
        names = " ".join(f"`{name}`" for name, own in kinds.items() if own == kind)
        yield f"| {kind} | {names} |"
