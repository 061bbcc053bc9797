"""Long files are decoded from the middle of what sounds, and whole songs from their middle."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from genrec.audio import sounding
from genrec.audio.decode import decode
from genrec.audio.levels import MIN_GAP_S, PROBE_S, frame_levels, level_db
from genrec.audio.limits import DecodeLimits
from genrec.audio.sounding import Sketch, middle_of, read_middle, read_start
from genrec.errors import SilentAudio
from tests.hostile_files import flac_with_length
from tests.synth import Samples, music, silence, tone, write, write_av

SR = 8000
LIMITS = DecodeLimits(max_seconds=10)
# Where the middle ten seconds of twenty begin, in samples.
NEAR = range(5 * SR - 900, 5 * SR + 900)

# The demo's music has rests; a drone sounds through them.
SONG = music(3, 20, SR) + tone(20, SR, 110, level=0.05)
HIDDEN = music(8, 20, SR) + tone(20, SR, 147, level=0.05)


class MemoryReader:
    """`SoundReader` of samples in memory that counts what it reads."""

    def __init__(self, y: Samples) -> None:
        self._y = y
        self.sr, self.channels, self.tolerance_s = SR, 1, 0.0
        self.duration_s: float | None = y.size / SR
        self.read_s = 0.0
        self.probes = 0

    def read(self, start_s: float, length_s: float) -> tuple[Samples, int]:
        part = self._y[round(start_s * SR) : round((start_s + length_s) * SR)]
        self.read_s += part.size / SR
        return part, SR

    def probe(self, at_s: float, length_s: float, *, exact: bool) -> tuple[Samples, int]:
        assert exact or length_s == PROBE_S
        self.probes += 1
        return self.read(at_s, length_s)


def middle(*parts: Samples, seconds: float = 10) -> tuple[Samples, MemoryReader]:
    """Return the decoded part of these sounds in a row, and their reader."""
    y = np.concatenate(parts)
    reader = MemoryReader(y)
    found, sr, complete, places = read_middle(reader, y.size / SR, seconds)
    assert sr == SR
    assert complete
    cut = [y[round(a * SR) : round(b * SR)] for a, b in places]
    assert np.array_equal(np.concatenate(cut), found, equal_nan=True)
    return found, reader


def shares(y: Samples, *sounds: Samples) -> list[float]:
    """Return the seconds of ``y`` that are found unchanged in each sound, in tenths of seconds."""
    known = [{part.tobytes() for part in sliding(sound)} for sound in sounds]
    starts = [part.tobytes() for part in sliding(y)]
    return [sum(start in one for start in starts) / SR for one in known]


def sliding(y: Samples, size: int = 40) -> np.ndarray:
    """Return all stretches of ``size`` samples, (n, size)."""
    return np.lib.stride_tricks.sliding_window_view(y, size)


class Pipe:
    """A file that cannot seek, so that no length is written into its header."""

    def __init__(self) -> None:
        self.content = bytearray()

    def write(self, data: bytes) -> int:
        self.content += data
        return len(data)


def live(y: Samples, container: str, codec: str) -> bytes:
    """Return a recording whose length is not in its header."""
    pipe = Pipe()
    write_av(pipe, y, SR, container=container, codec=codec)
    return bytes(pipe.content)


def near(y: Samples, original: Samples) -> Samples:
    """Return the original, shifted to where the beginning of ``y`` lies in it."""
    n = 2 ** (y.size + original.size).bit_length()
    found = np.fft.irfft(np.fft.rfft(y, n).conj() * np.fft.rfft(original, n), n)
    return np.roll(original, -int(np.argmax(found)))


def noise(seconds: float, level: float) -> Samples:
    """Return noise of this RMS, as in a quiet room."""
    rng = np.random.default_rng(0)
    return np.asarray(rng.normal(0, level, round(seconds * SR)), np.float32)


def test_song_that_sounds_throughout_is_read_from_its_middle() -> None:
    y, reader = middle(SONG, HIDDEN, SONG)
    np.testing.assert_array_equal(y, np.concatenate([SONG, HIDDEN, SONG])[25 * SR : 35 * SR])
    assert reader.probes <= 2 * sounding.PROBES


@pytest.mark.parametrize("level", [0.0, 1e-5, 5e-4, 3e-3])
def test_silence_before_or_after_a_song_is_left_out(level: float) -> None:
    quiet = noise(180, level)
    for parts, start in (((quiet, SONG), 185), ((SONG, quiet), 5)):
        y, _ = middle(*parts)
        whole = np.concatenate(parts)
        assert y.size == 10 * SR
        np.testing.assert_allclose(y, whole[start * SR : (start + 10) * SR][: y.size], atol=2)
        assert shares(y, SONG)[0] > 9.5


def test_hidden_track_counts_like_the_song() -> None:
    y, _ = middle(SONG, silence(300, SR), HIDDEN)
    assert y.size == pytest.approx(10 * SR, abs=0.3 * SR)
    song, hidden = shares(y, SONG, HIDDEN)
    assert song == pytest.approx(5, abs=0.4)
    assert hidden == pytest.approx(5, abs=0.4)


def test_middle_of_unequal_parts_lies_in_the_longer_one() -> None:
    y, _ = middle(SONG, silence(100, SR), HIDDEN, SONG[::-1])
    _, hidden = shares(y, SONG, HIDDEN)
    assert hidden > 9.5


def test_gap_inside_the_middle_is_left_out() -> None:
    """The probes miss a gap of a few seconds, but the decoded part shows it."""
    y, _ = middle(SONG, silence(6, SR), HIDDEN)
    assert y.size == pytest.approx(10 * SR, abs=0.3 * SR)
    assert min(shares(y, SONG, HIDDEN)) > 4.5


def test_many_gaps_are_left_out() -> None:
    pieces = [part for n in range(6) for part in (SONG[n * SR :][: 3 * SR], silence(20, SR))]
    y, _ = middle(*pieces)
    assert 8 * SR < y.size <= 10 * SR
    assert float(np.mean(frame_levels(y, SR) > -60)) > 0.8


def test_less_sound_than_wanted_is_read_whole() -> None:
    y, _ = middle(silence(100, SR), SONG[: 5 * SR], silence(100, SR))
    assert 5 * SR <= y.size < 6 * SR
    assert shares(y, SONG[: 5 * SR])[0] > 4.9


def test_short_sound_is_read_with_a_margin() -> None:
    y, _ = middle(silence(60, SR), SONG[:SR], silence(60, SR))
    assert 2 * SR < y.size < 5 * SR
    assert shares(y, SONG[:SR])[0] > 0.9


def test_rests_of_the_music_are_no_gaps() -> None:
    """Half a second of sound, then 1.3 s of silence, as of a slow solo drum."""
    beat = np.concatenate([tone(0.5, SR, 220), silence(1.3, SR)])
    whole = np.tile(beat, 60)
    y, _ = middle(whole)
    start = (whole.size - 10 * SR) // 2
    np.testing.assert_array_equal(y, whole[start : start + 10 * SR])


def test_quiet_music_is_no_gap() -> None:
    y, _ = middle(SONG, 0.03 * HIDDEN, SONG)
    assert shares(y, 0.03 * HIDDEN)[0] > 9.5


def test_offset_is_no_sound() -> None:
    y, _ = middle(SONG, silence(100, SR) + 0.3)
    assert shares(y, SONG)[0] > 9.5


def test_silent_file_is_read_from_its_middle() -> None:
    y, reader = middle(silence(300, SR))
    assert y.size == 10 * SR
    assert reader.probes <= sounding.PROBES + sounding.CLOSE_PROBES


def test_number_of_probes_and_of_read_seconds_is_limited() -> None:
    """Twelve hours in which sound and silence alternate."""
    reader = MemoryReader(np.tile(np.concatenate([SONG, silence(45, SR)]), 200))
    assert reader.duration_s is not None
    y, _, _, _ = read_middle(reader, reader.duration_s, 10)
    assert reader.probes <= sounding.MAX_PROBES
    assert reader.read_s < 10 * (1 + sounding.ROUNDS) + sounding.MAX_PROBES * MIN_GAP_S
    assert float(np.mean(frame_levels(y, SR) > -60)) > 0.6


def test_quiet_steady_tone_after_loud_music_is_a_gap_and_a_quiet_melody_is_not() -> None:
    hum, melody = tone(60, SR, 50, level=0.004), 0.02 * np.tile(HIDDEN, 3)
    y, _ = middle(SONG, hum)
    assert shares(y, SONG)[0] > 9.5
    y, _ = middle(SONG, melody)
    assert shares(y, melody)[0] > 9.5


def test_samples_that_are_not_finite_are_kept_for_the_check() -> None:
    broken = SONG.copy()
    broken[10 * SR] = np.nan
    y, _ = middle(broken, silence(30, SR))
    assert np.isnan(y).any() or y.size == 10 * SR
    assert level_db(np.full(100, np.nan, np.float32)) == math.inf


def test_levels_are_in_db_without_the_mean() -> None:
    assert level_db(tone(1, SR, 440, level=1.0) + 5) == pytest.approx(-3.01, abs=0.05)
    assert level_db(silence(1, SR)) == level_db(silence(0, SR)) == -math.inf
    levels = frame_levels(np.concatenate([tone(1, SR, 440, level=0.1), silence(1, SR)]), SR)
    assert levels.shape == (20,)
    assert levels[:10] == pytest.approx(-23.01, abs=0.1)
    assert (levels[10:] == -math.inf).all()


def test_middle_of_stretches() -> None:
    assert middle_of([(0, 100)], 30) == [(35, 65)]
    assert middle_of([(0, 10), (20, 30)], 30) == [(0, 10), (20, 30)]
    assert middle_of([(0, 20), (50, 70)], 10) == [(15, 20), (50, 55)]
    assert middle_of([(0, 5), (50, 90)], 10) == [(62.5, 72.5)]
    assert middle_of([], 10) == []


def test_gaps_are_in_order_and_long_enough() -> None:
    y = np.concatenate([silence(9, SR), SONG, silence(30, SR), HIDDEN, silence(9, SR)])
    reader = MemoryReader(y)
    gaps = Sketch(reader, y.size / SR, (39.0, *reader.read(39.0, 10.0))).gaps()
    expected = [(0, 9), (29, 59), (79, 88)]
    for found, wanted in zip(
        sorted(gaps)[:1] + sorted(gaps)[-1:], (expected[0], expected[2]), strict=True
    ):
        assert found == pytest.approx(wanted, abs=0.5)
    assert all(end - start >= MIN_GAP_S for start, end in gaps)


# Files


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3", "ogg", "opus", "m4a", "aac", "webm", "mkv"])
def test_silent_minute_of_a_file_is_left_out(kind: str, tmp_path: Path) -> None:
    y = np.concatenate([silence(60, SR), SONG, silence(40, SR)])
    path = write(tmp_path / f"song.{kind}", y, SR)
    decoded = decode(path, sr=SR, limits=LIMITS)
    assert decoded.duration_s == pytest.approx(120, abs=12 if kind == "aac" else 1)
    assert 9.5 * SR < decoded.y.size <= 10 * SR
    assert float(np.mean(frame_levels(decoded.y, SR) > -50)) > 0.97


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3", "ogg", "m4a", "webm"])
def test_song_of_a_file_is_decoded_as_without_probes(kind: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"song.{kind}", np.concatenate([SONG, HIDDEN]), SR)
    y = decode(path, sr=SR, limits=LIMITS).y
    whole = decode(path, sr=SR).y
    error = min(
        float(np.sqrt(np.mean((whole[at : at + y.size] - y)[: 9 * SR] ** 2)))
        for at in range(10 * SR - 400, 10 * SR + 400)
    )
    assert y.size == 10 * SR
    assert error < 0.01


@pytest.mark.parametrize(
    ("container", "codec"), [("matroska", "aac"), ("webm", "libopus"), ("flac", "flac")]
)
def test_recording_of_unknown_length_is_read_until_it_sounds(
    container: str, codec: str, tmp_path: Path
) -> None:
    path = tmp_path / "live"
    path.write_bytes(live(np.concatenate([silence(45, SR), SONG]), container, codec))
    decoded = decode(path, sr=SR, limits=LIMITS)
    assert 9.5 * SR < decoded.y.size <= 10 * SR
    assert float(np.mean(frame_levels(decoded.y, SR) > -50)) > 0.97
    path.write_bytes(live(SONG, container, codec))
    y = decode(path, sr=SR, limits=LIMITS).y
    assert float(np.corrcoef(y[SR : 9 * SR], near(y, SONG)[SR : 9 * SR])[0, 1]) > 0.9


def test_silence_of_unknown_length_is_refused_in_bounded_time(tmp_path: Path) -> None:
    path = tmp_path / "live"
    path.write_bytes(live(silence(400, SR), "matroska", "flac"))
    with pytest.raises(SilentAudio):
        decode(path, sr=SR, limits=LIMITS)
    reader = MemoryReader(silence(4000, SR))
    y, _, _ = read_start(reader, 10)
    assert y.size == 10 * SR
    assert reader.read_s <= 10 * (sounding.MAX_STRETCHES + 1)


def test_inverted_channels_sound(tmp_path: Path) -> None:
    y = np.concatenate([silence(60, SR), SONG])
    path = write(tmp_path / "song.wav", np.stack([y, -y], axis=1), SR, "wav-float")
    decoded = decode(path, sr=SR, limits=LIMITS).y
    assert min(np.abs(SONG[at : at + 9 * SR] - decoded[: 9 * SR]).max() for at in NEAR) < 0.001


def test_long_silent_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "silent.flac", silence(200, SR), SR)
    with pytest.raises(SilentAudio):
        decode(path, sr=SR)


def test_file_shorter_than_its_header_states_is_decoded_from_its_start(tmp_path: Path) -> None:
    content = write(tmp_path / "song.mp3", np.concatenate([SONG, HIDDEN]), SR).read_bytes()
    path = tmp_path / "cut.mp3"
    path.write_bytes(content[: len(content) // 4])
    y = decode(path, sr=SR, limits=LIMITS).y
    assert 9 * SR < y.size <= 10 * SR
    assert float(np.corrcoef(y[SR : 8 * SR], SONG[SR : 8 * SR])[0, 1]) > 0.9
    assert flac_with_length(0)  # a file of unknown length has no middle
