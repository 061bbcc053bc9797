"""Archives made from a folder of audio: same front end as serving, resumable, refusals listed."""

from __future__ import annotations

import os
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genrec.audio.decode import decode
from genrec.errors import DataError
from genrec.listening import listen
from genrec.spectrogram import SpectrogramConfig, log_mel
from genrec.training.data import archive, parallel
from genrec.training.data.archive import find_excerpts, load_data
from genrec.training.data.dataset import load_archive
from genrec.training.filterbank import mel_basis
from tests.genrec.training.small import blank_data, write_archive
from tests.synth import music, write, write_av

CONFIG = SpectrogramConfig()


class ThreadPool(ThreadPoolExecutor):
    """Stand-in for ProcessPoolExecutor that runs in a thread and records the decoded files."""

    decoded: list[str] = []  # noqa: RUF012 - one list per test

    def __init__(self, count: int | None, **options: Any) -> None:
        super().__init__(1)

    def submit(self, function: Any, /, path: Path, *rest: Any) -> Future[Any]:
        def recorded() -> str:
            self.decoded.append(path.name)
            return str(function(path, *rest))

        return super().submit(recorded)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(ThreadPool, "decoded", [])
    monkeypatch.setattr(parallel, "ProcessPoolExecutor", ThreadPool)
    return ThreadPool.decoded


@pytest.fixture(scope="module")
def music_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with five clips of two genres, two refused ones, and files without audio."""
    folder = tmp_path_factory.mktemp("data") / "mine"
    for seed, name in [(0, "disco/a.wav"), (5, "disco/b.flac"), (3, "ballad/a.flac")]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write(folder / name, music(seed, 2 + 0.5 * seed, 44100), 44100)
    write(folder / "ballad" / "c.ogg", music(8, 3, 22050), 22050)
    write_av(
        folder / "ballad" / "d.m4a", music(13, 3, 44100), 44100,
        container="ipod", codec="aac", title="A Slow Song",
    )  # fmt: skip
    (folder / "ballad" / "text.mp3").write_text("no music at all, only words\n" * 50)
    write(folder / "disco" / "short.wav", music(0, 0.3, 44100), 44100)
    for ignored in (
        "notes.txt",
        "ballad/cover.jpg",
        "ballad/.hidden.wav",
        "disco/c.flac.0a1b.part.flac",
    ):
        (folder / ignored).write_text("not audio")
    return folder


def test_find_excerpts_lists_audio_with_unique_names(music_folder: Path) -> None:
    found = [(excerpt.name, excerpt.genre) for excerpt in find_excerpts(music_folder)]
    assert found == [
        ("ballad.a.flac", "ballad"),
        ("c", "ballad"),
        ("d", "ballad"),
        ("text", "ballad"),
        ("disco.a.wav", "disco"),
        ("b", "disco"),
        ("short", "disco"),
    ]


def test_load_data_matches_the_front_end_of_serving(music_folder: Path, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    data, refused = load_data(
        music_folder, CONFIG, cache=tmp_path, progress=lambda done, of: calls.append((done, of))
    )
    assert calls == [(done, 7) for done in range(8)]
    assert data.names == ["ballad.a.flac", "c", "d", "disco.a.wav", "b"]
    assert data.genres == ["ballad"] * 3 + ["disco"] * 2
    assert data.titles[2] == "A Slow Song"
    basis = mel_basis(CONFIG)
    for i, name in enumerate(data.names):
        y = listen(decode(data.audio[name], sr=CONFIG.sr).y, CONFIG.sr).y
        expected, found = log_mel(y, CONFIG, basis), data.spectrogram(i)
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() <= data.range_db[i] / 256 + 1e-3
    assert [path.name for path, _ in refused] == ["text.mp3", "short.wav"]
    assert all(reason.endswith(".") and len(reason) > 20 for _, reason in refused)
    [cached] = tmp_path.iterdir()
    assert load_archive(cached).names == data.names


def test_interrupted_archive_resumes_with_the_remaining_files(
    music_folder: Path, tmp_path: Path, decoded: list[str]
) -> None:
    def stop_after_two(done: int, of: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_data(music_folder, CONFIG, cache=tmp_path, progress=stop_after_two)
    first = list(decoded)
    assert 2 <= len(first) < 7  # queued files were cancelled
    decoded.clear()
    data, refused = load_data(music_folder, CONFIG, cache=tmp_path)
    done = {name for name in first if name not in {"text.mp3", "short.wav"}}
    assert not done & set(decoded)
    assert len(decoded) == 7 - len(done)
    assert (len(data), len(refused)) == (5, 2)
    decoded.clear()
    load_data(music_folder, CONFIG, cache=tmp_path)
    assert sorted(decoded) == ["short.wav", "text.mp3"]  # refused files are tried again


def test_changed_file_or_front_end_is_decoded_again(tmp_path: Path, decoded: list[str]) -> None:
    folder = tmp_path / "data"
    (folder / "disco").mkdir(parents=True)
    for name in ("a.wav", "b.wav"):
        write(folder / "disco" / name, music(0, 1.5, 22050), 22050)
    load_data(folder, CONFIG, cache=tmp_path / "cache")
    decoded.clear()
    write(folder / "disco" / "b.wav", music(5, 1.7, 22050), 22050)
    load_data(folder, CONFIG, cache=tmp_path / "cache")
    assert decoded == ["b.wav"]
    decoded.clear()
    other, _ = load_data(folder, SpectrogramConfig(n_mels=64), cache=tmp_path / "cache")
    assert decoded == ["a.wav", "b.wav"]
    assert other.levels.shape[1] == 64


def test_load_data_of_an_archive_decodes_nothing(tmp_path: Path, decoded: list[str]) -> None:
    data = blank_data(["jazz", "rock"])
    loaded, refused = load_data(
        write_archive(tmp_path / "made", data), CONFIG, cache=tmp_path / "cache"
    )
    assert (loaded.names, refused, decoded) == (data.names, [], [])
    assert not (tmp_path / "cache").exists()


def test_load_data_without_usable_audio_raises(tmp_path: Path, decoded: list[str]) -> None:
    with pytest.raises(DataError, match=r"neither logmel\.npz nor a folder per genre of audio"):
        load_data(tmp_path, CONFIG, cache=tmp_path / "cache")
    (tmp_path / "jazz").mkdir()
    (tmp_path / "jazz" / "text.mp3").write_text("no music at all, only words\n" * 50)
    with pytest.raises(DataError, match="None of the 1 audio files could be decoded: "):
        load_data(tmp_path, CONFIG, cache=tmp_path / "cache")


def test_dead_process_raises_data_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decoded: list[str]
) -> None:
    (tmp_path / "jazz").mkdir()
    write(tmp_path / "jazz" / "a.wav", music(0, 1.5, 22050), 22050)

    def die(*_: Any) -> str:
        raise parallel.BrokenProcessPool("killed")

    monkeypatch.setattr(archive, "_write_shard", die)
    with pytest.raises(DataError, match=r"died\. Run the command again"):
        load_data(tmp_path, CONFIG, cache=tmp_path / "cache")


def test_partly_written_shard_is_discarded(
    tmp_path: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data"
    (folder / "disco").mkdir(parents=True)
    write(folder / "disco" / "a.wav", music(0, 1.5, 22050), 22050)

    def full(file: Path, **arrays: Any) -> None:
        file.write_bytes(b"PK half of it")
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr(archive.np, "savez", full)
        with pytest.raises(OSError, match="No space left"):
            load_data(folder, CONFIG, cache=tmp_path / "cache")
    data, _ = load_data(folder, CONFIG, cache=tmp_path / "cache")
    assert data.spectrogram(0).shape[0] == 128
