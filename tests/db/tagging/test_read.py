"""Tests of reading the tags of every kind of file that is indexed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from db.tagging.read import FIELDS, tag_fields
from tests.db.tagging.tag_files import (
    ARTIST,
    RECORDING,
    RELEASE,
    aiff_with,
    apev2,
    ebml,
    id3v1,
    id3v2,
    info,
    mp3_with,
    simple_tag,
    wav_with,
    with_ffmpeg,
)
from tests.synth import tone, write

BASIC = {"title": "Tïtle Группа", "artist": "Ärtist", "album": "Album", "genre": "Blues"}
IDS = {"isrc": "GBAYE6900123", "recording_id": RECORDING, "release_id": RELEASE}


def _mp3(path: Path, before: bytes = b"", after: bytes = b"") -> dict[str, str]:
    return tag_fields(mp3_with(path, before=before, after=after), (path.stem,))


@pytest.mark.parametrize(
    ("suffix", "container", "codec"),
    [
        ("mka", "matroska", "aac"),
        ("mkv", "matroska", "flac"),
        ("webm", "webm", "libopus"),
        ("mov", "mov", "aac"),
        ("3gp", "3gp", "aac"),
        ("m4a", "ipod", "aac"),
        ("mp4", "mp4", "aac"),
        ("wv", "wv", "wavpack"),
        ("wma", "asf", "wmav2"),
        ("wav", "wav", "pcm_s16le"),
        ("mp3", "mp3", "libmp3lame"),
        ("aac", "adts", "aac"),
        ("opus", "ogg", "libopus"),
        ("flac", "flac", "flac"),
        ("oga", "oga", "flac"),
    ],
)
def test_tags_of_every_container_are_read(
    tmp_path: Path, suffix: str, container: str, codec: str
) -> None:
    path = with_ffmpeg(tmp_path / f"x.{suffix}", container, codec, date="1999-05-01", **BASIC)
    fields = tag_fields(path, ())
    assert {name: fields.get(name) for name in BASIC} == BASIC
    assert fields["year"].startswith("1999")


@pytest.mark.parametrize(
    ("suffix", "container", "codec"),
    [
        ("mka", "matroska", "aac"),
        ("wv", "wv", "wavpack"),
        ("wma", "asf", "wmav2"),
        ("mp3", "mp3", "libmp3lame"),
        ("flac", "flac", "flac"),
        ("opus", "ogg", "libopus"),
    ],
)
def test_published_ids_are_read(tmp_path: Path, suffix: str, container: str, codec: str) -> None:
    tags = {"ISRC": IDS["isrc"], "MUSICBRAINZ_TRACKID": RECORDING, "MUSICBRAINZ_ALBUMID": RELEASE}
    path = with_ffmpeg(tmp_path / f"x.{suffix}", container, codec, **tags)
    fields = tag_fields(path, ())
    assert {name: fields.get(name) for name in IDS} == IDS


def test_picards_id3_frames_give_the_ids(tmp_path: Path) -> None:
    tag = id3v2(
        {
            "TSRC": b"GBAYE6900123",
            "UFID": b"http://musicbrainz.org\0" + RECORDING.encode(),
            "TXXX1": b"MusicBrainz Album Id\0" + RELEASE.encode(),
            "TXXX2": b"MusicBrainz Artist Id\0" + ARTIST.encode(),
            "TXXX3": b"MusicBrainz Release Track Id\0" + ARTIST.encode(),
        }
    )
    assert _mp3(tmp_path / "x.mp3", tag) == {**IDS, "artist_id": ARTIST}


def test_content_and_not_the_suffix_chooses_the_reader(tmp_path: Path) -> None:
    path = with_ffmpeg(tmp_path / "x.m4a", "ipod", "aac", **BASIC).rename(tmp_path / "x.mp3")
    assert tag_fields(path, ()) == BASIC
    path = with_ffmpeg(tmp_path / "x.flac", "flac", "flac", **BASIC).rename(tmp_path / "x")
    assert tag_fields(path, ()) == BASIC


def test_ape_tag_precedes_id3v1_and_follows_id3v2(tmp_path: Path) -> None:
    long = b"A title that is longer than thirty letters"
    ape = apev2({"Title": long, "Artist": b"APE", "Year": b"2001", "Cover": b"x"})
    old = id3v1(long, b"Old", b"Old Album")
    expected = {"title": long.decode(), "artist": "APE", "year": "2001", "album": "Old Album"}
    for after in (ape + old, apev2({"Title": long, "Artist": b"APE", "Year": b"2001"}) + old):
        assert _mp3(tmp_path / "x.mp3", after=after) == expected
    fields = _mp3(tmp_path / "x.mp3", id3v2({"TIT2": b"New"}), ape)
    assert fields == {"title": "New", "artist": "APE", "year": "2001"}
    lyrics = b"LYRICSBEGIN" + b"x" * 9
    ape += lyrics + b"%06dLYRICS200" % len(lyrics)
    assert _mp3(tmp_path / "x.mp3", after=ape + old)["artist"] == "APE"


def test_id3v1_alone_is_read(tmp_path: Path) -> None:
    fields = _mp3(tmp_path / "x.mp3", after=id3v1(b"Song", b"Singer", b"Album", b"1971"))
    assert fields == {"title": "Song", "artist": "Singer", "album": "Album", "year": "1971"}


@pytest.mark.parametrize("size", [b"\0\0\0\0", b"\0\0\0\x14", b"\x7f\x7f\x7f\x7f"])
def test_id3_tag_with_a_wrong_size_is_read(tmp_path: Path, size: bytes) -> None:
    frames = {"APIC": b"image/png\0\3\0" + bytes(20_000), "TIT2": b"Song", "TPE1": b"Singer"}
    tag = id3v2(frames)
    before = tag[:6] + size + tag[10:]
    assert _mp3(tmp_path / "x.mp3", before) == {"title": "Song", "artist": "Singer"}


def test_id3_tag_behind_zeros_is_read(tmp_path: Path) -> None:
    before = bytes(5000) + id3v2({"TIT2": b"Song", "TPE1": b"Singer"})
    fields = _mp3(tmp_path / "x.mp3", before, id3v1(b"Old", b"", b"Album"))
    assert fields == {"title": "Song", "artist": "Singer", "album": "Album"}


def test_unsynchronised_id3_tag_is_read(tmp_path: Path) -> None:
    tag = id3v2({"TIT2": b"\xff\xfe" + "Jóga".encode("utf-16-le")}, 1)
    body = tag[10:].replace(b"\xff", b"\xff\0")
    before = tag[:5] + b"\x80" + tag[6:9] + bytes([len(body)]) + body
    assert _mp3(tmp_path / "x.mp3", before) == {"title": "Jóga"}


def test_riff_and_aiff_texts_of_a_code_page_are_read(tmp_path: Path) -> None:
    texts = {"INAM": "Группа крови".encode("cp1251"), "IART": "Кино".encode("cp1251")}
    path = wav_with(tmp_path / "x.wav", info(texts))
    assert tag_fields(path, ()) == {"title": "Группа крови", "artist": "Кино"}
    path = wav_with(tmp_path / "x.wav", info({"INAM": b"Caf\xe9", "IART": b"Mot\xf6rhead"}))
    assert tag_fields(path, ()) == {"title": "Café", "artist": "Motörhead"}
    path = aiff_with(
        tmp_path / "x.aiff", NAME="桜流し".encode("cp932"), AUTH="宇多田ヒカル".encode("cp932")
    )
    assert tag_fields(path, ()) == {"title": "桜流し", "artist": "宇多田ヒカル"}


def test_texts_declared_as_unicode_stay(tmp_path: Path) -> None:
    # As Latin-1 these would be taken for another code page.
    texts = {"TIT2": "ÆØÅ", "TPE1": "Öö"}
    tag = id3v2({name: b"\xff\xfe" + text.encode("utf-16-le") for name, text in texts.items()}, 1)
    assert _mp3(tmp_path / "x.mp3", tag) == {"title": "ÆØÅ", "artist": "Öö"}


def test_text_that_cannot_be_decoded_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "Любэ.mp3"
    tag = id3v2({"TIT2": "КОНЬ".encode("cp1251"), "TCON": b"Rock"})
    assert _mp3(tmp_path / "x.mp3", tag) == {"genre": "Rock"}
    # The file's name decides.
    tag = id3v2({"TIT2": "КОНЬ".encode("cp1251"), "TPE1": "ЛЮБЭ".encode("cp1251")})
    assert _mp3(path, tag) == {"title": "КОНЬ", "artist": "ЛЮБЭ"}


def test_matroska_tags_of_the_only_stream_are_a_fallback(tmp_path: Path) -> None:
    target = ebml(0x63C0, ebml(0x63C5, b"\x07"))
    stream = ebml(0x7373, target, simple_tag("TITLE", "Song"), simple_tag("ARTIST", "Band"))
    chapter = ebml(0x7373, ebml(0x63C0, ebml(0x63C4, b"\x09")), simple_tag("TITLE", "Chapter"))
    path = tmp_path / "x.mka"
    path.write_bytes(ebml(0x1A45DFA3) + ebml(0x18538067, ebml(0x1254C367, chapter, stream)))
    assert tag_fields(path, ()) == {"title": "Song", "artist": "Band"}


def test_matroska_levels_separate_song_and_album(tmp_path: Path) -> None:
    def tag(level: int, *tags: bytes) -> bytes:
        return ebml(0x7373, ebml(0x63C0, ebml(0x68CA, bytes([level]))), *tags)

    stream = ebml(0x7373, ebml(0x63C0, ebml(0x63C5, b"\x07")), simple_tag("TITLE", "Stream"))
    tags = ebml(
        0x1254C367,
        stream,
        tag(50, simple_tag("TITLE", "Album"), simple_tag("ARTIST", "Band")),
        tag(30, simple_tag("TITLE", "Song"), simple_tag("DATE_RELEASED", "1984")),
    )
    head = ebml(0x1A45DFA3)
    position = 1100
    seek = ebml(
        0x114D9B74,
        ebml(0x4DBB, ebml(0x53AB, b"\x12\x54\xc3\x67"), ebml(0x53AC, position.to_bytes(4, "big"))),
    )
    expected = {"title": "Song", "artist": "Band", "album": "Album", "year": "1984"}
    # A recorded stream has a cluster of unknown length; then the index at the start has the place.
    cluster = b"\x1f\x43\xb6\x75\x01" + b"\xff" * 7
    body = (seek + cluster).ljust(position, b"\0") + tags
    path = tmp_path / "x.mka"
    path.write_bytes(head + b"\x18\x53\x80\x67\x01" + b"\xff" * 7 + body)
    assert tag_fields(path, ()) == expected
    path.write_bytes(head + ebml(0x18538067, ebml(0xEC, bytes(50)), tags))
    assert tag_fields(path, ()) == expected


@pytest.mark.parametrize("suffix", ["mka", "mov", "3gp", "wv", "wav", "aiff", "mp3", "wma"])
def test_damaged_tags_raise_nothing_and_end(tmp_path: Path, suffix: str) -> None:
    files = {
        "mka": ("matroska", "aac"), "mov": ("mov", "aac"), "3gp": ("3gp", "aac"),
        "wv": ("wv", "wavpack"), "wma": ("asf", "wmav2"), "mp3": ("mp3", "libmp3lame"),
        "wav": ("wav", "pcm_s16le"), "aiff": ("aiff", "pcm_s16be"),
    }  # fmt: skip
    path = with_ffmpeg(tmp_path / f"x.{suffix}", *files[suffix], **BASIC)
    data = np.frombuffer(path.read_bytes(), np.uint8)
    rng = np.random.default_rng(7)
    for _ in range(60):
        changed = data.copy()
        places = rng.integers(0, min(len(data), 3000), 12)
        changed[np.concatenate([places, len(data) - 1 - places])] = rng.integers(0, 256, 24)
        path.write_bytes(changed[: rng.integers(1, len(data))].tobytes())
        fields = tag_fields(path, ())
        assert set(fields) <= set(FIELDS)


def test_untagged_and_missing_files_have_no_fields(tmp_path: Path) -> None:
    path = write(tmp_path / "x.mp3", tone(0.5), 44100)
    assert tag_fields(path, ()) == {}
    assert tag_fields(tmp_path / "nowhere.mp3", ()) == {}
