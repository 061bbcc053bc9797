"""What the bot counts: a Prometheus registry of its own, and the words for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from bot.errors import Declined

_ACKNOWLEDGED_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0)
_ANSWERED_S = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 300.0)


class Asked:
    """One question being counted."""

    def __init__(self, acknowledged: Histogram) -> None:
        self.outcome = "answered"
        self._began = time.monotonic()
        self._histogram = acknowledged

    def acknowledged(self) -> None:
        """Note how long Discord waited for the first response."""
        self._histogram.observe(time.monotonic() - self._began)


class Metrics:
    """Counters of one running bot."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._questions = Counter(
            "genrec_questions",
            "Questions by kind and outcome",
            ["kind", "outcome"],
            registry=self.registry,
        )
        self._declined = Counter(
            "genrec_declined", "Questions that were not taken in", ["why"], registry=self.registry
        )
        self._acknowledged = Histogram(
            "genrec_acknowledge_seconds",
            "From the event to its acknowledgement",
            buckets=_ACKNOWLEDGED_S,
            registry=self.registry,
        )
        self._answered = Histogram(
            "genrec_answer_seconds",
            "From the event to its answer",
            buckets=_ANSWERED_S,
            registry=self.registry,
        )
        self._votes = Counter("genrec_votes", "Thumbs given", ["verdict"], registry=self.registry)
        self._repeated = Counter(
            "genrec_repeated_events", "Events that came twice", registry=self.registry
        )

    def watch(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        """Show a figure that is read when somebody looks."""
        Gauge(name, meaning, registry=self.registry).set_function(read)

    @contextmanager
    def asked(self, kind: str) -> Iterator[Asked]:
        """Count one question and how long it took."""
        began, asked = time.monotonic(), Asked(self._acknowledged)
        try:
            yield asked
        except BaseException:
            if asked.outcome == "answered":
                asked.outcome = "lost"
            raise
        finally:
            self._answered.observe(time.monotonic() - began)
            self._questions.labels(kind, asked.outcome).inc()

    @contextmanager
    def declining(self) -> Iterator[None]:
        """Count what is declined before it becomes a question."""
        try:
            yield
        except Declined as declined:
            self._declined.labels(declined.key).inc()
            raise

    def voted(self, verdict: str) -> None:
        """Count a thumb."""
        self._votes.labels(verdict).inc()

    def repeated(self) -> None:
        """Count an event that Discord sent twice."""
        self._repeated.inc()

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self.registry)
