"""Prometheus metrics of one running bot, in a registry of their own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from bot.errors import RequestDeclined

_ACKNOWLEDGED_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0)
_RESPONDED_S = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 300.0)


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
    """Counters and histograms of one running bot."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "genrec_questions",
            "Requests by kind and outcome",
            ["kind", "outcome"],
            registry=self.registry,
        )
        self._declined = Counter(
            "genrec_declined", "Requests declined by admission", ["why"], registry=self.registry
        )
        self._acknowledged = Histogram(
            "genrec_acknowledge_seconds",
            "Seconds from the event to its acknowledgement",
            buckets=_ACKNOWLEDGED_S,
            registry=self.registry,
        )
        self._responded = Histogram(
            "genrec_answer_seconds",
            "Seconds from the event to the response",
            buckets=_RESPONDED_S,
            registry=self.registry,
        )
        self._votes = Counter("genrec_votes", "Thumbs", ["verdict"], registry=self.registry)
        self._repeated = Counter(
            "genrec_repeated_events", "Events that Discord sent twice", registry=self.registry
        )

    def gauge(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        """Export a value that is read at each scrape."""
        Gauge(name, meaning, registry=self.registry).set_function(read)

    def states(self, name: str, meaning: str, label: str, states: Mapping[str, bool]) -> None:
        """Export 1 or 0 for each state, with its name as the label."""
        gauge = Gauge(name, meaning, [label], registry=self.registry)
        for state, value in states.items():
            gauge.labels(state).set(value)

    def total(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        """Export a running total that is counted elsewhere and read at each scrape."""
        self.registry.register(_Total(name, meaning, read))

    @contextmanager
    def request(self, kind: str) -> Iterator[RequestMetrics]:
        """Count one request and time it to the end of the block."""
        started, request = time.monotonic(), RequestMetrics(self._acknowledged)
        try:
            yield request
        except BaseException:
            if request.outcome == "answered":
                request.outcome = "lost"
            raise
        finally:
            self._responded.observe(time.monotonic() - started)
            self._requests.labels(kind, request.outcome).inc()

    @contextmanager
    def declined(self) -> Iterator[None]:
        """Count a request that the block declines."""
        try:
            yield
        except RequestDeclined as error:
            self._declined.labels(error.key).inc()
            raise

    def vote(self, verdict: str) -> None:
        """Count a thumb."""
        self._votes.labels(verdict).inc()

    def repeated_event(self) -> None:
        """Count an event that Discord sent twice."""
        self._repeated.inc()

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self.registry)


class _Total(Collector):
    """A counter whose value is read from a function."""

    def __init__(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        self._name, self._meaning, self._read = name, meaning, read

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Yield the counter, for the registry."""
        yield CounterMetricFamily(self._name, self._meaning, value=self._read())
