"""Play the pieces of bands with FluidSynth, and keep them as a folder of audio for each band."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path

import fluidsynth
import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from genrec.errors import DataError
from genrec.training.bands import DRUMS, Sound, draw_band
from genrec.training.cache import end_with_parent
from genrec.training.compose import Piece, compose
from genrec.training.dataset import Progress, silent

Float = NDArray[np.float32]

SR = 22050
BLOCK = 64  # samples that FluidSynth works in
RINGS = 192 * BLOCK  # samples that voices and room sound on for after a reset, and more
PERCUSSION_BANK = 128
REVERB_SEND = 91  # the controller
SOUNDFONTS = ("FluidR3_GM.sf2", "default-GM.sf2", "TimGM6mb.sf2")
SOUNDFONT_FOLDERS = (Path("/usr/share/sounds/sf2"), Path("/usr/share/soundfonts"))


def find_soundfont() -> Path:
    """Return the first General MIDI soundfont that is installed.

    Raises
    ------
    DataError
        There is none.
    """
    for folder in SOUNDFONT_FOLDERS:
        for name in SOUNDFONTS:
            if (folder / name).is_file():
                return folder / name
    raise DataError(
        "No General MIDI soundfont is installed; install one (Debian: apt install"
        " fluid-soundfont-gm) or pass its path: --soundfont FILE.sf2."
    )


class Studio:
    """A synthesiser with a soundfont; plays one piece after the other.

    Raises
    ------
    DataError
        The soundfont cannot be read.
    """

    def __init__(self, soundfont: Path) -> None:
        self.synth = fluidsynth.Synth(samplerate=float(SR), gain=0.5)
        self.font = self.synth.sfload(str(soundfont))
        if self.font < 0:
            raise DataError(f"{soundfont} cannot be read as a soundfont; pass an SF2 file.")

    def play(self, piece: Piece, seconds: float) -> Float:
        """Return a piece as it sounds: float32 (samples,) at 22,050 Hz, -1..1, mono."""
        synth = self.synth
        synth.system_reset()
        synth.get_samples(RINGS)  # nothing of the piece before is heard in this one
        room = piece.sound.room
        synth.set_reverb(roomsize=room, damping=0.4, width=0.5, level=0.9 * room)
        for channel, program in piece.programs.items():
            synth.program_select(channel, self.font, 0, program)
            synth.cc(channel, REVERB_SEND, int(127 * room))
        synth.program_select(DRUMS, self.font, PERCUSSION_BANK, piece.kit)
        blocks, played = [], 0
        for when, velocity, channel, key in _events(piece, seconds):
            due = int(when * SR) // BLOCK * BLOCK
            if due > played:
                blocks.append(synth.get_samples(due - played))
                played = due
            if velocity:
                synth.noteon(channel, key, velocity)
            else:
                synth.noteoff(channel, key)
        length = int(seconds * SR)
        blocks.append(synth.get_samples(-(-length // BLOCK) * BLOCK - played))  # whole blocks
        stereo = np.concatenate(blocks).reshape(-1, 2)[:length]
        return np.asarray(stereo.mean(axis=1) / 32768, dtype=np.float32)


def record(y: Float, sound: Sound, rng: np.random.Generator) -> Float:
    """Return a piece as it was recorded: driven, band-limited, in noise; its peak is 1."""
    y = y / (4 * np.sqrt(np.mean(y**2)) + 1e-6)
    if sound.drive:
        y = np.tanh(y * (1 + 2 * sound.drive))
    if sound.low_hz:
        y = sosfilt(butter(2, sound.low_hz, "high", fs=SR, output="sos"), y)
    if sound.high_hz < SR / 2:
        y = sosfilt(butter(4, sound.high_hz, "low", fs=SR, output="sos"), y)
    y = y + np.abs(y).max() * 10 ** (sound.noise_db / 20) * rng.standard_normal(len(y))
    return np.asarray(y / (np.abs(y).max() + 1e-6), dtype=np.float32)


def make_bands(
    out: Path,
    *,
    bands: int,
    pieces: int,
    seconds: float,
    soundfont: Path,
    progress: Progress = silent,
) -> None:
    """Write ``out/band-NNN/TAKE.flac`` on every core; what is there already stays.

    Parameters
    ----------
    out
        The folder; a data folder of ``genrec train`` afterwards.
    bands, pieces, seconds
        How many bands, how many pieces of each, and how long each plays.
    soundfont
        A General MIDI soundfont, SF2.
    progress
        Told (done, of) in bands.

    Raises
    ------
    DataError
        The soundfont cannot be read, or a process that plays died.
    """
    Studio(soundfont)  # refuses in this process what no other should be started for
    spawn = multiprocessing.get_context("spawn")
    perform = partial(_perform, out, range(pieces), seconds)
    workers = ProcessPoolExecutor(
        os.cpu_count(), mp_context=spawn, initializer=_enter, initargs=(soundfont,)
    )
    progress(0, bands)
    try:
        for done, _ in enumerate(workers.map(perform, range(bands)), start=1):
            progress(done, bands)
    except BrokenProcessPool as error:
        raise DataError(
            "A process that plays pieces died. Run the command again: it goes on where it stopped."
        ) from error
    finally:
        workers.shutdown(cancel_futures=True)


_studio: list[Studio] = []  # a worker's own


def _enter(soundfont: Path) -> None:
    end_with_parent()
    _studio.append(Studio(soundfont))


def _perform(out: Path, takes: Sequence[int], seconds: float, number: int) -> None:
    """Write the pieces of one band that are not there yet, each whole or not at all."""
    folder = out / f"band-{number:03}"
    folder.mkdir(parents=True, exist_ok=True)
    band = draw_band(number)
    for take in takes:
        path = folder / f"{number:03}-{take:03}.flac"
        if path.exists():
            continue
        piece = compose(band, (number, take), seconds)
        y = record(_studio[0].play(piece, seconds), piece.sound, np.random.default_rng((13, take)))
        half = path.with_suffix(".part")
        soundfile.write(half, y, SR, format="FLAC")
        half.replace(path)


def _events(piece: Piece, seconds: float) -> list[tuple[float, int, int, int]]:
    """Return (s, velocity, channel, key) in order; velocity 0 ends a note, and comes first."""
    events = [(n.start_s, n.velocity, n.channel, n.key) for n in piece.notes]
    events += [(n.end_s, 0, n.channel, n.key) for n in piece.notes]
    return sorted(event for event in events if event[0] < seconds)
