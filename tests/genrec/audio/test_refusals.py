"""The door: each file that must not get in has its error and its sentence, at a bounded cost."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from genrec.audio import ffmpeg
from genrec.audio.decode import AudioLimits, decode
from genrec.errors import (
    ClipTooLarge,
    ClipTooLong,
    FileMissing,
    SilentAudio,
    UnreadableAudio,
)
from tests import hostile_files
from tests.hostile_files import BOMBS, SR, Bomb
from tests.synth import tone, write


@pytest.mark.parametrize("bomb", BOMBS, ids=lambda bomb: bomb.name)
def test_bomb_is_refused_with_a_sentence(bomb: Bomb, tmp_path: Path) -> None:
    hostile_files.sound_beside(tmp_path)
    with pytest.raises(bomb.error) as caught:
        decode(bomb.plant(tmp_path), sr=SR)
    sentence = str(caught.value)
    assert bomb.says in sentence
    assert sentence[0].isupper()
    assert sentence.endswith(".")
    assert any(
        way in sentence for way in ("Send", "Save", "send", "again", "Convert", "Check", "Cut")
    )
    assert str(tmp_path) not in sentence
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (type(copy), str(copy)) == (type(caught.value), sentence)


def test_16_bit_dither_is_silence_and_a_whisper_is_not(tmp_path: Path) -> None:
    steps = np.random.default_rng(0).triangular(-1, 0, 1, 2 * SR)
    dither = np.asarray(steps / 32768, np.float32)
    with pytest.raises(SilentAudio):
        decode(write(tmp_path / "dither.wav", dither, SR), sr=SR)
    whisper = tone(2, SR, level=0.001)
    assert decode(write(tmp_path / "whisper.wav", whisper, SR), sr=SR).y.size == 2 * SR


def test_float_beyond_full_scale_is_sound(tmp_path: Path) -> None:
    path = write(tmp_path / "hot.wav", tone(2, SR, level=3.0), SR, "wav-float")
    assert decode(path, sr=SR).y.max() == pytest.approx(3, rel=0.01)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileMissing, match=r'^There is no file "gone.mp3"\.'):
        decode(tmp_path / "gone.mp3", sr=SR)


def test_folder(tmp_path: Path) -> None:
    with pytest.raises(FileMissing, match="is not a file"):
        decode(tmp_path, sr=SR)


def test_named_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(FileMissing, match="is not a file"):
        decode(tmp_path / "pipe.wav", sr=SR)


@pytest.mark.parametrize("name", ["a\0b.wav", "a" * 300 + ".wav"], ids=["nul", "long"])
def test_name_that_no_file_can_have(name: str, tmp_path: Path) -> None:
    with pytest.raises(FileMissing, match="cannot be opened"):
        decode(tmp_path / name, sr=SR)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = write(tmp_path / "private.wav", tone(2, SR), SR)
    path.chmod(0)
    with pytest.raises(FileMissing, match="cannot be opened"):
        decode(path, sr=SR)


def test_too_many_bytes(tmp_path: Path) -> None:
    path = write(tmp_path / "tone.wav", tone(2, SR), SR)
    size = path.stat().st_size
    assert decode(path, sr=SR, limits=AudioLimits(max_bytes=size)).y.size
    with pytest.raises(ClipTooLarge, match="genrec takes up to"):
        decode(path, sr=SR, limits=AudioLimits(max_bytes=size - 1))


def test_too_many_seconds(tmp_path: Path) -> None:
    path = write(tmp_path / "tone.mp3", tone(4, SR), SR)
    with pytest.raises(ClipTooLong, match=r"up to 0\.001 h"):
        decode(path, sr=SR, limits=AudioLimits(max_duration_s=3.6))


# No file names another one


def test_demuxer_is_forced(tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    path.write_bytes(hostile_files.with_av("ipod", "aac", tone(2, SR)))
    with path.open("rb", buffering=0) as file, pytest.raises(UnreadableAudio):
        ffmpeg.decode_with_ffmpeg(file, lambda *_: (0.0, 2.0), demuxer="matroska")


def test_playlist_is_not_followed_even_by_its_own_demuxer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FFmpeg as it comes follows it: the second half shows that the first can fail."""
    hostile_files.sound_beside(tmp_path)
    monkeypatch.chdir(tmp_path)
    playlist = next(bomb for bomb in BOMBS if bomb.name == "concat.wav").plant(tmp_path)
    with playlist.open("rb", buffering=0) as file:
        with pytest.raises(UnreadableAudio):
            ffmpeg.decode_with_ffmpeg(file, lambda *_: (0.0, 2.0), demuxer="concat")
        file.seek(0)
        with av.open(ffmpeg._Nameless(file), "r", format="concat") as container:
            assert next(container.decode(audio=0)).samples


def test_codecs_outside_the_list_are_not_even_probed() -> None:
    assert "adpcm_yamaha" not in ffmpeg.CODECS.split(",")
    assert all(av.Codec(name, "r") for name in ffmpeg.CODECS.split(","))


# Time and memory

IN_A_CAGE = """
import resource, sys, time
from pathlib import Path
resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
from genrec.audio.decode import AudioLimits, decode
from genrec.errors import InputRefused
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    limits = AudioLimits(max_duration_s=float(sys.argv[2]))
    heard = decode(Path(sys.argv[1]), sr=22050, limits=limits)
    print("heard", heard.y.size / heard.sr)
except InputRefused as error:
    print(error.code)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def in_a_cage(path: Path, max_duration_s: float = 12 * 3600) -> tuple[str, int]:
    """Decode with 1 GB of memory and 10 s of CPU; return the outcome and the megabytes taken."""
    done = subprocess.run(
        [sys.executable, "-c", IN_A_CAGE, str(path), str(max_duration_s)],
        capture_output=True,
        text=True,
        timeout=240,  # of a machine with other things to do: the CPU limit is the one that counts
        cwd=Path(__file__).parents[3],
        # Each thread of OpenBLAS reserves memory: on a machine of many cores, more than 1 GB.
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    outcome, megabytes = done.stdout.splitlines()
    return outcome, int(megabytes)


def test_two_silent_hours_cost_what_half_a_minute_costs(tmp_path: Path) -> None:
    outcome, megabytes = in_a_cage(hostile_files.silent_flac(tmp_path / "silence.flac", hours=2))
    assert outcome == "silent_audio"
    assert megabytes < 60


def test_widest_window_fits_into_memory(tmp_path: Path) -> None:
    """30 s of 192 kHz in 8 channels are 184 MB as float32: they are averaged block by block."""
    path = tmp_path / "wide.flac"
    noise = np.random.default_rng(0).normal(0, 3000, (192000, 8)).astype(np.int16)
    with soundfile.SoundFile(path, "w", 192000, 8, format="WAV", subtype="PCM_16") as file:
        for _ in range(34):
            file.write(noise)
    outcome, megabytes = in_a_cage(path)
    assert outcome == "heard 30.0"
    assert megabytes < 100


@pytest.mark.slow
def test_24_silent_hours_are_refused_within_seconds_and_1_gb(tmp_path: Path) -> None:
    path = hostile_files.silent_flac(tmp_path / "bomb.flac", hours=24)
    assert path.stat().st_size < 4e6
    assert in_a_cage(path)[0] == "clip_too_long"
    outcome, megabytes = in_a_cage(path, max_duration_s=1e6)
    assert outcome == "silent_audio"
    assert megabytes < 60
