"""Axes of an embedding that also read a tagger's hidden layer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from genrec.errors import DataError
from genrec.images import ImageConfig
from genrec.spectrogram import SpectrogramConfig
from genrec.training.export.teacher_reading import (
    HeardSections,
    hear_sections,
    join_reading,
    with_archives,
)
from genrec.training.teachers.answers import ANSWERS, TeacherAnswers
from tests.genrec.training.small import blank_data, write_archive

SIZE, TRACKS, D = 40, 300, 8
HOP_S = SpectrogramConfig().hop_length / SpectrogramConfig().sr


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)


def heard_of(features: np.ndarray, read: int) -> HeardSections:
    """Return sections whose layer follows one feature."""
    return HeardSections(features, features[:, read : read + 1] @ np.ones((1, 5), np.float32))


def share(axes: np.ndarray) -> np.ndarray:
    """Return how much of the embedding's variance each feature has."""
    lengths = np.square(axes).sum(axis=1)
    return np.asarray(lengths / lengths.sum())


def test_embedding_follows_what_the_tagger_hears() -> None:
    axes = np.eye(SIZE, D, dtype=np.float32)  # the projection sees the first features alone
    train, none = normal(1, TRACKS, SIZE), np.zeros((0, SIZE), np.float32)
    heard = heard_of(normal(2, 500, SIZE), read=20)
    joined = join_reading(axes, np.zeros(SIZE, np.float32), train, none, heard)
    assert joined.shape == (SIZE, D)
    assert joined.dtype == np.float32
    found = share(joined)
    assert found[20] > 0.1 > 5 * np.delete(found, [*range(D), 20]).max()
    assert found[:D].sum() > 0.5, "the projection stays the larger part"


def test_reading_does_not_follow_what_a_degradation_shifts() -> None:
    axes = np.eye(SIZE, D, dtype=np.float32)
    train, centre = normal(1, TRACKS, SIZE), np.zeros(SIZE, np.float32)
    features = normal(2, 500, SIZE)
    features[:, 21] = features[:, 20] + 0.1 * normal(3, 500)  # the same, but steady
    heard, shifts = heard_of(features, read=20), np.zeros((60, SIZE), np.float32)
    shifts[:, 20] = 3 * normal(4, 60)
    unaware = share(join_reading(axes, centre, train, shifts[:0], heard))
    aware = share(join_reading(axes, centre, train, shifts, heard))
    assert unaware[20] > 0.7 * unaware[21]
    assert aware[20] < 0.1 * aware[21]


@pytest.fixture
def archive(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes an archive of songs with answers to their patches of 3 s."""

    def write(name: str, seconds: list[float], *, units: int = 4) -> Path:
        data = blank_data([name] * len(seconds))
        columns = np.array([round(each / HOP_S) for each in seconds])
        folder = write_archive(
            tmp_path / name, data,
            levels=np.zeros((len(seconds), 128, columns.max()), np.uint8), n_columns=columns,
        )  # fmt: skip
        patches = [int(each // 3) for each in seconds]
        starts = np.concatenate([3.0 * np.arange(n) for n in patches]).astype(np.float32)
        TeacherAnswers(
            teacher=f"tagger of {name}", tags=["rock"], excerpts=np.repeat(data.names, patches),
            start_s=starts, patch_s=3.0, probabilities=np.zeros((len(starts), 1), np.float16),
            layer=np.repeat(starts[:, None], units, axis=1).astype(np.float16),
        ).save(folder / ANSWERS)  # fmt: skip
        package = {"name": name, "songs": len(seconds), "hours": 0.1, "licences": ["CC0"]}
        (folder / "sources.json").write_text(json.dumps({"packages": [package]}))
        return folder

    return write


class Analyzer:
    """Gives each section its number of columns as features."""

    preset = SimpleNamespace(spectrogram=SpectrogramConfig(), image=ImageConfig())

    def predict_spectrogram(self, S_db: np.ndarray) -> SimpleNamespace:
        return SimpleNamespace(features=np.array([S_db.shape[1]], np.float32))


def test_each_section_of_30_s_is_heard_with_its_own_answers(archive: Callable[..., Path]) -> None:
    folders = [archive("album", [20.0, 95.0]), archive("other", [31.0])]
    done: list[tuple[int, int]] = []
    found = hear_sections(Analyzer(), folders, lambda *at: done.append(at))
    whole = round(30 / HOP_S)
    # A short song is one section; what is left after the last whole one is not heard.
    assert found.features[:, 0].tolist() == [round(20 / HOP_S), whole, whole, whole, whole]
    assert done[-1] == (3, 3)
    of_second = found.layers[1:4, 0]
    assert np.diff(of_second) == pytest.approx(np.full(2, np.diff(of_second).mean()), rel=0.05)
    assert of_second[0] == pytest.approx(found.layers[4, 0], abs=0.05)


def test_answers_without_a_hidden_layer_are_refused(archive: Callable[..., Path]) -> None:
    folder = archive("album", [40.0], units=0)
    with pytest.raises(DataError, match="tagger of album have no hidden layer"):
        hear_sections(Analyzer(), [folder])


def test_sources_name_taggers_and_packages_once(archive: Callable[..., Path]) -> None:
    folders = [archive("album", [40.0]), archive("other", [40.0])]
    known = {"teachers": ["tagger of album"], "packages": [{"name": "album"}], "networks": ["a@1"]}
    sources = with_archives(known, folders)
    assert sources["teachers"] == ["tagger of album", "tagger of other"]
    assert [row["name"] for row in sources["packages"]] == ["album", "other"]
    assert sources["packages"][0]["licences"] == ["CC0"]
    assert sources["networks"] == ["a@1"]
    assert with_archives({}, folders)["teachers"] == sources["teachers"]
