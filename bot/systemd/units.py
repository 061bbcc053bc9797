"""Write the systemd unit of an installation: for the machine, or for one user."""

from __future__ import annotations

from pathlib import Path

from bot.errors import SettingsError

TEMPLATES = Path(__file__).parent
SYSTEM_UNIT = Path("/etc/systemd/system/genrec.service")
SYSTEM_SETTINGS = Path("/etc/genrec.env")
_HOMES = ("home", "root")  # folders that a service of the machine may not read


def user_unit_path(home: Path) -> Path:
    """Return where systemd looks for a user's unit."""
    return home / ".config" / "systemd" / "user" / "genrec.service"


def user_unit(*, program: Path, folder: Path) -> str:
    """Return the unit of a user's service.

    ``program`` is the ``genrec`` command, ``folder`` that of ``.env``; both are absolute.
    """
    return _filled("user.service", {"PROGRAM": _word(program), "FOLDER": _checked(folder)})


def system_unit(
    *, program: Path, settings: Path = SYSTEM_SETTINGS, music: Path | None = None
) -> str:
    """Return the unit of a service of the machine; all paths are absolute.

    ``settings`` is a file of ``GENREC_`` variables. ``music`` becomes readable if it is in a home.

    Raises
    ------
    SettingsError
        The program is in a home folder, which such a service cannot read, or a path cannot stand
        in a unit.
    """
    if _in_home(program):
        raise SettingsError(
            f"{program} is in a home folder, which a service of the machine cannot read: install"
            " genrec elsewhere, such as in /opt/genrec, or write the unit of a user's service."
        )
    home = "ProtectHome=yes"
    if music is not None and _in_home(music):
        home = f"ProtectHome=tmpfs\nBindReadOnlyPaths={_word(music)}"
    return _filled(
        "system.service",
        {"PROGRAM": _word(program), "SETTINGS": _checked(settings), "HOME": home},
    )


def _filled(template: str, values: dict[str, str]) -> str:
    text = (TEMPLATES / template).read_text(encoding="utf-8")
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text


def _in_home(path: Path) -> bool:
    return path.parts[1:2] in [(name,) for name in _HOMES]


def _checked(path: Path) -> str:
    """Return an absolute path for a unit, or raise for one that a unit cannot hold."""
    text = str(path)
    if not path.is_absolute() or not text.isprintable() or set(text) & set("\"'\\"):
        raise SettingsError(
            f"The path {text!r} cannot stand in a service file: give an absolute path without"
            " quotes, backslashes and control characters."
        )
    return text.replace("%", "%%")


def _word(path: Path) -> str:
    """Return a path as one word of a systemd setting, although it may contain spaces."""
    return f'"{_checked(path)}"'
