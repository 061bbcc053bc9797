"""Write the systemd unit of this installation, and name the commands that start it."""

from __future__ import annotations

import os
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from bot.errors import SettingsError
from bot.setup.env_file import names_for_dotenv_only, read_env
from bot.systemd.units import SYSTEM_UNIT, system_unit, user_unit, user_unit_path
from genrec.errors import GenrecError
from genrec.files import atomic_write

_RUNNING = Path("/run/systemd/system")


@dataclass(frozen=True, slots=True)
class ServiceFile:
    """The unit for the user who runs this: its path, its text and the commands that start it."""

    path: Path
    text: str
    commands: tuple[str, ...]

    def write(self) -> Path | None:
        """Write the unit; return the copy of a unit with other content, None if there was none.

        Raises
        ------
        GenrecError
            Its folder cannot be written.
        """
        kept = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if not self.is_new():
                kept = self.path.with_name(f"{self.path.name}.{time.strftime('%Y%m%d-%H%M%S')}.bak")
                shutil.copy2(self.path, kept)
            with atomic_write(self.path) as temporary:
                temporary.write_text(self.text, encoding="utf-8")
        except OSError as error:
            raise GenrecError(
                f"{self.path} cannot be written ({error.strerror}): make its folder writable, or"
                " leave out --service."
            ) from error
        return kept

    def is_new(self) -> bool:
        """Return whether no other unit is at the path."""
        return not self.path.exists() or self.path.read_text(encoding="utf-8") == self.text


def has_systemd() -> bool:
    """Return whether systemd runs this machine."""
    return _RUNNING.is_dir() and shutil.which("systemctl") is not None


def service_file(env_file: Path, *, music: Path | None) -> ServiceFile:
    """Return the unit: root's for the machine, any other user's for that user.

    Raises
    ------
    SettingsError
        A path cannot stand in the unit, or a service of the machine cannot read the program or a
        value of the file.
    """
    program = _program()
    if os.geteuid() == 0:
        if names := names_for_dotenv_only(read_env(env_file)):
            raise SettingsError(
                f"{env_file}: {names[0]} has a backslash, which systemd reads otherwise: remove it."
            )
        text = system_unit(program=program, settings=env_file.absolute(), music=music)
        start = "systemctl daemon-reload && systemctl enable --now genrec"
        return ServiceFile(SYSTEM_UNIT, text, (start,))
    text = user_unit(program=program, folder=env_file.absolute().parent)
    start = "systemctl --user daemon-reload && systemctl --user enable --now genrec"
    return ServiceFile(user_unit_path(Path.home()), text, (start, "loginctl enable-linger"))


def _program() -> Path:
    """Return the absolute path of the command ``genrec``."""
    beside = Path(sys.executable).with_name("genrec")
    found = beside if beside.is_file() else Path(sys.argv[0])
    return found.absolute()
