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
    from tasks.catalog.models import DataDiff, Models, ShownModel, Story
    from tasks.domain.registry.decisions import Decision
    from tasks.promotion.overrides import Overruled

# A screen names so many classes; --json names all.
_MOST = 10
# So many digits of a head name a model.
_HEAD = 8


def models(found: "Models") -> RenderableType:
    """Show each version in a line."""
    if not found.models:
        return Text("Nothing was decided yet: pedigree retrain makes the first model.")
    numbers = [one.version for one in found.models]
    twice = len(set(numbers)) < len(numbers)
    head = ["head"] if twice else []
    table = Table("version", *head, "decided", "outcome", "by", "accuracy", "now", box=None, padding=(0, 1))
    for one in found.models:
        accuracy = one.figures.get("accuracy")
        figure = "" if accuracy is None else f"{accuracy:.3f}"
        when = one.time[:16].replace("T", " ")
        named = [one.head[:_HEAD]] if twice else []
        table.add_row(
            one.version, *named, when, one.outcome, Text(visible(one.person or "gate")), figure, ", ".join(one.roles)
        )
    if not twice:
        return table
    told = "MLflow gave some numbers twice, since it lost versions: name those models by their heads."
    return Group(table, Text(told))


def shown(one: "ShownModel") -> RenderableType:
    """Show what a version was made of, a fact in a line."""
    facts = {
        "version": f"{one.model.version}  {', '.join(one.model.roles)}".rstrip(),
        "last decision": f"{one.model.outcome} on {one.model.time[:16].replace('T', ' ')}",
        "dataset": one.model.dataset,
        "head": one.head,
        "backbone": one.backbone,
        "MLflow run": one.run_id,
        "files in MLflow": one.package,
        "code": f"{one.code.get('git_commit', 'none')}, changed {one.code.get('git_dirty', 'unknown')}",
    }
    sections = {name: values for name, values in one.settings.items() if isinstance(values, Mapping)}
    lines = [f"{name}: {text}" for name, text in facts.items()]
    lines += [f"{section}.{name}: {value}" for section, values in sections.items() for name, value in values.items()]
    return Text("\n".join(map(visible, lines)))


def story(one: "Story") -> RenderableType:
    """Tell the story in its order: data, figures, rules, decisions."""
    head = Text(f"Version {one.model.version}: {', '.join(one.model.roles) or 'does not serve'}")
    parts: list[RenderableType] = [head, Text("\n".join(["", "data", *map(visible, _data(one.data))]))]
    figures = _figures(one.model.figures)
    parts += [Text("\n".join(["", "figures on the test images", *figures]))] if figures else []
    rival = f"version {one.judged_against}" if one.judged_against else "no champion, so the absolute rules alone"
    parts += [Text(f"\nrules, judged against {rival}"), _rules(one)] if one.rules else []
    parts.append(Text("\n".join(["", "decisions", *(_decision(each) for each in one.decisions)])))
    return Group(*parts)


def _figures(figures: Mapping[str, float]) -> list[str]:
    """Write each figure, and in words what sure answers are promised to be; an earlier ledger kept a bare threshold."""
    if "sure_promised" not in figures:
        return [f"  {name} {value:.3f}" for name, value in figures.items()]
    promise = Promise(figures["sure_promised"], figures["threshold"])
    numbers = {name: value for name, value in figures.items() if name not in {"sure_promised", "threshold"}}
    return [*(f"  {name} {value:.3f}" for name, value in numbers.items()), f"  {promise}"]


def overruled(done: "Overruled") -> RenderableType:
    """Say what was decided, and who serves now."""
    return Text(str(done))


def _data(data: "DataDiff") -> list[str]:
    if data.parent is None:
        return [f"  version {data.dataset[:SHORT]} with {count(data.images, 'image')}, the first one"]
    lines = [f"  version {data.dataset[:SHORT]} with {count(data.images, 'image')}, after {data.parent[:SHORT]}"]
    changes = {"added": data.added, "removed": data.removed, "relabelled": data.relabelled}
    lines += [f"  {sum(found.values()):,} {what}: {_named(found)}" for what, found in changes.items() if found]
    return [*lines, f"  every image: pedigree data diff {data.parent[:SHORT]} {data.dataset[:SHORT]}"]


def _named(found: Mapping[str, int]) -> str:
    most = sorted(found.items(), key=lambda one: (-one[1], one[0]))
    more = f" and {len(most) - _MOST:,} more" if len(most) > _MOST else ""
    return ", ".join(f"{number:,} {name}" for name, number in most[:_MOST]) + more


def _rules(one: "Story") -> Table:
    table = Table(*COLUMNS, box=None, padding=(0, 2))
    for rule in one.rules:
        table.add_row(*(Text(visible(cell)) for cell in rule_row(rule)))
    return table


def _decision(one: "Decision") -> str:
    by = f" by {visible(one.person)}" if one.person else " by the gate" if one.by_the_gate else ""
    why = f"\n     why: {visible(one.why)}" if one.why else ""
    return f"  {one.number}  {one.time[:16].replace('T', ' ')}  {one.outcome}{by}: {visible(one.reason)}{why}"
