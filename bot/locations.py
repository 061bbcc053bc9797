"""Default places of the database and of presets, in a clone and in an installed package."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_data_path

PROGRAM = Path(__file__).resolve().parents[1]  # the clone, or site-packages
IN_CLONE = Path("data/genrec.db")


def default_database(program: Path = PROGRAM) -> Path:
    """Return where the database lies unless GENREC_DATABASE is set.

    A clone keeps its data in the current folder, an installed package in the platform's folder for
    the data of a user.
    """
    if (program / "pyproject.toml").is_file():
        return IN_CLONE
    return user_data_path("genrec", appauthor=False) / "genrec.db"


def find_preset(path: Path) -> Path:
    """Return a preset's folder; a relative path may also start at the program's own folder."""
    beside = PROGRAM / path
    return beside if not path.exists() and beside.exists() else path
