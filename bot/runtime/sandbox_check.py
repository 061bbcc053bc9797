"""Check the workers' sandbox at start: warn, export a metric, and refuse clips without it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from bot.config import PREFIX, Settings
from bot.metrics import Metrics
from bot.sources import SourcePolicy
from genrec.workers.sandbox import VITAL, Measure, missing

log = logging.getLogger(__name__)

MeasureSandbox = Callable[[], tuple[Measure, ...]]

_CONSEQUENCES = {
    "refuse-links": "links are refused and uploads are analysed",
    "refuse-all": "links and uploads are refused",
    "allow": "links and uploads are analysed all the same",
}


def sandbox_gap(settings: Settings, measures: Sequence[Measure]) -> str:
    """Return which vital measures are not in force, and the consequence; "" if all are."""
    lacking = missing(measures)
    if not lacking:
        return ""
    # Attempts to leave the sandbox succeed because a measure is missing, so the measure is enough.
    causes = [each for each in lacking if each.name in VITAL] or lacking
    named = "; ".join(f"{each.name} ({each.note})" if each.note else each.name for each in causes)
    choice = settings.without_sandbox
    return f"not in force: {named}; {_CONSEQUENCES[choice]} ({PREFIX}WITHOUT_SANDBOX={choice})"


def restrict_sources(
    policy: SourcePolicy, settings: Settings, measures: Sequence[Measure]
) -> SourcePolicy:
    """Return the policy, without the sources that the setting refuses if the sandbox has a gap."""
    if not missing(measures) or settings.without_sandbox == "allow":
        return policy
    return replace(policy, links=False, uploads=settings.without_sandbox != "refuse-all")


def report_sandbox(settings: Settings, measures: Sequence[Measure], metrics: Metrics) -> None:
    """Log a warning if the sandbox has a gap, and export each measure."""
    gap = sandbox_gap(settings, measures)
    if gap:
        log.warning("sandbox incomplete: %s; see `genrec doctor`", gap)
    in_force = {each.name: float(each.in_force) for each in (*measures, *missing(measures))}
    metrics.export("genrec_sandbox_measure", lambda: in_force)
