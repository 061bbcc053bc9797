"""Print the changes of a version: ``python .ci/release_notes.py v0.1.0``; the tag must fit."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def notes(tag: str, root: Path = ROOT) -> str:
    """Return the section of CHANGELOG.md for a tag, or raise ValueError if it does not fit."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    version = project["version"]
    if tag != f"v{version}":
        raise ValueError(f"The tag {tag} is not v{version}, the version of pyproject.toml.")
    changes = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    found = re.search(
        rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d\n(.*?)(?=^## |\Z)", changes, re.M | re.S
    )
    if found is None or not found[1].strip():
        raise ValueError(f"CHANGELOG.md has no section '## [{version}] - DATE' with changes.")
    return found[1].strip() + "\n"


if __name__ == "__main__":
    try:
        sys.stdout.write(notes(*sys.argv[1:2] or [""]))
    except ValueError as fault:
        sys.exit(str(fault))
