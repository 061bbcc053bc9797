"""``genrec gather-sounds``, ``train-detector`` and the commands of the music description.

They need the extra ``train``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from bot.cli.training import progress_bar, training_extra

Music = Annotated[
    list[Path], typer.Option(help="Folder with a folder of music per group (repeatable).")
]
Other = Annotated[
    list[Path], typer.Option(help="Folder with a folder of other sounds per group (repeatable).")
]


def gather_sounds(
    out: Annotated[Path, typer.Option(help="Folder for the sounds; 6 GB while it runs.")],
) -> None:
    """Download music, speech and effects from Debian packages to train the music detector."""
    with training_extra():
        from genrec.training.detector.gather import gather
    with progress_bar("Packages") as progress:
        counts = gather(out, progress=progress)
    print(f"Written: {sum(counts.values()):,} files in {len(counts)} groups below {out}.")
    print(f"Next: genrec train-detector --music {out}/music --other {out}/other --out FILE.npz")


def train_detector(
    music: Music,
    other: Other,
    out: Annotated[Path, typer.Option(help="File for the detector: NAME.npz.")],
    archive: Annotated[
        Path | None, typer.Option(help="Folder with logmel.npz: more music, less its test parts.")
    ] = None,
    clips: Annotated[int, typer.Option(min=1, help="Random clips per group.")] = 24,
    soundfont: Annotated[
        Path | None, typer.Option(help="General MIDI soundfont, SF2 (default: an installed one).")
    ] = None,
    cache: Annotated[Path, typer.Option(help="Folder for features of clips.")] = Path(
        "runs/cache/music-detector"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Train the music detector and judge it on groups that it was not trained on."""
    with training_extra():
        from genrec.training.detector.train_detector import train
        from genrec.training.synthetic.renderer import find_soundfont
    font = soundfont or find_soundfont()
    with progress_bar("Drawing clips") as progress:
        found = train(
            music,
            other,
            out,
            archive=archive,
            clips=clips,
            soundfont=font,
            cache=cache,
            progress=progress,
        )
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
        return
    _print_report(found)
    print(f"Written: {out} and {out.with_suffix('.json')}")


def _print_report(report: dict[str, Any]) -> None:
    """Print the shares called "no music", held out, as a table."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Called no music, held out", title_justify="left")
    table.add_column("clips of")
    table.add_column("clips", justify="right")
    table.add_column("no music", justify="right")
    rows = {
        "recorded music": report["recorded_music"],
        "other sounds": report["other"],
        **report["kinds"],
        **{f"{name} (worst)": row for name, row in report["worst_groups"].items()},
    }
    for name, row in rows.items():
        table.add_row(name, str(row["clips"]), f"{row['no_music']:.3f}")
    Console(highlight=False).print(table)


def train_description(
    data: Annotated[Path, typer.Option(help="Folder with logmel.npz and annotations.csv.")],
    out: Annotated[Path, typer.Option(help="File for the weights: NAME.npz.")],
    preset: Annotated[
        list[Path] | None,
        typer.Option(help="Also describe the starter catalogue of this preset (repeatable)."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Fit tempo and key of the music description; excerpts with audio are kept for judging."""
    with training_extra():
        from genrec.training.description.train_description import train_description as fit
    with progress_bar("Cross-validation") as progress:
        found = fit(data, out, progress, presets=preset or ())
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
        return
    for measure in ("tempo", "key"):
        _print_scores(f"{measure}, held-out artists, by length of the clip", found[measure])
    print(f"Written: {out}, fitted on {found['excerpts']} excerpts")
    for folder, count in found["described"].items():
        print(f"Written: descriptions of {count} starter tracks of {folder}")


def evaluate_description(
    preset: Annotated[Path, typer.Option(help="Preset folder.")],
    data: Annotated[Path, typer.Option(help="Folder with annotations.csv and audio/.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Judge tempo and key on annotated audio files, beside librosa on the same files."""
    with training_extra():
        from genrec.pipeline import PresetAnalyzer
        from genrec.preset import Preset
        from genrec.training.description.judge_description import judge_description
    analyzer = PresetAnalyzer(Preset.load(preset))
    with progress_bar("Measuring") as progress:
        found = judge_description(analyzer, data, progress)
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
        return
    for measure in ("tempo", "key"):
        _print_scores(f"{measure}, {found['files']} audio files", found[measure])
    print(f"One description takes {found['median_ms']:.1f} ms (median).")


def _print_scores(title: str, rows: dict[str, dict[str, Any]]) -> None:
    """Print the scores of methods, and those of the clips that reach each confidence."""
    from rich.console import Console
    from rich.table import Table

    names = [name for name in next(iter(rows.values())) if name not in ("clips", "shown")]
    table = Table(title=title, title_justify="left")
    for heading in ("", "clips", *names):
        table.add_column(heading.replace("_", " "), justify="right" if heading else "left")
    for label, row in rows.items():
        table.add_row(label, str(row["clips"]), *(f"{row[name]:.3f}" for name in names))
        for least, shown in row.get("shown", {}).items():
            cells = (f"{shown[name]:.3f}" for name in names)
            table.add_row(f"  confidence {least} or more", f"{shown['share']:.0%}", *cells)
    Console(highlight=False).print(table)
