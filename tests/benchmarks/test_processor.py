"""The line that names the processor."""

from __future__ import annotations

import pytest

from tests.benchmarks.processor import information, multiplies_bytes, processor_line


@pytest.mark.parametrize(
    ("flags", "line", "bytes_"),
    [
        (["sse2", "avx2"], "A, AVX2", False),
        (["avx2", "avx512f"], "A, AVX2, AVX-512", False),
        (["avx2", "avx512f", "avx512_vnni"], "A, AVX2, AVX-512, VNNI", True),
        (["avx2", "avx_vnni"], "A, AVX2, VNNI", True),
        (["asimd", "asimddp"], "A, dot product", True),
        ([], "A, none of AVX2, AVX-512, VNNI, dot product, I8MM", False),
    ],
)
def test_processor_line_has_model_and_extensions(flags: list[str], line: str, bytes_: bool) -> None:
    info = {"brand_raw": "A", "flags": flags}
    assert processor_line(info) == line
    assert multiplies_bytes(info) == bytes_


def test_this_processor_has_a_line() -> None:
    assert processor_line({}).startswith("unknown processor")
    assert len(processor_line(information())) > 10
