"""What the command line prints at the end: outcomes and states as short tables."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tasks.domain.gate.rule_result import COLUMNS, rule_row
from tasks.domain.phrasing import format_figure

if TYPE_CHECKING:
    from infra.stack import Status
    from tasks.domain.registry.reproduction import Reproduction
    from tasks.domain.runs.outcome import Outcome

_COLOURS = {
    "promoted": "green",
    "rejected": "red",
    "needs-approval": "yellow",
    "unchanged": "cyan",
    "waiting": "yellow",
    "identical": "green",
    "equal": "yellow",
    "different": "red",
}


def run_outcome(outcome: "Outcome") -> RenderableType:
    """Show one night: how it ended and why, and each rule of the gate with what happened."""
    head = Text.assemble((outcome.status, f"bold {_COLOURS[outcome.status]}"), f": {outcome.reason}")
    if not outcome.gate:
        return head
    table = Table(*COLUMNS, box=None, padding=(0, 2))
    for rule in outcome.gate:
        table.add_row(*rule_row(rule))
    return Group(head, table)


def reproduction(reproduction: "Reproduction") -> RenderableType:
    """Show the verdict on a model that was made again, the evidence, and what differs between then and now."""
    parts: list[RenderableType] = [
        Text.assemble((reproduction.verdict, f"bold {_COLOURS[reproduction.verdict]}"), f": {reproduction.reason}")
    ]
    parts.append(Text(f"head {reproduction.head}, dataset {reproduction.dataset}, {reproduction.images:,} images"))
    parts += [Text(f"made again: {reproduction.refitted}")] if reproduction.refitted else []
    if reproduction.differences:
        table = Table("what differs", "then", "now", box=None, padding=(0, 2))
        for difference in reproduction.differences:
            table.add_row(difference.what, difference.then, difference.now)
        parts.append(table)
    return Group(*parts)


def story(outcomes: Sequence[tuple[str, "Outcome"]], home: Path) -> RenderableType:
    """Show the demo's nights side by side, what each cost, and how to look further."""
    table = Table("night", "ended", "images", "new", "embedded", "accuracy", "seconds", title="What happened")
    for title, outcome in outcomes:
        table.add_row(
            title.partition(":")[0],
            Text(outcome.status, _COLOURS[outcome.status]),
            f"{outcome.images.total:,}",
            f"{outcome.images.new:,}",
            f"{outcome.images.embedded:,}",
            format_figure(outcome.metrics.get("accuracy")),
            f"{sum(outcome.seconds.values()):.1f}",
        )
    why = Text("\n".join(["", *(f"{title.partition(':')[0]}: {outcome.reason}" for title, outcome in outcomes)]))
    ways = Text(
        "\nThe dogs are drawn, and so is their accuracy: it says nothing about photographs.\n"
        f"Everything lies in {home}.\n"
        "Look at the runs in Prefect and the models in MLflow:   .venv/bin/pedigree up, then .venv/bin/pedigree open\n"
        "Stop both again:                                        .venv/bin/pedigree down"
    )
    return Group(table, why, ways)


def links(links: Mapping[str, str]) -> str:
    """Show where each server's pages open; as a string, no terminal cuts a link."""
    names = {"prefect": "Prefect", "mlflow": "MLflow"}
    lines = [f"{names[name]}: {link}" for name, link in links.items()]
    return "\n".join([*lines, "A link that ends in a word after # works once, within ten minutes."])


def stack(status: "Status") -> RenderableType:
    """Show each part of the local stack: whether it runs, its address, and how to open its pages."""
    table = Table("part", "state", "address", box=None, padding=(0, 2))
    for part in status.parts:
        table.add_row(part.name, Text(part.state, "green" if part.state == "running" else "yellow"), part.address)
    ways = "Open the pages, logged in: pedigree open" if any(part.address for part in status.parts) else ""
    return Group(table, Text("\n".join([*left_alone(status.left_alone), ways])))


def left_alone(names: Sequence[str]) -> list[str]:
    """Name what a person had changed in Prefect, and deploying left alone."""
    return [f"left alone, as somebody set it in Prefect: {name}" for name in names]
