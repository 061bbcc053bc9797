"""Mutated frames of a worker: each one is valid or a protocol error, and nothing else."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import numpy as np

from genrec.types import Analysis, GenreScore
from genrec.workers import protocol
from tests.attacks.conftest import Budget
from tests.attacks.mutate import mutated

MODEL = "a@0123456789ab"


def frame() -> bytes:
    """Return a valid frame with an analysis."""
    embedding = np.zeros(64, np.float32)
    embedding[0] = 1
    analysis = Analysis(
        model_id=MODEL,
        embedding=embedding,
        scores=(GenreScore("jazz", 0.75), GenreScore("blues", 0.25)),
        fingerprint=np.ones((15, 40), np.int8),
        duration_s=30.0,
        analyzed_s=30.0,
        timings_ms={"decode": 1.0},
        preview=np.ones((64, 200), np.uint8),
    )
    return protocol.pack_analysis(1, analysis)


async def unpack(data: bytes) -> str:
    """Return the outcome of reading one frame in the parent."""
    reader = asyncio.StreamReader(limit=2**20)
    reader.feed_data(data)
    reader.feed_eof()
    try:
        head, body = await protocol.receive(reader)
        protocol.unpack_error(head)
        analysis = protocol.unpack_analysis(head, body, model_id=MODEL)
    except (protocol.ProtocolError, asyncio.IncompleteReadError) as error:
        return type(error).__name__
    assert np.isfinite(analysis.embedding).all()
    assert analysis.duration_s >= 0
    return "valid"


async def test_mutated_frames_are_valid_or_protocol_errors(
    budget: Budget, rng: random.Random
) -> None:
    valid, outcomes = frame(), Counter[str]()
    assert await unpack(valid) == "valid"
    for _ in budget.rounds():
        _names, data = mutated(rng, valid, valid)
        outcomes[await unpack(data)] += 1
    print(f"{budget.count} frames: {dict(outcomes)}")  # noqa: T201 - the result of an attack
    assert outcomes["ProtocolError"] > 0
