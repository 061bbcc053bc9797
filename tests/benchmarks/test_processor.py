"""The line that names the processor."""

from __future__ import annotations

import pytest

from tests.benchmarks.processor import information, processor_line


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["sse2", "avx2"], "A, AVX2"),
        (["avx2", "avx512f"], "A, AVX2, AVX-512"),
        (["avx2", "avx512f", "avx512_vnni"], "A, AVX2, AVX-512, VNNI"),
        (["avx2", "avx_vnni"], "A, AVX2, VNNI"),
        (["asimd", "asimddp"], "A, dot product"),
        ([], "A, none of AVX2, AVX-512, VNNI, dot product, I8MM"),
    ],
)
def test_processor_line_has_model_and_extensions(flags: list[str], line: str) -> None:
    assert processor_line({"brand_raw": "A", "flags": flags}) == line


def test_this_processor_has_a_line() -> None:
    assert processor_line({}).startswith("unknown processor")
    assert len(processor_line(information())) > 10
