"""Archives of unlabelled songs, their packages, and a tagger's answers to them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from genrec.errors import DataError
from genrec.spectrogram import SpectrogramConfig
from genrec.training.data.dataset import load_archive, no_progress
from genrec.training.data.songs import find_songs, licences, read_sources
from genrec.training.teachers.answers import load_answers
from genrec.training.teachers.run_teacher import archive_songs, write_answers
from tests.synth import music

pytest.importorskip("librosa")
CONFIG = SpectrogramConfig()
SR = CONFIG.sr


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """Two packages: two songs at some depth, and a sound that is too short for a song."""
    folder = tmp_path / "packages"
    for name, seconds in (("one/usr/a.wav", 33), ("one/usr/x/b.wav", 3), ("two/a.wav", 31)):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, music(seconds, seconds, SR), SR)
    text = "Files: *\nLicense: GPL-2+\n\nFiles: music/*\nLicense: CC-BY-SA-3.0 \n"
    (folder / "one/usr/copyright").write_text(text)
    return folder


class Counted:
    """A tagger whose only tag is the loudness; it counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, y: np.ndarray, sr: int, *, hop_s: float) -> tuple[np.ndarray, ...]:
        self.calls += 1
        starts = np.arange(0, len(y) / sr - 3, hop_s, dtype=np.float32)
        return starts, np.full((len(starts), 1), np.abs(y).mean()), np.ones((len(starts), 2))


def test_copies_of_a_song_are_left_out(packages: Path) -> None:
    song = packages / "one/usr/a.wav"
    (packages / "one/usr/fr").mkdir()
    for copy in ("one/usr/fr/a.wav", "two/b.wav"):
        (packages / copy).write_bytes(song.read_bytes())
    of_same_size = bytearray(song.read_bytes())
    of_same_size[-1] ^= 1
    (packages / "two/c.wav").write_bytes(of_same_size)
    assert [each.name for each in find_songs(packages)] == [
        "one/usr/a.wav", "one/usr/x/b.wav", "two/a.wav", "two/c.wav",
    ]  # fmt: skip


def test_archive_has_the_songs_and_their_packages(packages: Path, tmp_path: Path) -> None:
    data, refused = archive_songs(packages, tmp_path / "out", CONFIG, no_progress)
    assert list(data.names) == ["one/usr/a.wav", "two/a.wav"]
    assert [path.name for path, _ in refused] == ["b.wav"]
    assert data.n_columns[0] * CONFIG.hop_length / SR == pytest.approx(33, abs=1.5)
    rows = read_sources(tmp_path / "out")
    assert [(row["name"], row["songs"], row["licences"]) for row in rows] == [
        ("one", 1, ["CC-BY-SA-3.0", "GPL-2+"]),
        ("two", 1, []),
    ]


def test_changed_archive_has_other_levels_of_the_same_songs(packages: Path, tmp_path: Path) -> None:
    data, _ = archive_songs(packages, tmp_path / "out", CONFIG, no_progress)
    changed, again = (
        archive_songs(packages, tmp_path / name, CONFIG, no_progress, changed=True)[0]
        for name in ("changed", "again")
    )
    assert changed.names == data.names
    assert np.array_equal(changed.n_columns, data.n_columns)
    for i, columns in enumerate(data.n_columns):
        moved = np.abs(changed.levels[i].astype(int) - data.levels[i])[:, :columns]
        assert (moved > 2).mean() > 0.1
    assert np.array_equal(changed.levels, again.levels)
    for folder, to in (("out", True), ("changed", False)):
        kind = "changed" if to else "unchanged"
        with pytest.raises(DataError, match=f"another folder for {kind} ones"):
            archive_songs(packages, tmp_path / folder, CONFIG, no_progress, changed=to)
    with pytest.raises(DataError, match="has changed songs"):
        write_answers(packages, tmp_path / "changed", Counted(), progress=no_progress)
    other = SpectrogramConfig(sr=16000)
    with pytest.raises(DataError, match="at 22050 Hz alone"):
        archive_songs(packages, tmp_path / "other", other, no_progress, changed=True)


def test_shards_of_changed_songs_are_others(packages: Path, tmp_path: Path) -> None:
    """A command that was stopped leaves shards and no sources.json."""
    out = tmp_path / "out"
    plain, _ = archive_songs(packages, out, CONFIG, no_progress)
    (out / "sources.json").unlink()
    changed, _ = archive_songs(packages, out, CONFIG, no_progress, changed=True)
    assert not np.array_equal(changed.levels, plain.levels)
    (out / "sources.json").unlink()
    again, _ = archive_songs(packages, out, CONFIG, no_progress)
    assert np.array_equal(again.levels, plain.levels)


def test_licences_without_fields_are_the_common_licences_of_the_text(tmp_path: Path) -> None:
    where = "/usr/share/common-licenses"
    text = f"Its text is in `{where}/GPL-2',\nor in {where}/LGPL-2.1."
    (tmp_path / "copyright").write_text(text)
    assert licences(tmp_path) == ["GPL-2", "LGPL-2.1"]
    (tmp_path / "copyright").write_text(f"License: GPL-2+\n {text}\n")
    assert licences(tmp_path) == ["GPL-2+"]


def test_answers_lie_beside_the_archive_and_are_kept(packages: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    archive_songs(packages, out, CONFIG, no_progress)
    tagger = Counted()
    options = {"teacher": "t", "tags": ["loud"], "patch_s": 3.0, "sr": SR, "progress": no_progress}
    for _ in range(2):
        write_answers(packages, out, tagger, hop_s=5.0, **options)
    assert tagger.calls == 2  # once for each song
    stored = load_answers(out)
    assert list(stored.rows) == list(load_archive(out).names)
    assert stored.start_s[stored.rows["two/a.wav"]].tolist() == [0, 5, 10, 15, 20, 25]
    write_answers(packages, out, tagger, hop_s=10.0, **options)
    assert tagger.calls == 4  # another hop has other answers


def test_packages_kept_for_judging_are_refused(packages: Path) -> None:
    (packages / "asterisk-moh-opsource-wav").mkdir()
    with pytest.raises(DataError, match="asterisk-moh-opsource-wav, whose music only judges"):
        find_songs(packages)


def test_folder_without_sound_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no folder with sound files"):
        find_songs(tmp_path)


def test_damaged_sources_are_refused(tmp_path: Path) -> None:
    (tmp_path / "sources.json").write_text(json.dumps([1]))
    with pytest.raises(DataError, match="genrec archive"):
        read_sources(tmp_path)
