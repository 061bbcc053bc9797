"""The listening stage removes what is not music and keeps everything else as it is."""

from __future__ import annotations

import numpy as np
import pytest

from genrec.errors import ClipTooShort, SilentAudio
from genrec.filters import block_length, remove_hum, remove_infrasound
from genrec.listening import levels, listen, parts_in_file, sounding_parts
from tests.synth import music

SR = 22050
MUSIC = music(2, 10.0, SR).astype(np.float32)
LOUDNESS = float(MUSIC.std())


def tone(hz: float, seconds: float, rms: float = 0.05) -> np.ndarray:
    t = np.arange(round(seconds * SR)) / SR
    return np.asarray(rms * np.sqrt(2) * np.sin(2 * np.pi * hz * t + 0.4), dtype=np.float32)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * SR), dtype=np.float32)


def room(seconds: float, rms: float = 10 ** (-55 / 20)) -> np.ndarray:
    """Return pink noise: power falls by 3 dB per octave."""
    rng = np.random.default_rng(3)
    spectrum = np.fft.rfft(rng.normal(0, 1, round(seconds * SR)))
    spectrum[1:] /= np.sqrt(np.arange(1, spectrum.size))
    spectrum[0] = 0
    y = np.fft.irfft(spectrum, round(seconds * SR))
    return np.asarray(y * rms / y.std(), dtype=np.float32)


def level_db(y: np.ndarray) -> float:
    return 20 * float(np.log10(max(float(y.std()), 1e-12)))


def error_db(found: np.ndarray, expected: np.ndarray) -> float:
    """Return the level of the difference relative to the expected samples."""
    return level_db(found - expected) - level_db(expected)


@pytest.mark.parametrize(("hz", "at_most_db"), [(0.0, -80), (3.0, -50), (8.0, -40), (12.0, -30)])
def test_infrasound_is_removed(hz: float, at_most_db: float) -> None:
    y = tone(hz, 20.0) if hz else np.full(20 * SR, 0.1, dtype=np.float32)
    rms = np.sqrt(np.mean(y**2))
    left = remove_infrasound(y, SR)[2 * SR : -2 * SR]
    assert 20 * np.log10(np.sqrt(np.mean(left**2)) / rms + 1e-12) < at_most_db


@pytest.mark.parametrize("hz", [25.0, 31.0, 41.2, 100.0, 5000.0])
def test_tones_above_25_hz_keep_their_level(hz: float) -> None:
    y = tone(hz, 20.0)
    assert level_db(remove_infrasound(y, SR)[SR:-SR]) == pytest.approx(level_db(y), abs=0.1)


def test_offset_does_not_change_the_samples() -> None:
    with_offset = listen(MUSIC / 2 + np.float32(0.1), SR).y
    without = listen(MUSIC / 2, SR).y
    np.testing.assert_allclose(with_offset, without, atol=1e-5)


@pytest.mark.parametrize("mains", [50.0, 50.07, 60.0])
def test_mains_hum_and_its_harmonics_are_removed(mains: float) -> None:
    hum = tone(mains, 20.0, 0.03) + tone(2 * mains, 20.0, 0.02) + tone(3 * mains, 20.0, 0.02)
    noise = room(20.0, 0.03)
    removed = noise + hum - remove_hum(noise + hum, SR)
    assert error_db(removed, hum) < -12


@pytest.mark.parametrize("hz", [45.0, 55.0, 65.4, 110.0])
def test_steady_notes_beside_the_mains_stay(hz: float) -> None:
    y = MUSIC + tone(hz, 10.0, 0.03)
    np.testing.assert_array_equal(remove_hum(y, SR), y)


@pytest.mark.parametrize("hz", [311.127, 349.23, 369.99, 430.0, 1420.0, 1475.0])
def test_high_notes_do_not_pass_for_hum_or_infrasound(hz: float) -> None:
    """A decimation without a filter would mirror them to 50 Hz and below."""
    y = tone(hz, 10.0, 0.2)
    assert error_db(remove_hum(y, SR), y) < -50
    assert error_db(remove_infrasound(y, SR)[SR:-SR], y[SR:-SR]) < -50


def test_hum_alone_is_no_sound() -> None:
    y = tone(50.0, 30.0, 0.2) + tone(100.0, 30.0, 0.1) + tone(150.0, 30.0, 0.1)
    with pytest.raises((SilentAudio, ClipTooShort)):
        listen(y, SR)


@pytest.mark.parametrize("sr", [8_000, 16_000, 44_100])
def test_listening_works_at_other_rates(sr: int) -> None:
    y = music(2, 6.0, sr).astype(np.float32)
    sounding = listen(np.concatenate([np.zeros(10 * sr, np.float32), y + np.float32(0.05)]), sr)
    assert sounding.y.size / sr == pytest.approx(6.0, abs=0.5)


def test_a_bass_line_that_passes_50_hz_stays() -> None:
    notes = [tone(hz, 0.5, 0.1) for hz in (50.0, 62.0, 41.0, 55.0, 46.0, 73.0) * 4]
    y = np.concatenate(notes).astype(np.float32)
    assert error_db(remove_hum(y, SR), y) < -30


def test_hum_of_a_short_clip_stays() -> None:
    y = tone(50.0, 3.0)
    np.testing.assert_array_equal(remove_hum(y, SR), y)


@pytest.mark.parametrize("quiet", [silence, room], ids=["silence", "room"])
@pytest.mark.parametrize("order", ["before", "after", "both"])
def test_quiet_around_music_is_cut_out(quiet: object, order: str) -> None:
    assert callable(quiet)
    before = quiet(20.0) if order != "after" else silence(0)
    after = quiet(20.0) if order != "before" else silence(0)
    sounding = listen(np.concatenate([before, MUSIC, after]), SR)
    alone = listen(MUSIC, SR)
    assert sounding.y.size == pytest.approx(alone.y.size, abs=0.06 * SR)
    start = sounding.parts[0][0]
    assert start == pytest.approx(before.size, abs=0.06 * SR)


def test_gap_between_two_pieces_is_cut_out_and_both_are_kept() -> None:
    sounding = listen(np.concatenate([MUSIC, silence(8.0), MUSIC[: 3 * SR]]), SR)
    assert len(sounding.parts) == 2
    assert sounding.y.size == pytest.approx(13 * SR, abs=0.1 * SR)


def test_pauses_of_music_stay() -> None:
    beat = np.concatenate([MUSIC[: SR // 4], silence(0.5)])
    sounding = listen(np.tile(beat, 8), SR)
    assert len(sounding.parts) == 1
    assert sounding.y.size > 0.9 * (8 * beat.size)


@pytest.mark.parametrize("gain_db", [-35.0, -20.0, 0.0])
def test_music_of_any_level_is_kept_whole(gain_db: float) -> None:
    quiet = MUSIC * np.float32(10 ** (gain_db / 20))
    assert listen(quiet, SR).y.size == pytest.approx(MUSIC.size, abs=0.06 * SR)


def test_quiet_movement_of_a_piece_is_kept() -> None:
    """Music 30 dB below the loud part moves in level; a room does not."""
    swell = np.linspace(0.4, 1.0, MUSIC.size) ** 2
    quiet = MUSIC * (0.03 * swell).astype(np.float32)
    sounding = listen(np.concatenate([MUSIC, quiet, MUSIC]), SR)
    assert sounding.y.size > 0.95 * 3 * MUSIC.size


def test_steady_noise_alone_is_sound() -> None:
    assert listen(room(5.0), SR).y.size == pytest.approx(5 * SR, abs=0.1 * SR)


@pytest.mark.parametrize("offset", [0.0, 0.2])
def test_silence_is_refused(offset: float) -> None:
    with pytest.raises(SilentAudio, match="silent"):
        listen(silence(5.0) + np.float32(offset), SR)


def test_a_moment_of_sound_in_silence_is_refused_with_its_length() -> None:
    with pytest.raises(ClipTooShort, match=r"0\.\d+ s of this clip sound"):
        listen(np.concatenate([silence(5.0), MUSIC[: SR // 3], silence(5.0)]), SR)


def test_click_does_not_count_beside_music() -> None:
    click = silence(3.0)
    click[SR : SR + 20] = 0.5
    sounding = listen(np.concatenate([click, silence(2.0), MUSIC]), SR)
    assert len(sounding.parts) == 1


def test_levels_are_rms_in_db() -> None:
    step = block_length(SR)
    found = levels(tone(1000.0, 1.0, 0.1), step)
    assert found.size == SR // step
    assert float(np.median(found)) == pytest.approx(-20, abs=0.5)
    assert levels(silence(0.1), step).max() == -200


def test_one_block_is_enough() -> None:
    assert sounding_parts(np.full(1, -20.0, dtype=np.float32), 0.003) == [(0, 1)]
    assert sounding_parts(np.full(1, -120.0, dtype=np.float32), 0.003) == []


@pytest.mark.parametrize(
    ("decoded", "sounding", "expected"),
    [
        ([(0.0, 4.0)], [(0, 400)], [(0.0, 4.0)]),
        ([(10.0, 14.0)], [(100, 250), (300, 400)], [(11.0, 12.5), (13.0, 14.0)]),
        ([(1.0, 3.0), (8.0, 10.0)], [(0, 400)], [(1.0, 3.0), (8.0, 10.0)]),
        ([(1.0, 3.0), (8.0, 10.0)], [(100, 300)], [(2.0, 3.0), (8.0, 9.0)]),
        ([(1.0, 3.0), (3.0, 5.0)], [(100, 300)], [(2.0, 4.0)]),
        ([], [(0, 400)], []),
    ],
)
def test_parts_in_file_are_those_that_sound(decoded, sounding, expected) -> None:
    assert parts_in_file(decoded, sounding, 100) == tuple(expected)
