"""The dashboard and the alert rules speak of metrics that exist, with labels that they have."""

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from tasks.service.metrics import Metrics
from tests.servers import ROOT

MONITORING = ROOT / "infra" / "monitoring"
# What Prometheus adds to each series: who was asked. A histogram's buckets have their bound, too.
_ADDED = {"job", "instance"}
_SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
_SELECTOR = re.compile(r"(pedigree_\w+)(?:\{([^}]*)\})?")
_GROUPING = re.compile(r"\b(?:by|on) \(([^)]*)\)")


@cache
def known_series() -> dict[str, set[str]]:
    """Return each series of /metrics with its labels."""
    registry = Metrics()._registry
    assert isinstance(registry, CollectorRegistry)
    series: dict[str, set[str]] = {}
    for collector, names in registry._collector_to_names.items():
        (family,) = collector.collect()
        labels = {*getattr(collector, "_labelnames", ())}
        for suffix in _SUFFIXES[family.type]:
            name = f"{family.name}{suffix}"
            assert name in names
            series[name] = labels | _ADDED | ({"le"} if suffix == "_bucket" else set())
    return series


def expressions() -> Iterator[tuple[str, str]]:
    """Yield each expression of dashboard and rules with the name of its panel or alert."""
    for panel in dashboard()["panels"]:
        yield from ((panel["title"], target["expr"]) for target in panel["targets"])
    for variable in dashboard()["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], variable["query"]["query"]
    for rule in rules():
        yield rule["alert"], rule["expr"]


def dashboard() -> dict[str, Any]:
    """Return the dashboard."""
    plain: dict[str, Any] = json.loads((MONITORING / "grafana.json").read_text(encoding="utf-8"))
    return plain


def rules() -> list[dict[str, Any]]:
    """Return the alert rules."""
    plain = yaml.safe_load((MONITORING / "alerts.yaml").read_text(encoding="utf-8"))
    return [rule for group in plain["groups"] for rule in group["rules"]]


@pytest.mark.parametrize(("name", "expression"), expressions(), ids=lambda text: text if len(text) < 40 else "")
def test_every_metric_exists_with_its_labels(name: str, expression: str) -> None:
    """A metric that was renamed would leave a panel empty, and an alert silent for ever."""
    known = known_series()
    selected = _SELECTOR.findall(expression)
    assert selected or name == "PedigreeServiceDown"
    assert {metric for metric, _ in selected} <= known.keys()
    for metric, matchers in selected:
        assert set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers)) <= known[metric], metric
    grouped = {label for labels in _GROUPING.findall(expression) for label in re.findall(r"\w+", labels)}
    assert grouped <= set().union(_ADDED, *(known[metric] for metric, _ in selected))


def test_the_values_that_are_looked_for_are_those_that_are_counted() -> None:
    """An alert asks for outcomes and answers as the service writes them."""
    expected = {"outcome": {"ok", "refused"}, "sure": {"true", "false"}}
    for _, expression in expressions():
        for label, value in re.findall(r'(outcome|sure)="(\w+)"', expression):
            assert value in expected[label]


def test_what_alerts_hear_of_at_the_first_time_is_counted_from_zero() -> None:
    """Prometheus sees no increase in a series that begins with one: the first refused model would go unheard."""
    shown = Metrics().render().decode()
    for rule in rules():
        if re.search(r"\b(?:increase|rate)\(.*> 0$", rule["expr"]):
            for name, matchers in _SELECTOR.findall(rule["expr"]):
                assert re.search(rf"^{name}{{.*{re.escape(matchers)}.* 0\.0$", shown, re.MULTILINE), rule["alert"]


def test_dashboard_and_rules_are_whole() -> None:
    """Panels have numbers and places of their own and say what they show; rules say how bad it is and what to do."""
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len({tuple(panel["gridPos"].values()) for panel in panels})
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["description"].endswith(".") for panel in panels)
    assert len({rule["alert"] for rule in rules()}) == len(rules())
    for rule in rules():
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert all(rule["annotations"][part].endswith(".") for part in ("summary", "description"))
        assert rule["expr"].count("(") == rule["expr"].count(")")
