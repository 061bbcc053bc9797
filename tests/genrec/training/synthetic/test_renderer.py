"""Rendering synthetic music with FluidSynth into a data folder, resumable."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from genrec.errors import DataError
from genrec.spectrogram import SpectrogramConfig
from genrec.training.data.archive import find_excerpts, load_data
from genrec.training.synthetic.arrangement import Sound, draw_ensemble
from genrec.training.synthetic.composer import LEAD, Note, Piece, compose
from tests.repository import ROOT

pytest.importorskip("fluidsynth", reason="FluidSynth is not installed", exc_type=ImportError)
renderer = importlib.import_module("genrec.training.synthetic.renderer")

FONTS = [
    f / n for f in renderer.SOUNDFONT_FOLDERS for n in renderer.SOUNDFONTS if (f / n).is_file()
]
needs_soundfont = pytest.mark.skipif(not FONTS, reason="no General MIDI soundfont is installed")
CLEAN = Sound(drive=0.0, room=0.0, low_hz=0.0, high_hz=11025.0, noise_db=-120.0)


def genrec(*arguments: str | Path, first: str = "pass") -> subprocess.CompletedProcess[str]:
    """Run ``genrec`` in a process that first executes the code ``first``; return its result."""
    code = f"import sys; {first}; from bot.cli.main import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


def power_db(y: np.ndarray, low_hz: float, high_hz: float) -> float:
    """Return the power between two frequencies in dB."""
    hz = np.fft.rfftfreq(len(y), 1 / renderer.SR)
    inside = (hz >= low_hz) & (hz < high_hz)
    return float(10 * np.log10((np.abs(np.fft.rfft(y)[inside]) ** 2).sum() + 1e-12))


def noise(seconds: float = 2.0) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(0, 0.1, int(seconds * renderer.SR)).astype(np.float32)


@needs_soundfont
def test_synth_writes_a_resumable_data_folder(tmp_path: Path) -> None:
    out = tmp_path / "synth"
    command = ("synth", "--out", out, "--ensembles", "2", "--pieces", "6", "--seconds", "5")
    finished = genrec(*command)
    assert finished.returncode == 0, finished.stderr
    assert f"genrec train --data {out}" in finished.stdout
    excerpts = find_excerpts(out)
    assert [e.genre for e in excerpts] == [f"band-{n:03}" for n in range(2) for _ in range(6)]
    assert not list(out.rglob("*.part*"))
    for excerpt in excerpts:
        y, sr = soundfile.read(excerpt.path)
        assert (sr, y.shape) == (22050, (110250,))
        assert np.abs(y).max() == pytest.approx(1.0, abs=0.01)
        assert np.sqrt(np.mean(y**2)) > 0.01

    missing, present = excerpts[4].path, excerpts[5].path
    before, when = soundfile.read(missing)[0], present.stat().st_mtime_ns
    missing.unlink()
    assert genrec(*command).returncode == 0
    np.testing.assert_array_equal(soundfile.read(missing)[0], before)
    assert present.stat().st_mtime_ns == when

    other = genrec(*command[:-1], "6")
    assert other.returncode != 0
    assert "has pieces of 5.0 s" in other.stderr

    data, refused = load_data(out, SpectrogramConfig(), cache=tmp_path / "cache")
    assert (len(data), data.labels, refused) == (12, ["band-000", "band-001"], [])


@needs_soundfont
def test_deprecated_bands_command_warns_and_resumes_an_old_folder(tmp_path: Path) -> None:
    options = ("--pieces", "6", "--seconds", "5")
    assert genrec("synth", "--out", tmp_path, "--ensembles", "2", *options).returncode == 0
    times = {e.path: e.path.stat().st_mtime_ns for e in find_excerpts(tmp_path)}
    finished = genrec("bands", "--out", tmp_path, "--bands", "2", *options)
    assert finished.returncode == 0
    assert "use genrec synth" in finished.stderr
    assert {e.path: e.path.stat().st_mtime_ns for e in find_excerpts(tmp_path)} == times
    assert "bands" not in genrec("--help").stdout.split()


@needs_soundfont
def test_render_sounds_during_its_notes() -> None:
    organ = Piece([Note(1.0, 2.0, LEAD, 69, 100)], {LEAD: 16}, 0, CLEAN)
    y = renderer.render(organ, 4.0, FONTS[0])
    assert (y.dtype, y.shape) == (np.float32, (4 * renderer.SR,))
    loud = [float(np.abs(second).max()) for second in y.reshape(4, -1)]
    assert loud[1] > 0.01
    assert max(loud[0], loud[3]) < loud[1] / 100


@needs_soundfont
def test_render_repeated_key_sounds_on() -> None:
    again = [Note(0.0, 1.01, LEAD, 69, 100), Note(1.0, 2.0, LEAD, 69, 100)]
    y = renderer.render(Piece(again, {LEAD: 16}, 0, CLEAN), 2.0, FONTS[0])
    first, second = (float(np.std(y[int(s * renderer.SR) :][:8000])) for s in (0.5, 1.5))
    assert second > first / 2


def test_events_end_a_note_before_its_key_starts_again() -> None:
    for number in range(30):
        down: dict[tuple[int, int], float] = {}
        for time_s, velocity, *key in renderer._events(
            compose(draw_ensemble(number), (number, 0), 8.0).notes, 8.0
        ):
            if velocity:
                assert tuple(key) not in down
                down[tuple(key)] = time_s
            else:
                assert down.pop(tuple(key)) < time_s
        assert not down


def test_apply_sound_limits_the_frequency_range() -> None:
    y, rng = noise(), np.random.default_rng(1)
    flat = renderer.apply_sound(y, CLEAN, rng)
    narrow = Sound(drive=0.0, room=0.0, low_hz=150.0, high_hz=4000.0, noise_db=-120.0)
    filtered = renderer.apply_sound(y, narrow, rng)
    inside = power_db(filtered, 500, 2500) - power_db(flat, 500, 2500)
    for low, high in ((0, 50), (8000, 11000)):
        outside = power_db(filtered, low, high) - power_db(flat, low, high)
        assert outside < inside - 15


def test_apply_sound_normalises_drives_and_adds_noise() -> None:
    quiet = 0.001 * np.sin(2 * np.pi * 220 * np.arange(renderer.SR) / renderer.SR).astype(
        np.float32
    )
    clean, driven, noisy = (
        renderer.apply_sound(
            quiet,
            Sound(drive=drive, room=0.0, low_hz=0.0, high_hz=11025.0, noise_db=noise_db),
            np.random.default_rng(2),
        )
        for drive, noise_db in ((0.0, -120.0), (3.0, -120.0), (0.0, -45.0))
    )
    for y in (clean, driven, noisy):
        assert (y.dtype, float(np.abs(y).max())) == (np.float32, pytest.approx(1.0, abs=1e-3))
    third = power_db(driven, 640, 680) - power_db(driven, 200, 240)
    assert third > power_db(clean, 640, 680) - power_db(clean, 200, 240) + 20
    tone = clean * float(noisy @ clean / (clean @ clean))
    floor = np.std(noisy - tone) / np.abs(tone).max()
    assert 20 * np.log10(floor) == pytest.approx(-45, abs=1)


def test_apply_sound_to_silence_is_silent() -> None:
    still = renderer.apply_sound(np.zeros(1000, dtype=np.float32), CLEAN, np.random.default_rng(3))
    assert np.isfinite(still).all()
    assert np.abs(still).max() < 1e-3


def test_render_ensembles_with_unusable_input_raises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = tmp_path / "wrong.sf2"
    wrong.write_bytes(b"not a soundfont")
    with pytest.raises(DataError, match=r"wrong\.sf2 cannot be read as a soundfont"):
        renderer.render_ensembles(
            tmp_path / "out", ensembles=2, pieces=3, seconds=1, soundfont=wrong
        )
    assert not (tmp_path / "out").exists()
    (tmp_path / "file").write_text("a file")
    with pytest.raises(DataError, match=r"bands\.json cannot be read or written"):
        renderer._write_or_check_manifest(
            tmp_path / "file", {"seconds": 5.0, "soundfont": "some.sf2"}
        )
    monkeypatch.setattr(renderer, "SOUNDFONT_FOLDERS", (tmp_path / "none",))
    with pytest.raises(DataError, match=r"No General MIDI soundfont .* --soundfont FILE"):
        renderer.find_soundfont()


def test_synth_without_fluidsynth_names_the_fix(tmp_path: Path) -> None:
    hidden = "import ctypes.util; ctypes.util.find_library = lambda name: None"
    finished = genrec("synth", "--out", tmp_path / "out", first=hidden)
    assert finished.returncode != 0
    assert "FluidSynth is not installed; install its library" in finished.stderr
    assert "Traceback" not in finished.stderr
