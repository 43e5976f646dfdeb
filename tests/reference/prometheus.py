"""The metrics of the service, as Prometheus collects them."""

from collections.abc import Sequence

from prometheus_client.metrics import MetricWrapperBase

from tasks.service.metrics import Metrics


def list_prometheus_metrics(_: Sequence[str]) -> str:
    """Return a table of the metrics as their collectors declare them: name, kind, labels and meaning."""
    rows = []
    for collector in Metrics()._registry._collector_to_names:
        assert isinstance(collector, MetricWrapperBase)
        labels = ", ".join(f"`{label}`" for label in collector._labelnames)
        for family in collector.describe():
            name = f"{family.name}_total" if family.type == "counter" else family.name
            rows.append(f"| `{name}` | {family.type} | {labels} | {family.documentation} |")
    return "\n".join(["| metric | kind | labels | what it says |", "|---|---|---|---|", *sorted(rows)])
