"""``genrec archive``, and the commands that write a tagger's answers; they need extra ``train``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from bot.cli.stopped import says_what_is_kept
from bot.cli.training import CACHE, Cache, Data, Split, load_dataset, progress_bar, training_extra

if TYPE_CHECKING:
    from genrec.training.data.dataset import ExcerptTable, Parts
    from genrec.training.teachers.run_teacher import Tagger

Folder = Annotated[
    Path, typer.Argument(help="Folder of music: a folder for each package or album.")
]
SHOWN = 10
Archive = Annotated[Path, typer.Argument(help="Folder of the archive.")]
Wheel = Annotated[Path, typer.Option(help="Wheel of musicnn 0.1.0.")]
Network = Annotated[
    Literal["MSD_musicnn", "MSD_vgg", "MTT_musicnn", "MTT_vgg"],
    typer.Option(help="Network of the wheel."),
]
Hop = Annotated[
    float, typer.Option(min=0.1, max=60, help="Seconds between the starts of two patches.")
]
Part = Annotated[
    Literal["train", "test"],
    typer.Option(help="test: to judge sound tags with `genrec evaluate --answers`."),
]
Answers = Annotated[Path, typer.Argument(help="File to write, for `genrec train --answers`.")]


def archive(
    folder: Folder,
    out: Archive,
    changed: Annotated[
        bool,
        typer.Option(
            "--changed", help="Change the songs as telephones, rooms and codecs do, for `train`."
        ),
    ] = False,
) -> None:
    """Write the log-mel archive of a folder of unlabelled music."""
    with training_extra():
        from genrec.training.settings import TrainingSettings
        from genrec.training.teachers.run_teacher import archive_songs
    stopped = says_what_is_kept(
        lambda: f"Finished songs are kept in {out}; run the same command for the rest."
    )
    config = TrainingSettings().spectrogram
    with stopped, progress_bar("Computing spectrograms") as progress:
        data, refused = archive_songs(folder, out, config, progress, changed=changed)
    for path, reason in refused[:SHOWN]:
        print(f"{path}: {reason}", file=sys.stderr)
    hours = data.n_columns.sum() * config.hop_length / config.sr / 3600
    print(f"Written: {out}, {len(data)} songs, {hours:.1f} hours; {len(refused)} files refused.")


def teacher_answers(
    folder: Folder, out: Archive, wheel: Wheel, network: Network = "MSD_musicnn", hop: Hop = 1.0
) -> None:
    """Write a tagger's answers to the songs of an archive, as teacher.npz beside it."""
    with training_extra():
        from genrec.training.data.dataset import load_archive
        from genrec.training.evaluation.albums import teacher_albums
        from genrec.training.teachers.run_teacher import write_answers
    stopped = says_what_is_kept(
        lambda: f"Finished songs are kept in {out}; run the same command for the rest."
    )
    tagger, description = _tagger(wheel, network, hop)
    with stopped, progress_bar("Running the teacher") as progress:
        answers = write_answers(folder, out, tagger, progress=progress, **description)
    print(f"Written: {out / 'teacher.npz'}, {len(answers.excerpts)} patches.")
    if shares := teacher_albums(answers, load_archive(out)):
        chance = shares.pop("chance")
        found = " and ".join(f"{share:.3f} by {kind}" for kind, share in shares.items())
        print(f"Of a song's five nearest, {found} are of its own package; {chance:.3f} by chance.")


def excerpt_answers(
    out: Answers,
    data: Data,
    wheel: Wheel,
    split: Split = "paper",
    part: Part = "train",
    network: Network = "MSD_musicnn",
    hop: Hop = 1.0,
    cache: Cache = CACHE,
) -> None:
    """Write a tagger's answers to the sound of a part of a data set, and to no other excerpts."""
    with training_extra():
        from genrec.errors import DataError
        from genrec.training.settings import TrainingSettings
        from genrec.training.teachers.run_teacher import answers_to
    dataset, parts = load_dataset(data, split, TrainingSettings().spectrogram, cache)
    chosen = _excerpts_to_answer(dataset, parts, data, part)
    files = {name: dataset.audio[name] for name in chosen if name in dataset.audio}
    if not files:
        raise DataError(
            f"{data} has no sound of the part {part} of {split}. Pass a folder of sound files, or"
            " an archive with audio/."
        )
    stopped = says_what_is_kept(
        lambda: f"Finished excerpts are kept in {cache}; run the same command for the rest."
    )
    tagger, description = _tagger(wheel, network, hop)
    with stopped, progress_bar("Running the teacher") as progress:
        answers = answers_to(files, cache / "teacher", tagger, progress=progress, **description)
    answers.save(out)
    _print_written(out, len(answers.rows), len(parts[part]), part)


def published_answers(
    file: Annotated[Path, typer.Argument(help="npz file with excerpt, likelihood and tags.")],
    out: Answers,
    data: Data,
    split: Split = "filtered-wide",
    part: Part = "train",
) -> None:
    """Write published answers of a tagger to a part of a data set, and to no other excerpts."""
    with training_extra():
        from genrec.errors import DataError
        from genrec.training.settings import TrainingSettings
        from genrec.training.teachers.answers import published_answers as read
    dataset, parts = load_dataset(data, split, TrainingSettings().spectrogram, CACHE)
    answers = read(file).only(_excerpts_to_answer(dataset, parts, data, part))
    if not answers.rows:
        raise DataError(f"{file} has no answers to the part {part} of {split} in {data}.")
    answers.save(out)
    _print_written(out, len(answers.rows), len(parts[part]), part)


def _tagger(wheel: Path, network: str, hop: float) -> tuple[Tagger, dict[str, Any]]:
    """Return a network of musicnn's wheel, and what describes its answers."""
    from genrec.training.settings import TrainingSettings
    from genrec.training.teachers import musicnn

    tagger = musicnn.MusicTagger(wheel, network)
    return tagger, {
        "teacher": f"{tagger.name} ({musicnn.LICENCE})",
        "tags": tagger.tags,
        "patch_s": musicnn.PATCH_S,
        "hop_s": hop,
        "sr": TrainingSettings().spectrogram.sr,
    }


def _excerpts_to_answer(dataset: ExcerptTable, parts: Parts, folder: Path, part: str) -> list[str]:
    """Return the names of a part's excerpts; of ``train`` without those that judge networks."""
    from genrec.training.data.dataset import read_tracks

    names = [dataset.names[i] for i in parts[part]]
    if part != "train":
        return names
    tracks = read_tracks(folder / "tracks.csv")
    return [name for name in names if tracks.get(name, {}).get("split_filtered") != "test"]


def _print_written(out: Path, answered: int, total: int, part: str) -> None:
    which = "training" if part == "train" else part
    print(f"Written: {out}, {answered} of {total} {which} excerpts.")
