"""Neighbours of the own album, with embeddings and files made for the test."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from genrec.errors import DataError, UnreadableAudio
from genrec.training.evaluation.albums import MIN_BYTES, albums, same_album, teacher_albums
from genrec.training.teachers.answers import TeacherAnswers


class ByName:
    """Analyzer stand-in: a file's name is its angle in degrees, or a reason to refuse it."""

    def analyze(self, path: Path) -> Any:
        if path.stem == "broken":
            raise UnreadableAudio("No sound could be decoded.")
        degrees = float(path.stem)
        x = np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], dtype=np.float32)
        return SimpleNamespace(embedding=x, duration_s=20.0 if degrees > 170 else 100.0)


def write(folder: Path, *names: str, size: int = MIN_BYTES) -> None:
    (folder / "music").mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / "music" / name).write_bytes(b"\0" * size)


def test_share_and_chance_of_neighbours() -> None:
    x = np.array([[1, 0], [0.9, 0.1], [0, 1], [0.1, 0.9], [0.7, 0.7]], dtype=np.float32)
    share, chance = same_album(x, ["a", "a", "b", "b", "b"])
    # All other four tracks are neighbours, so the share is that of chance.
    assert share == chance == pytest.approx((2 * 1 / 4 + 3 * 2 / 4) / 5)


def answers(songs: int, packages: int, units: int) -> tuple[TeacherAnswers, Any]:
    """Two patches a song: the hidden layer tells its package, and the one tag is the same."""
    names = [f"{i}.ogg" for i in range(songs)]
    genres = [f"package {i % packages}" for i in range(songs)]
    layer = np.zeros((2 * songs, units), np.float16)
    if units:
        layer[np.arange(2 * songs), np.repeat(np.arange(songs) % packages, 2)] = 1
    return TeacherAnswers(
        teacher="tagger",
        tags=["rock"],
        excerpts=np.repeat(names, 2),
        start_s=np.tile(np.float32([0, 3]), songs),
        patch_s=3.0,
        probabilities=np.full((2 * songs, 1), 0.5, np.float16),
        layer=layer,
    ), SimpleNamespace(names=[*names, "unheard.ogg"], genres=[*genres, "package 0"])


def test_teacher_that_hears_packages_apart_has_neighbours_of_the_own() -> None:
    shares = teacher_albums(*answers(18, 3, units=3))
    assert shares is not None
    assert shares["layer"] == 1
    assert shares["tags"] < 0.6
    assert shares["chance"] == pytest.approx(5 / 17)
    assert set(teacher_albums(*answers(18, 3, units=0)) or ()) == {"tags", "chance"}
    assert teacher_albums(*answers(3, 1, units=1)) is None


def test_albums_counts_near_tracks_and_leaves_effects_out(tmp_path: Path) -> None:
    write(tmp_path / "near", *(f"{i}.ogg" for i in range(6)), "171.ogg", "broken.mp3")
    write(tmp_path / "far", *(f"{90 + i}.opus" for i in range(6)), "readme.txt")
    write(tmp_path / "near", "40.ogg", size=MIN_BYTES - 1)
    calls: list[tuple[int, int]] = []

    found = albums(ByName(), tmp_path, lambda *at: calls.append(at))  # type: ignore[arg-type]

    assert found == {
        "albums": 2, "tracks": 12, "refused": 1, "same_album": 1.0, "chance": pytest.approx(5 / 11),
    }  # fmt: skip
    assert calls[-1] == (14, 14)


def test_albums_of_one_folder_raise(tmp_path: Path) -> None:
    write(tmp_path / "only", "1.ogg", "2.ogg")
    with pytest.raises(DataError, match=r"has 1 albums .* two or more folders of music"):
        albums(ByName(), tmp_path)  # type: ignore[arg-type]
