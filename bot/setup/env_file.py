"""Read and change a ``.env`` file; its comments, order and unknown lines stay."""

from __future__ import annotations

import io
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from bot.errors import SettingsError
from genrec.errors import GenrecError
from genrec.files import atomic_write

_PLAIN = re.compile(r"[\w./:@%+,=~-]*", re.ASCII)
_OPEN_TO_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def read_env(path: Path) -> str:
    """Return the text of the file, "" if there is none.

    Raises
    ------
    SettingsError
        The file cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not UTF-8 text: convert or remove it.") from error
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be read ({error.strerror}): mend that, or name another file."
        ) from error


def changed(text: str, values: Mapping[str, str]) -> str:
    """Return the text of a ``.env`` file with these values.

    The last line of a name is replaced, and earlier ones of the same name are left out, as readers
    take the last. A new name follows its line in the form ``#NAME=``, or goes to the end.
    """
    kept: list[str] = []
    place: dict[str, int] = {}
    for binding in parse_stream(io.StringIO(text)):
        name = _name(binding)
        if name not in values:
            kept.append(binding.original.string)
            continue
        if name in place:
            kept[place[name]] = ""
        place[name] = len(kept)
        # The binding begins with the blank lines before it.
        before = re.match(r"\s*", binding.original.string)
        kept.append(f"{before[0] if before else ''}{_line(name, values[name])}")
    result = "".join(kept)
    for name, value in values.items():
        if name in place:
            continue
        example = re.search(rf"^#[ \t]*{re.escape(name)}=.*\n", result, re.M)
        if example:
            end = example.end()
            result = f"{result[:end]}{_line(name, value)}{result[end:]}"
        else:
            result += "" if result in ("", "\n") or result.endswith("\n") else "\n"
            result += _line(name, value)
    return result


def names_in(text: str) -> frozenset[str]:
    """Return the names that a ``.env`` file sets, in capital letters."""
    return frozenset(_name(binding) for binding in parse_stream(io.StringIO(text)) if binding.key)


def names_for_dotenv_only(text: str) -> list[str]:
    """Return the names whose values systemd would read otherwise: those with a backslash."""
    return [
        _name(binding)
        for binding in parse_stream(io.StringIO(text))
        if binding.key and "\\" in binding.original.string.partition("=")[2]
    ]


def write_env(path: Path, text: str) -> None:
    """Write the file atomically with mode 0600.

    Raises
    ------
    GenrecError
        The file cannot be written; an older one keeps its content.
    """
    try:
        with atomic_write(path, private=True) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise GenrecError(
            f"{path} cannot be written ({error.strerror}): free disk space, or make the file and"
            " its folder writable."
        ) from error


def is_open_to_others(path: Path) -> bool:
    """Return whether other users of this machine may read or write the file."""
    try:
        return bool(stat.S_IMODE(path.stat().st_mode) & _OPEN_TO_OTHERS)
    except FileNotFoundError:
        return False


def _name(binding: Binding) -> str:
    return (binding.key or "").upper()


def _line(name: str, value: str) -> str:
    if not value.isprintable():
        raise SettingsError(f"{name}: a value of .env is one line of printable text: change it.")
    if "${" in value:  # readers replace it by another variable, whatever the quotes
        raise SettingsError(f"{name}: a value of .env cannot contain ${{: change it.")
    if _PLAIN.fullmatch(value):
        return f"{name}={value}\n"
    if "'" in value and not set(value) & set('"$`\\'):  # systemd knows no escape in single quotes
        return f'{name}="{value}"\n'
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"{name}='{escaped}'\n"
