"""The ``genrec`` command: subcommands in help panels, and exit codes."""

from __future__ import annotations

import json
import sqlite3
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.exceptions import TyperException

from bot.cli import (
    backup,
    evaluation,
    genre_commands,
    library,
    library_lists,
    library_remove,
    library_training,
    map_command,
    move_database,
    music_training,
    paper,
    path_command,
    question_figures,
    recipe_choice,
    seed_commands,
    setup,
    starter,
    synth,
    tag_fitting,
    training,
    unlabelled_music,
    worker_command,
)
from bot.cli.exit_codes import ExitCode, exit_code
from bot.cli.stopped import Stopped
from bot.value_faults import plain_fault
from genrec.errors import CatalogueError, DataError, GenrecError

# The panels of `genrec --help`, daily commands first.
ASK, LIBRARY, BOT, TRAINING = "Ask", "Library", "Bot", "Training"
# Commands that print unknown settings; `run` logs them and `doctor` lists them.
WITH_SETTINGS = (
    "recommend", "mix", "path", "radio", "genre", "genres", "index", "library", "map", "backup",
    "restore", "move", "demo", "sync", "serve",
)  # fmt: skip
NO_WINDOWS = (
    "genrec runs on Linux and macOS, not on Windows: install it in the Windows Subsystem for Linux"
    " (WSL)."
)

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Recognise the genre of a clip and recommend similar tracks.",
)

Source = Annotated[
    str | None,
    typer.Argument(
        help="A sound file or a link to one, or a folder. A preset of pictures takes PNG or JPEG"
        " files.",
        metavar="FILE|URL|FOLDER",
    ),
]
TrackName = Annotated[
    str | None,
    typer.Option(
        "--track", metavar="NAME", help="A song of the catalogue by its name, instead of a file."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
PresetOption = Annotated[
    Path | None, typer.Option("--preset", help="Preset folder; default: GENREC_PRESET.")
]


def _print_version(wanted: bool) -> None:
    if wanted:
        from bot.config import installed_version

        typer.echo(f"genrec {installed_version()}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001 - the call-back prints it
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Define the options of ``genrec`` itself, and name variables that are no settings."""
    if context.invoked_subcommand in WITH_SETTINGS:
        from bot.config import unknown_settings

        for warning in unknown_settings():
            typer.echo(warning, err=True)


def _file_of(source: str | None) -> str:
    """Return the argument of a command that needs one."""
    if source is None:
        raise typer.BadParameter("name a file or a link, or a song with --track NAME")
    return source


def _without_file(source: str | None) -> None:
    if source is not None:
        raise typer.BadParameter("name a file or a link, or a song with --track NAME, not both")


@app.command(rich_help_panel=ASK)
def recommend(
    source: Source = None,
    track: TrackName = None,
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=50, help="Most tracks.")] = 5,
    genre: Annotated[str | None, typer.Option(help="Only tracks of this genre.")] = None,
    tempo: Annotated[
        str | None, typer.Option(metavar="BPM", help="Only tracks of this tempo, such as 118-126.")
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(help="Only tracks in this key, such as Am, or in keys `compatible` with it."),
    ] = None,
    tag: seed_commands.TagOption = None,
    per_artist: Annotated[int, typer.Option(min=1, max=50, help="Most tracks of one artist.")] = 1,
    any_artist: Annotated[
        bool, typer.Option("--any-artist", help="Also tracks by the artist of the clip.")
    ] = False,
    reach: Annotated[
        Literal["near", "balanced", "adventurous"],
        typer.Option(help="How far afield the tracks may be."),
    ] = "near",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Also write the tracks to a .m3u8, .csv, .json, .jspf or .txt file.",
        ),
    ] = None,
    starter: Annotated[
        Literal["auto", "always", "never"] | None,
        typer.Option(help="Whether to use the starter catalogue; default: GENREC_STARTER."),
    ] = None,
    preset: PresetOption = None,
    as_json: AsJson = False,
) -> None:
    """Print a clip's genre and similar tracks of the catalogue, with their paths or links."""
    from bot import answer_json
    from bot.cli import ask, ask_folder
    from bot.cli.music_text import wish
    from genrec.questions import Rules

    if output is not None:
        library_lists.format_of(output, None)
    rules = Rules(
        count=count,
        genre=genre,
        music=wish(tempo, key, tag),
        per_artist=per_artist,
        new_artists=not any_artist,
        reach=reach,
    )
    if track is not None:
        from bot.cli import named_song

        _without_file(source)
        result, places = named_song.recommend_named(
            track, rules, starter=starter, preset=preset, output=output
        )
    elif Path(source := _file_of(source)).is_dir():
        if output is not None:
            raise DataError("--output is for one clip: name a file, not a folder.")
        answers = ask_folder.recommendations(Path(source), rules, preset=preset, starter=starter)
        found_all = ask_folder.as_json(answers, tracks=True)
        _print(found_all if as_json else ask_folder.as_text(answers), as_json=as_json)
        return
    else:
        result, places = ask.recommend(source, rules, starter=starter, preset=preset, output=output)
    found = answer_json.as_json(result, places=places) if as_json else ask.as_text(result, places)
    _print(found, as_json=as_json)


@app.command(rich_help_panel=ASK)
def genre(
    source: Source = None,
    track: TrackName = None,
    preset: PresetOption = None,
    as_json: AsJson = False,
) -> None:
    """Print the genre of a clip, or that of a song of the catalogue."""
    from bot import answer_json
    from bot.cli import ask, ask_folder

    if track is not None:
        from bot.cli import named_song

        _without_file(source)
        result = named_song.genre_named(track, preset=preset)
    elif Path(source := _file_of(source)).is_dir():
        answers = ask_folder.genres(Path(source), preset=preset)
        found = ask_folder.as_json(answers, tracks=False)
        _print(found if as_json else ask_folder.as_text(answers), as_json=as_json)
        return
    else:
        result = ask.genre(source, preset=preset)
    _print(
        answer_json.as_json(result, tracks=False) if as_json else ask.as_text(result),
        as_json=as_json,
    )


app.command(rich_help_panel=ASK)(seed_commands.mix)
app.command(rich_help_panel=ASK)(path_command.path)
app.command(rich_help_panel=ASK)(seed_commands.radio)
app.command("index", rich_help_panel=LIBRARY)(library.index)
app.add_typer(library_remove.library, name="library", rich_help_panel=LIBRARY)
app.add_typer(genre_commands.genres, name="genres", rich_help_panel=LIBRARY)
app.command("map", rich_help_panel=LIBRARY)(map_command.library_map)
app.command(rich_help_panel=LIBRARY)(backup.backup)
app.command(rich_help_panel=LIBRARY)(backup.restore)
app.command(rich_help_panel=LIBRARY)(move_database.move)


app.command(rich_help_panel=BOT)(setup.setup)


@app.command(rich_help_panel=BOT)
def run() -> None:
    """Run the bot on Discord, or without a token on a local Discord."""
    from bot.config import load_settings
    from bot.runtime.app import run as run_bot

    run_bot(load_settings())


@app.command(rich_help_panel=BOT)
def serve(
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Port; default: GENREC_HTTP_API_PORT, or 8090."),
    ] = None,
) -> None:
    """Serve the HTTP interface to other programs, without Discord."""
    from bot.config import load_settings
    from bot.runtime.serve_alone import serve_alone

    settings = load_settings(http_api_port=port)
    serve_alone(settings)


app.command(rich_help_panel=BOT)(worker_command.worker)


@app.command(rich_help_panel=BOT)
def demo(as_json: AsJson = False) -> None:
    """Show a scripted conversation with the bot on the local Discord."""
    from bot.demo import script

    script.show(for_program=as_json)


@app.command(rich_help_panel=BOT)
def doctor(preset: PresetOption = None, as_json: AsJson = False) -> None:
    """Check the installation and suggest fixes."""
    from bot.cli import doctor

    findings = doctor.examine(preset)
    if as_json:
        _print(doctor.as_json(findings), as_json=True)
    else:
        doctor.show(findings)
    raise typer.Exit(0 if doctor.healthy(findings) else 1)


@app.command(rich_help_panel=BOT)
def sync() -> None:
    """Register the commands with Discord now."""
    from bot.config import load_settings
    from bot.runtime.app import sync as sync_now

    sync_now(load_settings())
    typer.echo("The commands are registered with Discord.")


for command in (
    training.train,
    evaluation.evaluate,
    recipe_choice.evaluate_folds,
    recipe_choice.evaluate_projection,
    library_training.evaluate_library,
    question_figures.evaluate_questions,
    training.export,
    paper.spectrograms,
    paper.reproduce,
    synth.synth,
    unlabelled_music.archive,
    unlabelled_music.teacher_answers,
    unlabelled_music.excerpt_answers,
    unlabelled_music.published_answers,
    tag_fitting.fit_tags,
    music_training.gather_sounds,
    music_training.train_detector,
    starter.starter,
    music_training.train_description,
    music_training.evaluate_description,
):
    app.command(rich_help_panel=TRAINING)(command)
app.command(hidden=True)(synth.bands)


def main() -> None:
    """Run the command line and exit with its code; Windows gets one sentence."""
    sys.exit(NO_WINDOWS if sys.platform == "win32" else _run())


def _run() -> int:
    """Run the command line, print every failure as one sentence and return the exit code."""
    try:
        code = app(standalone_mode=False)
    except typer.Abort:
        return ExitCode.STOPPED
    except TyperException as error:
        return _wrong_usage(error)
    except GenrecError as error:
        _fail(error.code, str(error))
        return exit_code(error)
    except sqlite3.Error as error:
        _fail(
            CatalogueError.code,
            f"The database failed ({error}): restore a backup, or report this.",
        )
        return ExitCode.FAILED
    except BrokenPipeError:
        return ExitCode.FAILED
    except OSError as error:
        if error.errno is None:
            raise
        where = f"{error.filename}: " if error.filename else ""
        _fail("system", f"{where}{error.strerror}. Mend that and run the command again.")
        return ExitCode.FAILED
    except KeyboardInterrupt:
        code = ExitCode.STOPPED
    if code == ExitCode.STOPPED:
        _fail(Stopped.code, "Stopped. Finished work is kept.")
    return code if isinstance(code, int) else 0


def _fail(code: str, sentence: str, *, on_stderr: bool = True) -> None:
    """Print a failure as JSON if that is wanted, and with ``on_stderr`` as a sentence there."""
    if "--json" in sys.argv[1:]:
        _print({"error": {"code": code, "message": sentence}}, as_json=True)
    if on_stderr:
        sys.stderr.write(f"{sentence}\n")


def _wrong_usage(error: TyperException) -> ExitCode:
    if isinstance(error, typer.BadParameter):
        error.message = plain_fault(error.message)
    _fail("usage", error.format_message(), on_stderr=False)
    _show_usage(error)
    return ExitCode.USAGE


def _show_usage(error: TyperException) -> None:
    """Print a usage error in typer's own format, or its message where typer has no format."""
    show = getattr(error, "show", None)
    if show is None:
        sys.stderr.write(f"{error.format_message()}\n")
    else:
        show()


def _print(result: Any, *, as_json: bool) -> None:
    text = json.dumps(result, ensure_ascii=False, indent=2) if as_json else str(result)
    sys.stdout.write(text.rstrip("\n") + "\n")
