"""Name files that genrec does not read, from their first bytes."""

from __future__ import annotations

from genrec.audio import kinds
from genrec.audio.kinds import SoundKind

_MIDI = "a MIDI file, which has notes and no audio"
_PICTURE = "a picture"
_PROGRAM = "a program"
_COMPRESSED = "a compressed archive"

# (offset, bytes) and the kind of sound file, or the description of another file.
_MAGICS: tuple[tuple[int, bytes, SoundKind | str], ...] = (
    (0, b"MThd", _MIDI),
    (8, b"RMID", _MIDI),
    (0, b"MAC ", kinds.APE),
    (0, b"TTA1", kinds.TTA),
    (0, b"TTA2", kinds.TTA),
    (0, b"tBaK", kinds.TAK),
    (0, b"ajkg", kinds.SHORTEN),
    (0, b"OFR ", kinds.OPTIMFROG),
    (0, b"DSD ", kinds.DSD),
    (0, b"FRM8", kinds.DSD),
    (0, b"\x0b\x77", kinds.AC3),
    (0, b"\xac\x40", kinds.AC4),
    (0, b"\xac\x41", kinds.AC4),
    (0, b"\x7f\xfe\x80\x01", kinds.DTS),
    (0, b"\xfe\x7f\x01\x80", kinds.DTS),
    (0, b"\x1f\xff\xe8\x00", kinds.DTS),
    (0, b"\xff\x1f\x00\xe8", kinds.DTS),
    (0, b"DTSHDHDR", kinds.DTS),
    (4, b"\xf8\x72\x6f", kinds.TRUEHD),
    (0, b"MPCK", kinds.MUSEPACK),
    (0, b"MP+", kinds.MUSEPACK),
    (0, b"#!AMR", kinds.AMR),
    (28, b"Speex   ", kinds.SPEEX),
    (0, b"Extended Module: ", kinds.MODULE),
    (0, b"IMPM", kinds.MODULE),
    (44, b"SCRM", kinds.MODULE),
    (1080, b"M.K.", kinds.MODULE),
    (0, b"PSID", kinds.CHIP),
    (0, b"RSID", kinds.CHIP),
    (0, b"NESM", kinds.CHIP),
    (0, b"SNES-SPC", kinds.CHIP),
    (0, b"Vgm ", kinds.CHIP),
    (0, b".ra\xfd", kinds.REALAUDIO),
    (0, b".RMF", kinds.REALAUDIO),
    (0, b"ea3\x03", kinds.ATRAC),
    (0, b"EA3", kinds.ATRAC),
    (4, b"\x57\x90\x75\x36", kinds.AUDIBLE),
    (0, b"riff\x2e\x91\xcf\x11", kinds.WAVE64),
    (0, b"Creative Voice File", kinds.VOC),
    (0, b"TWIN9", kinds.TWINVQ),
    (8, b"AVI ", kinds.AVI),
    (0, b"\x00\x00\x01\xba", kinds.MPEG),
    (0, b"\x00\x00\x01\xb3", kinds.MPEG),
    (0, b"FLV\x01", kinds.FLASH),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"Rar!", "a RAR archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (257, b"ustar", "a TAR archive"),
    (0, b"\x1f\x8b", _COMPRESSED),
    (0, b"BZh", _COMPRESSED),
    (0, b"\xfd7zXZ", _COMPRESSED),
    (0, b"%PDF", "a PDF document"),
    (0, b"MZ", _PROGRAM),
    (0, b"\x7fELF", _PROGRAM),
    (0, b"\x89PNG", _PICTURE),
    (0, b"\xff\xd8\xff", _PICTURE),
    (0, b"GIF8", _PICTURE),
    (8, b"WEBP", _PICTURE),
)
_PLAYLISTS = (b"#extm3u", b"ffconcat", b"[playlist]")
# Shorter signatures occur by chance at the beginning of an MP3 that was cut.
_SURE_BYTES = 3


def other_kind(head: bytes, *, sure: bool = False) -> str:
    """Return a description of a file that genrec does not read, or "" for unknown bytes.

    Parameters
    ----------
    head
        The first bytes of the file; 512 are enough for all but one kind.
    sure
        Leave out signatures of two bytes.
    """
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_PLAYLISTS):
        return "a playlist, which genrec does not follow"
    if len(head) > 376 and head[0] == head[188] == head[376] == 0x47:
        return described(kinds.MPEG)
    for offset, magic, kind in _MAGICS:
        if head[offset : offset + len(magic)] == magic and len(magic) >= _SURE_BYTES * sure:
            return described(kind) if isinstance(kind, SoundKind) else kind
    return ""


def described(kind: SoundKind) -> str:
    """Return "a DSD file" for a kind of sound file."""
    article = "an" if kind.name.startswith(("A", "E", "I", "MP", "O")) else "a"
    return f"{article} {kind.name} file"
