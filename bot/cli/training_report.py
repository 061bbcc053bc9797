"""Tables of ``genrec evaluate`` and ``genrec export`` on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from rich.console import Console

WIDTH = 110  # characters of the robustness table


def print_report(report: dict[str, Any]) -> None:
    """Print precision, recall and F1 per genre as a table, and the other metrics as lines."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    table = Table(title=f"{report['preset']}, {report['part']} part", title_justify="left")
    for heading in ("genre", "precision", "recall", "F1", "tracks"):
        table.add_column(heading, justify="left" if heading == "genre" else "right")
    for label, row in report["per_class"].items():
        cells = (f"{row[name]:.2f}" for name in ("precision", "recall", "f1"))
        table.add_row(label, *cells, str(row["support"]))
    for name in ("macro_avg", "weighted_avg"):
        row = report[name]
        cells = (f"{row[figure]:.2f}" for figure in ("precision", "recall", "f1"))
        table.add_row(name.replace("_", " "), *cells, str(row["support"]))
    console.print(table)
    console.print(
        f"accuracy {report['accuracy']:.3f} on {report['tracks']} tracks,"
        f" macro F1 {report['macro_f1']:.3f}"
    )
    _print_further(console, report)
    for group in ("calibration", "neighbours", "audio"):
        if report[group]:
            figures = ", ".join(f"{name} {_short(v)}" for name, v in report[group].items())
            console.print(f"{group}: {figures}")
    for name in ("nearest", "unrelated"):
        deciles = " ".join(f"{each:.2f}" for each in report["similarity"][name])
        console.print(f"similarity, {name}, minimum, deciles, maximum: {deciles}")
    raw = report["raw_cosine_unrelated"]
    console.print(f"mean cosine of unrelated tracks before centring: {raw:.4f}")
    if report.get("robustness"):
        _print_robustness(report["robustness"])
    if report.get("robustness_arrays"):
        _print_robustness_arrays(report["robustness_arrays"])
    if report.get("music_detection"):
        _print_music_detection(report["music_detection"])


def _print_further(console: Console, report: dict[str, Any]) -> None:
    """Print the accuracy without twins and the neighbours of the own album."""
    if twins := report.get("without_twins"):
        console.print(
            f"accuracy {twins['accuracy']:.3f} on the {twins['tracks']} tracks without a duplicate"
            " in another part"
        )
    if albums := report.get("albums"):
        console.print(
            f"neighbours of the own album: {albums['same_album']:.3f} ({albums['chance']:.3f} by"
            f" chance), {albums['tracks']} tracks of {albums['albums']} albums"
        )


def _print_robustness(rows: list[dict[str, Any]]) -> None:
    """Print the effect of each change to audio files."""
    from rich.console import Console
    from rich.table import Table

    headings = {
        "accuracy": "accuracy",
        "genre_kept": "genre",
        "four_of_five": "4 of 5",
        "cosine_median": "cosine",
        "cosine_min": "min.",
        "refused": "refused",
        "no_music": "no music",
    }
    title = f"{rows[0]['clips']} clips, changed: accuracy, and shares that keep genre and tracks"
    table = Table(title=title, title_justify="left", box=None)
    table.add_column("change", no_wrap=True)
    table.add_column("reference", no_wrap=True)
    for heading in headings.values():
        table.add_column(heading, justify="right")
    for row in rows:
        figures = ("-" if row[key] is None else _short(row[key]) for key in headings)
        table.add_row(row["change"], row["reference"], *figures)
    console = Console(highlight=False)
    console.width = max(console.width, WIDTH)  # on a file it would be 80
    console.print(table)


def _print_robustness_arrays(rows: list[dict[str, Any]]) -> None:
    """Print the effect of each change to spectrograms."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{rows[0]['tracks']} spectrograms, changed", title_justify="left")
    table.add_column("change", no_wrap=True)
    table.add_column("accuracy", justify="right")
    table.add_column("difference", justify="right")
    table.add_column("same genre", justify="right")
    for row in rows:
        accuracy, difference = f"{row['accuracy']:.3f}", f"{row['difference']:+.3f}"
        table.add_row(row["change"], accuracy, difference, f"{row['genre_kept']:.3f}")
    Console(highlight=False).print(table)


def _print_music_detection(rows: list[dict[str, Any]]) -> None:
    """Print for each group of files how many are said to contain no music."""
    from rich.console import Console
    from rich.table import Table

    headings = ("group", "contains", "files", "refused", "no_music", "wrong")
    table = Table(title="Music detector", title_justify="left")
    for heading in headings:
        justify: Literal["left", "right"] = "left" if heading in headings[:2] else "right"
        table.add_column(heading.replace("_", " "), justify=justify)
    for row in rows:
        cells = ("-" if row[key] is None else row[key] for key in headings)
        table.add_row(*(each if isinstance(each, str) else _short(each) for each in cells))
    Console(highlight=False).print(table)


def _short(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.3f}"
