"""Tests of a cluster with TLS on loopback, with certificates of an authority of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from db.connection import MEMORY, open_db
from db.ingest.run import IngestJob, ingest
from genrec.cluster import ClusterClient
from genrec.errors import ClusterLost
from tests.dask_cluster import DIMENSION, LABELS, MODEL, DaskCluster
from tests.db.ingest.test_cluster import TASK, NoAnalyzer, fill


def certificates(folder: Path, authority: trustme.CA) -> dict[str, str]:
    """Write a certificate of an authority, and return Dask's variables for it."""
    folder.mkdir()
    mine = authority.issue_cert("127.0.0.1", "localhost")
    mine.private_key_and_cert_chain_pem.write_to_path(folder / "machine.pem")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    start = "DASK_DISTRIBUTED__COMM__TLS__"
    return {
        "DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "true",
        f"{start}CA_FILE": str(folder / "ca.pem"),
        **{
            f"{start}{program}__{part}": str(folder / "machine.pem")
            for program in ("SCHEDULER", "WORKER", "CLIENT")
            for part in ("CERT", "KEY")
        },
    }


async def test_cluster_indexes_over_tls_and_refuses_a_client_of_another_authority(
    tmp_path: Path,
) -> None:
    ours = certificates(tmp_path / "ours", trustme.CA())
    foreign = certificates(tmp_path / "foreign", trustme.CA())
    folder = fill(tmp_path / "music", 8)
    job = IngestJob(folder=folder, model_id=MODEL, dimension=DIMENSION, labels=LABELS)
    with DaskCluster(tmp_path / "cluster", environment=ours, protocol="tls") as cluster:
        assert cluster.address.startswith("tls://127.0.0.1:")
        cluster.wait_for(cluster.start_worker())
        path = {"PYTHONPATH": cluster.environment["PYTHONPATH"]}
        async with (
            open_db(MEMORY) as db,
            ClusterClient(cluster.address, TASK, environment=ours | path) as client,
        ):
            report = await ingest(db, NoAnalyzer(), job, cluster=client)  # type: ignore[arg-type]
        assert report.analyzed == 8
        with pytest.raises(ClusterLost, match="cannot be reached"):
            async with ClusterClient(cluster.address, TASK, environment=foreign | path):
                pass
