"""A section of a file is decoded as if it were a file of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from genrec.audio.decode import decode
from genrec.audio.limits import DecodeLimits
from genrec.errors import ClipTooShort
from genrec.types import Section
from tests.synth import Samples, silence, tone, write

SR = 44100
# Three songs: 4 s of 300 Hz, 10 s of 600 Hz, 3 s of 1200 Hz.
SONGS = ((0.0, 4.0, 300.0), (4.0, 14.0, 600.0), (14.0, None, 1200.0))


@pytest.fixture(scope="module")
def album() -> Samples:
    return np.concatenate([tone(4, SR, 300.0), tone(10, SR, 600.0), tone(3, SR, 1200.0)])


def frequency(y: Samples, sr: int) -> float:
    """Return the strongest frequency in Hz."""
    spectrum = np.abs(np.fft.rfft(y * np.hanning(y.size)))
    return float(np.argmax(spectrum)) * sr / y.size


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3", "ogg", "m4a", "opus", "mkv"])
def test_each_song_of_an_album_is_decoded_alone(tmp_path: Path, album: Samples, kind: str) -> None:
    path = write(tmp_path / f"album.{kind}", album, SR)
    for (start_s, end_s, hz), length_s in zip(SONGS, (4.0, 10.0, 3.0), strict=True):
        limits = DecodeLimits(max_seconds=6.0, section=Section(start_s, end_s))
        audio = decode(path, sr=22050, limits=limits)
        assert audio.duration_s == pytest.approx(length_s, abs=0.15)
        assert audio.y.size / audio.sr == pytest.approx(min(length_s, 6.0), abs=0.15)
        inner = audio.y[audio.sr // 2 : -audio.sr // 2]
        assert frequency(inner, audio.sr) == pytest.approx(hz, abs=1.0)
        # Nothing of the neighbours: a tone has a constant level.
        assert float(inner.std()) == pytest.approx(0.5 / 2**0.5, rel=0.05)


def test_middle_of_a_long_section_is_decoded(tmp_path: Path) -> None:
    y = np.concatenate([tone(30, SR, 300.0), silence(60, SR), tone(30, SR, 300.0)])
    y[50 * SR : 55 * SR] = tone(5, SR, 900.0)
    path = write(tmp_path / "x.flac", y, SR)
    limits = DecodeLimits(max_seconds=5.0, section=Section(45.0, 60.0))
    audio = decode(path, sr=22050, limits=limits)
    assert frequency(audio.y, audio.sr) == pytest.approx(900.0, abs=1.0)


def test_silence_in_a_section_is_left_out(tmp_path: Path) -> None:
    y = np.concatenate([tone(10, SR, 300.0), silence(30, SR), tone(12, SR, 900.0)])
    path = write(tmp_path / "x.flac", y, SR)
    limits = DecodeLimits(max_seconds=6.0, section=Section(10.0, 52.0))
    audio = decode(path, sr=22050, limits=limits)
    assert audio.y.size / audio.sr == pytest.approx(6.0, abs=0.2)
    assert frequency(audio.y, audio.sr) == pytest.approx(900.0, abs=1.0)


def test_section_after_the_end_of_the_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "x.wav", tone(5, SR), SR)
    for section in (Section(10.0, 20.0), Section(5.0), Section(3.0, 2.0)):
        with pytest.raises(ClipTooShort, match="No sound can be decoded"):
            decode(path, sr=22050, limits=DecodeLimits(section=section))
    with pytest.raises(ClipTooShort, match=r"0\.5 s long"):
        decode(path, sr=22050, limits=DecodeLimits(section=Section(4.5, 20.0)))
