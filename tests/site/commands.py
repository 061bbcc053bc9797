"""Commands of the documentation: find them, run them, or read what they would call.

A block of commands is fenced as ``console``; a line with ``$`` is a command, one with ``>`` its
continuation, and any other line its output. ``<!-- not run: REASON -->`` above a block, or
``<!-- no command of this page is run: REASON -->`` on a page, says why a test does not run it.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.repository import ROOT, relative, tracked

FENCE = re.compile(r"(?:^<!-- not run: ([^\n]*?) -->\n+)?^```console\n(.*?)^```$", re.M | re.S)
WHOLE_PAGE = re.compile(r"^<!-- no command of this page is run: (.+) -->$", re.M)
SPAN = re.compile(r"(?<!`)`((?:\.venv/bin/)?genrec [^`\n]+|make [^`\n]+)`(?!`)")
PLACEHOLDER = re.compile(r"[A-Z][A-Z|_.]*")
# Programs that a block may name and that are not run: their arguments are recorded instead.
STUBS = (
    "apt-get", "bash", "cat", "chmod", "chown", "cp", "curl", "dask", "docker", "dpkg-deb", "find",
    "genrec", "git", "install", "journalctl", "loginctl", "ls", "make", "mkdir", "mv", "nginx",
    "pip", "pipx", "pre-commit", "python", "python3", "rm", "sudo", "systemctl",
    "systemd-analyze", "tar", "tee", "uv", "uvx",
)  # fmt: skip
# Bash writes a line at a time, so a newline at the end would mix the calls of a pipeline.
STUB = """#!/bin/bash
printf '%s\\0' "${{0##*/}}" "$@" $'\\x1e' >> {log}
if [ "${{0##*/}}" = sudo ]; then
  while [[ "$1" == -* ]]; do [ "$1" = -u ] && shift; shift; done
  exec "${{1##*/}}" "${{@:2}}"
fi
"""


@dataclass(frozen=True)
class Block:
    """One block of commands: its page, line, text, and why it is not run (or empty)."""

    page: str
    line: int
    text: str
    reason: str

    @property
    def script(self) -> str:
        """The commands without prompts and output."""
        lines = []
        continued = False
        for line in self.text.splitlines():
            if line.startswith(("$ ", "> ")):
                lines.append(line[2:])
            elif continued:
                lines.append(line)
            continued = line.startswith(("$ ", "> ")) * line.endswith("\\") or (
                continued and line.endswith("\\")
            )
        return "\n".join(lines) + "\n"

    @property
    def output(self) -> list[str]:
        """The lines of output that the page shows."""
        found = []
        continued = False
        for line in self.text.splitlines():
            command = line.startswith(("$ ", "> ")) or continued
            continued = command and line.endswith("\\")
            if not command and line.strip() not in {"", "..."}:
                found.append(line.strip())
        return found


def pages() -> list[Path]:
    """Return the Markdown files whose commands are checked."""
    folders = {"", "docs", "docs/ops", "models/resnet50", "models/vgg16"}
    return [p for p in tracked() if p.suffix == ".md" and relative(p.parent).strip(".") in folders]


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page."""
    text = page.read_text(encoding="utf-8")
    all_of_it = WHOLE_PAGE.search(text)
    return [
        Block(
            relative(page),
            text[: found.start(2)].count("\n") + 1,
            found[2],
            found[1] or (all_of_it[1] if all_of_it else ""),
        )
        for found in FENCE.finditer(text)
    ]


def calls(block: Block, folder: Path) -> list[list[str]]:
    """Return the program calls of a block; no program runs, and a shell error is an error."""
    programs, log = folder / "programs", folder / "calls"
    programs.mkdir(parents=True)
    for name in STUBS:
        (programs / name).write_text(STUB.format(log=shlex.quote(str(log))))
        (programs / name).chmod(0o755)
    (folder / ".venv").mkdir()
    (folder / ".venv" / "bin").symlink_to(programs)
    done = subprocess.run(
        ["/bin/bash", "-e", "-c", block.script], cwd=folder, env={"PATH": str(programs)},
        capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if done.returncode:
        raise AssertionError(f"{block.page}:{block.line}: {done.stderr}")
    recorded = log.read_text(encoding="utf-8") if log.exists() else ""
    return [call.split("\0")[:-1] for call in recorded.split("\x1e\0") if call]


def inline(page: Path) -> list[list[str]]:
    """Return the calls of genrec and make in a page's sentences and tables."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    found = []
    for span in SPAN.findall(text):
        words = shlex.split(span.replace("[", "").replace("]", ""), comments=True)
        found.append(["genrec" if words[0].endswith("genrec") else words[0], *words[1:]])
    return found


def complaint(call: list[str]) -> str:
    """Return what is wrong with a call of genrec or make, or an empty text."""
    program, *given = call
    if program == "make":
        return _make_complaint(given)
    if program == "genrec":
        return _genrec_complaint(given)
    return ""


def _make_complaint(given: list[str]) -> str:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^\.PHONY: (\w+)$", makefile, re.M))
    wanted = [word for word in given if "=" not in word and not PLACEHOLDER.fullmatch(word)]
    unknown = [word for word in wanted if word not in targets]
    paths = [
        path
        for word in given
        if word.startswith("ARGS=")
        for path in shlex.split(word.removeprefix("ARGS="))
        if path.startswith("tests/")
    ]
    missing = [path for path in paths if not (ROOT / path.partition("::")[0]).exists()]
    return "".join(f"no target or path {word}; " for word in (*unknown, *missing))


def _genrec_complaint(given: list[str]) -> str:
    import typer.main

    from bot.cli.main import app

    command: Any = typer.main.get_command(app)
    words = list(given)
    context = command.make_context("genrec", [], resilient_parsing=True)
    while getattr(command, "commands", None) and words and not words[0].startswith("-"):
        if PLACEHOLDER.fullmatch(words[0]) or words[0] == "...":
            return ""  # any command is meant
        if words[0] not in command.commands:
            return f"no command {words[0]}"
        command = command.commands[words.pop(0)]
        context = command.make_context(command.name, [], resilient_parsing=True)
    if not words or getattr(command, "commands", None):
        known = {flag for one in command.get_params(context) for flag in one.opts}
        return "".join(f"no option {word}; " for word in words if word not in {*known, "--help"})
    context.resilient_parsing = False  # it was for the missing arguments; now errors count
    parser = command.make_parser(context)
    try:
        _, left, _ = parser.parse_args([word for word in words if word != "--help"])
    except Exception as error:  # noqa: BLE001 - typer's copy of click has its own classes of errors
        return f"{type(error).__name__}: {error}"
    return f"too many words: {left}" if left else ""


def run(block: Block, folder: Path, environment: dict[str, str]) -> str:
    """Run a block in a folder and return its output; a failed command is an error."""
    done = subprocess.run(
        ["/bin/bash", "-e", "-o", "pipefail", "-c", block.script], cwd=folder, env=environment,
        capture_output=True, text=True, timeout=240, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    output = done.stdout + done.stderr
    if done.returncode:
        raise AssertionError(f"{block.page}:{block.line}: exit code {done.returncode}\n{output}")
    return output


def unshown(block: Block, output: str) -> list[str]:
    """Return the lines that a page shows and the commands did not print; numbers may differ."""
    printed = {_masked(line) for line in output.splitlines()}
    return [line for line in block.output if _masked(line) not in printed]


def _masked(line: str) -> str:
    return re.sub(r"\d+", "0", " ".join(line.split()))


def python_folder() -> str:
    """Return the folder of the running Python's programs."""
    return str(Path(sys.executable).parent)
