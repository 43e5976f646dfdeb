"""Screens of the command line: outcomes, models and the state of servers as short tables."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from configs.visible_text import visible
from flows.cli.help_page import program_name
from tasks.domain.gate.rule_result import COLUMNS, build_rule_row
from tasks.domain.ingestion.source_objects import describe_inventory
from tasks.domain.phrasing import SHORT, count, format_figure

if TYPE_CHECKING:
    from infra.stack import Status
    from tasks.catalog.models import DataDiff, ModelDetails, ModelHistory, Models
    from tasks.domain.registry.decisions import Decision
    from tasks.domain.registry.reproduction import Reproduction
    from tasks.domain.runs.results import Outcome
    from tasks.exporting.export_model import ExportedModel
    from tasks.promotion.overrides import Override
    from tasks.runs.dry_run import DryRun

# The most classes that a screen names; --json names all.
_MOST = 10
# Digits of a head's hash that are enough to name a model.
_HEAD = 8
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


def render_outcome(outcome: "Outcome") -> RenderableType:
    """Render how a run ended and why, and each rule of the gate with its result."""
    head = Text.assemble((outcome.status, f"bold {_COLOURS[outcome.status]}"), f": {outcome.reason}")
    if note := describe_inventory(outcome.inventory):
        head.append(f"\n{note}")
    if not outcome.gate:
        return head
    table = Table(*COLUMNS, box=None, padding=(0, 2))
    for rule in outcome.gate:
        table.add_row(*build_rule_row(rule))
    return Group(head, table)


def render_exported_model(exported: "ExportedModel") -> RenderableType:
    """Render what was exported where, how near its answers are to the evaluation's, and which licence it has."""
    apart = f"at most {exported.widest:.1g} apart" if exported.widest else "the same bit for bit"
    size = f"{count(exported.files, 'file')}, {exported.size / 10**6:,.1f} MB"
    text = Text(f"Version {exported.model_version} is in {exported.folder}: {size}.\n")
    text.append(
        f"In a process of its own it answered {exported.pictures:,} pictures as evaluated, probabilities {apart}; "
    )
    text.append(f"{exported.tolerance:g} is allowed.")
    if not exported.license:
        text.append("\nIts card names no licence, so that nobody else may use it: set card.license.", "yellow")
    return text


def render_reproduction(reproduction: "Reproduction") -> RenderableType:
    """Render the verdict on a model that was trained again, the evidence, and what differs between then and now."""
    parts: list[RenderableType] = [
        Text.assemble((reproduction.verdict, f"bold {_COLOURS[reproduction.verdict]}"), f": {reproduction.reason}")
    ]
    parts.append(Text(f"head {reproduction.head}, dataset {reproduction.dataset}, {reproduction.images:,} images"))
    parts += [Text(f"trained again: {reproduction.refitted}")] if reproduction.refitted else []
    if reproduction.differences:
        table = Table("what differs", "then", "now", box=None, padding=(0, 2))
        for difference in reproduction.differences:
            table.add_row(difference.what, difference.then, difference.now)
        parts.append(table)
    return Group(*parts)


def render_demo(outcomes: Sequence[tuple[str, "Outcome"]], home: Path, service: str) -> RenderableType:
    """Render the demo's nights side by side, what each cost, and where to look next.

    Args:
        outcomes: Each night's title and how its run ended.
        home: The folder that holds the demo.
        service: The address at which the champion answers photographs already; empty where it does not.

    Returns:
        The table, each night's reason, and commands to try.
    """
    table = Table("run", "ended", "images", "new", "embedded", "accuracy", "seconds", title="What happened")
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
    program = program_name()
    ways = {
        "Look at the runs in Prefect and the models in MLflow": f"{program} up, then {program} open",
        "Let the champion answer photographs": _way_to_answers(program, home, service),
        "Stop all of them again": f"{program} down",
        "Begin with photographs of your own": f"{program} init",
    }
    # An aim and its command stand in two lines: beside each other a narrow terminal would break the command.
    lines = [f"{aim}:\n    {command}" for aim, command in ways.items()]
    notes = (
        "\nThe dogs are drawn, and so is their accuracy: it says nothing about photographs.",
        f"Everything lies in {home}.\n",
    )
    return Group(table, why, Text("\n".join([*notes, *lines])))


def _way_to_answers(program: str, home: Path, service: str) -> str:
    if service:
        return f"it does at {service}"
    from flows.demo import demo_settings

    store, model = home / "demo" / "store", demo_settings(home / "demo").tracking.model
    return f"{program} up, or without Prefect and MLflow\n    {program} serve --model {model} --store {store}"


def render_links(links: Mapping[str, str]) -> str:
    """Render where each server's pages open; a string, since a table would cut links at the terminal's width."""
    names = {"prefect": "Prefect", "mlflow": "MLflow", "service": "service"}
    lines = [f"{names[name]}: {link}" for name, link in links.items()]
    return "\n".join([*lines, "A link that ends in a word after # works once, within ten minutes."])


def render_stack(status: "Status") -> RenderableType:
    """Render each part of the local stack: whether it runs, its address, and how to open its pages."""
    table = Table("part", "state", "address", box=None, padding=(0, 2))
    for part in status.parts:
        table.add_row(part.name, Text(part.state, "green" if part.state == "running" else "yellow"), part.address)
    ways = "Open the pages, logged in: pedigree open" if any(part.address for part in status.parts) else ""
    waits = [f"The {part.name} waits: {visible(part.waits)}." for part in status.parts if part.waits]
    return Group(table, Text("\n".join([*waits, *describe_left_alone(status.left_alone), ways])))


def describe_left_alone(names: Sequence[str]) -> list[str]:
    """List what somebody had changed in Prefect and deploying therefore left alone."""
    return [f"left alone, as somebody set it in Prefect: {name}" for name in names]


def older(number: int) -> list[Text]:
    """Say how many older entries a list leaves out, if any, and how they are shown."""
    return [Text(f"{number:,} older ones are not shown: --all shows them.")] if number > 0 else []


def render_models(listing: "Models", most: int) -> RenderableType:
    """Render the newest model versions, one a line, and those before that serve or are held.

    Args:
        listing: All of them.
        most: How many are shown.

    Returns:
        The table, and how many older ones there are.
    """
    if not listing.models:
        return Text("Nothing has been decided yet: pedigree retrain makes the first model.")
    numbers = [model.version for model in listing.models]
    twice = len(set(numbers)) < len(numbers)
    head = ["head"] if twice else []
    table = Table("version", *head, "decided", "outcome", "by", "accuracy", "now", box=None, padding=(0, 1))
    shown = [model for position, model in enumerate(listing.models, most) if position >= len(numbers) or model.roles]
    for model in shown:
        accuracy = model.figures.get("accuracy")
        figure = "" if accuracy is None else f"{accuracy:.3f}"
        when = model.time[:16].replace("T", " ")
        named = [model.head[:_HEAD]] if twice else []
        table.add_row(
            model.version,
            *named,
            when,
            model.outcome,
            Text(visible(model.person or "gate")),
            figure,
            ", ".join(model.roles),
        )
    beside = older(len(numbers) - len(shown))
    if not twice:
        return Group(*beside, table)
    warning = "MLflow gave some numbers twice, since it lost versions: name those models by their heads."
    return Group(*beside, table, Text(warning))


def render_model_details(details: "ModelDetails") -> RenderableType:
    """Render what a version was made from, one fact a line."""
    facts = {
        "version": f"{details.model.version}  {', '.join(details.model.roles)}".rstrip(),
        "last decision": f"{details.model.outcome} on {details.model.time[:16].replace('T', ' ')}",
        "dataset": details.model.dataset,
        "head": details.head,
        "backbone": details.backbone,
        "MLflow run": details.run_id,
        "files in MLflow": details.package,
        "code": f"{details.code.get('git_commit', 'none')}, changed {details.code.get('git_dirty', 'unknown')}",
    }
    facts |= {"live photographs": str(details.live)} if details.live else {}
    sections = {name: values for name, values in details.settings.items() if isinstance(values, Mapping)}
    lines = [f"{name}: {text}" for name, text in facts.items()]
    lines += [f"{section}.{name}: {value}" for section, values in sections.items() for name, value in values.items()]
    return Text("\n".join(map(visible, lines)))


def render_model_history(history: "ModelHistory") -> RenderableType:
    """Render a version's history in its order: data, figures, rules, decisions."""
    head = Text(f"Version {history.model.version}: {', '.join(history.model.roles) or 'does not serve'}")
    parts: list[RenderableType] = [head, Text("\n".join(["", "data", *map(visible, _data(history.data))]))]
    figures = _figures(history.model.figures)
    parts += [Text("\n".join(["", "figures on the test images", *figures]))] if figures else []
    rival = f"version {history.judged_against}" if history.judged_against else "no champion, so absolute rules only"
    parts += [Text(f"\nrules, compared with {rival}"), _rules(history)] if history.rules else []
    return Group(*parts, Text("\ndecisions"), _decisions(history.decisions))


def _figures(figures: Mapping[str, float]) -> list[str]:
    """Format each figure, and the promise about sure answers in words; an earlier ledger kept only a threshold."""
    if "sure_promised" not in figures:
        return [f"  {name} {value:.3f}" for name, value in figures.items()]
    from tasks.domain.training.calibration import Promise

    promise = Promise(figures["sure_promised"], figures["threshold"])
    numbers = {name: value for name, value in figures.items() if name not in {"sure_promised", "threshold"}}
    return [*(f"  {name} {value:.3f}" for name, value in numbers.items()), f"  {promise}"]


def render_override(override: "Override") -> RenderableType:
    """Render what was decided, and which version serves now."""
    return Text(str(override))


def _data(data: "DataDiff") -> list[str]:
    if data.parent is None:
        return [f"  version {data.dataset[:SHORT]} with {count(data.images, 'image')}, the first one"]
    lines = [f"  version {data.dataset[:SHORT]} with {count(data.images, 'image')}, after {data.parent[:SHORT]}"]
    changes = {"added": data.added, "removed": data.removed, "relabelled": data.relabelled}
    lines += [f"  {sum(counts.values()):,} {change}: {_named(counts)}" for change, counts in changes.items() if counts]
    return [*lines, f"  every image: pedigree data diff {data.parent[:SHORT]} {data.dataset[:SHORT]}"]


def _named(counts: Mapping[str, int]) -> str:
    most = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    more = f" and {len(most) - _MOST:,} more" if len(most) > _MOST else ""
    return ", ".join(f"{number:,} {name}" for name, number in most[:_MOST]) + more


def _rules(history: "ModelHistory") -> Table:
    table = Table(*COLUMNS, box=None, padding=(0, 2))
    for rule in history.rules:
        table.add_row(*(Text(visible(cell)) for cell in build_rule_row(rule)))
    return table


def _decisions(decisions: "Sequence[Decision]") -> Table:
    """Render each decision beside its number and time, so that long reasons keep their column."""
    table = Table("", "", "", box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    for entry in decisions:
        by = f" by {visible(entry.person)}" if entry.person else " by the gate" if entry.decided_by_gate else ""
        why = f"\nwhy: {visible(entry.why)}" if entry.why else ""
        text = Text(f"{entry.outcome}{by}: {visible(entry.reason)}{why}")
        table.add_row(f"  {entry.number}", entry.time[:16].replace("T", " "), text)
    return table


def render_dry_run(run: "DryRun") -> RenderableType:
    """Render what a retraining would do: photographs, version, classes and cost, and that nothing stays."""
    data, dataset = run.data, run.data.dataset
    # Of a version to be trained on the reason says no more.
    reason = "" if run.would == "train" else f": {dataset.reason}"
    head = Text.assemble((f"would {run.would}", "bold cyan"), reason)
    reasons = ", ".join(f"{number:,} {reason}" for reason, number in run.rejected.items())
    lines = [f"{data.ingested} ({reasons})" if reasons else str(data.ingested), str(data.labels), str(dataset)]
    classes = {"new": run.new_classes, "lost": run.lost_classes, "waiting": dataset.waiting}
    lines += [f"{name} classes: {', '.join(names)}" for name, names in classes.items() if names]
    if run.would == "train":
        lines.append(f"parent version {dataset.parent[:SHORT]}" if dataset.parent else "the first version")
        lines.append(
            f"{count(run.embedded, 'image')} through the network, in "
            f"{count(round(run.seconds['embedding'] + 1), 'second')} on this machine at most; then a head is trained "
            "and decided about"
        )
    lines.append(
        f"looked at in {count(round(run.seconds['photographs']), 'second')}, and nothing was kept: no image, split, "
        "version or decision"
    )
    return Group(head, *(Padding(Text(visible(line)), (0, 0, 0, 2)) for line in lines))
