"""Start-up, memory and time to answer of one bot: ``python -m tests.benchmarks.one_bot [CLONE]``.

With the folders of other clones as arguments, such as one of an older commit, their bots take turns
with this one's, and the ratios of the medians are printed. The bot, one worker and the local
Discord run with SQLite and the shipped preset. A busy machine delays the wall-clock times: CPU time
changes less.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from tests.repository import ROOT

ROUNDS, QUESTIONS = 5, 20
UNITS = {
    "start, wall": "s",
    "start, CPU": "s",
    "memory after the start": "MB",
    "memory after the answers": "MB",
    "answer, wall": "ms",
    "answer, CPU": "ms",
}
# Read in the clone that is measured: both commits must have these functions.
_CHILD = """
import asyncio, json, statistics, sys, tempfile, time
from pathlib import Path
from tests.trace_upload import app_on_local_discord, clip, recommend, settled

def memory_mb():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))

async def measure(began, questions):
    with tempfile.TemporaryDirectory(prefix="genrec-one-bot-") as folder:
        async with app_on_local_discord(Path(folder)) as (discord, app):
            found = {"start, wall": time.time() - began, "start, CPU": time.process_time()}
            found["memory after the start"] = memory_mb()
            clips = [clip(number) for number in range(questions + 2)]
            for one in clips[:2]:  # the worker loads its libraries
                await recommend(discord, one)
            await settled(app)
            walls, cpu_s = [], time.process_time()
            for one in clips[2:]:
                asked = time.perf_counter()
                await recommend(discord, one)
                walls.append(time.perf_counter() - asked)
                await settled(app)
            found["answer, wall"] = 1000 * statistics.median(walls)
            found["answer, CPU"] = 1000 * (time.process_time() - cpu_s) / questions
            found["memory after the answers"] = memory_mb()
    loaded = sorted({"asyncpg", "distributed", "dask", "pgvector"} & sys.modules.keys())
    return found | {"loaded": loaded}

print(json.dumps(asyncio.run(measure(float(sys.argv[1]), int(sys.argv[2])))))
"""
Measured = dict[str, float]


def measure(root: Path, *, questions: int = QUESTIONS) -> Measured:
    """Start the bot of a clone in a process of its own, ask it, and return what was measured."""
    settings = {name: value for name, value in os.environ.items() if not name.startswith("GENREC_")}
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, repr(time.time()), str(questions)],
        cwd=root, env=settings | {"PYTHONPATH": str(root)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found.pop("loaded") == [], "a library of PostgreSQL or of a cluster is loaded"
    return {name: float(value) for name, value in found.items()}


def medians(rounds: list[Measured]) -> Measured:
    """Return the median of each value."""
    return {name: statistics.median(one[name] for one in rounds) for name in UNITS}


def compare(roots: list[Path], *, rounds: int = ROUNDS, questions: int = QUESTIONS) -> list[str]:
    """Measure the bots of some clones in turns; return lines of medians, with ratios."""
    found: list[list[Measured]] = [[] for _ in roots]
    for _ in range(rounds):
        for place, root in enumerate(roots):
            found[place].append(measure(root, questions=questions))
            sys.stderr.write(f"{root}: {found[place][-1]}\n")
    middle = [medians(one) for one in found]
    lines = []
    for name, unit in UNITS.items():
        values = [one[name] for one in middle]
        ratios = [f"{values[0] / value:.2f}" for value in values[1:]]
        shown = " / ".join(f"{value:.2f} {unit}" for value in values)
        lines.append(f"{name}: {shown}" + (f", ratio {' / '.join(ratios)}" if ratios else ""))
    return lines


def main() -> None:
    """Print the figures of this clone, and those of the clones that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clones", nargs="*", type=Path, help="clones to compare this one with")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="starts of each bot")
    parser.add_argument("--questions", type=int, default=QUESTIONS, help="questions to each bot")
    options = parser.parse_args()
    roots = [ROOT, *(clone.resolve() for clone in options.clones)]
    sys.stdout.write(
        f"medians of {options.rounds} starts in turns: {' / '.join(map(str, roots))}\n"
    )
    for line in compare(roots, rounds=options.rounds, questions=options.questions):
        sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
