"""The metrics of genrec: name, type, labels and meaning of each, and the table in the docs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

ACKNOWLEDGED_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0)
HTTP_S = (0.005, 0.02, 0.1, 0.5, 1.0, 2.0, 5.0, 20.0, 60.0)
ANSWERED_S = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 300.0)


@dataclass(frozen=True, slots=True)
class MetricDefinition:
    """A metric; ``labels`` has the meaning of each label's values."""

    name: str
    kind: Literal["counter", "gauge", "histogram", "info"]
    meaning: str
    labels: Mapping[str, str]
    buckets: tuple[float, ...] = ()

    @property
    def family(self) -> str:
        """The name without the suffix that Prometheus' client adds."""
        return self.name.removesuffix({"counter": "_total", "info": "_info"}.get(self.kind, ""))


def _metric(
    name: str,
    kind: Literal["counter", "gauge", "histogram", "info"],
    meaning: str,
    buckets: tuple[float, ...] = (),
    **labels: str,
) -> MetricDefinition:
    return MetricDefinition(name, kind, meaning, labels, buckets)


_VERSIONS = "a version"
METRICS = (
    _metric("genrec_build_info", "info", "Versions, always 1", version="of genrec",
            python=_VERSIONS, discord_py=_VERSIONS, yt_dlp=_VERSIONS,
            model="id of the preset: name and content hash"),
    _metric("genrec_ready", "gauge",
            "1 if the bot is connected to Discord, has its database and serves"),
    _metric("genrec_guilds", "gauge", "Servers of the bot"),
    _metric("genrec_shards", "gauge", "Shards that this process serves",
            shards="their numbers, such as `0-3,7`; empty before the first connection"),
    _metric("genrec_gateway_latency_seconds", "gauge",
            "Seconds from the last heartbeat to its acknowledgement", shard="gateway connection"),
    _metric("genrec_gateway_connections_total", "counter",
            "Sessions that Discord opened; a resumed session is none"),
    _metric("genrec_repeated_events_total", "counter", "Events that Discord sent twice"),
    _metric("genrec_requests_total", "counter", "Requests that ended", command="`recommend`,"
            " `genre`, `more`, `reindex`, `library add`, `library import`, `library map`,"
            " `genres teach`, `mix`, `radio`, `path`, `foryou`, `upload` or `watched upload`",
            outcome="`answered`, `interrupted` (by a stop), `lost` (Discord did not take the"
            " answer), or a code"),
    _metric("genrec_requests_running", "gauge", "Requests that run or wait"),
    _metric("genrec_refusals_total", "counter", "Messages that refuse a request or report an"
            " error", code="`code` of an error, or why a request was declined; `failed` is a bug"),
    _metric("genrec_acknowledge_seconds", "histogram",
            "Seconds from the event to its acknowledgement", ACKNOWLEDGED_S),
    _metric("genrec_answer_seconds", "histogram", "Seconds from the event to the answer",
            ANSWERED_S, command="as above"),
    _metric("genrec_votes_total", "counter", "Thumbs", verdict="`up`, `down` or `withdrawn`"),
    _metric("genrec_http_requests_total", "counter", "Requests to the HTTP interface",
            route="path of the route, or `other`",
            status="HTTP status, or `disconnected` if the client left first"),
    _metric("genrec_http_seconds", "histogram", "Seconds from a request to the HTTP interface to"
            " its answer", HTTP_S, route="as above"),
    _metric("genrec_track_votes_total", "counter", "Votes for single tracks of an answer",
            rank="place of the track in the answer: `1` to `10`, or `more`",
            verdict="`up` or `down`"),
    _metric("genrec_track_vote_reasons_total", "counter", "Votes for single tracks of an answer,"
            " once for each reason that the answer gave for the track",
            reason="kind of the reason, such as `genre`, `tempo` or `bright`; `none` without one",
            verdict="`up` or `down`"),
    _metric("genrec_clips_total", "counter", "Clips and files that a worker took",
            result="`analyzed`, `refused`, `crashed` or `timed_out`"),
    _metric("genrec_clips_waiting", "gauge", "Clips that wait for a worker"),
    _metric("genrec_workers", "gauge", "Worker processes"),
    _metric("genrec_network_runtime", "gauge", "1 for the library that runs the network; none"
            " before the first worker", runtime="`litert` or `onnxruntime`"),
    _metric("genrec_worker_starts_total", "counter", "Workers that started; those above"
            " `genrec_workers` are restarts"),
    _metric("genrec_worker_failed_starts_total", "counter", "Workers that did not start"),
    _metric("genrec_worker_recycles_total", "counter", "Workers replaced after many clips"),
    _metric("genrec_sandbox_measure", "gauge",
            "1 if a measure of the worker sandbox is in force", measure="name in `genrec doctor`"),
    _metric("genrec_index_tracks", "gauge", "Tracks that can be recommended",
            scope="`starter`, `library` or `guilds` (of all servers together)"),
    _metric("genrec_index_damaged_tracks", "gauge", "Tracks left out because they are damaged"),
    _metric("genrec_index_bytes", "gauge", "Size of the tracks in memory, with their embeddings"),
    _metric("genrec_database_writable", "gauge", "1, or 0 while the database cannot be written"),
    _metric("genrec_database_bytes", "gauge", "Size of the database file with its write-ahead log"),
    _metric("genrec_database_disk_free_bytes", "gauge", "Free space of the database's disk"),
)  # fmt: skip
BY_NAME = {metric.name: metric for metric in METRICS}


def metrics_table() -> str:
    """Return a Markdown table of the metrics: name, type, labels, meaning."""
    rows = ["| Metric | Type | Meaning | Labels |", "|---|---|---|---|"]
    for metric in METRICS:
        labels = "; ".join(f"`{name}`: {meaning}" for name, meaning in metric.labels.items())
        rows.append(f"| `{metric.name}` | {metric.kind} | {metric.meaning} | {labels} |")
    return "\n".join(rows) + "\n"
