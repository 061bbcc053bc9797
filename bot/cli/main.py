"""The ``genrec`` command. ``genrec --help`` must be quick: what is heavy is imported where used."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from bot.cli import library, synth, training
from genrec.errors import GenrecError, InputRefused

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Hear what genre a clip is and which tracks sound like it.",
)
app.command("index")(library.index)
app.add_typer(library.library, name="library")
for command in (training.train, training.evaluate, training.export, synth.bands):
    app.command()(command)

Source = Annotated[str, typer.Argument(help="A sound file, or a link to one.", metavar="FILE|URL")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
PresetOption = Annotated[
    Path | None, typer.Option("--preset", help="Preset folder; GENREC_PRESET otherwise.")
]


@app.command()
def recommend(
    source: Source,
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=50)] = 5,
    genre: Annotated[str | None, typer.Option(help="Only tracks of this genre.")] = None,
    per_artist: Annotated[
        int, typer.Option(min=1, max=50, help="Tracks of one artist at most.")
    ] = 1,
    preset: PresetOption = None,
    as_json: AsJson = False,
) -> None:
    """Say the genre of a clip and the tracks of the catalogue that sound like it."""
    from bot.cli import ask

    answer = ask.recommend(source, count=count, genre=genre, per_artist=per_artist, preset=preset)
    _put(ask.as_json(answer) if as_json else ask.as_text(answer), as_json=as_json)


@app.command()
def genre(source: Source, preset: PresetOption = None, as_json: AsJson = False) -> None:
    """Say the genre of a clip, without looking for tracks."""
    from bot.cli import ask

    answer = ask.genre(source, preset=preset)
    _put(
        ask.as_json(answer, tracks=False) if as_json else ask.as_text(answer),
        as_json=as_json,
    )


@app.command()
def run() -> None:
    """Run the Discord bot; without a token, on a local Discord of its own."""
    from bot.config import load_settings
    from bot.runtime.app import run as run_bot

    run_bot(load_settings())


@app.command()
def sync() -> None:
    """Register the commands with Discord now."""
    from bot.config import load_settings
    from bot.runtime.app import sync as sync_now

    sync_now(load_settings())


@app.command()
def demo(as_json: AsJson = False) -> None:
    """Talk to the bot on a local Discord: a clip dropped, /recommend, More like this."""
    from bot.demo import script

    script.show(for_program=as_json)


@app.command()
def doctor(preset: PresetOption = None, as_json: AsJson = False) -> None:
    """Check this installation, and say what to mend."""
    from bot.cli import doctor

    findings = doctor.examine(preset)
    if as_json:
        _put(doctor.as_json(findings), as_json=True)
    else:
        doctor.show(findings)
    raise typer.Exit(0 if doctor.healthy(findings) else 1)


def main() -> None:
    """Run the command line; every failure is one sentence and a documented exit code."""
    as_json = "--json" in sys.argv[1:]
    try:
        code = app(standalone_mode=False)
    except typer.Abort:
        sys.exit(130)
    except TyperException as error:
        if as_json:
            _put(_failure("usage", error.format_message()), as_json=True)
        _show_usage(error)
        sys.exit(2)
    except GenrecError as error:
        if as_json:
            _put(_failure(error.code, str(error)), as_json=True)
        sys.stderr.write(f"{error}\n")
        sys.exit(exit_code(error))
    except KeyboardInterrupt:
        sys.stderr.write("Stopped; what was done is kept.\n")
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


def exit_code(error: GenrecError) -> int:
    """Return 3 where the input is at fault, 2 where the call is, 1 where we are."""
    if isinstance(error, InputRefused):
        return 3
    return 2 if error.code in ("data", "settings") else 1


def _show_usage(error: TyperException) -> None:
    """Let typer show what was wrong, where it can; its base class cannot."""
    show = getattr(error, "show", None)
    if show is None:
        sys.stderr.write(f"{error.format_message()}\n")
    else:
        show()


def _failure(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


def _put(answer: Any, *, as_json: bool) -> None:
    text = json.dumps(answer, ensure_ascii=False, indent=2) if as_json else str(answer)
    sys.stdout.write(text.rstrip("\n") + "\n")
