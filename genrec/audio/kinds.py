"""Kinds of sound files: those that genrec reads, and those that it can only name.

The decoder, uploads, links, the scan of a music folder, error messages and docs/formats.md all take
names and suffixes from here. A suffix only says what a file may be: `containers.sniff` decides by
its bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class SoundKind:
    """A kind of sound file.

    Attributes
    ----------
    name
        Name for users: ``FLAC``.
    suffixes
        Suffixes of such files, in lower case with a dot; the usual one first.
    codecs
        The codecs that are read, for the documentation; empty if genrec does not read the kind.
    """

    name: str
    suffixes: tuple[str, ...]
    codecs: str = ""


_MATROSKA_CODECS = "Opus, Vorbis, AAC, MP3, FLAC, AC-3, PCM"

WAV = SoundKind("WAV", (".wav", ".wave", ".bwf"), "PCM, float, ADPCM, A-law, mu-law, MP3")
FLAC = SoundKind("FLAC", (".flac", ".fla"), "FLAC")
MP3 = SoundKind("MP3", (".mp3", ".mp2", ".mp1", ".mpga"), "MPEG audio, layers 1 to 3")
OGG = SoundKind("OGG", (".ogg", ".oga", ".opus", ".ogv"), "Vorbis, Opus, FLAC")
M4A = SoundKind(
    "M4A",
    (".m4a", ".mp4", ".m4b", ".m4r", ".m4v", ".mov", ".3gp", ".3g2"),
    "AAC, ALAC, MP3, AC-3, FLAC, Opus, PCM",
)
AAC = SoundKind("AAC", (".aac", ".adts"), "AAC")
WEBM = SoundKind("WebM", (".webm", ".weba", ".mka", ".mkv"), _MATROSKA_CODECS)
AIFF = SoundKind("AIFF", (".aiff", ".aif", ".aifc"), "PCM, float, A-law, mu-law")
WMA = SoundKind("WMA", (".wma", ".asf", ".wmv"), "WMA 1 and 2")
WAVPACK = SoundKind("WavPack", (".wv",), "WavPack")
CAF = SoundKind("CAF", (".caf",), "PCM, ALAC, A-law, mu-law")
AU = SoundKind("AU", (".au", ".snd"), "PCM, float, A-law, mu-law")

# In the order of the sentence "Send ...".
SOUND_KINDS = (WAV, FLAC, MP3, OGG, M4A, AAC, WEBM, AIFF, WMA, WAVPACK, CAF, AU)

# Kinds that an error, the report on a music folder and the documentation name. FFmpeg could decode
# some of them, but each codec is an attack surface, and few people have such files.
APE = SoundKind("Monkey's Audio", (".ape", ".apl"))
TTA = SoundKind("True Audio (TTA)", (".tta",))
TAK = SoundKind("TAK", (".tak",))
SHORTEN = SoundKind("Shorten", (".shn",))
OPTIMFROG = SoundKind("OptimFROG", (".ofr", ".ofs"))
WAVPACK_CORRECTION = SoundKind("WavPack correction", (".wvc",))
DSD = SoundKind("DSD", (".dsf", ".dff", ".wsd"))
AC3 = SoundKind("Dolby Digital (AC-3)", (".ac3", ".eac3", ".ec3"))
AC4 = SoundKind("Dolby AC-4", (".ac4",))
DTS = SoundKind("DTS", (".dts", ".dtshd"))
TRUEHD = SoundKind("Dolby TrueHD", (".thd", ".mlp"))
MUSEPACK = SoundKind("Musepack", (".mpc", ".mp+", ".mpp"))
AMR = SoundKind("AMR", (".amr", ".awb"))
SPEEX = SoundKind("Speex", (".spx",))
MIDI = SoundKind("MIDI", (".mid", ".midi", ".kar", ".rmi"))
MODULE = SoundKind("tracker module", (".mod", ".xm", ".s3m", ".it", ".mtm", ".mptm"))
CHIP = SoundKind("chip music", (".sid", ".nsf", ".spc", ".vgm", ".vgz", ".ay", ".gbs"))
REALAUDIO = SoundKind("RealAudio", (".ra", ".ram", ".rm", ".rmvb"))
ATRAC = SoundKind("ATRAC", (".oma", ".aa3", ".at3", ".omg"))
PROTECTED = SoundKind("copy-protected iTunes", (".m4p",))
AUDIBLE = SoundKind("Audible", (".aa", ".aax", ".aaxc"))
WAVE64 = SoundKind("Wave64", (".w64",))
VOC = SoundKind("Creative Voice", (".voc",))
TWINVQ = SoundKind("TwinVQ", (".vqf",))
AVI = SoundKind("AVI", (".avi", ".divx"))
MPEG = SoundKind("MPEG video", (".mpg", ".mpeg", ".vob", ".m2ts", ".mts", ".m2v"))
FLASH = SoundKind("Flash video", (".flv", ".f4v"))

UNHEARD_KINDS = (
    APE, TTA, TAK, SHORTEN, OPTIMFROG, WAVPACK_CORRECTION, DSD, AC3, AC4, DTS, TRUEHD, MUSEPACK,
    AMR, SPEEX, MIDI, MODULE, CHIP, REALAUDIO, ATRAC, PROTECTED, AUDIBLE, WAVE64, VOC, TWINVQ, AVI,
    MPEG, FLASH,
)  # fmt: skip

# Suffixes of the kinds that genrec reads.
SOUND_SUFFIXES = frozenset(suffix for kind in SOUND_KINDS for suffix in kind.suffixes)
# Suffixes of the other kinds, with the kind's name.
UNHEARD_SUFFIXES: Mapping[str, str] = MappingProxyType(
    {suffix: kind.name for kind in UNHEARD_KINDS for suffix in kind.suffixes}
)


def format_names(last: str = "") -> str:
    """Return the names of the kinds that genrec reads: "WAV, FLAC" and so on.

    Parameters
    ----------
    last
        The word before the last name, as ``or``; another comma if it is empty.
    """
    names = [kind.name for kind in SOUND_KINDS]
    return f"{', '.join(names[:-1])} {last} {names[-1]}" if last else ", ".join(names)


def kinds_table() -> str:
    """Return the two Markdown tables of docs/formats.md: kinds that are read, and the others."""
    rows = ["| Kind | Suffixes | Codecs |", "|---|---|---|"]
    rows += [f"| {kind.name} | {_suffixes(kind)} | {kind.codecs} |" for kind in SOUND_KINDS]
    rows += ["", "| Named, not read | Suffixes |", "|---|---|"]
    rows += [f"| {kind.name} | {_suffixes(kind)} |" for kind in UNHEARD_KINDS]
    return "\n".join(rows) + "\n"


def _suffixes(kind: SoundKind) -> str:
    return " ".join(f"`{suffix}`" for suffix in kind.suffixes)
