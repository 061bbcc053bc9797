"""Tests of the tasks of a cluster: what is packed comes back, and nothing else is accepted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from db.details import TrackDetails
from db.ingest.cue import CueSong
from db.ingest.file_facts import FileFacts, FileOrder
from db.ingest.scan import FileStamp
from db.ingest.task_codec import (
    FileTask,
    pack_facts,
    pack_task,
    pack_task_error,
    unpack_facts,
    unpack_task,
)
from db.quality import FileQuality
from db.tags import Tags
from genrec.errors import AnalysisTimeout, CatalogueError, GenrecError, ModelMismatch
from genrec.types import Section
from genrec.workers import protocol
from genrec.workers.protocol import ProtocolError
from tests.db.fakes import MODEL, fake_analysis

CONTENT = "ab" * 32
TAGS = Tags("Song", "Band", "", TrackDetails("Album", 1999, "USPR36507311"))
FACTS = FileFacts(
    path="/m/a.wav",
    stamp=FileStamp(7, -(2**40)),
    content=CONTENT,
    tags=TAGS,
    analysis=fake_analysis(b"a"),
    quality=FileQuality(True, 900_000),
)


def task(count: int = 1, **changes: Any) -> FileTask:
    orders = tuple(FileOrder(path="/m/a.wav") for _ in range(count))
    return FileTask(
        **{"folder": Path("/m"), "labels": ("jazz",), "model_id": MODEL, "orders": orders} | changes
    )


def test_task_comes_back_as_it_was() -> None:
    song = CueSong("/m/ü.flac", "/m/ü.cue", Section(1.5, None), {"title": "One"})
    orders = (
        FileOrder(path="/m/ü.flac#t=1.5", song=song),
        FileOrder(path="/m/b.wav", stamp=FileStamp(1, 2), content=CONTENT),
    )
    given = task(orders=orders, known=frozenset({CONTENT}))
    assert unpack_task(pack_task(given)) == given


def test_facts_come_back_in_the_order_of_the_task() -> None:
    failed = FileFacts(
        path="/m/a.wav", stamp=FileStamp(1, 2), error=AnalysisTimeout("Too slow."), lasting=False
    )
    known = replace(FACTS, analysis=None)
    given = task(3, known=frozenset({CONTENT}))

    first, second, third = unpack_facts(pack_facts([FACTS, failed, known]), given)

    assert first.analysis is not None and FACTS.analysis is not None  # noqa: PT018 - for mypy
    assert np.array_equal(first.analysis.embedding, FACTS.analysis.embedding)
    assert replace(first, analysis=None) == known == third
    assert isinstance(second.error, AnalysisTimeout)
    assert (str(second.error), second.stamp, second.lasting) == (
        "Too slow.",
        FileStamp(1, 2),
        False,
    )


def test_error_of_a_whole_task_is_raised_and_no_other_code_is() -> None:
    with pytest.raises(ModelMismatch, match="Another model"):
        raise_of(pack_task_error(ModelMismatch("Another model.")))
    with pytest.raises(ProtocolError, match=r"error\.code"):
        raise_of(pack_task_error(CatalogueError("Delete the database.")))


def raise_of(reply: bytes) -> None:
    unpack_facts(reply, task(2))


@pytest.mark.parametrize(
    "changes",
    [
        {"content": "../x"},
        {"content": 7},
        {"stamp": [1]},
        {"stamp": [-1, 0]},
        {"stamp": [1, 2**70]},
        {"lasting": "no"},
        {"quality": [1, 2]},
        {"quality": [True, -1]},
        {"tags": {"title": "x"}},
        {"tags": {"title": "", "artist": "b", "genre": "", "details": {}}},
        {"tags": {"title": "a\u202eb", "artist": "b", "genre": "", "details": {}}},
        {"tags": {"title": "a" * 301, "artist": "b", "genre": "", "details": {}}},
        {"tags": {"title": "a", "artist": "b", "genre": "", "details": {"year": 99}}},
        {"tags": {"title": "a", "artist": "b", "genre": "", "details": {"page": "javascript:1"}}},
        {"tags": {"title": "a", "artist": "b", "genre": "", "details": {"wrong": "x"}}},
        {"tags": None},
        {"analyzed": False},  # and the content is not known
    ],
    ids=str,
)
def test_malformed_facts_are_refused(changes: dict[str, Any]) -> None:
    frames = protocol.unpack_frames(pack_facts([FACTS]), 2)
    head = frames[0][0] | changes
    reply = protocol.pack(head) + protocol.pack(*frames[1])
    with pytest.raises((ProtocolError, GenrecError)) as caught:
        unpack_facts(reply, task())
    assert isinstance(caught.value, ProtocolError)


@pytest.mark.parametrize("cut", [1, 8, 9, 40, -1])
def test_cut_reply_is_refused(cut: int) -> None:
    with pytest.raises(ProtocolError):
        unpack_facts(pack_facts([FACTS])[:cut], task())


def test_reply_with_too_few_or_too_many_files_is_refused() -> None:
    for count in (0, 1, 3):
        with pytest.raises(ProtocolError):
            unpack_facts(pack_facts([FACTS] * count), task(2))


def test_task_is_plain_json() -> None:
    assert json.loads(pack_task(task()))["orders"][0]["path"] == "/m/a.wav"
