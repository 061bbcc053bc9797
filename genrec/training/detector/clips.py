"""Draw training clips for the music detector from folders of sounds and from synthesis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genrec.audio.decode import SILENCE_RMS, decode
from genrec.audio.kinds import SOUND_SUFFIXES
from genrec.audio.limits import DecodeLimits
from genrec.errors import DataError, InputRefused
from genrec.training.data.changes import change
from genrec.training.detector import synthetic_music as music
from genrec.training.detector.synthetic_sounds import SOUNDS

Float = NDArray[np.float32]
Rng = np.random.Generator

SR = 22050
SHORTEST_S, LONGEST_S = 1.2, 30.0
CHANGED = 0.7  # share of clips that are changed
_MORE_S = 10.0  # decoded of a music file, from its middle, beyond the clip's length


@dataclass(frozen=True, slots=True)
class SoundGroup:
    """Sounds that stay on one side of every split, such as those of a speaker or package.

    Attributes
    ----------
    name
        ``KIND-KEY+REST``, such as ``speech-cs+fillets-ng-data-cs``. The kind is a row in the
        report.
    music
        True for music.
    files
        Its sound files; empty for a synthetic group.
    """

    name: str
    music: bool
    files: tuple[Path, ...] = ()

    @property
    def kind(self) -> str:
        """The first word of the name."""
        return self.name.partition("-")[0]

    @property
    def key(self) -> str:
        """The name up to ``+``: groups with one key stay on one side of a split."""
        return self.name.partition("+")[0]


def find_groups(folders: Sequence[Path], *, music: bool) -> list[SoundGroup]:
    """Return a group for each folder inside ``folders``, with all sound files below it."""
    groups: dict[str, list[Path]] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            inside = path.relative_to(folder).parts
            if len(inside) > 1 and path.suffix.lower() in SOUND_SUFFIXES:
                groups.setdefault(inside[0], []).append(path)
    return [SoundGroup(name, music, tuple(files)) for name, files in sorted(groups.items())]


class ClipMaker:
    """Draws random clips of groups.

    Parameters
    ----------
    groups
        Groups with files: music, and other sounds; speech is in groups of kind ``speech``.
    soundfont
        A General MIDI soundfont for the synthetic groups.
    """

    def __init__(self, groups: Sequence[SoundGroup], soundfont: Path) -> None:
        self.groups = list(groups)
        self.soundfont = soundfont
        self.speech = [g for g in groups if g.kind == "speech"]
        self.music = [g for g in groups if g.music and g.files]

    def clip(self, group: SoundGroup, number: int) -> Float:
        """Return a random clip of a group after random changes, float32 (n,) at 22,050 Hz."""
        seed = int.from_bytes(group.name.encode(), "big") % 2**32
        rng = np.random.default_rng((seed, number))
        seconds = float(np.exp(rng.uniform(np.log(SHORTEST_S), np.log(LONGEST_S))))
        for _ in range(8):
            y = self._draw(group, seconds, rng)
            if len(y) >= SR and float(y.std()) >= SILENCE_RMS:
                break
        else:
            raise DataError(
                f"{group.name}: 8 random clips were shorter than 1 s or silent; remove the group."
            )
        y = np.asarray(y / (np.abs(y).max() + 1e-9), dtype=np.float32)
        return change(y, rng) if rng.random() < CHANGED else y

    def _draw(self, group: SoundGroup, seconds: float, rng: Rng) -> Float:
        kind = group.kind
        if group.files:
            return excerpt(group, seconds, rng) if group.music else joined(group, seconds, rng)
        name = group.name.partition("-")[2]
        if kind == "synthetic" and not group.music:
            return np.asarray(SOUNDS[name](round(seconds * SR), SR, rng), dtype=np.float32)
        if name in music.PLAYED:
            return music.PLAYED[name](max(seconds, 2.0), self.soundfont, rng)
        speech = joined(self._any(self.speech, rng), seconds, rng)
        if name == "song":
            return music.sing(speech, rng)[: round(seconds * SR)]
        if name == "rap":
            return music.rap(speech, music.beat(max(seconds, 2.0), self.soundfont, rng), rng)
        return music.over(
            speech, excerpt(self._any(self.music, rng), seconds, rng), rng.uniform(-10, 6)
        )

    @staticmethod
    def _any(groups: Sequence[SoundGroup], rng: Rng) -> SoundGroup:
        return groups[int(rng.integers(len(groups)))]


def synthetic_groups() -> list[SoundGroup]:
    """Return the groups of synthetic sounds and music."""
    others = [SoundGroup(f"synthetic-{name}", False) for name in SOUNDS]
    names = (*music.PLAYED, "song", "rap", "speech-over-music")
    return others + [SoundGroup(f"played-{name}", True) for name in names]


def excerpt(group: SoundGroup, seconds: float, rng: Rng) -> Float:
    """Return a random part of a random file of a group."""
    path = group.files[int(rng.integers(len(group.files)))]
    y = _decoded(path, seconds + _MORE_S)
    n = round(seconds * SR)
    start = int(rng.integers(0, max(1, len(y) - n)))
    return y[start : start + n]


def joined(group: SoundGroup, seconds: float, rng: Rng) -> Float:
    """Return random files of a group in a row with gaps, or one file if it is long enough."""
    parts, n, wanted = [], 0, round(seconds * SR)
    gap = rng.uniform(0, 0.8)
    single = rng.random() < 0.3
    for _ in range(80):
        y = _decoded(group.files[int(rng.integers(len(group.files)))], LONGEST_S)
        if single and len(y) >= SR:
            return y[:wanted]
        parts += [y, np.zeros(int(SR * rng.uniform(0, gap)), dtype=np.float32)]
        n += len(parts[-1]) + len(y)
        if n >= wanted:
            break
    return np.concatenate(parts)[:wanted]


def _decoded(path: Path, seconds: float) -> Float:
    """Return the samples of a file at 22,050 Hz; none if it cannot be decoded."""
    try:
        y = decode(path, sr=SR, limits=DecodeLimits(min_seconds=0.05, max_seconds=seconds)).y
    except InputRefused:
        return np.zeros(0, dtype=np.float32)
    return y
