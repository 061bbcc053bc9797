"""Play the pieces of bands with FluidSynth, and keep them as a folder of audio for each band."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import fluidsynth
import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from genrec.errors import DataError
from genrec.files import atomic_write, remove_leftovers
from genrec.training.data.dataset import Progress, silent
from genrec.training.data.parallel import every_core
from genrec.training.synthetic.arrangement import DRUMS, Sound, draw_ensemble
from genrec.training.synthetic.composer import Note, Piece, compose

Float = NDArray[np.float32]

SR = 22050
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


@contextmanager
def synthesiser(soundfont: Path) -> Iterator[tuple[fluidsynth.Synth, int]]:
    """Yield a synthesiser and the number of its soundfont; give the memory back afterwards.

    Raises
    ------
    DataError
        The soundfont cannot be read.
    """
    synth = fluidsynth.Synth(samplerate=float(SR), gain=0.5)
    try:
        font = synth.sfload(str(soundfont))
        if font < 0:
            raise DataError(f"{soundfont} cannot be read as a soundfont; pass an SF2 file.")
        yield synth, font
    finally:
        synth.delete()


def play(piece: Piece, seconds: float, soundfont: Path) -> Float:
    """Return a piece as it sounds: float32 (samples,) at 22,050 Hz, -1..1, mono.

    A synthesiser of its own for each piece costs 30 ms; in one that has played before, its room
    would sound on for seconds.
    """
    with synthesiser(soundfont) as (synth, font):
        room = piece.sound.room
        synth.set_reverb(roomsize=room, damping=0.4, width=0.5, level=0.9 * room)
        for channel, program in piece.programs.items():
            synth.program_select(channel, font, 0, program)
            synth.cc(channel, REVERB_SEND, int(127 * room))
        synth.program_select(DRUMS, font, PERCUSSION_BANK, piece.kit)
        blocks, played = [], 0
        for when, velocity, channel, key in _events(piece.notes, seconds):
            due = int(when * SR)
            if due > played:
                blocks.append(synth.get_samples(due - played))
                played = due
            if velocity:
                synth.noteon(channel, key, velocity)
            else:
                synth.noteoff(channel, key)
        blocks.append(synth.get_samples(int(seconds * SR) - played))
        stereo = np.concatenate(blocks).reshape(-1, 2)
        return np.asarray(stereo.mean(axis=1) / 32768, dtype=np.float32)


def record(y: Float, sound: Sound, rng: np.random.Generator) -> Float:
    """Return a piece as it was recorded: driven, band-limited, in noise.

    ``y`` and the result are float32 (samples,) at 22,050 Hz; the result's peak is 1, but silence
    stays silence.
    """
    y = y / (4 * np.sqrt(np.mean(y**2)) + 1e-6)
    if sound.drive:
        y = np.tanh(y * (1 + 2 * sound.drive))
    if sound.low_hz:
        y = sosfilt(butter(2, sound.low_hz, "high", fs=SR, output="sos"), y)
    if sound.high_hz < SR / 2:
        y = sosfilt(butter(4, sound.high_hz, "low", fs=SR, output="sos"), y)
    y = y + np.abs(y).max() * 10 ** (sound.noise_db / 20) * rng.standard_normal(len(y))
    return np.asarray(y / (np.abs(y).max() + 1e-6), dtype=np.float32)


def make_ensembles(
    out: Path,
    *,
    bands: int,
    pieces: int,
    seconds: float,
    soundfont: Path,
    progress: Progress = silent,
) -> None:
    """Write ``out/band-NNN/NNN-TAKE.flac`` on every core; what is there already stays.

    Parameters
    ----------
    out
        The folder; a data folder of ``genrec train`` afterwards.
    bands, pieces, seconds
        How many bands, how many pieces of each, and how long each plays.
    soundfont
        A General MIDI soundfont, SF2.
    progress
        Told (done, of) in pieces.

    Raises
    ------
    DataError
        The soundfont cannot be read, the folder holds pieces of another length or soundfont or
        cannot be written, or a process that plays died.
    """
    with synthesiser(soundfont):
        pass  # refused in this process, no other is started for it
    _sign(out, {"seconds": seconds, "soundfont": soundfont.name})
    all_of_them = [(number, take) for number in range(bands) for take in range(pieces)]
    missing = [each for each in all_of_them if not _path(out, *each).exists()]
    done = len(all_of_them) - len(missing)
    progress(done, len(all_of_them))
    died = "A process that plays pieces died. Run the command again: it goes on where it stopped."
    with every_core(died) as workers:
        for _ in workers.map(partial(_perform, out, seconds, soundfont), missing):
            done += 1
            progress(done, len(all_of_them))


def _sign(out: Path, facts: dict[str, str | float]) -> None:
    """Write down what all pieces of a folder share, or refuse to mix them with others."""
    path = out / "bands.json"
    try:
        out.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            with atomic_write(path) as part:
                part.write_text(json.dumps(facts), encoding="utf-8")
        before = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read or written: {error}.") from error
    if before != facts:
        raise DataError(
            f"{out} holds pieces of {before.get('seconds')} s played with"
            f" {before.get('soundfont')}; ask for the same, or give another --out."
        )


def _path(out: Path, number: int, take: int) -> Path:
    return out / f"band-{number:03}" / f"{number:03}-{take:03}.flac"


def _perform(out: Path, seconds: float, soundfont: Path, which: tuple[int, int]) -> None:
    """Write a piece of a band, whole or not at all."""
    piece = compose(draw_ensemble(which[0]), which, seconds)
    y = record(play(piece, seconds, soundfont), piece.sound, np.random.default_rng((13, *which)))
    path = _path(out, *which)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(path)
        with atomic_write(path) as part:
            soundfile.write(part, y, SR, format="FLAC")
    except (OSError, soundfile.LibsndfileError) as error:
        raise DataError(
            f"{path} cannot be written: {error}. Make room, or give another --out; what is written"
            " stays."
        ) from error


def _events(notes: Sequence[Note], seconds: float) -> list[tuple[float, int, int, int]]:
    """Return (s, velocity, channel, key) in order; velocity 0 ends a note.

    A key that is struck again ends the note before: the synthesiser ends by key, and would end the
    new note with the old one.
    """
    events: list[tuple[float, int, int, int]] = []
    again: dict[tuple[int, int], float] = {}
    for note in sorted(notes, reverse=True):
        struck = again.get((note.channel, note.key), seconds)
        end = min(note.end_s, struck)
        if note.start_s < end:
            again[note.channel, note.key] = note.start_s
            events.append((note.start_s, note.velocity, note.channel, note.key))
            events.append((end, 0, note.channel, note.key))
    return sorted(events)
