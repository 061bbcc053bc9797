"""The settings as a Markdown table and as the file ``.env.example``, both made from the code.

``python -m bot.settings_docs`` writes both into the repository.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

from bot.config import PREFIX, RENAMED, Settings

_HEAD = (
    "Settings of genrec. Copy this file to .env, run chmod 600 .env, and remove the # before the"
    " settings that you change. Without any setting genrec runs on the local Discord. This file is"
    " made by `python -m bot.settings_docs`."
)


def _rows() -> Iterator[tuple[str, str, str]]:
    """Yield variable, meaning and default of each setting, "" where it has none."""
    for name, field in Settings.model_fields.items():
        if name in RENAMED:
            continue
        default = field.default
        plain = "" if default is None or default in ("", ()) else _plain(default)
        yield f"{PREFIX}{name.upper()}", field.description or "", plain


def settings_table() -> str:
    """Return a Markdown table of the settings: name, meaning, default."""
    rows = ["| Variable | Meaning | Default |", "|---|---|---|"]
    for variable, meaning, default in _rows():
        rows.append(f"| `{variable}` | {meaning} | {f'`{default}`' if default else 'none'} |")
    return "\n".join(rows) + "\n"


def env_example() -> str:
    """Return the text of ``.env.example``: each setting with its meaning, commented out."""
    blocks = [_comment(_HEAD)]
    blocks += [
        f"{_comment(meaning.replace('`', ''))}\n#{variable}={default}"
        for variable, meaning, default in _rows()
    ]
    return "\n\n".join(blocks) + "\n"


def _comment(text: str) -> str:
    return textwrap.fill(text, 98, initial_indent="# ", subsequent_indent="# ")


def _plain(default: object) -> str:
    if isinstance(default, bool):
        return "on" if default else "off"
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    return default.as_posix() if isinstance(default, Path) else str(default)


def write_docs(repository: Path) -> None:
    """Write ``.env.example`` and the table of docs/settings.md."""
    (repository / ".env.example").write_text(env_example(), encoding="utf-8")
    page = repository / "docs" / "settings.md"
    before, mark, rest = page.read_text(encoding="utf-8").partition("<!-- settings -->\n")
    after = rest.partition("<!-- /settings -->")[2]
    page.write_text(f"{before}{mark}{settings_table()}<!-- /settings -->{after}", encoding="utf-8")


if __name__ == "__main__":
    write_docs(Path(__file__).resolve().parents[1])
