"""A cluster with TLS whose certificates are missing is a sentence that names the variable."""

from __future__ import annotations

from pathlib import Path

import dask.config
import pytest

from genrec.cluster_process import DaskConnection
from genrec.errors import ClusterLost

TLS = "distributed.comm.tls"


async def task(data: bytes) -> bytes:
    return data


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        ("ca-file", "needs certificates, and DASK_DISTRIBUTED__COMM__TLS__CA_FILE is not set"),
        ("client.cert", "DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT is not set: set Dask's"),
        ("client.key", "DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY is not set: set Dask's"),
    ],
)
async def test_missing_certificate_is_named(tmp_path: Path, missing: str, sentence: str) -> None:
    file = tmp_path / "some.pem"
    file.touch()
    options = {f"{TLS}.{name}": str(file) for name in ("ca-file", "client.cert", "client.key")}
    with (
        dask.config.set({**options, f"{TLS}.{missing}": None}),
        pytest.raises(ClusterLost, match=sentence),
    ):
        async with DaskConnection("tls://127.0.0.1:1", task, without_workers_s=1):
            pass


async def test_certificate_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    absent = tmp_path / "absent.pem"
    with (
        dask.config.set({f"{TLS}.ca-file": str(absent)}),
        pytest.raises(ClusterLost, match=f"CA_FILE is {absent}, which cannot be read"),
    ):
        async with DaskConnection("tls://127.0.0.1:1", task, without_workers_s=1):
            pass
