"""Exit codes of ``genrec``: the code of an error, and the table of docs/cli.md."""

from __future__ import annotations

from enum import IntEnum

from bot.cli.stopped import Stopped
from genrec.errors import DestinationRefused, GenrecError, InputRefused, WrongDatabaseAddress


class ExitCode(IntEnum):
    """The exit codes; a service manager need not start genrec again after USAGE."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3
    STOPPED = 130


_MEANINGS = {
    ExitCode.DONE: "success; `genrec run` was stopped with SIGTERM or Ctrl-C",
    ExitCode.FAILED: "genrec or the machine failed: a broken preset, a full disk, a bug",
    ExitCode.USAGE: (
        "wrong usage, setting, token, password of the database or data folder; another try fails"
        " too"
    ),
    ExitCode.REFUSED: "the input is refused; one sentence on stderr gives the reason and the fix",
    ExitCode.STOPPED: "stopped with Ctrl-C; a sentence on stderr says what is kept",
}
_USAGE_ERRORS = ("data", "settings")


def exit_code(error: GenrecError) -> int:
    """Return the exit code of an error."""
    if isinstance(error, Stopped):
        return ExitCode.STOPPED
    if isinstance(error, InputRefused | DestinationRefused):
        return ExitCode.REFUSED
    wrong = error.code in _USAGE_ERRORS or isinstance(error, WrongDatabaseAddress)
    return ExitCode.USAGE if wrong else ExitCode.FAILED


def exit_codes_table() -> str:
    """Return a Markdown table of the exit codes."""
    rows = ["| code | meaning |", "|---|---|"]
    rows += [f"| {code.value} | {_MEANINGS[code]} |" for code in ExitCode]
    return "\n".join(rows) + "\n"
