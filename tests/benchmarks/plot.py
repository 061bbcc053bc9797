"""Plot the time of a search against the number of tracks, from the file that `make bench` writes.

python -m tests.benchmarks.plot artefacts/benchmarks.json docs/pictures/search.png
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

GROUP = re.compile(r"7 search, (?P<tracks>[\d,]+) tracks of (?P<dimension>\d+) dimensions")
SHOWN = {
    "genrec": "genrec",
    "plain_numpy": "NumPy",
    "faiss_flat": "faiss, flat",
    "usearch_exact": "usearch, exact",
    "sqlite_vec": "sqlite-vec",
}
Times = dict[int, dict[str, dict[int, float]]]
"""Milliseconds by dimension, way to search and number of tracks."""


def times(benchmarks: Iterable[Mapping[str, Any]]) -> Times:
    """Return the medians of the searches among all benchmarks."""
    found: Times = {}
    for each in benchmarks:
        group = GROUP.fullmatch(each["group"] or "")
        way = re.sub(r".*\[(\w+)-.*", r"\1", each["name"])
        if group and way in SHOWN:
            tracks, dimension = int(group["tracks"].replace(",", "")), int(group["dimension"])
            ways = found.setdefault(dimension, {})
            ways.setdefault(way, {})[tracks] = 1000 * each["stats"]["median"]
    return found


def draw(found: Times, path: Path) -> None:
    """Plot one panel a dimension with logarithmic axes: a line of slope 1 is linear growth."""
    if not found:
        raise SystemExit("The file holds no search benchmarks. Write it with `make bench`.")
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    axes = figure.subplots(1, len(found), sharey=True, squeeze=False)[0]
    for axis, (dimension, ways) in zip(axes, sorted(found.items()), strict=True):
        for way, name in SHOWN.items():
            points = sorted(ways.get(way, {}).items())
            if points:
                style = {"lw": 2.5, "zorder": 3} if way == "genrec" else {"lw": 1.2, "alpha": 0.8}
                axis.loglog(*zip(*points, strict=True), marker="o", ms=4, label=name, **style)
        axis.set(title=f"{dimension} dimensions", xlabel="tracks")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("ms for the five nearest")
    axes[0].legend(frameon=False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    draw(times(json.loads(source.read_text(encoding="utf-8"))["benchmarks"]), target)
