"""Of several audio streams, the default one with sound is decoded, else the first with sound."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from genrec.audio import ffmpeg
from genrec.audio.decode import decode
from genrec.errors import SilentAudio, UnsupportedFormat
from tests.hostile_files import SR
from tests.synth import Samples, music, silence

SONG = music(4, 3, SR)
OTHER = music(7, 3, SR)
NOTHING = silence(3, SR)


def tracks(
    *sounds: Samples, container: str = "matroska", codecs: str = "aac", default: int | None = None
) -> bytes:
    """Return a file with one audio stream for each sound; only stream ``default`` is marked so."""
    buffer, names = io.BytesIO(), codecs.split(",") * len(sounds)
    with av.open(buffer, "w", format=container) as output:
        streams: list[av.AudioStream] = []
        for name in names[: len(sounds)]:
            stream = output.add_stream(name, rate=SR, layout="mono")
            assert isinstance(stream, av.AudioStream)
            stream.disposition = Disposition.default if len(streams) == default else Disposition(0)
            streams.append(stream)
        for start in range(0, SONG.size, 1024):
            for stream, sound in zip(streams, sounds, strict=True):
                part = np.ascontiguousarray(sound[None, start : start + 1024])
                frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
                frame.sample_rate, frame.pts = SR, start
                output.mux(stream.encode(frame))
        for stream in streams:
            output.mux(stream.encode(None))
    return buffer.getvalue()


def likeness(a: Samples, b: Samples) -> float:
    """Return the largest normalised correlation over shifts."""
    n = 2 ** (a.size + b.size).bit_length()
    found = np.fft.irfft(np.fft.rfft(a, n) * np.fft.rfft(b, n).conj(), n)
    return float(found.max() / (np.linalg.norm(a) * np.linalg.norm(b)))


@pytest.mark.parametrize("container", ["matroska", "mp4", "mov"])
@pytest.mark.parametrize(
    ("sounds", "default", "number"),
    [
        ((NOTHING, SONG), None, 2),
        ((NOTHING, SONG), 0, 2),
        ((SONG, NOTHING), None, 1),
        ((SONG, NOTHING), 1, 1),
        ((OTHER, SONG), 1, 2),
        ((SONG, OTHER), 0, 1),
        ((NOTHING, NOTHING, NOTHING, SONG), 1, 4),
        ((SONG,), None, 1),
    ],
)
def test_stream_with_sound_is_decoded(
    container: str, sounds: tuple[Samples, ...], default: int | None, number: int, tmp_path: Path
) -> None:
    path = tmp_path / "recording"
    path.write_bytes(tracks(*sounds, container=container, default=default))
    decoded = decode(path, sr=SR)
    assert (decoded.stream, decoded.streams) == (number, len(sounds))
    assert likeness(decoded.y, SONG) > 0.95
    assert decoded.y.size / SR == pytest.approx(3, abs=0.1)


def test_stream_with_an_offset_only_is_silent(tmp_path: Path) -> None:
    path = tmp_path / "recording"
    path.write_bytes(tracks(NOTHING + 0.1, SONG, codecs="pcm_f32le"))
    assert decode(path, sr=SR).stream == 2


def test_noise_of_an_open_microphone_is_no_sound(tmp_path: Path) -> None:
    path = tmp_path / "recording"
    noise = np.random.default_rng(0).normal(0, 5e-4, SONG.size).astype(np.float32)
    path.write_bytes(tracks(noise, NOTHING, SONG, default=0))
    assert decode(path, sr=SR).stream == 3
    path.write_bytes(tracks(NOTHING, noise, NOTHING, codecs="pcm_s16le"))
    assert decode(path, sr=SR).stream == 2


def test_second_of_sound_is_enough(tmp_path: Path) -> None:
    path = tmp_path / "recording"
    spoken = np.concatenate([SONG[:SR] + SONG[SR : 2 * SR], NOTHING[: 2 * SR]])
    path.write_bytes(tracks(spoken, OTHER))
    assert decode(path, sr=SR).stream == 1
    click = np.concatenate([SONG[: SR // 4], NOTHING])[: SONG.size]
    path.write_bytes(tracks(click, OTHER))
    assert decode(path, sr=SR).stream == 2


def test_silent_streams_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "recording"
    path.write_bytes(tracks(NOTHING, NOTHING))
    with pytest.raises(SilentAudio):
        decode(path, sr=SR)


def test_stream_in_an_unknown_codec_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "recording"
    path.write_bytes(tracks(OTHER, SONG, codecs="tta,aac", default=0))
    decoded = decode(path, sr=SR)
    assert (decoded.stream, decoded.streams) == (2, 2)
    assert likeness(decoded.y, SONG) > 0.95
    path.write_bytes(tracks(OTHER, SONG, codecs="tta"))
    with pytest.raises(UnsupportedFormat, match="coded as tta"):
        decode(path, sr=SR)


def test_number_of_tried_streams_is_limited(tmp_path: Path) -> None:
    path = tmp_path / "recording"
    path.write_bytes(tracks(*[NOTHING] * ffmpeg.MAX_STREAMS, SONG))
    with pytest.raises(SilentAudio):
        decode(path, sr=SR)
    path.write_bytes(tracks(*[NOTHING] * ffmpeg.MAX_STREAMS, SONG, default=ffmpeg.MAX_STREAMS))
    assert decode(path, sr=SR).stream == ffmpeg.MAX_STREAMS + 1
