"""Figures of the page: spectrograms, networks, curves, matrices, recommendations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import librosa
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from PIL import Image

from genrec.audio.decode import decode
from genrec.errors import DataError
from genrec.pictures import read_picture
from genrec.training.data.dataset import Dataset, ExcerptTable, PictureDataset
from genrec.training.evaluation.plots import save_figure
from genrec.training.reproduce.results import Recommended

Pixels = NDArray[np.uint8]

SHOWN_HEIGHT, SHOWN_WIDTH = 96, 144  # pixels of a spectrogram in a figure
SR = 22_050
# Colours of layers by a part of their kind or block.
COLOURS = {"conv": "#8ecae6", "pool": "#cdb4db", "dense": "#ffb703", "logits": "#ffb703"}
OTHER_COLOUR = "#d9d9d9"
ROWS = 24  # most layers that are legible one by one


def plot_examples(data: ExcerptTable, indices: Sequence[int], path: Path) -> None:
    """Write one spectrogram for each genre (the paper's figure 2)."""
    rows = -(-len(indices) // 5)
    figure = Figure(figsize=(10, 1.9 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, 5, squeeze=False).ravel()
    for axes, index in zip(grid, indices, strict=False):
        show_excerpt(axes, data, index)
        axes.set_title(data.genres[index], fontsize=10)
    for axes in grid[len(indices) :]:
        axes.set_axis_off()
    save_figure(figure, path)


def plot_networks(models: Mapping[str, keras.Model], path: Path) -> None:
    """Write each network as a column of its layers with output shapes and parameters.

    A network of more than 24 layers is drawn by its blocks: the layers that share the first part of
    their names.
    """
    figure = Figure(figsize=(4.2 * len(models), 7), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(1, len(models), squeeze=False).ravel()
    for axes, (name, model) in zip(grid, models.items(), strict=True):
        rows = layer_rows(model)
        for place, (kind, shape, parameters) in enumerate(rows):
            colour = next((c for part, c in COLOURS.items() if part in kind.lower()), OTHER_COLOUR)
            axes.barh(-place, 1, height=0.8, color=colour)
            label = f"{kind}   {shape}   {parameters:,}" if parameters else f"{kind}   {shape}"
            axes.text(0.5, -place, label, ha="center", va="center", fontsize=8)
        axes.set_ylim(-ROWS - 1, 1)
        axes.set_title(f"{name}: {model.count_params():,} parameters", fontsize=10)
        axes.set_axis_off()
    save_figure(figure, path)


def layer_rows(model: keras.Model) -> list[tuple[str, str, int]]:
    """Return kind, output shape and parameters of a network's layers, or of its blocks."""
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    if len(layers) <= 24:
        return [(type(each).__name__, _shape(each), each.count_params()) for each in layers]
    blocks: dict[str, list[keras.Layer]] = {}
    for layer in layers:
        parts = layer.name.split("_")
        key = "_".join(parts[:2]) if len(parts) > 2 else layer.name
        blocks.setdefault(key, []).append(layer)
    return [
        (name, _shape(members[-1]), sum(each.count_params() for each in members))
        for name, members in blocks.items()
    ]


def plot_curves(histories: Mapping[str, Sequence[Mapping[str, float]]], path: Path) -> None:
    """Write accuracy and loss by epoch of every experiment: training solid, validation dashed."""
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, name in zip(figure.subplots(1, 2), ("accuracy", "loss"), strict=True):
        for number, (experiment, history) in enumerate(histories.items()):
            epochs = np.arange(1, len(history) + 1)
            colour = f"C{number}"
            axes.plot(epochs, [row[name] for row in history], color=colour, label=experiment)
            values = [row[f"val_{name}"] for row in history]
            axes.plot(epochs, values, color=colour, linestyle="--")
        axes.set(xlabel="epoch", ylabel=name)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if name == "loss":
            axes.set_yscale("log")
        axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    save_figure(figure, path)


def plot_matrices(reports: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Write the confusion matrices of the test part side by side; rows are the true genres."""
    figure = Figure(figsize=(4 * len(reports), 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(1, len(reports), squeeze=False).ravel()
    for axes, (name, report) in zip(grid, reports.items(), strict=True):
        matrix, labels = np.array(report["confusion_matrix"]), report["labels"]
        shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for row, column in zip(*np.nonzero(matrix), strict=True):
            ink = "white" if shares[row, column] > 0.5 else "black"
            text = str(matrix[row, column])
            axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=7)
        axes.set_xticks(range(len(labels)), labels, rotation=90, fontsize=7)
        axes.set_yticks(range(len(labels)), labels, fontsize=7)
        axes.set_title(f"{name}: {report['accuracy']:.3f}", fontsize=10)
    save_figure(figure, path)


def plot_recommendations(data: ExcerptTable, found: Sequence[Recommended], path: Path) -> None:
    """Write a test excerpt of each genre with its five recommendations (figures 9 and 12)."""
    figure = Figure(figsize=(10, 1.25 * len(found)), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(found), 6, squeeze=False)
    for row, answer in zip(grid, found, strict=True):
        show_excerpt(row[0], data, answer.query)
        row[0].set_title(f"test: {data.genres[answer.query]}", fontsize=8, fontweight="bold")
        for axes in row[1:]:
            axes.set_axis_off()
        pairs = zip(answer.tracks, answer.similarities, strict=True)
        for axes, (track, similarity) in zip(row[1:], pairs, strict=False):
            show_excerpt(axes, data, int(track))
            right = data.genres[int(track)] == data.genres[answer.query]
            title = f"{data.genres[int(track)]} {similarity:.3f}"
            axes.set_title(title, fontsize=8, color="#1b7837" if right else "#b2182b")
    save_figure(figure, path)


def plot_waveform(audio: Path, name: str, path: Path) -> None:
    """Write what the paper names in passing: waveform, tempo, chroma and MFCC of one excerpt."""
    y = decode(audio, sr=SR).y
    tempo = float(np.atleast_1d(librosa.feature.tempo(y=y, sr=SR))[0])
    figure = Figure(figsize=(10, 5), layout="constrained")
    FigureCanvasAgg(figure)
    wave, chroma, mfcc = figure.subplots(3, 1)
    wave.plot(np.arange(y.size) / SR, y, linewidth=0.3)
    wave.set_title(f"{name}: waveform, tempo {tempo:.0f} BPM", fontsize=9)
    wave.margins(x=0)
    coefficients = librosa.feature.mfcc(y=y, sr=SR, n_mfcc=20)
    spread = coefficients.std(axis=1, keepdims=True)
    coefficients = (coefficients - coefficients.mean(axis=1, keepdims=True)) / spread
    for axes, values, title in (
        (chroma, librosa.feature.chroma_stft(y=y, sr=SR, tuning=0.0), "chroma, C to B"),
        (mfcc, coefficients, "MFCC, 20 coefficients, each standardised"),
    ):
        axes.imshow(values, aspect="auto", origin="lower", cmap="magma")
        axes.set_title(title, fontsize=9)
        axes.set_xticks([])
    save_figure(figure, path)


def show_excerpt(axes: Axes, data: ExcerptTable, index: int) -> None:
    """Draw an excerpt's spectrogram or picture, small, without axes."""
    axes.imshow(excerpt_pixels(data, index), aspect="auto", cmap="magma")
    axes.set_axis_off()


def excerpt_pixels(data: ExcerptTable, index: int) -> Pixels:
    """Return an excerpt as small pixels: uint8 (96, 144), or (96, 144, 3) in a picture's colours.

    Raises
    ------
    DataError
        The data set has neither spectrograms nor pictures.
    """
    size = (SHOWN_WIDTH, SHOWN_HEIGHT)
    if isinstance(data, Dataset):
        S_db = data.spectrogram(index)[::-1]
        span = max(float(-S_db.min()), 1.0)
        levels = np.clip((S_db / span + 1) * 255, 0, 255).astype(np.uint8)
        return np.asarray(Image.fromarray(levels).resize(size, Image.Resampling.BILINEAR))
    if isinstance(data, PictureDataset):
        pixels = read_picture(data.paths[index])
        resized = Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR)
        grey = bool((pixels == pixels[..., :1]).all())
        return np.asarray(resized)[..., 0] if grey else np.asarray(resized)
    raise DataError("These data have neither spectrograms nor pictures to show.")


def _shape(layer: keras.Layer) -> str:
    return "x".join(str(side) for side in layer.output.shape[1:])
