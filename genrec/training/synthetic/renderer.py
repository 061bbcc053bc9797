"""Render synthetic music with FluidSynth: a folder of FLAC files per ensemble."""

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
from genrec.training.data.dataset import Progress, no_progress
from genrec.training.data.parallel import process_pool
from genrec.training.synthetic.arrangement import DRUMS, ENSEMBLE, Sound, draw_ensemble
from genrec.training.synthetic.composer import Note, Piece, compose

Float = NDArray[np.float32]

SR = 22050
PERCUSSION_BANK = 128
REVERB_SEND = 91  # MIDI controller
SOUNDFONTS = ("FluidR3_GM.sf2", "default-GM.sf2", "TimGM6mb.sf2")
SOUNDFONT_FOLDERS = (Path("/usr/share/sounds/sf2"), Path("/usr/share/soundfonts"))


def find_soundfont() -> Path:
    """Return the path of an installed General MIDI soundfont.

    Raises
    ------
    DataError
        None is installed.
    """
    for folder in SOUNDFONT_FOLDERS:
        for name in SOUNDFONTS:
            if (folder / name).is_file():
                return folder / name
    raise DataError(
        "No General MIDI soundfont is installed; install one (Debian: apt install"
        " fluid-soundfont-gm) or pass one: --soundfont FILE.sf2."
    )


@contextmanager
def synthesiser(soundfont: Path) -> Iterator[tuple[fluidsynth.Synth, int]]:
    """Yield a synthesiser and the id of its soundfont, and free both afterwards.

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


def render(piece: Piece, seconds: float, soundfont: Path) -> Float:
    """Return the samples of a piece, float32 (n,), mono at 22,050 Hz, -1..1.

    Each piece gets a new synthesiser, which takes 30 ms. A used one still has the reverb of the
    previous piece.
    """
    with synthesiser(soundfont) as (synth, font):
        room = piece.sound.room
        synth.set_reverb(roomsize=room, damping=0.4, width=0.5, level=0.9 * room)
        for channel, program in piece.programs.items():
            synth.program_select(channel, font, 0, program)
            synth.cc(channel, REVERB_SEND, int(127 * room))
        synth.program_select(DRUMS, font, PERCUSSION_BANK, piece.kit)
        blocks, rendered = [], 0
        for time_s, velocity, channel, key in _events(piece.notes, seconds):
            sample = int(time_s * SR)
            if sample > rendered:
                blocks.append(synth.get_samples(sample - rendered))
                rendered = sample
            if velocity:
                synth.noteon(channel, key, velocity)
            else:
                synth.noteoff(channel, key)
        blocks.append(synth.get_samples(int(seconds * SR) - rendered))
        stereo = np.concatenate(blocks).reshape(-1, 2)
        return np.asarray(stereo.mean(axis=1) / 32768, dtype=np.float32)


def apply_sound(y: Float, sound: Sound, rng: np.random.Generator) -> Float:
    """Return samples with drive, pass band and noise of a recording, and a peak of 1.

    ``y`` and the result are float32 (n,) at 22,050 Hz. Silence stays silent.
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


def render_ensembles(
    out: Path,
    *,
    ensembles: int,
    pieces: int,
    seconds: float,
    soundfont: Path,
    progress: Progress = no_progress,
) -> None:
    """Write the missing pieces of a data folder as FLAC files, rendered on all cores.

    Parameters
    ----------
    out
        The data folder, with a folder per ensemble.
    ensembles, pieces, seconds
        Number of ensembles, pieces per ensemble, and length of a piece.
    soundfont
        A General MIDI soundfont, SF2.
    progress
        Called with (done, total) in pieces.

    Raises
    ------
    DataError
        The soundfont cannot be read, the folder has pieces of another length or soundfont or cannot
        be written, or a rendering process died.
    """
    with synthesiser(soundfont):
        pass  # a bad soundfont fails here, before processes are started
    _write_or_check_manifest(out, {"seconds": seconds, "soundfont": soundfont.name})
    takes = [(number, take) for number in range(ensembles) for take in range(pieces)]
    missing = [each for each in takes if not _path(out, *each).exists()]
    done = len(takes) - len(missing)
    progress(done, len(takes))
    crash_message = "A process that renders pieces died. Run the command again to continue."
    with process_pool(crash_message) as workers:
        for _ in workers.map(partial(_write_piece, out, seconds, soundfont), missing):
            done += 1
            progress(done, len(takes))


def _write_or_check_manifest(out: Path, manifest: dict[str, str | float]) -> None:
    """Write length and soundfont of the pieces to bands.json; raise DataError if it has others."""
    path = out / "bands.json"  # this name and band-NNN are those of earlier releases
    try:
        out.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            with atomic_write(path) as part:
                part.write_text(json.dumps(manifest), encoding="utf-8")
        before = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} cannot be read or written: {error}. Pass another --out folder."
        ) from error
    if before != manifest:
        raise DataError(
            f"{out} has pieces of {before.get('seconds')} s rendered with"
            f" {before.get('soundfont')}; pass the same --seconds and --soundfont, or another"
            " --out."
        )


def _path(out: Path, number: int, take: int) -> Path:
    """Return the path of a piece, as in earlier releases, so that their folders can be resumed."""
    return out / f"{ENSEMBLE}{number:03}" / f"{number:03}-{take:03}.flac"


def _write_piece(out: Path, seconds: float, soundfont: Path, take: tuple[int, int]) -> None:
    """Compose, render and write one piece; ``take`` is (ensemble number, take number)."""
    piece = compose(draw_ensemble(take[0]), take, seconds)
    y = render(piece, seconds, soundfont)
    y = apply_sound(y, piece.sound, np.random.default_rng((13, *take)))
    path = _path(out, *take)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(path)
        with atomic_write(path) as part:
            soundfile.write(part, y, SR, format="FLAC")
    except (OSError, soundfile.LibsndfileError) as error:
        raise DataError(
            f"{path} cannot be written: {error}. Free some space, or pass another --out; finished"
            " pieces are kept."
        ) from error


def _events(notes: Sequence[Note], seconds: float) -> list[tuple[float, int, int, int]]:
    """Return note-on and note-off events (time in s, velocity, channel, key) in order.

    Velocity 0 is a note-off. A note ends at the latest when the next note of its key starts. A
    later note-off would end that note, because note-off events name only the key.
    """
    events: list[tuple[float, int, int, int]] = []
    next_start: dict[tuple[int, int], float] = {}
    for note in sorted(notes, reverse=True):
        end = min(note.end_s, next_start.get((note.channel, note.key), seconds))
        if note.start_s < end:
            next_start[note.channel, note.key] = note.start_s
            events.append((note.start_s, note.velocity, note.channel, note.key))
            events.append((end, 0, note.channel, note.key))
    return sorted(events)
