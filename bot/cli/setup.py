"""``genrec setup``: ask for token and music folder, check both and write ``.env``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.stopped import Stopped

ENV_FILE = Path(".env")


def setup(
    yes: Annotated[
        bool,
        typer.Option("--yes", help="Ask nothing; take values from the environment and .env."),
    ] = False,
    index: Annotated[
        bool | None,
        typer.Option("--index/--no-index", help="Whether to index the music folder at the end."),
    ] = None,
    service: Annotated[
        bool | None,
        typer.Option("--service/--no-service", help="Whether to write a systemd service file."),
    ] = None,
    turn_on_intent: Annotated[
        bool,
        typer.Option("--turn-on-intent", help="With --yes: turn on Message Content Intent."),
    ] = False,
) -> None:
    """Set genrec up: token, intents, invite address, music folder and `.env`."""
    from bot.config import load_settings
    from bot.setup.terminal import Terminal, require_terminal
    from bot.setup.wizard import SetupOptions, Wizard

    if not yes:
        require_terminal(is_terminal=sys.stdin.isatty() and sys.stdout.isatty())
    wizard = Wizard(
        terminal=Terminal(asks=not yes),
        settings=load_settings(),
        env_file=ENV_FILE,
        options=SetupOptions(index=index, service=service, turn_on_intent=turn_on_intent),
        index=_index,
    )
    try:
        unit = wizard.run()
    except (KeyboardInterrupt, typer.Abort):
        raise Stopped(f"\nStopped. {wizard.kept()}") from None
    start = "the commands above" if unit else "`genrec run`"
    typer.echo(f"\nDone. Start genrec with {start}; `genrec doctor` checks everything again.")


def _index(folder: Path) -> None:
    from bot.cli.library import index

    index(folder)
