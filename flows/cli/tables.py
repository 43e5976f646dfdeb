"""What the command line prints at the end: outcomes and states as short tables."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tasks.domain.gate.rule_result import COLUMNS, rule_row
from tasks.domain.phrasing import figure

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


def night(outcome: "Outcome") -> RenderableType:
    """Show one night: how it ended and why, and each rule of the gate with what happened."""
    head = Text.assemble((outcome.status, f"bold {_COLOURS[outcome.status]}"), f": {outcome.reason}")
    if not outcome.gate:
        return head
    table = Table(*COLUMNS, box=None, padding=(0, 2))
    for rule in outcome.gate:
        table.add_row(*rule_row(rule))
    return Group(head, table)


def reproduction(found: "Reproduction") -> RenderableType:
    """Show the verdict on a model that was made again, the evidence, and what differs between then and now."""
    parts: list[RenderableType] = [
        Text.assemble((found.verdict, f"bold {_COLOURS[found.verdict]}"), f": {found.reason}")
    ]
    parts.append(Text(f"head {found.head}, dataset {found.dataset}, {found.images:,} images"))
    parts += [Text(f"made again: {found.refitted}")] if found.refitted else []
    if found.differences:
        table = Table("what differs", "then", "now", box=None, padding=(0, 2))
        for one in found.differences:
            table.add_row(one.what, one.then, one.now)
        parts.append(table)
    return Group(*parts)


def story(nights: Sequence[tuple[str, "Outcome"]], home: Path) -> RenderableType:
    """Show the demo's nights side by side, what each cost, and how to look further."""
    table = Table("night", "ended", "images", "new", "embedded", "accuracy", "seconds", title="What happened")
    for title, one in nights:
        table.add_row(
            title.partition(":")[0],
            Text(one.status, _COLOURS[one.status]),
            f"{one.images.total:,}",
            f"{one.images.new:,}",
            f"{one.images.embedded:,}",
            figure(one.metrics.get("accuracy")),
            f"{sum(one.seconds.values()):.1f}",
        )
    why = Text("\n".join(["", *(f"{title.partition(':')[0]}: {one.reason}" for title, one in nights)]))
    ways = Text(
        "\nThe dogs are drawn, and so is their accuracy: it says nothing about photographs.\n"
        f"Everything lies in {home}.\n"
        "Look at the runs in Prefect and the models in MLflow:   .venv/bin/pedigree up, then .venv/bin/pedigree open\n"
        "Stop both again:                                        .venv/bin/pedigree down"
    )
    return Group(table, why, ways)


def links(found: Mapping[str, str]) -> str:
    """Show where each server's pages open; as a string, no terminal cuts a link."""
    names = {"prefect": "Prefect", "mlflow": "MLflow"}
    lines = [f"{names[name]}: {link}" for name, link in found.items()]
    return "\n".join([*lines, "A link that ends in a word after # works once, within ten minutes."])


def stack(status: "Status") -> RenderableType:
    """Show each part of the local stack: whether it runs, its address, and how to open its pages."""
    table = Table("part", "state", "address", box=None, padding=(0, 2))
    for part in status.parts:
        table.add_row(part.name, Text(part.state, "green" if part.state == "running" else "yellow"), part.address)
    ways = "Open the pages, logged in: pedigree open" if any(part.address for part in status.parts) else ""
    return Group(table, Text("\n".join([*left_alone(status.left_alone), ways])))


def left_alone(kept: Sequence[str]) -> list[str]:
    """Name what a person had changed in Prefect, and deploying left alone."""
    return [f"left alone, as somebody set it in Prefect: {one}" for one in kept]
