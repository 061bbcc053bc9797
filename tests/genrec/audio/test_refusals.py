"""Each hostile file is refused with its error and sentence, in bounded time and memory."""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
import pytest
import soundfile

from genrec.audio import ffmpeg
from genrec.audio.decode import decode
from genrec.audio.limits import DecodeLimits
from genrec.audio.readers import RawAudio, SoundReader
from genrec.audio.views import FileView
from genrec.errors import (
    ClipTooLarge,
    ClipTooLong,
    FileMissing,
    SilentAudio,
    UnreadableAudio,
)
from tests import hostile_files
from tests.hostile_files import HOSTILE_FILES, SR, HostileFile
from tests.synth import tone, write


@pytest.mark.parametrize("hostile", HOSTILE_FILES, ids=lambda hostile: hostile.name)
def test_hostile_file_is_refused_with_a_sentence(hostile: HostileFile, tmp_path: Path) -> None:
    hostile_files.sound_beside(tmp_path)
    with pytest.raises(hostile.error) as caught:
        decode(hostile.write(tmp_path), sr=SR)
    sentence = str(caught.value)
    assert hostile.message in sentence
    assert sentence[0].isupper()
    assert sentence.endswith(".")
    assert any(
        fix in sentence for fix in ("Send", "Save", "send", "again", "Convert", "Check", "Cut")
    )
    assert str(tmp_path) not in sentence
    packed = io.BytesIO()
    pickler = pickle.Pickler(packed)
    pickler.dispatch_table = {}  # Dask, once imported, packs errors in a way of its own
    pickler.dump(caught.value)
    copy = pickle.loads(packed.getvalue())
    assert (type(copy), str(copy)) == (type(caught.value), sentence)


def test_16_bit_dither_is_silent_and_a_quiet_tone_is_not(tmp_path: Path) -> None:
    steps = np.random.default_rng(0).triangular(-1, 0, 1, 2 * SR)
    dither = np.asarray(steps / 32768, np.float32)
    with pytest.raises(SilentAudio):
        decode(write(tmp_path / "dither.wav", dither, SR), sr=SR)
    quiet = tone(2, SR, level=0.001)
    assert decode(write(tmp_path / "quiet.wav", quiet, SR), sr=SR).y.size == 2 * SR


def test_float_samples_beyond_full_scale_are_accepted(tmp_path: Path) -> None:
    path = write(tmp_path / "hot.wav", tone(2, SR, level=3.0), SR, "wav-float")
    assert decode(path, sr=SR).y.max() == pytest.approx(3, rel=0.01)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileMissing, match=r'^There is no file "gone.mp3"\.'):
        decode(tmp_path / "gone.mp3", sr=SR)


def test_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileMissing, match="is not a file"):
        decode(tmp_path, sr=SR)


def test_named_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(FileMissing, match="is not a file"):
        decode(tmp_path / "pipe.wav", sr=SR)


@pytest.mark.parametrize("name", ["a\0b.wav", "a" * 300 + ".wav"], ids=["nul", "long"])
def test_impossible_name_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(FileMissing, match="cannot be opened"):
        decode(tmp_path / name, sr=SR)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "private.wav", tone(2, SR), SR)
    path.chmod(0)
    with pytest.raises(FileMissing, match="cannot be opened"):
        decode(path, sr=SR)


def test_file_over_max_bytes_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "tone.wav", tone(2, SR), SR)
    size = path.stat().st_size
    assert decode(path, sr=SR, limits=DecodeLimits(max_bytes=size)).y.size
    with pytest.raises(ClipTooLarge, match="genrec takes up to"):
        decode(path, sr=SR, limits=DecodeLimits(max_bytes=size - 1))


def test_file_over_max_duration_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "tone.mp3", tone(4, SR), SR)
    with pytest.raises(ClipTooLong, match=r"up to 0\.001 h"):
        decode(path, sr=SR, limits=DecodeLimits(max_duration_s=3.6))


# References to other files


def decode_with(demuxer: str, file: BinaryIO) -> RawAudio:
    """Return the first two seconds of a file, decoded by FFmpeg."""

    def plan(reader: SoundReader) -> RawAudio:
        return RawAudio(*reader.read(0.0, 2.0), reader.duration_s, complete=True)

    source = ffmpeg.FfmpegSource(FileView(file), demuxer)
    return ffmpeg.decode_with_ffmpeg(source, plan)


def test_ffmpeg_uses_the_given_demuxer_only(tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    path.write_bytes(hostile_files.with_av("ipod", "aac", tone(2, SR)))
    with path.open("rb", buffering=0) as file, pytest.raises(UnreadableAudio):
        decode_with("matroska", file)


def test_playlist_is_not_followed_even_by_its_own_demuxer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second half shows that FFmpeg with its default options follows the playlist."""
    hostile_files.sound_beside(tmp_path)
    monkeypatch.chdir(tmp_path)
    playlist = next(file for file in HOSTILE_FILES if file.name == "concat.wav").write(tmp_path)
    with playlist.open("rb", buffering=0) as file:
        with pytest.raises(UnreadableAudio):
            decode_with("concat", file)
        file.seek(0)
        with av.open(FileView(file), "r", format="concat") as container:
            assert next(container.decode(audio=0)).samples


def test_codec_list_holds_known_codecs_only() -> None:
    assert "adpcm_yamaha" not in ffmpeg.CODECS.split(",")
    assert all(av.Codec(name, "r") for name in ffmpeg.CODECS.split(","))


# Time and memory

LIMITED = """
import resource, sys, time
from pathlib import Path
resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
from genrec.audio.decode import decode
from genrec.audio.limits import DecodeLimits
from genrec.errors import InputRefused
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    limits = DecodeLimits(max_duration_s=float(sys.argv[2]))
    audio = decode(Path(sys.argv[1]), sr=22050, limits=limits)
    print("decoded", audio.y.size / audio.sr)
except InputRefused as error:
    print(error.code)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def decode_limited(path: Path, max_duration_s: float = 12 * 3600) -> tuple[str, int]:
    """Decode with limits of 1 GB and 10 s of CPU; return the outcome and the megabytes used."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path), str(max_duration_s)],
        capture_output=True,
        text=True,
        timeout=240,  # for a busy machine; the CPU limit is the narrow one
        cwd=Path(__file__).parents[3],
        # Each thread of OpenBLAS reserves memory: more than 1 GB on a machine with many cores.
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    outcome, megabytes = done.stdout.splitlines()
    return outcome, int(megabytes)


def test_two_silent_hours_are_decoded_in_bounded_memory(tmp_path: Path) -> None:
    outcome, megabytes = decode_limited(
        hostile_files.silent_flac(tmp_path / "silence.flac", hours=2)
    )
    assert outcome == "silent_audio"
    assert megabytes < 60


def test_largest_rate_and_channels_are_decoded_in_bounded_memory(tmp_path: Path) -> None:
    """30 s of 192 kHz in 8 channels are 184 MB as float32; blocks are averaged one by one."""
    path = tmp_path / "wide.flac"
    noise = np.random.default_rng(0).normal(0, 3000, (192000, 8)).astype(np.int16)
    with soundfile.SoundFile(path, "w", 192000, 8, format="WAV", subtype="PCM_16") as file:
        for _ in range(34):
            file.write(noise)
    outcome, megabytes = decode_limited(path)
    assert outcome == "decoded 30.0"
    assert megabytes < 100


@pytest.mark.slow
def test_24_silent_hours_are_refused_in_bounded_memory_and_time(tmp_path: Path) -> None:
    path = hostile_files.silent_flac(tmp_path / "bomb.flac", hours=24)
    assert path.stat().st_size < 4e6
    assert decode_limited(path)[0] == "clip_too_long"
    outcome, megabytes = decode_limited(path, max_duration_s=1e6)
    assert outcome == "silent_audio"
    assert megabytes < 60
