"""``genrec archive``, ``teacher-answers`` and ``published-answers``; they need extra ``train``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from bot.cli.stopped import says_what_is_kept
from bot.cli.training import Data, Split, progress_bar, training_extra

Folder = Annotated[
    Path, typer.Argument(help="Folder of music: a folder for each package or album.")
]
SHOWN = 10
Archive = Annotated[Path, typer.Argument(help="Folder of the archive.")]


def archive(folder: Folder, out: Archive) -> None:
    """Write the log-mel archive of a folder of unlabelled music."""
    with training_extra():
        from genrec.training.settings import TrainingSettings
        from genrec.training.teachers.run_teacher import archive_songs
    stopped = says_what_is_kept(
        lambda: f"Finished songs are kept in {out}; run the same command for the rest."
    )
    config = TrainingSettings().spectrogram
    with stopped, progress_bar("Computing spectrograms") as progress:
        data, refused = archive_songs(folder, out, config, progress)
    for path, reason in refused[:SHOWN]:
        print(f"{path}: {reason}", file=sys.stderr)
    hours = data.n_columns.sum() * config.hop_length / config.sr / 3600
    print(f"Written: {out}, {len(data)} songs, {hours:.1f} hours; {len(refused)} files refused.")


def teacher_answers(
    folder: Folder,
    out: Archive,
    wheel: Annotated[Path, typer.Option(help="Wheel of musicnn 0.1.0.")],
    network: Annotated[
        Literal["MSD_musicnn", "MSD_vgg", "MTT_musicnn", "MTT_vgg"],
        typer.Option(help="Network of the wheel."),
    ] = "MSD_musicnn",
    hop: Annotated[
        float, typer.Option(min=0.1, max=60, help="Seconds between the starts of two patches.")
    ] = 1.0,
) -> None:
    """Write a tagger's answers to the songs of an archive, as teacher.npz beside it."""
    with training_extra():
        from genrec.training.data.dataset import load_archive
        from genrec.training.evaluation.albums import teacher_albums
        from genrec.training.settings import TrainingSettings
        from genrec.training.teachers import musicnn
        from genrec.training.teachers.run_teacher import write_answers
    tagger = musicnn.MusicTagger(wheel, network)
    stopped = says_what_is_kept(
        lambda: f"Finished songs are kept in {out}; run the same command for the rest."
    )
    with stopped, progress_bar("Running the teacher") as progress:
        answers = write_answers(
            folder,
            out,
            tagger,
            teacher=f"{tagger.name} ({musicnn.LICENCE})",
            tags=tagger.tags,
            patch_s=musicnn.PATCH_S,
            hop_s=hop,
            sr=TrainingSettings().spectrogram.sr,
            progress=progress,
        )
    print(f"Written: {out / 'teacher.npz'}, {len(answers.excerpts)} patches.")
    if shares := teacher_albums(answers, load_archive(out)):
        chance = shares.pop("chance")
        found = " and ".join(f"{share:.3f} by {kind}" for kind, share in shares.items())
        print(f"Of a song's five nearest, {found} are of its own package; {chance:.3f} by chance.")


def published_answers(
    file: Annotated[Path, typer.Argument(help="npz file with excerpt, likelihood and tags.")],
    out: Annotated[Path, typer.Argument(help="File to write, for `genrec train --answers`.")],
    data: Data,
    split: Split = "filtered-wide",
    part: Annotated[
        Literal["train", "test"],
        typer.Option(help="test: to judge sound tags with `genrec evaluate --answers`."),
    ] = "train",
) -> None:
    """Write published answers of a tagger to a part of a data set, and to no other excerpts."""
    with training_extra():
        from bot.cli.training import CACHE, load_dataset
        from genrec.errors import DataError
        from genrec.training.data.dataset import read_tracks
        from genrec.training.settings import TrainingSettings
        from genrec.training.teachers.answers import published_answers as read
    dataset, parts = load_dataset(data, split, TrainingSettings().spectrogram, CACHE)
    tracks = read_tracks(data / "tracks.csv")
    judging = {name for name, row in tracks.items() if row.get("split_filtered") == "test"}
    chosen = {dataset.names[i] for i in parts[part]}
    if part == "train":
        chosen -= judging
    answers = read(file).only(chosen)
    if not answers.rows:
        raise DataError(f"{file} has no answers to the part {part} of {split} in {data}.")
    answers.save(out)
    which = "training" if part == "train" else part
    print(f"Written: {out}, {len(answers.rows)} of {len(parts[part])} {which} excerpts.")
