"""Default places of the database and of presets, in a clone and in an installed package."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from platformdirs import user_data_path

PROGRAM = Path(__file__).resolve().parents[1]  # the clone, or site-packages
IN_CLONE = Path("data/genrec.db")


def command_name() -> str:
    """Return how this program is called: genrec, or its path where the shell has no such command.

    A path below the current folder is relative, as people type it.
    """
    program = Path(sys.argv[0]).absolute()
    if program.name != "genrec" or not program.is_file():
        program = Path(sys.executable).with_name("genrec")
    found = shutil.which("genrec")
    if not program.is_file() or (found and Path(found).resolve() == program.resolve()):
        return "genrec"
    here = Path.cwd()
    if not program.is_relative_to(here):
        return shlex.quote(str(program))
    below = str(program.relative_to(here))
    return shlex.quote(below if "/" in below else f"./{below}")


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
