"""Tests of excerpts that sandboxed workers cut: the request, the reply and its checks."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from genrec.errors import FileMissing, SilentAudio, WorkerCrashed
from genrec.types import Section, SoundExcerpt
from genrec.workers import protocol
from genrec.workers.pool import AnalysisPool
from tests.synth import music, silence, write

MP3 = b"\xff\xfb\x90\xc4" + bytes(400)


@pytest.fixture
async def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Yield a pool whose worker cuts excerpts as a preset's analyzer does, without a network."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    async with AnalysisPool(tmp_path, workers=1, analyzer="fake_analyzer:load_decoder") as pool:
        yield pool


async def test_worker_cuts_an_excerpt_of_a_file_and_of_a_section(
    pool: AnalysisPool, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.flac", music(1, 40.0, 44_100), 44_100)
    whole = await pool.excerpt(path, seconds=15.0)
    part = await pool.excerpt(path, Section(1.0, 4.5), seconds=15.0)
    assert (whole.seconds, part.seconds) == pytest.approx((15.0, 3.5), abs=0.01)
    assert whole.mp3[:2] == part.mp3[:2] == b"\xff\xfb"
    assert (await pool.analyze(path)).duration_s == pytest.approx(40.0)
    assert pool.stats.started == 1


async def test_refused_file_keeps_its_sentence_and_its_worker(
    pool: AnalysisPool, tmp_path: Path
) -> None:
    with pytest.raises(FileMissing):
        await pool.excerpt(tmp_path / "gone.flac", seconds=15.0)
    with pytest.raises(SilentAudio):
        await pool.excerpt(write(tmp_path / "s.wav", silence(3.0), 44_100), seconds=15.0)
    assert (pool.stats.started, pool.stats.refused) == (1, 2)


async def test_reply_that_is_no_mp3_kills_its_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent)
    clip = tmp_path / "clip.wav"
    clip.write_text("ok 1")
    async with AnalysisPool(tmp_path, workers=1, analyzer="fake_analyzer:load") as pool:
        with pytest.raises(WorkerCrashed, match="layer 3"):
            await pool.excerpt(clip, seconds=15.0)
        assert pool.pids == ()


def reply(excerpt: SoundExcerpt) -> tuple[dict, bytes]:
    """Return head and blob of a frame."""
    packed = protocol.pack_excerpt(1, excerpt)
    text_length, _ = struct.unpack_from("<II", packed)
    return json.loads(packed[8 : 8 + text_length]), packed[8 + text_length :]


def test_valid_excerpt_is_unpacked() -> None:
    assert protocol.unpack_excerpt(*reply(SoundExcerpt(MP3, 15.0)), excerpt_s=15.0) == SoundExcerpt(
        MP3, 15.0
    )


@pytest.mark.parametrize(("excerpt", "message"), [
    (SoundExcerpt(b"", 15.0), "mp3=b'': expected a frame of MPEG audio"),
    (SoundExcerpt(b"RIFF" + MP3, 15.0), "mp3=b'RIFF'"),
    (SoundExcerpt(b"\xff\xfd\x90\xc4", 15.0), "mp3="),
    (SoundExcerpt(MP3, 16.0), "seconds=16.0: expected 0..15.001"),
    (SoundExcerpt(MP3, -1.0), "seconds=-1.0"),
])  # fmt: skip
def test_wrong_excerpt_is_rejected(excerpt: SoundExcerpt, message: str) -> None:
    with pytest.raises(protocol.ProtocolError) as error:
        protocol.unpack_excerpt(*reply(excerpt), excerpt_s=15.0)
    assert message in str(error.value)
