"""The Grafana board and the alert rules: their queries parse, and name what genrec exports."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from bot.jobs.reply_correction import WATCHED
from bot.metric_definitions import METRICS
from tests.repository import ROOT

BOARD: dict[str, Any] = json.loads((ROOT / "docs" / "grafana.json").read_text(encoding="utf-8"))
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((ROOT / "docs" / "alerts.yaml").read_text(encoding="utf-8"))[
        "groups"
    ]
    for rule in group["rules"]
]
# Labels and metrics of Prometheus itself and of its Python client.
SCRAPED = {"instance", "job"}
STANDARD = {"up", "process_start_time_seconds", "process_resident_memory_bytes"}

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="no promtool on this machine"
)


def targets() -> Iterator[tuple[str, str, str]]:
    """Yield title, query and legend of each line of the board."""
    for panel in BOARD["panels"]:
        for target in panel.get("targets", ()):
            plain = target["expr"].replace("$__rate_interval", "5m").replace("$instance", ".*")
            yield panel["title"], plain, target["legendFormat"]


def exported() -> dict[str, set[str]]:
    """Return the labels of each series that genrec exports, by its name."""
    found = {name: set() for name in STANDARD}
    for metric in METRICS:
        labels = set(metric.labels)
        if metric.kind == "histogram":
            parts = {"_bucket": labels | {"le"}, "_sum": labels, "_count": labels}
            found |= {f"{metric.name}{suffix}": names for suffix, names in parts.items()}
        else:
            found[metric.name] = labels
    return found


def selectors(query: str) -> list[tuple[str, set[str]]]:
    """Return name and labels of each series that a query selects."""
    found: list[tuple[str, set[str]]] = []

    def visit(node: object) -> bool:
        selector = getattr(node, "vector_selector", node)
        if isinstance(selector, promql_parser.VectorSelector):
            found.append((selector.name, {each.name for each in selector.matchers.matchers}))
        return True

    promql_parser.walk(promql_parser.parse(query), visit)
    return found


def grouped(query: str) -> set[str]:
    """Return the labels after ``by`` and ``on``."""
    lists = re.findall(r"\b(?:by|on|ignoring|without) \(([^)]*)\)", query)
    return {label.strip() for each in lists for label in each.split(",")}


QUERIES = [(title, query) for title, query, _ in targets()]
QUERIES += [(rule["alert"], rule["expr"]) for rule in RULES]


@pytest.mark.parametrize(
    "query", [pytest.param(query, id=f"{n} {title}") for n, (title, query) in enumerate(QUERIES)]
)
def test_query_selects_metrics_and_labels_that_genrec_exports(query: str) -> None:
    known, selected = exported(), selectors(query)
    assert selected
    for name, labels in selected:
        assert name in known
        assert labels <= known[name] | SCRAPED, name
    labels = set.union(*(known[name] for name, _ in selected)) | SCRAPED
    assert grouped(query) <= labels


def test_board_shows_every_metric() -> None:
    names = {name for _, query, _ in targets() for name, _ in selectors(query)}
    shown = {re.sub(r"_(bucket|sum|count)$", "", name) for name in names}
    assert {metric.name for metric in METRICS} <= shown | {"genrec_workers"}


def test_board_fits_grafana() -> None:
    ids = [panel["id"] for panel in BOARD["panels"]]
    assert len(ids) == len(set(ids))
    places = set()
    for panel in BOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & places, panel["title"]
        places |= cells
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == "${datasource}"
            assert panel["description"].endswith(".")
    variables = {each["name"] for each in BOARD["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]\w*)", json.dumps(BOARD["panels"])))
    assert used <= variables


def test_legends_name_labels_of_their_query() -> None:
    for title, query, legend in targets():
        named = set(re.findall(r"\{\{(\w+)\}\}", legend))
        labels = set.union(*(exported()[name] for name, _ in selectors(query))) | SCRAPED
        assert named <= labels, title


def test_each_alert_says_what_to_do() -> None:
    for rule in RULES:
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert set(rule["annotations"]) == {"summary", "action"}
        assert all(text.endswith(".") for text in rule["annotations"].values()), rule["alert"]


def promtool(*arguments: str | Path, entered: bytes | None = None) -> str:
    done = subprocess.run(["promtool", *map(str, arguments)], input=entered, capture_output=True)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
    return (done.stdout + done.stderr).decode()


@needs_promtool
def test_promtool_accepts_the_rules() -> None:
    assert "SUCCESS" in promtool("check", "rules", ROOT / "docs" / "alerts.yaml")


ALERT_CASES = """
rule_files: [{rules}]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {{series: 'genrec_ready{{instance="bot", job="genrec"}}', values: '1x5 0x30'}}
      - {{series: 'genrec_database_disk_free_bytes{{instance="bot"}}', values: '536870912x40'}}
      - {{series: 'genrec_clips_total{{instance="bot", result="crashed"}}', values: '0+2x40'}}
    alert_rule_test:
      - {{eval_time: 10m, alertname: GenrecNotReady, exp_alerts: []}}
      - eval_time: 20m
        alertname: GenrecNotReady
        exp_alerts:
          - exp_labels: {{severity: critical, instance: bot, job: genrec}}
            exp_annotations:
              summary: genrec on bot has not been ready for ten minutes.
              action: Read the reason at /readyz; Discord or PostgreSQL is out of reach.
      - eval_time: 20m
        alertname: GenrecDiskNearlyFull
        exp_alerts:
          - exp_labels: {{severity: warning, instance: bot}}
            exp_annotations:
              summary: The disk of genrec's database has 512MiB left.
              action: Make room, or move the database with GENREC_DATABASE.
      - eval_time: 20m
        alertname: GenrecWorkersFail
        exp_alerts:
          - exp_labels: {{severity: warning, instance: bot, result: crashed}}
            exp_annotations:
              summary: Workers of genrec on bot do not start or crash often.
              action: Look for "worker failed" and "worker start failed" in the log.
"""


@needs_promtool
def test_alerts_fire_when_they_should(tmp_path: Path) -> None:
    cases = tmp_path / "cases.yaml"
    cases.write_text(ALERT_CASES.format(rules=ROOT / "docs" / "alerts.yaml"))
    assert "SUCCESS" in promtool("test", "rules", cases)


def test_label_of_requests_lists_every_command_that_is_counted() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "bot").rglob("*.py")]
    call = r"\b_?(?:runner|services)\.run(?:_\w+)?\(\s*\w+(?:\([^)]*\))?, \"([^\"]+)\""
    counted = {kind for source in sources for kind in re.findall(call, source)}
    assert {"recommend", "genres teach", "mix", "reindex"} <= counted
    (requests,) = (metric for metric in METRICS if metric.name == "genrec_requests_total")
    listed = set(re.findall("`([^`]+)`", requests.labels["command"]))
    assert counted | {"upload", WATCHED} == listed
