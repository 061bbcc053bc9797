"""Tests of the scan: each music file once, whatever the links."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from db.ingest.scan import FileStamp, file_sha256, file_stamp, open_folder, scan_folder
from genrec.audio.kinds import UNHEARD_SUFFIXES
from genrec.errors import FileMissing
from tests.synth import tone, write


def _names(root: Path) -> list[str]:
    return [os.path.relpath(path, root) for path in scan_folder(root).files]


def _put(root: Path, name: str, data: bytes = b"12345") -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(data)


def _left_out(root: Path) -> dict[str, tuple[str, str]]:
    found = scan_folder(root).left_out
    return {os.path.relpath(file.path, root): (file.reason.value, file.kind) for file in found}


def test_scan_returns_sound_files_and_gives_a_reason_for_each_other(tmp_path: Path) -> None:
    for name in ("b/2.FLAC", "a/1.mp3", "b/notes.txt", "a/5.opus.part", "a/cover.JPG", "a/x.ape"):
        _put(tmp_path, name)
    assert _names(tmp_path) == ["a/1.mp3", "b/2.FLAC"]
    assert _left_out(tmp_path) == {
        "a/5.opus.part": ("unfinished", "OPUS"),
        "a/cover.JPG": ("no_sound", "picture"),
        "a/x.ape": ("unread_format", UNHEARD_SUFFIXES[".ape"]),
        "b/notes.txt": ("no_sound", "text"),
    }
    found = scan_folder(tmp_path).files[str(tmp_path / "a/1.mp3")]
    assert found == file_stamp(str(tmp_path / "a/1.mp3"))
    assert found == FileStamp(5, (tmp_path / "a/1.mp3").stat().st_mtime_ns)


@pytest.mark.parametrize(
    "name",
    [
        ".38 Special/Special Forces/02 Caught Up in You.mp3",
        "Britney Spears/...Baby One More Time.mp3",
        "Metallica/...And Justice for All/01 Blackened.mp3",
        "...And You Will Know Us by the Trail of Dead/.flac/..mp3.mp3",
        ".hidden/3.mp3",
        "a/.4.mp3",
        "Recycled/Recycler/Lost+Found/Trash/Found/1.mp3",
        "RECYCLED/1.mp3",
        "@Home/#1 Hits/$ave/1.mp3",
        "a/._/._1.mp3",
    ],
)
def test_odd_names_are_scanned(tmp_path: Path, name: str) -> None:
    _put(tmp_path, name)
    assert _names(tmp_path) == [name]
    assert _left_out(tmp_path) == {}


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        (".Trash-1000/files", "recycle bin"),
        ("deep/below/.Trashes/501", "recycle bin"),
        ("$RECYCLE.BIN/S-1-5-21", "recycle bin"),
        ("#recycle", "recycle bin"),
        ("@Recycle", "recycle bin"),
        (".recycle/user", "recycle bin"),
        ("@eaDir/1.mp3@SynoEAStream", "thumbnails"),
        (".@__thumb", "NAS folder"),
        (".AppleDouble", "system folder"),
        ("System Volume Information", "system folder"),
        ("lost+found/#123", "system folder"),
        ("__MACOSX", "system folder"),
        ("found.000", "system folder"),
        (".stversions/Album", "synchronisation folder"),
    ],
)
def test_files_of_a_system_folder_are_left_out_and_counted(
    tmp_path: Path, folder: str, kind: str
) -> None:
    _put(tmp_path, f"{folder}/1.mp3")
    _put(tmp_path, f"{folder}/more/2.mp3")
    _put(tmp_path, "Album/3.mp3")
    assert _names(tmp_path) == ["Album/3.mp3"]
    assert _left_out(tmp_path) == {
        f"{folder}/1.mp3": ("system_folder", kind),
        f"{folder}/more/2.mp3": ("system_folder", kind),
    }


def test_snapshots_count_as_one_and_are_not_walked(tmp_path: Path) -> None:
    for number in range(3):
        _put(tmp_path, f".snapshots/{number}/1.mp3")
    _put(tmp_path, "RECYCLER/S-1-5-21-7/1.mp3")
    assert _names(tmp_path) == []
    assert _left_out(tmp_path) == {
        ".snapshots": ("system_folder", "snapshots"),
        "RECYCLER/S-1-5-21-7/1.mp3": ("system_folder", "recycle bin"),
    }


def test_named_folder_is_scanned_even_if_it_is_a_systems(tmp_path: Path) -> None:
    _put(tmp_path, ".Trash-1000/files/1.mp3")
    assert _names(tmp_path / ".Trash-1000") == ["files/1.mp3"]


def test_content_decides_where_the_suffix_does_not(tmp_path: Path) -> None:
    y = tone(0.5)
    for name, kind in (
        ("no suffix", "flac"),
        ("song.mp3.bak", "mp3"),
        ("really.ape", "mp3"),
        ("tape.dat", "opus"),
        ("film.ogm", "ogg"),
        ("take.1", "m4a"),
    ):
        write(tmp_path / name, y, 44100, kind)
    tagged = b"ID3\x04\0\0" + bytes([0, 16, 0, 0]) + bytes(2**18)
    _put(tmp_path, "big tag.old", tagged)
    _put(tmp_path, "photo", b"\0\0\0\x18ftypheic" + bytes(64))
    _put(tmp_path, "film.mpg", b"\0\0\x01\xba" + bytes(100))
    _put(tmp_path, "noise.bin", bytes(range(256)) * 64)
    _put(tmp_path, "empty")
    assert _names(tmp_path) == sorted(
        ["no suffix", "song.mp3.bak", "really.ape", "tape.dat", "film.ogm", "take.1", "big tag.old"]
    )
    assert _left_out(tmp_path) == {
        "photo": ("no_sound", "no suffix"),
        "film.mpg": ("unread_format", "MPEG video"),
        "noise.bin": ("no_sound", "BIN"),
        "empty": ("no_sound", "no suffix"),
    }


def test_files_of_the_system_and_unfinished_copies_are_left_out(tmp_path: Path) -> None:
    write(tmp_path / "song.mp3", tone(0.5), 44100)
    data = (tmp_path / "song.mp3").read_bytes()
    _put(tmp_path, "._song.mp3", b"\x00\x05\x16\x07" + bytes(4092))
    _put(tmp_path, ".song.mp3.aB3xYz", data)
    _put(tmp_path, ".nfs0000000000ab12cd00000001", data)
    _put(tmp_path, "song.mp3.crdownload", data)
    _put(tmp_path, "Thumbs.db")
    assert _names(tmp_path) == ["song.mp3"]
    assert _left_out(tmp_path) == {
        "._song.mp3": ("system_file", "resource fork"),
        ".nfs0000000000ab12cd00000001": ("system_file", "system file"),
        ".song.mp3.aB3xYz": ("unfinished", "MP3"),
        "Thumbs.db": ("system_file", "system file"),
        "song.mp3.crdownload": ("unfinished", "MP3"),
    }


def test_dot_within_a_name_makes_no_suffix(tmp_path: Path) -> None:
    write(tmp_path / "Mr. Jones (live)", tone(0.5), 44100, "flac")
    _put(tmp_path, "Dr. No (notes)")
    assert _names(tmp_path) == ["Mr. Jones (live)"]
    assert _left_out(tmp_path) == {"Dr. No (notes)": ("no_sound", "no suffix")}


def test_pipes_and_dead_links_are_left_out(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp3")
    (tmp_path / "gone.flac").symlink_to(tmp_path / "nowhere")
    assert _names(tmp_path) == []
    assert _left_out(tmp_path) == {
        "gone.flac": ("dead_link", "FLAC"),
        "pipe.mp3": ("no_file", "MP3"),
    }


def test_links_are_followed_without_loops(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "music", tmp_path / "elsewhere"
    (root / "zzz").mkdir(parents=True)
    elsewhere.mkdir()
    (root / "zzz" / "1.mp3").write_bytes(b"")
    (elsewhere / "2.mp3").write_bytes(b"")
    (root / "aaa").symlink_to(root / "zzz")  # the path without links wins
    (root / "zzz" / "up").symlink_to(root)
    (root / "out").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(root)
    (root / "3.mp3").symlink_to(elsewhere / "2.mp3")
    (root / "4.mp3").symlink_to(root / "nowhere.mp3")
    (root / "5.mp3").symlink_to(root / "5.mp3")
    assert _names(root) == ["3.mp3", "zzz/1.mp3", "out/2.mp3"]


def test_name_that_is_not_utf8_is_reported(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/caf\xe9.mp3"
    try:
        Path(os.fsdecode(raw)).write_bytes(b"")
        Path(os.fsdecode(raw.replace(b"mp3", b"jpg"))).write_bytes(b"")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    found = scan_folder(tmp_path)
    assert found.files == {}
    ((name, reason),) = found.unreadable.items()
    assert name == f"{tmp_path}/caf\\udce9.mp3"
    assert [file.path for file in found.left_out] == [f"{tmp_path}/caf\\udce9.jpg"]
    assert "rename it" in reason


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_folder_without_permission_is_reported(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    found = scan_folder(tmp_path)
    (tmp_path / "closed").chmod(0o700)
    assert found.unreadable.keys() == {str(tmp_path / "closed")}


def test_missing_folder_is_reported(tmp_path: Path) -> None:
    found = scan_folder(tmp_path / "gone")
    assert found.unreadable.keys() == {str(tmp_path / "gone")}


def test_open_folder_refuses_other_paths(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for name in ("file", "nowhere"):
        with pytest.raises(FileMissing, match="name your music folder"):
            open_folder(tmp_path / name)
    (tmp_path / "link").symlink_to(tmp_path)
    assert open_folder(tmp_path / "link") == tmp_path.resolve()


def test_hash_is_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert file_sha256(str(tmp_path / "a")).startswith("ba7816bf8f01cfea")
