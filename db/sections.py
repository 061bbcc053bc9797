"""Sources of songs that are sections of a file: ``PATH#t=START,END`` in seconds.

The form is that of Media Fragments URI 1.0, 4.2.1; without ``,END`` the song ends with the file.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from genrec.audio.kinds import SOUND_SUFFIXES
from genrec.types import Section

_NUMBER = r"\d{1,6}(?:\.\d{1,3})?"
_FRAGMENT = re.compile(rf"(?P<file>.+)#t=(?P<start>{_NUMBER})(?:,(?P<end>{_NUMBER}))?")


def section_source(path: str, section: Section) -> str:
    """Return the source of a section of a file."""
    return path + fragment(section)


def fragment(section: Section) -> str:
    """Return a section as a media fragment, such as ``#t=12.5,200``."""
    end = "" if section.end_s is None else f",{seconds_text(section.end_s)}"
    return f"#t={seconds_text(section.start_s)}{end}"


def split_source(source: str) -> tuple[str, Section | None]:
    """Return the file of a source, and the section of it; None for a whole file."""
    found = _FRAGMENT.fullmatch(source)
    if found is None or Path(found["file"]).suffix.casefold() not in SOUND_SUFFIXES:
        return source, None
    end = None if found["end"] is None else float(found["end"])
    return found["file"], Section(float(found["start"]), end)


def file_of(source: str) -> str:
    """Return the path of the file that a source is, or is a section of."""
    return split_source(source)[0]


def path_below(source: str, root: Path) -> str:
    """Return the path of a source's file relative to ``root``, with slashes.

    It is "" for a file outside ``root`` and for a source that is no absolute path.
    """
    path = Path(os.path.normpath(file_of(source)))
    if not source.startswith("/") or not path.is_relative_to(root):
        return ""
    return path.relative_to(root).as_posix().removeprefix(".")


def seconds_text(seconds: float) -> str:
    """Return seconds with at most three decimals."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".")
