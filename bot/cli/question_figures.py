"""``genrec evaluate-questions``: figures of questions on a preset's starter catalogue."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genrec.errors import DataError

if TYPE_CHECKING:
    from bot.question_figures.starter_world import QuestionFigure, StarterWorld
    from genrec.preset import Preset

    Figures = Callable[[StarterWorld], Awaitable[list[QuestionFigure]]]


def evaluate_questions(
    preset: Annotated[Path, typer.Option(help="Preset folder.")],
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="NAME", help="Only this figure.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Number of the random choices.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Evaluate questions on the starter catalogue: artists, mixes, paths and more."""
    from genrec.preset import Preset

    chosen = _chosen(only or [])
    report = asyncio.run(_evaluate(Preset.load(preset), chosen, seed))
    print(json.dumps(report, ensure_ascii=False, indent=2) if as_json else as_table(report))


def as_table(report: Mapping[str, Any]) -> str:
    """Return the report as a Markdown table."""
    lines = [f"Preset: {report['model_id']}", "", "| figure | result | reach | reached |"]
    lines.append("|---|---|---|---|")
    words = {True: "yes", False: "no", None: ""}
    for row in report["figures"]:
        reached = words[row["reached"]]
        lines.append(f"| {row['name']} | {row['result']} | {row['reach']} | {reached} |")
    return "\n".join(lines)


def _modules() -> dict[str, Figures]:
    from bot.question_figures import artist, mix, taste, way_steps

    return {
        "artist": artist.figures,
        "mix": mix.figures,
        "path": way_steps.figures,
        "taste": taste.figures,
    }


def _chosen(only: list[str]) -> dict[str, Figures]:
    modules = _modules()
    for name in only:
        if name not in modules:
            raise DataError(f"--only {name}: there is no such figure, only {', '.join(modules)}.")
    return {name: run for name, run in modules.items() if not only or name in only}


async def _evaluate(preset: Preset, chosen: Mapping[str, Figures], seed: int) -> dict[str, Any]:
    from bot.question_figures.starter_world import open_starter_world

    rows = []
    async with open_starter_world(preset, seed) as world:
        for name, run in chosen.items():
            rows += [{"kind": name, **asdict(figure)} for figure in await run(world)]
    return {"model_id": preset.model_id, "seed": seed, "figures": rows}
