"""What ``pedigree model`` prints: short tables that fit 80 columns."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from configs.visible_text import visible
from tasks.domain.datasets.version_diff import SHORT
from tasks.domain.gate.rule_result import COLUMNS, rule_row
from tasks.domain.phrasing import count
from tasks.domain.training.selective_accuracy import Promise

if TYPE_CHECKING:
    from tasks.catalog.models import DataDiff, ModelDetails, ModelHistory, Models
    from tasks.domain.registry.decisions import Decision
    from tasks.promotion.overrides import Override

# A screen names so many classes; --json names all.
_MOST = 10
# So many digits of a head name a model.
_HEAD = 8


def models(listing: "Models") -> RenderableType:
    """Show each version in a line."""
    if not listing.models:
        return Text("Nothing was decided yet: pedigree retrain makes the first model.")
    numbers = [model.version for model in listing.models]
    twice = len(set(numbers)) < len(numbers)
    head = ["head"] if twice else []
    table = Table("version", *head, "decided", "outcome", "by", "accuracy", "now", box=None, padding=(0, 1))
    for model in listing.models:
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
    if not twice:
        return table
    warning = "MLflow gave some numbers twice, since it lost versions: name those models by their heads."
    return Group(table, Text(warning))


def model_details(details: "ModelDetails") -> RenderableType:
    """Show what a version was made of, a fact in a line."""
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
    sections = {name: values for name, values in details.settings.items() if isinstance(values, Mapping)}
    lines = [f"{name}: {text}" for name, text in facts.items()]
    lines += [f"{section}.{name}: {value}" for section, values in sections.items() for name, value in values.items()]
    return Text("\n".join(map(visible, lines)))


def model_history(history: "ModelHistory") -> RenderableType:
    """Tell the story in its order: data, figures, rules, decisions."""
    head = Text(f"Version {history.model.version}: {', '.join(history.model.roles) or 'does not serve'}")
    parts: list[RenderableType] = [head, Text("\n".join(["", "data", *map(visible, _data(history.data))]))]
    figures = _figures(history.model.figures)
    parts += [Text("\n".join(["", "figures on the test images", *figures]))] if figures else []
    rival = (
        f"version {history.judged_against}" if history.judged_against else "no champion, so the absolute rules alone"
    )
    parts += [Text(f"\nrules, judged against {rival}"), _rules(history)] if history.rules else []
    parts.append(Text("\n".join(["", "decisions", *(_decision(entry) for entry in history.decisions)])))
    return Group(*parts)


def _figures(figures: Mapping[str, float]) -> list[str]:
    """Write each figure, and in words what sure answers are promised to be; an earlier ledger kept a bare threshold."""
    if "sure_promised" not in figures:
        return [f"  {name} {value:.3f}" for name, value in figures.items()]
    promise = Promise(figures["sure_promised"], figures["threshold"])
    numbers = {name: value for name, value in figures.items() if name not in {"sure_promised", "threshold"}}
    return [*(f"  {name} {value:.3f}" for name, value in numbers.items()), f"  {promise}"]


def override(override: "Override") -> RenderableType:
    """Say what was decided, and who serves now."""
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
        table.add_row(*(Text(visible(cell)) for cell in rule_row(rule)))
    return table


def _decision(entry: "Decision") -> str:
    by = f" by {visible(entry.person)}" if entry.person else " by the gate" if entry.by_the_gate else ""
    why = f"\n     why: {visible(entry.why)}" if entry.why else ""
    return f"  {entry.number}  {entry.time[:16].replace('T', ' ')}  {entry.outcome}{by}: {visible(entry.reason)}{why}"
