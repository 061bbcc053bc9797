"""Every format decodes to the same samples, and damaged files to their decodable part."""

from __future__ import annotations

import contextlib
from pathlib import Path

import av
import numpy as np
import pytest

from genrec.audio.decode import decode
from genrec.audio.limits import DecodeLimits
from genrec.errors import InputRefused
from tests import hostile_files
from tests.hostile_files import SR
from tests.synth import WRITERS, Samples, music, tone, write

SHORT = DecodeLimits(max_seconds=4)


def correlation(decoded: Samples, original: Samples, *, within: int = SR // 10) -> float:
    """Return the largest normalised correlation over shifts of up to ``within`` samples."""
    n = min(decoded.size, original.size)
    size = 2 ** (2 * n - 1).bit_length()
    a, b = decoded[:n] - decoded[:n].mean(), original[:n] - original[:n].mean()
    correlations = np.fft.irfft(np.fft.rfft(a, size) * np.fft.rfft(b, size).conj(), size)
    nearby = np.concatenate([correlations[: within + 1], correlations[-within:]])
    return float(nearby.max() / (np.linalg.norm(a) * np.linalg.norm(b)))


def level(y: Samples) -> float:
    """Return the root mean square of samples."""
    return float(np.sqrt(np.mean(np.square(y))))


# All formats


@pytest.fixture(scope="module")
def song() -> Samples:
    return music(3, 8, SR)


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory, song: Samples) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("songs")
    stereo = np.stack([song, song], axis=1)
    return {kind: write(folder / f"song.{kind}", stereo, SR, kind) for kind in WRITERS}


@pytest.mark.parametrize("kind", WRITERS)
def test_format_decodes_to_the_original(kind: str, song: Samples, songs: dict[str, Path]) -> None:
    decoded = decode(songs[kind], sr=SR)
    assert decoded.sr == SR
    assert decoded.y.dtype == np.float32
    assert decoded.y.ndim == 1
    assert decoded.y.size / SR == pytest.approx(8, abs=0.1)
    assert correlation(decoded.y, song) > 0.95
    assert level(decoded.y) == pytest.approx(level(song), rel=0.1)
    # An ADTS stream has no length; FFmpeg estimates it.
    assert decoded.duration_s == pytest.approx(8, abs=1 if kind == "aac" else 0.1)


@pytest.mark.parametrize("kind", WRITERS)
def test_long_file_is_decoded_from_its_middle(
    kind: str, song: Samples, songs: dict[str, Path]
) -> None:
    decoded = decode(songs[kind], sr=SR, limits=SHORT)
    assert decoded.y.size == 4 * SR
    # The middle of an ADTS stream is estimated, like its length.
    shifts = range(SR, 3 * SR, SR // 10) if kind == "aac" else [2 * SR]
    assert max(correlation(decoded.y, song[at : at + 4 * SR]) for at in shifts) > 0.95


@pytest.mark.parametrize("kind", WRITERS)
def test_long_file_is_decoded_from_its_start(
    kind: str, song: Samples, songs: dict[str, Path]
) -> None:
    decoded = decode(songs[kind], sr=SR, limits=DecodeLimits(max_seconds=4, start="start"))
    assert decoded.y.size == 4 * SR
    # FFmpeg's encoder of WMA begins badly.
    assert correlation(decoded.y, song[: 4 * SR]) > (0.9 if kind == "wma" else 0.95)


def test_slightly_longer_file_is_decoded_from_its_start(
    song: Samples, songs: dict[str, Path]
) -> None:
    decoded = decode(songs["wav"], sr=SR, limits=DecodeLimits(max_seconds=6.5))
    assert correlation(decoded.y, song[: decoded.y.size], within=10) > 0.999


@pytest.mark.parametrize("name", ["song.txt", "song", "song.mp3"])
def test_format_is_independent_of_the_name(
    name: str, tmp_path: Path, song: Samples, songs: dict[str, Path]
) -> None:
    path = tmp_path / name
    path.write_bytes(songs["flac"].read_bytes())
    assert correlation(decode(path, sr=SR).y, song) > 0.95


@pytest.mark.parametrize("kind", ["mp3", "flac", "aac"])
def test_id3_tag_is_skipped(
    kind: str, tmp_path: Path, song: Samples, songs: dict[str, Path]
) -> None:
    path = tmp_path / "tagged"
    path.write_bytes(hostile_files.id3(70_000) + hostile_files.id3(10) + songs[kind].read_bytes())
    assert correlation(decode(path, sr=SR).y, song) > 0.95


def test_bytes_before_mp3_are_skipped(
    tmp_path: Path, song: Samples, songs: dict[str, Path]
) -> None:
    path = tmp_path / "recorded.mp3"
    path.write_bytes(b"\xff\xfb" + b"garbage" * 100 + songs["mp3"].read_bytes())
    assert correlation(decode(path, sr=SR).y, song) > 0.95


def test_tag_with_invalid_utf8_is_accepted(tmp_path: Path, song: Samples) -> None:
    path = tmp_path / "latin.mkv"
    content = hostile_files.with_av("matroska", "flac", song, SR, title="XXXXXX")
    assert content.count(b"XXXXXX") == 1
    path.write_bytes(content.replace(b"XXXXXX", b"Mot\xf6rh"))
    assert correlation(decode(path, sr=SR).y, song) > 0.95


@pytest.mark.parametrize(
    ("container", "codec"),
    [
        ("ipod", "alac"),
        ("mp4", "flac"),
        ("matroska", "pcm_u8"),
        ("matroska", "pcm_s16le"),
        ("mov", "pcm_s24be"),
        ("mov", "pcm_f64le"),
        ("ogg", "flac"),
        ("wav", "adpcm_ms"),
        ("wav", "pcm_mulaw"),
        ("wav", "mp2"),
        ("mp4", "ac3"),
    ],
)
def test_codec_in_container_decodes_to_the_original(
    container: str, codec: str, tmp_path: Path
) -> None:
    song = music(1, 3, 32000)
    path = tmp_path / "song"
    path.write_bytes(hostile_files.with_av(container, codec, song, 32000))
    decoded = decode(path, sr=32000)
    assert decoded.y.size / 32000 == pytest.approx(3, abs=0.1)
    assert correlation(decoded.y, song, within=3200) > 0.95
    assert level(decoded.y) == pytest.approx(level(song), rel=0.1)


def test_vorbis_in_webm_decodes_to_the_original(
    tmp_path: Path, song: Samples, songs: dict[str, Path]
) -> None:
    path = tmp_path / "song.webm"
    with av.open(songs["ogg"]) as source, av.open(path, "w", format="webm") as target:
        stream = target.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            packet.stream = stream
            target.mux(packet)
    assert correlation(decode(path, sr=SR).y, song) > 0.95


def test_audio_of_a_video_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "video.mkv"
    song = music(1, 2, SR)
    path.write_bytes(hostile_files.video(song))
    assert correlation(decode(path, sr=SR).y, song) > 0.95


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 44100, 48000, 96000, 192000])
def test_any_sample_rate_is_resampled(rate: int, tmp_path: Path) -> None:
    path = write(tmp_path / "tone.wav", tone(2, rate, frequency=440), rate)
    y = decode(path, sr=SR).y
    assert y.size == 2 * SR
    assert np.argmax(np.abs(np.fft.rfft(y))) == 880  # bins of half a hertz


@pytest.mark.parametrize("channels", [1, 2, 3, 6, 8])
def test_channels_are_averaged(channels: int, tmp_path: Path) -> None:
    y = np.random.default_rng(0).normal(0, 0.1, (2 * SR, channels)).astype(np.float32)
    path = write(tmp_path / "noise.wav", y, SR, "wav-float")
    np.testing.assert_allclose(decode(path, sr=SR).y, y.mean(axis=1), atol=1e-6)


def test_channels_of_ffmpeg_are_averaged(tmp_path: Path, song: Samples) -> None:
    path = write(tmp_path / "left.m4a", np.stack([song, 0 * song], axis=1), SR)
    y = decode(path, sr=SR).y
    assert correlation(y, song) > 0.95
    assert level(y) == pytest.approx(level(song) / 2, rel=0.1)


# Damaged files


@pytest.mark.parametrize("kind", ["wav", "aiff", "mp3", "ogg", "opus", "aac", "webm", "mkv"])
def test_cut_file_is_decoded_up_to_the_cut(
    kind: str, tmp_path: Path, song: Samples, songs: dict[str, Path]
) -> None:
    content = songs[kind].read_bytes()
    path = tmp_path / "cut"
    path.write_bytes(content[: len(content) // 2])
    y = decode(path, sr=SR).y
    assert 2 * SR < y.size < 6 * SR
    assert correlation(y, song[: y.size]) > 0.9  # the last frame is cut too


@pytest.mark.parametrize("kind", ["mp3", "webm"])
def test_file_cut_before_its_middle_is_decoded_from_its_start(
    kind: str, tmp_path: Path, song: Samples, songs: dict[str, Path]
) -> None:
    content = songs[kind].read_bytes()
    path = tmp_path / "cut"
    path.write_bytes(content[: len(content) * 3 // 10])
    y = decode(path, sr=SR, limits=DecodeLimits(max_seconds=3)).y
    assert SR < y.size <= 3 * SR
    assert correlation(y, song[: y.size]) > 0.95


@pytest.mark.parametrize("kind", ["mp3", "ogg", "aac", "webm"])
def test_hole_in_a_file_is_skipped(kind: str, tmp_path: Path, songs: dict[str, Path]) -> None:
    path = tmp_path / "hole"
    path.write_bytes(hostile_files.with_hole(songs[kind].read_bytes()))
    assert decode(path, sr=SR).y.size > 6 * SR


@pytest.mark.parametrize("kind", ["aac", "mp3"])
@pytest.mark.parametrize("stereo_first", [True, False], ids=["stereo-first", "mono-first"])
def test_change_of_channels_is_followed(
    kind: str, stereo_first: bool, tmp_path: Path, song: Samples, songs: dict[str, Path]
) -> None:
    """FFmpeg's queue reads beyond the memory of a frame with fewer channels than the first."""
    mono = write(tmp_path / f"mono.{kind}", song, SR)
    parts = [songs[kind], mono] if stereo_first else [mono, songs[kind]]
    path = tmp_path / f"both.{kind}"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    y = decode(path, sr=SR, limits=DecodeLimits(start="start")).y
    assert 15 * SR < y.size < 17 * SR
    assert correlation(y[: 8 * SR], song) > 0.95
    assert correlation(y[-8 * SR :], song, within=SR // 3) > 0.95


def test_flac_of_unknown_length_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "streamed.flac"
    path.write_bytes(hostile_files.flac_with_length(0, hostile_files.flac(4)))
    assert decode(path, sr=SR).y.size == 4 * SR


def test_wav_with_4_gb_in_its_header_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "streamed.wav"
    path.write_bytes(hostile_files.wav(tone(2, SR), data_size=0xFFFFFFFF))
    assert decode(path, sr=SR).y.size == 2 * SR


@pytest.mark.parametrize("kind", WRITERS)
def test_damaged_file_is_decoded_or_refused(
    kind: str, tmp_path: Path, songs: dict[str, Path]
) -> None:
    rng = np.random.default_rng(7)
    content = np.frombuffer(songs[kind].read_bytes(), np.uint8)
    for spread in [
        100,
        400,
        5_000,
        content.size,
    ] * 4:  # damage in the first bytes has the largest effect
        damaged = content.copy()
        damaged[rng.integers(0, spread, 8)] = rng.integers(0, 256, 8)
        path = tmp_path / "damaged"
        path.write_bytes(damaged.tobytes())
        with contextlib.suppress(InputRefused):  # and no other error
            assert SR <= decode(path, sr=SR, limits=SHORT).y.size <= 4 * SR
