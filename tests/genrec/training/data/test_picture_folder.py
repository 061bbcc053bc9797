"""Folders of pictures: forms, names, parts; and the pictures that are written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from genrec.errors import DataError
from genrec.images import ImageConfig
from genrec.spectrogram import SpectrogramConfig
from genrec.training.data.archive import load_data
from genrec.training.data.dataset import PictureDataset, check_front_end, split
from genrec.training.data.picture_files import FOLDERS, PictureStyle, painter, write_pictures
from genrec.training.data.picture_folder import load_pictures
from tests.genrec.training.small import blank_data, played_data

PICTURE = ImageConfig(columns=0, height=32, width=48, source="picture")
DATA = played_data([5 * i + style for style in (0, 3) for i in range(10)], seconds=2)


def put(path: Path, level: int = 100) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    grey = np.random.default_rng(level).integers(0, level, (20, 30)).astype(np.uint8)
    Image.fromarray(grey).save(path)
    return path


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


def test_folder_by_genre_is_a_data_set_of_pictures(tmp_path: Path) -> None:
    for name in ("blues/blues00000.png", "blues/blues00001.jpg", "rock/rock00000.png"):
        put(tmp_path / name)
    put(tmp_path / "rock" / ".hidden.png")
    put(tmp_path / "rock" / "cover.part.png")
    (tmp_path / "rock" / "notes.txt").write_text("none")
    data, refused = load_data(tmp_path, SpectrogramConfig(), cache=tmp_path / "cache")
    assert isinstance(data, PictureDataset)
    assert refused == []
    assert list(data.names) == ["blues.00000", "blues.00001", "rock.00000"]
    assert list(data.genres) == ["blues", "blues", "rock"]
    assert data.labels == ["blues", "rock"]
    assert data.own_parts == ()
    image = data.image(0, PICTURE)
    assert (image.shape, image.dtype) == ((1, 32, 48, 3), np.float32)
    assert not (tmp_path / "cache").exists()


def test_parts_come_from_the_folders_and_split_files_come_first(tmp_path: Path) -> None:
    for number, part in enumerate(("train", "validation", "test")):
        for genre in ("blues", "rock"):
            put(tmp_path / part / genre / f"{genre}0000{number}.png")
    data = load_pictures(tmp_path)
    assert data is not None
    parts = split(data, tmp_path, "paper")
    for number, part in enumerate(("train", "valid", "test")):
        found = sorted(data.names[i] for i in parts[part])
        assert found == [f"blues.0000{number}", f"rock.0000{number}"]
    rows = "excerpt,part\nblues.00002,train\nrock.00002,valid\nblues.00000,test\n"
    (tmp_path / "split_paper.csv").write_text(rows)
    parts = split(data, tmp_path, "paper")
    assert [data.names[i] for i in parts["train"]] == ["blues.00002"]


def test_equal_names_in_two_genres_stay_apart(tmp_path: Path) -> None:
    for name in ("blues/a.png", "rock/a.png"):
        put(tmp_path / name)
    data = load_pictures(tmp_path)
    assert data is not None
    assert list(data.names) == ["blues.a.png", "rock.a.png"]


def test_tracks_file_gives_artists(tmp_path: Path) -> None:
    put(tmp_path / "blues" / "blues00000.png")
    (tmp_path / "tracks.csv").write_text("excerpt,artist,title\nblues.00000,Ann,One\n")
    data = load_pictures(tmp_path)
    assert data is not None
    assert (data.artists[0], data.titles[0], data.artist_keys[0]) == ("Ann", "One", "ann")


def test_damaged_picture_is_named(tmp_path: Path) -> None:
    put(tmp_path / "blues" / "a.png").write_bytes(b"nothing")
    data = load_pictures(tmp_path)
    assert data is not None
    with pytest.raises(DataError, match=r"blues/a\.png: a\.png is no picture"):
        data.image(0, PICTURE)


def test_folder_without_pictures_is_none(tmp_path: Path) -> None:
    assert load_pictures(tmp_path) is None
    with pytest.raises(DataError, match=r"audio .* or pictures"):
        load_data(tmp_path, SpectrogramConfig(), cache=tmp_path)


def test_pictures_and_sound_are_not_mixed(tmp_path: Path) -> None:
    put(tmp_path / "blues" / "a.png")
    pictures = load_pictures(tmp_path)
    assert pictures is not None
    check_front_end(pictures, SpectrogramConfig(), PICTURE)
    with pytest.raises(DataError, match=r"data are pictures, and .* of sound"):
        check_front_end(pictures, SpectrogramConfig(), ImageConfig())
    with pytest.raises(DataError, match=r"data are sound, and .* of pictures"):
        check_front_end(blank_data(["blues"]), SpectrogramConfig(), PICTURE)


@pytest.mark.parametrize("form", ["png", "jpg"])
def test_written_pictures_come_back_with_the_same_split(tmp_path: Path, form: str) -> None:
    parts = split(DATA, tmp_path, "paper")
    style = PictureStyle(form="png" if form == "png" else "jpg", colour="viridis")
    assert write_pictures(DATA, parts, tmp_path, style) == 20
    again = load_pictures(tmp_path)
    assert again is not None
    theirs = split(again, tmp_path, "paper")
    for part in FOLDERS:
        assert sorted(again.names[i] for i in theirs[part]) == sorted(
            DATA.names[i] for i in parts[part]
        )
    assert sorted(again.artists) == sorted(DATA.artists)
    assert size_of(again.paths[0]) == (DATA.spectrogram(0).shape[1], 128)


def test_stopped_writing_continues_and_another_split_is_refused(tmp_path: Path) -> None:
    parts = split(DATA, tmp_path, "paper")
    style = PictureStyle(size=(60, 40))

    def stop(done: int, _: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_pictures(DATA, parts, tmp_path, style, progress=stop)
    first = sorted(tmp_path.glob("*/*/*.png"))
    assert len(first) == 3
    before = [path.stat().st_mtime_ns for path in first]
    assert write_pictures(DATA, parts, tmp_path, style) == 17
    assert [path.stat().st_mtime_ns for path in first] == before
    assert size_of(first[0]) == (60, 40)
    swapped = {"train": parts["test"], "valid": parts["valid"], "test": parts["train"]}
    with pytest.raises(DataError, match="which this split puts elsewhere"):
        write_pictures(DATA, swapped, tmp_path, style)


def test_painter_puts_low_bands_at_the_bottom_and_loud_cells_light() -> None:
    S_db = np.full((4, 3), -80, dtype=np.float32)
    S_db[0, 1] = 0
    grey = painter("grey")(S_db, 80.0)
    assert grey.shape == (4, 3, 3)
    assert grey[3, 1].tolist() == [255, 255, 255]
    assert grey.sum() == 3 * 255
    viridis = painter("viridis")(S_db, 80.0)
    assert viridis[3, 1].tolist() == [253, 231, 36]
    assert viridis[0, 0].tolist() == [68, 1, 84]


def test_unknown_colour_map_is_refused() -> None:
    with pytest.raises(DataError, match="--colour must be one of grey, viridis"):
        replace(PictureStyle(), colour="jet")
