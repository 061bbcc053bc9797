"""Archives and splits."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from genrec.errors import DataError
from genrec.images import ImageConfig
from genrec.spectrogram import SpectrogramConfig, log_mel
from genrec.training.data.artist_folds import duplicate_pairs
from genrec.training.data.dataset import (
    Parts,
    check_front_end,
    decode_levels,
    encode_levels,
    load_archive,
    require_parts,
    split,
)
from genrec.training.filterbank import band_centres, mel_basis
from tests.genrec.training.small import blank_data, played_data, write_archive

GENRES = ["jazz"] * 20 + ["rock"] * 30
DATA = blank_data(GENRES)


def write_rows(path: Path, *rows: str, encoding: str = "utf-8") -> Path:
    path.write_text("\n".join(rows) + "\n", encoding=encoding)
    return path


def lists(parts: Parts) -> dict[str, list[int]]:
    return {name: indices.tolist() for name, indices in parts.items()}


# --- levels


@pytest.mark.parametrize("range_db", [80.0, 43.7])
def test_levels_round_trip_within_half_a_level(range_db: float) -> None:
    rng = np.random.default_rng(0)
    S_db = rng.uniform(-range_db, 0, (128, 50)).astype(np.float32)
    S_db[0, 0], S_db[1, 1] = -range_db, 0
    levels, found = encode_levels(S_db)
    assert levels.dtype == np.uint8
    assert found == pytest.approx(range_db)
    back = decode_levels(levels, found)
    assert np.abs(back - S_db).max() <= range_db / 256
    assert back[0, 0] == pytest.approx(-range_db)
    assert np.array_equal(encode_levels(back)[0], levels)


def test_encode_levels_of_a_constant_spectrogram() -> None:
    levels, range_db = encode_levels(np.zeros((4, 3), dtype=np.float32))
    assert (range_db, set(levels.ravel().tolist())) == (1.0, {255})


# --- the archive


def test_load_archive_reads_arrays_tracks_and_audio(tmp_path: Path) -> None:
    data = played_data([0, 3], seconds=2)
    write_archive(tmp_path, data)
    write_rows(
        tmp_path / "tracks.csv",
        "excerpt,genre,artist,title,artist_key",
        'ballad.00003,ballad,"Sång, The","Ä ""song""",',
        "disco.00000,disco",
    )
    (tmp_path / "audio").mkdir()
    (tmp_path / "audio" / "disco.00000.flac").touch()
    read = load_archive(tmp_path)
    assert (len(read), read.labels) == (2, ["ballad", "disco"])
    assert read.names == ["disco.00000", "ballad.00003"]
    assert read.artists == ["", "Sång, The"]
    assert read.titles == ["", 'Ä "song"']
    assert read.artist_keys == ["", "sang"]
    assert read.audio == {"disco.00000": tmp_path / "audio" / "disco.00000.flac"}
    for i in range(2):
        assert np.array_equal(read.spectrogram(i), data.spectrogram(i))
    assert read.spectrogram(0).shape[1] < data.levels.shape[2]  # without padding


def test_load_archive_without_n_columns_uses_all_columns(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "logmel.npz",
        levels=np.full((1, 8, 5), 9, dtype=np.uint8),
        excerpts=np.array(["a"]),
        genres=np.array(["jazz"]),
        range_db=np.array([80.0]),
    )
    assert load_archive(tmp_path).spectrogram(0).shape == (8, 5)


def truncated(folder: Path) -> None:
    path = write_archive(folder, DATA) / "logmel.npz"
    path.write_bytes(path.read_bytes()[:-3000])


def garbled(folder: Path) -> None:
    np.savez_compressed(
        folder / "logmel.npz",
        levels=np.random.default_rng(0).integers(0, 256, (9, 64, 64)).astype(np.uint8),
    )
    content = bytearray((folder / "logmel.npz").read_bytes())
    content[5000:5100] = bytes(100)
    (folder / "logmel.npz").write_bytes(content)


BROKEN: dict[str, Callable[[Path], object]] = {
    "missing": lambda folder: None,
    "empty": lambda folder: (folder / "logmel.npz").touch(),
    "text": lambda folder: (folder / "logmel.npz").write_text("genre,track\n"),
    "truncated": truncated,
    "garbled": garbled,
    "without levels": lambda folder: np.savez(folder / "logmel.npz", excerpts=["a"], genres=["b"]),
    "too few names": lambda folder: write_archive(folder, DATA, excerpts=np.array(["a"])),
    "floats": lambda folder: write_archive(folder, DATA, levels=np.zeros((50, 128, 4))),
    "flat": lambda folder: write_archive(folder, DATA, levels=np.zeros((50, 4), dtype=np.uint8)),
}


@pytest.mark.parametrize("fault", list(BROKEN))
def test_load_archive_of_a_broken_file_raises_data_error(tmp_path: Path, fault: str) -> None:
    BROKEN[fault](tmp_path)
    with pytest.raises(DataError, match=r"logmel\.npz (cannot be read|must hold).*\.$"):
        load_archive(tmp_path)


def test_check_front_end_with_other_mel_bands_raises() -> None:
    check_front_end(DATA, SpectrogramConfig(), ImageConfig())
    with pytest.raises(DataError, match="128 mel bands and the front end has 64"):
        check_front_end(DATA, SpectrogramConfig(n_mels=64), ImageConfig())


def test_band_centres_match_the_peaks_of_the_filter_bank() -> None:
    config = SpectrogramConfig()
    basis, centres = mel_basis(config), band_centres(config)
    assert basis.shape == (128, 1025)
    assert centres.shape == (128,)
    peaks = basis.argmax(axis=1) * config.sr / config.n_fft
    assert np.abs(peaks - centres).max() <= config.sr / config.n_fft


# --- splits


def test_split_paper_without_file_is_80_10_10_per_genre(
    tmp_path: Path,
) -> None:
    parts = split(DATA, tmp_path, "paper")
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(50))  # each once
    by_genre = {
        name: {genre: sum(GENRES[i] == genre for i in indices) for genre in ("jazz", "rock")}
        for name, indices in parts.items()
    }
    assert by_genre == {
        "train": {"jazz": 16, "rock": 24},
        "valid": {"jazz": 2, "rock": 3},
        "test": {"jazz": 2, "rock": 3},
    }
    assert lists(split(DATA, tmp_path, "paper")) == lists(parts)


def test_split_paper_reads_split_paper_csv(tmp_path: Path) -> None:
    write_rows(
        tmp_path / "split_paper.csv",
        "excerpt,part",
        "jazz.00000,test",
        "jazz.00001,train",
        "rock.00020,valid",
        "rock.99999,test",
    )
    assert lists(split(DATA, tmp_path, "paper")) == {"train": [1], "valid": [20], "test": [0]}


def test_split_filtered_reads_tracks_csv(tmp_path: Path) -> None:
    write_rows(
        tmp_path / "tracks.csv",
        "excerpt,split_filtered",
        "jazz.00003,train",
        "jazz.00004,excluded",
        "rock.00021,test",
        "rock.00022",
    )
    assert lists(split(DATA, tmp_path, "filtered")) == {"train": [3], "valid": [], "test": [21]}


def test_split_filtered_wide_validates_on_a_tenth_of_the_artists(tmp_path: Path) -> None:
    parts = ["train"] * 20 + ["valid"] * 20 + ["test"] * 5 + ["excluded"] * 5
    write_rows(
        tmp_path / "tracks.csv",
        "excerpt,split_filtered",
        *(f"{name},{part}" for name, part in zip(DATA.names, parts, strict=True)),
    )

    wide = split(DATA, tmp_path, "filtered-wide")

    assert wide["test"].tolist() == list(range(40, 45))
    assert sorted([*wide["train"], *wide["valid"]]) == list(range(40))
    artist = [key or name for key, name in zip(DATA.artist_keys, DATA.names, strict=True)]
    valid = {artist[i] for i in wide["valid"]}
    assert len(valid) == -(-len({artist[i] for i in range(40)}) // 10)
    assert not valid & {artist[i] for i in wide["train"]}


def test_split_all_makes_every_excerpt_test(tmp_path: Path) -> None:
    assert lists(split(DATA, tmp_path, "all")) == {
        "train": [],
        "valid": [],
        "test": list(range(50)),
    }


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_split_reads_a_csv_file_with_or_without_bom(tmp_path: Path, encoding: str) -> None:
    path = write_rows(
        tmp_path / "mine.csv",
        "excerpt,part",
        "jazz.00005,valid",
        "rock.00030,train",
        encoding=encoding,
    )
    assert lists(split(DATA, tmp_path, str(path))) == {"train": [30], "valid": [5], "test": []}


def test_split_that_does_not_exist_or_match_raises(tmp_path: Path) -> None:
    with pytest.raises(
        DataError,
        match=r"no split file .*nothing\.csv; .*paper, filtered, .*-fold-5, all\.$",
    ):
        split(DATA, tmp_path, str(tmp_path / "nothing.csv"))
    with pytest.raises(
        DataError, match=r"tracks\.csv assigns no excerpt of this data set to a part"
    ):
        split(DATA, tmp_path, "filtered")
    strange = write_rows(tmp_path / "strange.csv", "excerpt,part", "polka.00001,train")
    with pytest.raises(
        DataError, match=r"strange\.csv assigns no excerpt of this data set to a part"
    ):
        split(DATA, tmp_path, str(strange))
    headless = write_rows(tmp_path / "headless.csv", "jazz.00001,train")
    with pytest.raises(DataError, match=r"headless\.csv has no column 'excerpt'"):
        split(DATA, tmp_path, str(headless))


def test_require_parts_names_the_empty_parts(tmp_path: Path) -> None:
    parts = split(DATA, tmp_path, "all")
    require_parts(parts, "test")
    with pytest.raises(DataError, match=r"no train and no valid part.* needs train and valid"):
        require_parts(parts, "train", "valid")


def test_duplicate_pairs_are_read_as_pairs_of_names(tmp_path: Path) -> None:
    assert duplicate_pairs(tmp_path) == []
    (tmp_path / "duplicates.json").write_text(json.dumps([["a", "b"], ["c", "d"]]))
    assert duplicate_pairs(tmp_path) == [("a", "b"), ("c", "d")]


# --- GTZAN


@pytest.mark.shared
def test_gtzan_splits_have_the_published_sizes(shared: Path) -> None:
    folder = shared / "gtzan"
    data = load_archive(folder)
    assert (len(data), data.levels.shape) == (938, (938, 128, 387))
    assert len(data.labels) == 10
    assert len(data.audio) == 94
    assert set(data.audio) <= set(data.names)
    sizes = {
        name: {part: len(indices) for part, indices in split(data, folder, name).items()}
        for name in ("paper", "filtered")
    }
    assert sizes == {
        "paper": {"train": 758, "valid": 90, "test": 90},
        "filtered": {"train": 421, "valid": 182, "test": 275},
    }


@pytest.mark.shared
def test_gtzan_arrays_match_our_front_end_on_its_audio(shared: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    folder = shared / "gtzan"
    data = load_archive(folder)
    config = SpectrogramConfig(hop_length=512)  # the archive's columns are frames of this hop
    basis = mel_basis(config)
    with np.load(folder / "logmel.npz") as archive:
        frame_index = archive["frame_index"]
    for name in sorted(data.audio)[::8]:
        index = data.names.index(name)
        y, sr = soundfile.read(data.audio[name], dtype="float32")
        assert sr == config.sr
        ours = log_mel(y, config, basis)
        frames = frame_index[index]
        frames = frames[frames < ours.shape[1] - 4]  # the last frames span the cut
        ours, theirs = ours[:, frames], data.spectrogram(index)[:, : len(frames)]
        audible = (ours > -70) & (theirs > -70)
        difference = (ours - theirs)[audible]
        # The audio is a part of the excerpt, so its maximum may differ.
        rms = float(np.sqrt(np.mean((difference - np.median(difference)) ** 2)))
        assert rms < 0.6, name
