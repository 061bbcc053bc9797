"""Training with a tagger's answers and with unlabelled music."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from genrec.errors import DataError
from genrec.training.data.augment import NONE, Augmentation
from genrec.training.data.dataset import Dataset, Parts, split
from genrec.training.settings import (
    TrainingSettings,
    for_noisy_student,
    read_history,
    read_settings,
)
from genrec.training.teachers.answers import TeacherAnswers
from tests.genrec.training.keras_needed import MARKS, keras  # isort: split

from genrec.training import batches, train
from genrec.training.batches import TrainingBatches
from genrec.training.further_outputs import SongContrast, join, with_further_outputs
from genrec.training.unlabelled import FurtherTargets, WindowAnswers, further_targets, standardiser
from tests.genrec.training.small import SETTINGS, played_data, write_archive

pytestmark = MARKS
DATA = played_data([5 * i + style for style in (0, 3) for i in range(6)])
SONGS = replace(played_data([101, 102, 104], seconds=8), genres=["one", "one", "two"])


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    return split(DATA, tmp_path_factory.mktemp("none"), "paper")


def answers_to(data: Dataset, indices: np.ndarray, *, units: int) -> TeacherAnswers:
    """Answers: one patch a second; the second tag's probability is a tenth of the second."""
    names = [data.names[i] for i in indices for _ in range(5)]
    start_s = np.tile(np.arange(5), len(indices)).astype(np.float32)
    tags = np.stack([np.full(len(names), 0.5), start_s / 10], axis=1)
    return TeacherAnswers(
        teacher="tagger (ISC)",
        tags=["rock", "calm"],
        excerpts=np.array(names),
        start_s=start_s,
        patch_s=1.0,
        probabilities=tags.astype(np.float16),
        layer=np.ones((len(names), units), np.float16),
    )


@pytest.fixture
def settings(tmp_path: Path, parts: Parts) -> TrainingSettings:
    """Return a run with answers to half of the training part, and an archive with answers."""
    answers_to(DATA, parts["train"][::2], units=0).save(tmp_path / "answers.npz")
    folder = write_archive(tmp_path / "free", SONGS)
    answers_to(SONGS, np.arange(3), units=3).save(folder / "teacher.npz")
    package = {"name": "one", "songs": 2, "hours": 0.1, "licences": ["CC0"]}
    (folder / "sources.json").write_text(json.dumps({"packages": [package]}))
    return replace(
        SETTINGS,
        answers=str(tmp_path / "answers.npz"),
        unlabelled=(str(folder),),
        contrast_weight=0.5,
        unlabelled_batch=4,
        batch=4,
        epochs=2,
        augment=Augmentation(short=0, stretch=0),
    )


def made(settings: TrainingSettings, parts: Parts) -> FurtherTargets:
    judging = [DATA.names[i] for part in ("valid", "test") for i in parts[part]]
    found = further_targets(settings, DATA, judging)
    assert found is not None
    return found


def test_run_without_further_targets_has_none() -> None:
    assert further_targets(SETTINGS, DATA, []) is None


def test_batch_weighs_each_output_by_the_windows_that_have_it(
    settings: TrainingSettings, parts: Parts
) -> None:
    settings = replace(settings, augment=replace(settings.augment, mixup_alpha=0))
    further = made(settings, parts)
    items = TrainingBatches(DATA, parts["train"], settings, None, further)
    x, targets, weights = items[0]
    assert len(x) == 8
    known = {DATA.names[i] for i in parts["train"][::2]}
    labelled = [DATA.names[parts["train"][row]] in known for row in items.rows(0)]
    assert (weights["tags"] > 0).tolist() == [*labelled, *[True] * 4]
    assert (weights["layer"] > 0).tolist() == [False] * 4 + [True] * 4
    assert (weights["logits"] > 0).tolist() == [True] * 4 + [False] * 4
    for each in weights.values():
        assert each.sum() == pytest.approx(8)
    songs = targets["contrast"][:, 0]
    assert songs[:4].tolist() == [-1] * 4
    assert songs[4] == songs[5]
    assert songs[6] == songs[7]
    assert targets["logits"][4:].sum() == 0


def test_teachers_of_a_noisy_student_get_its_windows_undamaged(
    settings: TrainingSettings, parts: Parts
) -> None:
    """The blend of mixup is the same for both."""
    seen: list[NDArray[np.float32]] = []

    def soft_targets(x: NDArray[np.float32]) -> NDArray[np.float32]:
        seen.append(x)
        return np.zeros((len(x), len(DATA.labels)), np.float32)

    harmless = replace(NONE, mixup_alpha=1.0)
    for further in (made(settings, parts), None):
        for how in (harmless, replace(harmless, floor=1, floor_db=-15)):
            noisy = replace(settings, noisy_student=True, augment=how)
            x = TrainingBatches(DATA, parts["train"], noisy, soft_targets, further)[0][0][:4]
            assert seen[-1].shape == x.shape
            assert np.array_equal(seen[-1], x) == (how is harmless)


def test_noisy_student_is_damaged_more() -> None:
    changed = for_noisy_student(SETTINGS)
    assert changed.noisy_student
    assert changed.augment.floor_db > SETTINGS.augment.floor_db
    with pytest.raises(DataError, match="--recipe genrec"):
        for_noisy_student(replace(SETTINGS, augment=NONE))


def test_answers_are_those_of_the_window(settings: TrainingSettings, parts: Parts) -> None:
    further = made(settings, parts)
    name = DATA.names[parts["train"][0]]
    found = further.labelled_answers([name, name], [(0.0, 2.0), (3.0, 5.0)])
    assert found.tags[:, 1] == pytest.approx([0.05, 0.35], abs=1e-3)
    assert found.has_layer.tolist() == [0, 0]


def test_answers_of_the_hidden_layer_have_mean_0_and_deviation_1() -> None:
    rng = np.random.default_rng(1)
    layers = [rng.normal(3, 2, (400, 3)).astype(np.float16), np.zeros((9, 0), np.float16)]
    scaled = standardiser(layers)(layers[0].astype(np.float32))
    assert scaled.mean(axis=0) == pytest.approx([0, 0, 0], abs=1e-2)
    assert scaled.std(axis=0) == pytest.approx([1, 1, 1], abs=1e-2)


def test_batches_are_the_same_after_a_resume(settings: TrainingSettings, parts: Parts) -> None:
    one, two = (
        TrainingBatches(DATA, parts["train"], settings, None, made(settings, parts))[1]
        for _ in range(2)
    )
    assert np.array_equal(one[0], two[0])
    assert np.array_equal(one[1]["tags"], two[1]["tags"])


def test_blend_has_answers_if_both_windows_have_them() -> None:
    answers = WindowAnswers(
        np.array([[1.0], [0.0], [0.0]], np.float32),
        np.zeros((3, 0), np.float32),
        np.array([1, 1, 0], np.float32),
        np.zeros(3, np.float32),
    )
    x = np.zeros((3, 1, 1, 1), np.float32)
    y = np.eye(3, dtype=np.float32)
    _, blended, mixed = batches.mixup_with_answers(
        x, y, answers, lambda a, b: (a, 0.75 * b + 0.25 * b[[1, 2, 0]])
    )
    assert blended[0].tolist() == [0.75, 0.25, 0]
    assert mixed.tags[0].tolist() == [0.75]
    assert mixed.has_tags.tolist() == [1, 0, 0]


def test_contrast_is_lower_if_the_windows_of_a_song_are_near() -> None:
    songs = np.array([[3.0], [3.0], [5.0], [5.0], [-1.0]])
    near = np.array([[1, 0], [1, 0.1], [-1, 0], [-1, 0.1], [0, 1]], np.float32)
    far = near[[0, 2, 1, 3, 4]]
    loss = SongContrast(reduction=None)
    each = np.asarray(loss(songs, near))
    assert each[:4].max() < np.asarray(loss(songs, far))[:4].min()
    assert each[4] == 0  # no song: nothing is near to it


def test_training_writes_sources_and_a_checkpoint_without_further_outputs(
    settings: TrainingSettings, parts: Parts, tmp_path: Path
) -> None:
    run = train.train(settings, DATA, parts, tmp_path / "run", verbose=0)
    history = read_history(run)
    assert {"tags_loss", "layer_loss", "contrast_loss", "accuracy", "val_loss"} <= set(history[0])
    assert all(np.isfinite(list(row.values())).all() for row in history)
    assert read_settings(run)[0] == settings
    sources = json.loads((run / "sources.json").read_text())
    assert sources["teachers"] == ["tagger (ISC)"]
    assert sources["packages"][0]["licences"] == ["CC0"]
    plain = train.build(replace(settings, weights="none"), 2)[0]
    plain.load_weights(run / "kept.weights.h5")
    assert len(plain.outputs) == 1
    with pytest.raises(DataError, match=r"answer_weight is 1\.0 there and 2\.0 here"):
        train.train(replace(settings, answer_weight=2.0), DATA, parts, run, verbose=0)


@pytest.mark.parametrize(
    ("changed", "outputs"),
    [
        ({"unlabelled": ()}, {"tags"}),
        ({"answers": "", "contrast_weight": 0.0}, {"tags", "layer"}),
    ],
    ids=["answers alone", "unlabelled music alone"],
)
def test_network_has_only_the_outputs_with_targets(
    settings: TrainingSettings,
    parts: Parts,
    tmp_path: Path,
    changed: dict[str, Any],
    outputs: set[str],
) -> None:
    run = train.train(
        replace(settings, epochs=1, **changed), DATA, parts, tmp_path / "r", verbose=0
    )
    row = read_history(run)[0]
    losses = {name.removesuffix("_loss") for name in row if name.endswith("_loss")}
    assert losses == outputs | {"logits", "val"}


def test_outputs_of_the_classifier_are_unchanged(settings: TrainingSettings, parts: Parts) -> None:
    model, _ = train.build(settings, 2)
    fitted = with_further_outputs(model, made(settings, parts))
    x = np.random.default_rng(1).normal(size=(2, *settings.image.shape)).astype(np.float32)
    both = fitted.predict_on_batch(x)
    assert np.asarray(both["logits"]) == pytest.approx(model.predict_on_batch(x), abs=1e-5)
    assert {name: each.shape[1] for name, each in both.items()} == {
        "logits": 2, "tags": 2, "layer": 3, "contrast": 128,
    }  # fmt: skip


def test_answers_to_the_test_part_are_refused(settings: TrainingSettings, parts: Parts) -> None:
    answers_to(DATA, parts["test"], units=0).save(Path(settings.answers))
    with pytest.raises(DataError, match="may only judge a network"):
        made(settings, parts)


def test_archive_kept_for_judging_is_refused(settings: TrainingSettings, parts: Parts) -> None:
    folder = Path(settings.unlabelled[0])
    write_archive(folder, SONGS, genres=np.array(["one", "supertux-data", "two"]))
    with pytest.raises(DataError, match="has supertux-data, whose music only judges"):
        made(settings, parts)


def test_archive_without_answers_needs_the_contrast(
    settings: TrainingSettings, parts: Parts
) -> None:
    (Path(settings.unlabelled[0]) / "teacher.npz").unlink()
    assert made(settings, parts).units == 0
    with pytest.raises(DataError, match="genrec teacher-answers"):
        made(replace(settings, contrast_weight=0.0), parts)


def changed_archive(folder: Path, copies: Dataset) -> str:
    """Write an archive of changed songs; return its folder."""
    write_archive(folder, copies)
    (folder / "sources.json").write_text(json.dumps({"packages": [], "changed": True}))
    return str(folder)


def test_second_window_of_a_song_is_of_its_changed_copy(
    settings: TrainingSettings, parts: Parts, tmp_path: Path
) -> None:
    """The copies are in another order, and the teacher answered each song in another way."""
    answers = answers_to(SONGS, np.arange(3), units=3)
    of_song = np.repeat([[0.1], [0.5], [0.9]], 5, axis=0).astype(np.float16)
    replace(answers, probabilities=np.hstack([of_song, of_song])).save(
        Path(settings.unlabelled[0]) / "teacher.npz"
    )
    order = [2, 0, 1]
    copies = replace(
        SONGS,
        names=[SONGS.names[i] for i in order],
        levels=255 - SONGS.levels[order],
        n_columns=SONGS.n_columns[order],
    )
    changed = changed_archive(tmp_path / "changed", copies)
    further = made(replace(settings, changed=(changed,), unlabelled_batch=12), parts)
    heard: list[tuple[bool, str]] = []

    def image(data: Dataset, index: int, _: np.random.Generator) -> Any:
        heard.append((bool(np.array_equal(data.levels, copies.levels)), data.names[index]))
        return np.zeros((1, 2, 2, 3), np.float32), (0.0, 2.0)

    _, found, _ = further.draw(np.random.default_rng(1), image)
    assert [is_copy for is_copy, _ in heard] == [False, True] * 6
    names = [name for _, name in heard]
    assert names[::2] == names[1::2]
    assert len(set(names)) > 1
    expected = [of_song[5 * SONGS.names.index(name), 0] for name in names]
    assert found.tags[:, 0] == pytest.approx(expected, abs=1e-3)


def test_changed_copies_that_do_not_fit_are_refused(
    settings: TrainingSettings, parts: Parts, tmp_path: Path
) -> None:
    few = replace(played_data([101], seconds=8), genres=["one"])
    bands = replace(SONGS, levels=SONGS.levels[:, :64])
    shorter = replace(SONGS, n_columns=SONGS.n_columns - 1)
    folders = {
        name: changed_archive(tmp_path / name, data)
        for name, data in (("few", few), ("bands", bands), ("short", shorter), ("all", SONGS))
    }
    plain = settings.unlabelled
    for changed, unlabelled, words in (
        (("few",), plain, rf"no copy of {SONGS.names[1]} with its length"),
        (("short",), plain, rf"no copy of {SONGS.names[0]} with its length"),
        (("bands",), plain, "has 64 mel bands"),
        (("few", "all"), plain, f"Two archives of --changed have {SONGS.names[0]}"),
        (("all",), (folders["all"],), "has changed songs: pass it as --changed"),
        (("all",), (), "pass both"),
    ):
        chosen = tuple(folders[each] for each in changed)
        with pytest.raises(DataError, match=words):
            made(replace(settings, changed=chosen, unlabelled=unlabelled, answers=""), parts)
    with pytest.raises(DataError, match="has no changed songs"):
        made(replace(settings, changed=plain), parts)


def test_recipe_without_random_windows_is_refused(settings: TrainingSettings, parts: Parts) -> None:
    with pytest.raises(DataError, match="--recipe genrec"):
        made(replace(settings, augment=NONE), parts)


def test_other_tags_are_refused(settings: TrainingSettings, parts: Parts) -> None:
    other = replace(answers_to(DATA, parts["train"], units=0), tags=["rock", "loud"])
    other.save(Path(settings.answers))
    with pytest.raises(DataError, match="different tags"):
        made(settings, parts)


def test_batch_without_unlabelled_music_has_all_genres() -> None:
    none = WindowAnswers(
        np.zeros((2, 1), np.float32), np.zeros((2, 0), np.float32),
        np.zeros(2, np.float32), np.zeros(2, np.float32),
    )  # fmt: skip
    _, _, weights = join(
        (np.zeros((2, 1, 1, 1)), np.eye(2, dtype=np.float32), none), None, ["logits", "tags"]
    )
    assert weights["logits"].tolist() == [1, 1]
    assert weights["tags"].tolist() == [0, 0]
    assert keras.backend.backend() == "tensorflow"
