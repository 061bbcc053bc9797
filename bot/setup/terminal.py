"""Questions and sentences of ``genrec setup`` at the terminal."""

from __future__ import annotations

import textwrap
from getpass import getpass

import typer

from bot.errors import SettingsError

_WIDTH = 88


class Terminal:
    """The terminal of a person, or with ``asks`` False the output of a script."""

    def __init__(self, *, asks: bool) -> None:
        self.asks = asks

    def heading(self, text: str) -> None:
        """Print the heading of a step."""
        typer.echo()
        typer.secho(text, bold=True)

    def say(self, text: str) -> None:
        """Print a paragraph; addresses are not broken."""
        typer.echo(textwrap.fill(text, _WIDTH, break_long_words=False, break_on_hyphens=False))

    def steps(self, lines: tuple[str, ...]) -> None:
        """Print numbered steps."""
        for number, line in enumerate(lines, start=1):
            typer.echo(
                textwrap.fill(
                    line,
                    _WIDTH,
                    initial_indent=f"  {number}. ",
                    subsequent_indent="     ",
                    break_long_words=False,
                    break_on_hyphens=False,
                )
            )

    def line(self, text: str) -> None:
        """Print a line as it is, such as an address or a command to copy."""
        typer.echo(f"  {text}")

    def warn(self, text: str) -> None:
        """Print what is wrong."""
        typer.secho(
            textwrap.fill(text, _WIDTH, break_long_words=False, break_on_hyphens=False),
            fg=typer.colors.YELLOW,
        )

    def confirm(self, question: str, *, default: bool, unasked: bool = False) -> bool:
        """Return the answer to a question; ``unasked`` is that of a script."""
        return bool(typer.confirm(question, default=default)) if self.asks else unasked

    def ask(self, question: str, *, default: str = "") -> str:
        """Return one line; an empty one is ``default``."""
        return str(typer.prompt(question, default=default, show_default=bool(default))).strip()

    def ask_secret(self, question: str) -> str:
        """Return one line that is not shown while it is typed."""
        # Not typer's prompt: it shows the question before it turns the echo off.
        return getpass(f"{question}: ").strip()


def require_terminal(*, is_terminal: bool) -> None:
    """Raise SettingsError where questions cannot be asked."""
    if not is_terminal:
        raise SettingsError(
            "genrec setup asks questions, and this is no terminal: pass --yes, and set"
            " GENREC_DISCORD_TOKEN and GENREC_LIBRARY in the environment or in .env."
        )
