"""``genrec recommend`` and ``genrec genre`` of a folder: one answer for each file in it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot import answer_json
from bot.cli import ask
from bot.runtime.resources import Resources, open_recommender
from bot.starter_policy import Policy
from genrec.audio.kinds import SOUND_SUFFIXES
from genrec.errors import FileMissing, GenrecError, InputRefused
from genrec.pictures import PICTURE_SUFFIXES
from genrec.questions import Rules
from genrec.types import Clip, Recommendation

Ask = Callable[[Clip], Awaitable[Recommendation]]
Prepare = Callable[[Resources], Awaitable[Ask]]


@dataclass(frozen=True, slots=True)
class FileAnswer:
    """The answer for one file of a folder, or the reason why there is none."""

    path: Path
    result: Recommendation | None
    error: GenrecError | None = None


def genres(folder: Path, *, preset: Path | None) -> list[FileAnswer]:
    """Return the genre of each file in a folder and its subfolders, sorted by path.

    Raises
    ------
    FileMissing
        The folder holds no file that the preset hears.
    """

    async def prepare(opened: Resources) -> Ask:
        own = ask.own_genres_of(opened)
        return lambda clip: ask.genre_of_clip(opened, clip, own)

    return asyncio.run(_each(folder, preset, prepare))


def recommendations(
    folder: Path, rules: Rules, *, preset: Path | None, starter: Policy | None
) -> list[FileAnswer]:
    """Return genre and similar tracks of each file in a folder and its subfolders.

    Raises
    ------
    FileMissing
        The folder holds no file that the preset hears.
    DataError
        The preset has no such genre, or there are no tracks.
    """

    async def prepare(opened: Resources) -> Ask:
        policy = starter or opened.settings.starter
        complete = await ask.complete_rules(opened, rules, policy)
        own = ask.own_genres_of(opened)
        return lambda clip: ask.recommend_clip(opened, clip, complete, own)

    return asyncio.run(_each(folder, preset, prepare))


def as_json(answers: list[FileAnswer], *, tracks: bool) -> list[Mapping[str, Any]]:
    """Return one JSON object for each file: ``file``, and the answer's keys or ``error``."""
    found: list[Mapping[str, Any]] = []
    for answer in answers:
        if answer.result is None:
            error = answer.error
            reason = {"code": error.code, "message": str(error)} if error else None
            found.append({"file": str(answer.path), "error": reason})
        else:
            body = answer_json.as_json(answer.result, tracks=tracks)
            found.append({"file": str(answer.path), **body})
    return found


def as_text(answers: list[FileAnswer]) -> str:
    """Return the answers as terminal text, each under its file's name."""
    blocks = []
    for answer in answers:
        body = ask.as_text(answer.result) if answer.result else f"{answer.error}\n"
        blocks.append(f"{answer.path}\n{body}")
    return "\n".join(blocks)


def files_with(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """Return the files with one of the suffixes in a folder and its subfolders, sorted."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in suffixes and not path.name.startswith(".") and path.is_file()
    ]


async def _each(folder: Path, preset: Path | None, prepare: Prepare) -> list[FileAnswer]:
    settings = ask.settings_of(preset)
    async with open_recommender(settings, workers=1) as opened:
        pictures = opened.preset.image.source == "picture"
        suffixes = PICTURE_SUFFIXES if pictures else SOUND_SUFFIXES
        paths = await asyncio.to_thread(files_with, folder, suffixes)
        if not paths:
            kind = "picture (PNG or JPEG)" if pictures else "sound file"
            raise FileMissing(
                f"{folder} holds no {kind}, which the preset {opened.preset.name} needs: name"
                " another folder or --preset."
            )
        answer = await prepare(opened)
        answers = []
        for path in paths:
            start = time.perf_counter()
            try:
                clip = await asyncio.to_thread(ask.file_clip, str(path))
                result = ask.timed(await answer(clip), start, 0.0)
            except InputRefused as error:
                answers.append(FileAnswer(path, None, error))
            else:
                answers.append(FileAnswer(path, result))
        return answers
