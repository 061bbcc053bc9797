"""Prometheus metrics of one running bot, in a registry of their own."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import prometheus_client
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from bot.metric_definitions import BY_NAME, MetricDefinition

Read = Callable[[], float | Mapping[str, float]]
"""Returns a value, or the values by label of a metric with one label."""

MAX_RANK = 10  # of a label
_UNANSWERED = ("interrupted", "lost")


class RequestMetrics:
    """Outcome and acknowledgement of one request."""

    def __init__(self, acknowledged: Histogram) -> None:
        self.outcome = "answered"
        self._started = time.monotonic()
        self._histogram = acknowledged

    def acknowledged(self) -> None:
        """Record the time to the first response."""
        self._histogram.observe(time.monotonic() - self._started)


class Metrics:
    """Counters, histograms and states of one running bot."""

    def __init__(self) -> None:
        # A time of creation for each series would double their number, and nothing here uses it.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._states = _States()
        self.registry.register(self._states)
        self._requests = self._counter("genrec_requests_total")
        self._refusals = self._counter("genrec_refusals_total")
        self._acknowledged = self._histogram("genrec_acknowledge_seconds")
        self._answered = self._histogram("genrec_answer_seconds")
        self._votes = self._counter("genrec_votes_total")
        self._track_votes = self._counter("genrec_track_votes_total")
        self._track_reasons = self._counter("genrec_track_vote_reasons_total")
        self._repeated = self._counter("genrec_repeated_events_total")
        self._connections = self._counter("genrec_gateway_connections_total")
        self._http_requests = self._counter("genrec_http_requests_total")
        self._http_seconds = self._histogram("genrec_http_seconds")
        self.answered = self.unanswered = 0
        """Numbers of requests with an answer, and of those that were interrupted or lost."""

    def _counter(self, name: str) -> Counter:
        metric = BY_NAME[name]
        return Counter(metric.family, metric.meaning, list(metric.labels), registry=self.registry)

    def _histogram(self, name: str) -> Histogram:
        metric = BY_NAME[name]
        return Histogram(
            name, metric.meaning, list(metric.labels), buckets=metric.buckets,
            registry=self.registry,
        )  # fmt: skip

    def export(self, name: str, read: Read) -> None:
        """Export a gauge or counter of `bot.metric_definitions` that is read at each scrape."""
        self._states.readers[name] = read

    def info(self, name: str, values: Mapping[str, str]) -> None:
        """Export texts as the labels of a metric that is always 1."""
        self._states.infos[name] = values

    @contextmanager
    def request(self, command: str) -> Iterator[RequestMetrics]:
        """Count one request and time it to the end of the block."""
        started, request = time.monotonic(), RequestMetrics(self._acknowledged)
        try:
            yield request
        except BaseException:
            if request.outcome == "answered":
                request.outcome = "lost"
            raise
        finally:
            self._answered.labels(command).observe(time.monotonic() - started)
            self._requests.labels(command, request.outcome).inc()
            self.answered += request.outcome not in _UNANSWERED
            self.unanswered += request.outcome in _UNANSWERED

    def refusal(self, code: str) -> None:
        """Count a message that refuses a request or reports an error."""
        self._refusals.labels(code).inc()

    def vote(self, verdict: str) -> None:
        """Count a thumb."""
        self._votes.labels(verdict).inc()

    def http_request(self, route: str, status: str, seconds: float) -> None:
        """Count and time a request to the HTTP interface."""
        self._http_requests.labels(route, status).inc()
        self._http_seconds.labels(route).observe(seconds)

    def track_vote(self, verdict: str, rank: int, reasons: Sequence[str]) -> None:
        """Count a vote for one track, by its rank and by each kind of its reasons."""
        shown = str(rank) if rank <= MAX_RANK else "more"
        self._track_votes.labels(shown, verdict).inc()
        for kind in reasons or ("none",):
            self._track_reasons.labels(kind, verdict).inc()

    def repeated_event(self) -> None:
        """Count an event that Discord sent twice."""
        self._repeated.inc()

    def connected(self) -> None:
        """Count a session that Discord opened."""
        self._connections.inc()

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self.registry)


class _States(Collector):
    """Values that are kept elsewhere and read at each scrape."""

    def __init__(self) -> None:
        self.readers: dict[str, Read] = {}
        self.infos: dict[str, Mapping[str, str]] = {}

    def collect(self) -> Iterator[Metric]:
        """Yield each metric with its present value, without values that are not finite."""
        for name, values in self.infos.items():
            metric = BY_NAME[name]
            yield InfoMetricFamily(metric.family, metric.meaning, value=dict(values))
        for name, read in self.readers.items():
            value = read()
            by_label = value if isinstance(value, Mapping) else {"": value}
            yield _family(
                BY_NAME[name],
                {label: each for label, each in by_label.items() if math.isfinite(each)},
            )


def _family(metric: MetricDefinition, values: Mapping[str, float]) -> Metric:
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = kind(metric.family, metric.meaning, labels=list(metric.labels))
    for label, value in values.items():
        family.add_metric([label] if metric.labels else [], value)
    return family
