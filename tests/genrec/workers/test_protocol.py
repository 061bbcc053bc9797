"""Wrong fields in a worker's frames are rejected with field, value and expected value."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest

from genrec import errors
from genrec.types import Analysis, GenreScore
from genrec.workers import protocol


def frame() -> tuple[dict[str, Any], bytes]:
    """Return head and blob of a valid analysis."""
    scores = (GenreScore("jazz", 0.75), GenreScore("blues", 0.25))
    fingerprint = np.zeros((3, 4), np.int8)
    unit = np.array([0.6, 0.8], np.float32)
    parts = ((1.0, 16.0), (20.0, 35.0))
    packed = protocol.pack_analysis(
        1, Analysis("m@1", unit, scores, fingerprint, 30.0, 30.0, parts=parts)
    )
    text_length, _ = struct.unpack_from("<II", packed)
    return json.loads(packed[8 : 8 + text_length]), packed[8 + text_length :]


def test_valid_analysis_is_unpacked() -> None:
    analysis = protocol.unpack_analysis(*frame(), model_id="m@1")
    assert [score.label for score in analysis.scores] == ["jazz", "blues"]
    assert analysis.embedding.tolist() == pytest.approx([0.6, 0.8])
    assert analysis.parts == ((1.0, 16.0), (20.0, 35.0))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("model_id", "other@2", "model_id='other@2': expected 'm@1'"),
        ("dimensions", 0, "dimensions=0: expected 1..4096"),
        ("dimensions", True, "dimensions=True: expected 1..4096"),
        ("dimensions", 3, "blob_bytes=20: expected 24"),
        ("fingerprint", [3], "fingerprint=[3]: expected [rows, columns]"),
        ("fingerprint", [0, 4], "fingerprint[0]=0: expected 1..1048576"),
        ("duration_s", -3, "duration_s=-3: expected 0..1e9"),
        ("duration_s", None, "duration_s=None: expected 0..1e9"),
        ("analyzed_s", "30", "analyzed_s='30': expected 0..1e9"),
        ("parts", None, "parts=None: expected at most 1024 pairs of rising numbers"),
        ("parts", [[1]], "parts=[[1]]: expected at most 1024 pairs of rising numbers"),
        ("parts", [[2, 1]], "parts=[[2, 1]]: expected at most 1024 pairs of rising numbers"),
        (
            "parts",
            [[0, 2], [1, 3]],
            "parts=[[0, 2], [1, 3]]: expected at most 1024 pairs of rising numbers",
        ),
        ("parts", [[0, "2"]], "parts='2': expected 0..1e9"),
        ("timings_ms", [], "timings_ms=[]: expected an object of 0..32 stages"),
        ("timings_ms", {"decode": -1}, "timings_ms.decode=-1: expected 0..1e9"),
        ("timings_ms", {"\n": 1}, "timings_ms='\\n': expected 1..200 printable characters"),
        ("scores", [], "scores=[]: expected 1..1000 pairs"),
        ("scores", [["jazz"]], "scores=[['jazz']]: expected [label, probability] pairs"),
        ("scores", [["", 1]], "scores.label='': expected 1..200 printable characters"),
        ("scores", [["jazz", 2]], "scores.probability=2: expected 0..1.001"),
        ("scores", [["jazz", 0.5]], "scores.sum=0.5: expected 1"),
        (
            "scores",
            [["jazz", 0.4], ["blues", 0.6]],
            "scores=[['jazz', 0.4], ['blues', 0.6]]: expected the most probable first",
        ),
        (
            "scores",
            [["jazz", 0.5], ["jazz", 0.5]],
            "scores=[['jazz', 0.5], ['jazz', 0.5]]: expected each label once",
        ),
        ("music", None, "music=None: expected 0..1"),
        ("music", 1.5, "music=1.5: expected 0..1"),
        ("music", True, "music=True: expected 0..1"),
    ],
)
def test_wrong_field_of_an_analysis_is_named(field: str, value: object, message: str) -> None:
    head, blob = frame()
    with pytest.raises(protocol.ProtocolError) as caught:
        protocol.unpack_analysis(head | {field: value}, blob, model_id="m@1")
    assert str(caught.value) == message


def test_embedding_of_another_length_is_rejected() -> None:
    head, blob = frame()
    blob = np.array([0.6, 0.9], "<f4").tobytes() + blob[8:]
    with pytest.raises(protocol.ProtocolError, match=r"embedding\.length=1\.08.*: expected 1"):
        protocol.unpack_analysis(head, blob, model_id="m@1")


def test_long_value_is_shortened_in_the_message() -> None:
    head, blob = frame()
    deep: list[Any] = []
    for _ in range(500):
        deep = [deep]
    for value in ("x" * 60_000, [1] * 60_000, deep):
        with pytest.raises(protocol.ProtocolError) as caught:
            protocol.unpack_analysis(head | {"duration_s": value}, blob, model_id="m@1")
        assert len(str(caught.value)) < 100


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ([], "error=[]: expected an object of code and message"),
        ({"code": 1, "message": "No."}, "error.code=1: expected text"),
        ({"code": "silent_audio"}, "error.message=None: expected text"),
        ({"code": "silent_audio", "message": ""}, "error.message='': expected text"),
        ({"code": "busy", "message": "No."}, "error.code='busy': expected one of "),
    ],
)
def test_wrong_error_is_named(error: object, message: str) -> None:
    with pytest.raises(protocol.ProtocolError) as caught:
        protocol.unpack_error({"error": error})
    assert str(caught.value).startswith(message)


def test_error_of_a_clip_is_unpacked_with_its_class() -> None:
    error = protocol.unpack_error({"error": {"code": "silent_audio", "message": "It is\nsilent."}})
    assert isinstance(error, errors.SilentAudio)
    assert str(error) == "It is silent."
    assert protocol.unpack_error({}) is None


@pytest.mark.parametrize("measures", [None, 3, [{}], [{"name": "files"}]])
def test_ready_frame_without_measures_is_rejected(measures: object) -> None:
    with pytest.raises(protocol.ProtocolError, match=r"measures=.*: expected"):
        protocol.unpack_ready({"model_id": "m@1", "measures": measures})


def test_ready_frame_carries_warnings_on_one_line_each() -> None:
    head = {"model_id": "m@1", "runtime": "litert", "measures": [], "warnings": ["a\nb"]}
    assert protocol.unpack_ready(head) == ("m@1", "litert", [], ["a b"])
    for wrong in (None, "a", [3]):
        with pytest.raises(protocol.ProtocolError, match=r"warnings=.*: expected texts"):
            protocol.unpack_ready(head | {"warnings": wrong})
