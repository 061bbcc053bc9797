"""Write plots of training and evaluation as PNG files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def plot_history(history: Sequence[Mapping[str, float]], path: Path) -> None:
    """Write learning curves: loss and accuracy by epoch, of training windows and validation."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, name in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        epochs = np.arange(1, len(history) + 1)
        axes.plot(epochs, [row[name] for row in history], label="training windows, augmented")
        axes.plot(epochs, [row[f"val_{name}"] for row in history], label="validation tracks")
        axes.set(xlabel="epoch", ylabel=name)
        axes.grid(alpha=0.3)
        axes.legend()
    save_figure(figure, path)


def plot_confusion(report: Mapping[str, Any], path: Path) -> None:
    """Write the confusion matrix of an evaluation; rows are true genres, columns predicted."""
    matrix, labels = np.array(report["confusion_matrix"]), report["labels"]
    figure = Figure(figsize=(6.4, 5.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(matrix.shape):
        if matrix[row, column]:
            ink = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(matrix[row, column]), ha="center", va="center", color=ink)
    axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
    axes.set_yticks(range(len(labels)), labels)
    axes.set(
        xlabel="predicted",
        ylabel="true",
        title=f"{report['preset']}: {report['accuracy']:.3f} of {report['tracks']} tracks",
    )
    save_figure(figure, path)


def plot_reliability(report: Mapping[str, Any], path: Path) -> None:
    """Write the reliability diagram of an evaluation: accuracy against confidence."""
    rows = report["reliability"]
    figure = Figure(figsize=(4.8, 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="grey", linestyle="--")
    axes.plot([row["confidence"] for row in rows], [row["right"] for row in rows], marker="o")
    for row in rows:
        at = (row["confidence"], row["right"])
        axes.annotate(str(row["tracks"]), at, xytext=(4, -12), textcoords="offset points")
    error = report["calibration"]["ece"]
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="confidence", ylabel="accuracy")
    axes.set_title(f"{report['preset']}: calibration error {error:.3f}")
    axes.grid(alpha=0.3)
    save_figure(figure, path)


def plot_similarity(report: Mapping[str, Any], path: Path) -> None:
    """Write histograms of the similarities of nearest tracks and of tracks of different genres."""
    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for name, label in (("nearest", "five nearest"), ("unrelated", "different genres")):
        shares = report["similarity"][f"{name}_histogram"]
        axes.stairs(shares, np.linspace(0, 1, len(shares) + 1), fill=True, alpha=0.5, label=label)
    axes.set(xlabel="similarity", ylabel="share of pairs", title=report["preset"])
    axes.legend()
    save_figure(figure, path)


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, without the name of the software, or as a file of another suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"Software": None} if path.suffix == ".png" else None
    figure.savefig(path, dpi=110, metadata=metadata)
