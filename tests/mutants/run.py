"""Run the narrow tests of a file against a sample of its mutants.

python -m tests.mutants.run [FILE ...] [--count N] [--seed S] [--minutes M] [--jobs J]

Exits with 1 if a survivor is not explained in explained.toml, or if an explanation is stale, and
with 2 if the tests fail without a mutant.
"""

from __future__ import annotations

import argparse
import os
import queue
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cosmic_ray.testing import run_tests
from cosmic_ray.work_item import TestOutcome

from tests.mutants.candidates import Mutant, mutants, sample
from tests.repository import ROOT, tracked

EXPLAINED = Path(__file__).with_name("explained.toml")
TARGETS: dict[str, tuple[str, ...]] = {
    "genrec/similarity.py": ("tests/genrec/test_similarity.py",),
    "genrec/selection.py": ("tests/genrec/test_selection.py",),
    "genrec/seed_scores.py": ("tests/genrec/test_questions.py",),
    "genrec/pipeline.py": ("tests/genrec/test_pipeline.py", "tests/genrec/test_golden.py"),
    "genrec/fingerprint.py": ("tests/genrec/test_fingerprint.py",),
    "bot/recommender.py": ("tests/bot/test_recommender.py",),
    "bot/track_search.py": ("tests/bot/test_recommender.py", "tests/bot/test_questions.py"),
    "bot/client/checks.py": ("tests/bot/client/test_checks.py",),
    "bot/cogs/library.py": (
        "tests/bot/end_to_end/test_admins.py", "tests/bot/end_to_end/test_export_import.py",
    ),
    "bot/cogs/reindex.py": (
        "tests/bot/cogs/test_reindex.py", "tests/bot/end_to_end/test_admins.py",
    ),
    "bot/sources/policy.py": ("tests/bot/sources/test_policy.py",),
}  # fmt: skip
"""Mutated file: its narrow tests."""

SEED = 1
COUNT = 12
MINUTES = 20.0
TIMEOUT_FACTOR = 4
MIN_TIMEOUT_S = 20.0

Key = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class Report:
    """Mutants of one file by outcome; ``not_run`` counts those after the time limit."""

    file: str
    killed: list[Mutant]
    survived: list[Mutant]
    not_run: int


class BaselineError(Exception):
    """The narrow tests fail without a mutant; the message holds the end of their output."""


def load_explained(path: Path = EXPLAINED) -> dict[Key, str]:
    """Return the explanation of each accepted survivor by its key."""
    rows = tomllib.loads(path.read_text(encoding="utf-8")).get("survivor", [])
    return {(r["file"], r["function"], r["before"], r["after"]): r["why"] for r in rows}


def pytest_command(copy: Path, tests: Iterable[str]) -> list[str]:
    """Return a command that runs tests in a copy of the repository, and imports that copy."""
    run = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    script = f"cd {shlex.quote(str(copy))} && exec {shlex.join(run)}"
    return ["env", f"PYTHONPATH={copy}", "sh", "-c", script]


def baseline_seconds(copy: Path, tests: Sequence[str]) -> float:
    """Return the seconds that the tests take without a mutant; raise BaselineError if one fails."""
    start = time.monotonic()
    done = subprocess.run(pytest_command(copy, tests), capture_output=True, text=True, check=False)
    if done.returncode:
        raise BaselineError(f"{' '.join(tests)}:\n{(done.stdout + done.stderr)[-3000:]}")
    return time.monotonic() - start


def is_killed(copy: Path, mutant: Mutant, tests: Sequence[str], timeout_s: float) -> bool:
    """Return True if a test fails, or does not end in time, with the mutant in place."""
    path = copy / mutant.file
    original = path.read_text(encoding="utf-8")
    for compiled in path.parent.glob(f"__pycache__/{path.stem}.*"):
        compiled.unlink()  # bytecode is matched by the second and the size alone
    path.write_text(mutant.source, encoding="utf-8")
    try:
        command = shlex.join(pytest_command(copy, tests))
        outcome, output = run_tests(command, timeout_s)
    finally:
        path.write_text(original, encoding="utf-8")
    assert outcome is not TestOutcome.INCOMPETENT, output
    return outcome is TestOutcome.KILLED


def run_target(
    copies: Sequence[Path], candidates: list[Mutant], tests: Sequence[str],
    *, count: int = COUNT, seed: int = SEED, deadline: float = float("inf"),
) -> Report:  # fmt: skip
    """Test a sample of one file's mutants, one at a time in each copy of the repository.

    ``deadline`` is a time of ``time.monotonic``; mutants that are due later are not run.
    """
    timeout_s = max(MIN_TIMEOUT_S, TIMEOUT_FACTOR * baseline_seconds(copies[0], tests))
    free: queue.SimpleQueue[Path] = queue.SimpleQueue()
    for copy in copies:
        free.put(copy)

    def run(mutant: Mutant) -> bool | None:
        if time.monotonic() > deadline:
            return None
        copy = free.get()
        try:
            return is_killed(copy, mutant, tests, timeout_s)
        finally:
            free.put(copy)

    chosen = sample(candidates, count, seed)
    with ThreadPoolExecutor(len(copies)) as threads:
        outcomes = list(zip(chosen, threads.map(run, chosen), strict=True))
    return Report(
        candidates[0].file if candidates else "",
        [mutant for mutant, killed in outcomes if killed],
        [mutant for mutant, killed in outcomes if killed is False],
        sum(killed is None for _, killed in outcomes),
    )


@contextmanager
def repository_copies(number: int) -> Iterator[list[Path]]:
    """Copy the files of the repository, so that a mutant never reaches the working tree."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copies = [Path(folder) / str(n) / "repository" for n in range(number)]
        for copy in copies:
            for path in tracked():
                target = copy / path.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, target)
        yield copies


def lines(report: Report, explained: Mapping[Key, str], original: str) -> Iterator[str]:
    """Yield the counts of a file, then each survivor with its explanation or its diff."""
    counts = Counter(mutant.key in explained for mutant in report.survived)
    yield (
        f"{report.file}: {len(report.killed)} killed, {len(report.survived)} survived"
        f" ({counts[True]} explained), {report.not_run} not run"
    )
    for mutant in report.survived:
        where = f"{mutant.file}:{mutant.line} {mutant.function}"
        if mutant.key in explained:
            yield f"  explained: {where}: {explained[mutant.key]}"
        else:
            yield f"  SURVIVED: {where}\n{mutant.diff(original)}"


def write_lines(*texts: str) -> None:
    """Write lines to standard output at once: the next file takes minutes."""
    sys.stdout.writelines(f"{text}\n" for text in texts)
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Print killed and surviving mutants of the chosen files; return the exit status."""
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs="*", metavar="FILE", help="default: all targets")
    parser.add_argument("--count", type=int, default=COUNT, help="mutants of a file, at most")
    parser.add_argument("--seed", type=int, default=SEED, help="selects the sample")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="no mutant starts later")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    options = parser.parse_args(arguments)
    if unknown := set(options.files) - set(TARGETS):
        parser.error(f"{', '.join(sorted(unknown))}: expected one of {', '.join(TARGETS)}")
    deadline, explained = time.monotonic() + 60 * options.minutes, load_explained()
    failed = 0
    with repository_copies(options.jobs) as copies:
        for file in options.files or TARGETS:
            original = (copies[0] / file).read_text(encoding="utf-8")
            candidates = mutants(file, original)
            try:
                report = run_target(
                    copies, candidates, TARGETS[file],
                    count=options.count, seed=options.seed, deadline=deadline,
                )  # fmt: skip
            except BaselineError as error:
                write_lines(f"{file}: the tests fail without a mutant", str(error))
                return 2
            write_lines(*lines(report, explained, original))
            failed += sum(mutant.key not in explained for mutant in report.survived)
            stale = {key for key in explained if key[0] == file} - {m.key for m in candidates}
            write_lines(*(f"  STALE, no such mutant: {' | '.join(key)}" for key in sorted(stale)))
            failed += len(stale)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
