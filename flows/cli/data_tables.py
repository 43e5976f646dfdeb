"""What ``pedigree data`` prints: short tables that fit 80 columns."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from configs.visible_text import visible
from tasks.domain.datasets.version_diff import SHORT, Difference, Pair
from tasks.domain.evaluation.misclassifications import Flip, Flips, Kind
from tasks.domain.ingestion.source_filter import passed_over_words
from tasks.domain.phrasing import count

if TYPE_CHECKING:
    from tasks.catalog.export import CheckedOut
    from tasks.catalog.forget import Forgotten
    from tasks.catalog.lineage import Found, Made
    from tasks.catalog.retry import Released
    from tasks.catalog.verify import Verified
    from tasks.catalog.versions import Compared, Rejects, Shown, Version, Versions
    from tasks.domain.datasets.manifest import Row
    from tasks.domain.runs.results import Data

_SPLITS = ("train", "validation", "test", "held-out")
_KINDS: tuple[Kind, ...] = ("now wrong", "now right", "wrong in another way")
_A = {"image": "an image or its key", "dataset": "a version", "model": "a model", "night": "a run of Prefect's"}
# A screen names so many things of a kind; --json names all.
_MOST = 20


@contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar at a terminal, and yield a function that takes how many more are done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as bar:
        line = bar.add_task(title, total=total)
        yield lambda more: bar.advance(line, more)


def versions(found: "Versions") -> RenderableType:
    """Show each version in a line."""
    table = _table("version", "written", "images", "classes", "decisions")
    for one in found.versions:
        counts = ("damaged", "") if one.problem else (f"{one.images:,}", f"{one.classes:,}")
        table.add_row(one.hash[:SHORT], one.written[:16].replace("T", " "), *counts, _decisions(one))
    return table


def shown(one: "Shown") -> RenderableType:
    """Show a version's classes by split, then its attributes, warnings and decisions."""
    head = Text(f"Version {one.dataset}\n{one.images:,} images; parent {(one.parent or 'none')[:SHORT]}")
    table = _table("class", "images", *_SPLITS)
    for row in one.classes:
        table.add_row(
            Text(visible(row["label"])),
            f"{row['images']:,}",
            *(f"{row['splits'].get(split, 0):,}" for split in _SPLITS),
        )
    attributes: Counter[str] = Counter()
    for row in one.classes:
        attributes.update(row["attributes"])
    lines = [f"{name}: {number:,}" for name, number in sorted(attributes.items())]
    lines += [f"look: {warning}" for warning in one.warnings]
    lines += [f"decision {about['number']}, {about['outcome']}: {about['reason']}" for about in one.decisions]
    return Group(head, table, *(Text(visible(line)) for line in lines))


def compared(one: "Compared", page: Path | None) -> RenderableType:
    """Show how many images differ in each way, and name the first of them."""
    found, flips = one.difference, one.flips
    head = Text(f"From {one.before[:SHORT]} to {one.after[:SHORT]}: {_counts(found)}")
    parts = [
        *([_named(kind, [_flip(flip) for flip in flips.of(kind)]) for kind in _KINDS] if flips else ()),
        _named("added", [_row(row) for row in found.added]),
        _named("removed", [_row(row) for row in found.removed]),
        _named("relabelled", [_pair(pair, pair.before.label, pair.after.label) for pair in found.relabelled]),
        _named("other split", [_pair(pair, pair.before.split, pair.after.split) for pair in found.resplit]),
        _named("other attributes", [_pair(pair, *map(_words, _attributes(pair))) for pair in found.redescribed]),
    ]
    asked = [Text(_asked(one.models, flips))] if one.models and flips else []
    return Group(head, *asked, *(part for part in parts if part), *([Text(f"The page is {page}")] if page else []))


def found(one: "Found") -> RenderableType:
    """Show where an image was used, and each model in a line."""
    uses = [f"{use.dataset[:SHORT]}  {use.label}, {use.split}  {use.key}" for use in one.images]
    parts = [Text(f"{one.word} is {_A[one.what]}."), _named("used in version", uses)]
    parts += [] if uses else [_named("versions", [name[:SHORT] for name in one.versions])]
    table = _table("decision", "model", "version", "run")
    for made in one.models:
        serves = ", serves" if made.champion else ""
        table.add_row(f"{made.decision} {made.outcome}{serves}", made.model_version, made.dataset[:SHORT], made.run_id)
    nights = sorted({f"{made.run_id[:SHORT]}: {_night(made)}" for made in one.models if made.flow_run})
    parts += [Text(), table] if one.models else [Text("No model was decided about that used it.")]
    return Group(*(part for part in (*parts, _named("the nights in Prefect", nights)) if part is not None))


def _night(made: "Made") -> str:
    return made.flow_run_url if made.flow_run_url not in {"", "none"} else made.flow_run


def rebuilt(data: "Data") -> RenderableType:
    """Show what a version was made of, in the words of the night's diary."""
    return Text("\n".join(visible(one) for one in (data.ingested, data.labels, data.dataset)))


def forgotten(gone: "Forgotten") -> RenderableType:
    """Say what was removed, and which versions cannot be rebuilt any more."""
    text = f"Removed {gone.image[:SHORT]} for good, and the features that {gone.features} backbones had made of it."
    named = ", ".join(name[:SHORT] for name in gone.versions[:_MOST])
    lost = f"\nThese versions used it and cannot be rebuilt as they were: {named}." if named else ""
    pages = ", ".join(gone.runs[:_MOST])
    kept = f"\nThe data cards of these MLflow runs may still show it, small: {pages}." if pages else ""
    return Text(f"{text}{lost}{kept}")


def rejects(found: "Rejects") -> RenderableType:
    """Count what was turned down by reason, and name the first of each."""
    passed = passed_over_words(found.passed_over.items())
    beside = [Text(visible(f"passed over: {passed}"))] if passed else []
    if not found.absent:
        return Group(Text("Nothing was rejected."), *beside)
    table = _table("reason", "objects")
    groups: dict[str, list[str]] = {}
    for one in found.absent:
        groups.setdefault(one.reason, []).append(f"{one.key}: {one.detail}")
    for reason, lines in groups.items():
        table.add_row(reason, f"{len(lines):,}")
    parts = [part for reason, lines in groups.items() if (part := _named(reason, lines))]
    return Group(table, *parts, *(Text(visible(f"waits: {line}")) for line in found.waiting), *beside)


def released(done: "Released") -> RenderableType:
    """Count by reason what the next retraining examines again."""
    if not done.released:
        return Text("Nothing that the sources hold is rejected for that.")
    table = _table("reason", "objects")
    for reason, number in done.released.items():
        table.add_row(reason, f"{number:,}")
    return Group(table, Text("The next pedigree retrain examines them again."))


def checked_out(done: "CheckedOut") -> RenderableType:
    """Say what lies where."""
    held = f"{count(done.images, 'image')} of {count(done.classes, 'class', 'classes')}"
    return Text(f"{held}, with manifest.csv, in {done.folder}")


def verified(one: "Verified") -> RenderableType:
    """Say that a version is whole, or name what is damaged."""
    if not one.damage:
        parts = f"{count(one.images, 'image')}, {count(one.decisions, 'decision')} and all that belongs to them"
        return Text("\n".join((f"Version {one.dataset[:SHORT]} is whole: {parts}", *one.notes)))
    damage = _named("damaged", [f"{damage.what}: {damage.detail}" for damage in one.damage]) or Text()
    return Group(damage, *map(Text, one.notes))


def _table(first: str, *others: str) -> Table:
    table = Table(first, box=None, padding=(0, 1))
    for name in others:
        table.add_column(name, justify="left" if name in {"written", "decisions"} else "right")
    return table


def _decisions(one: "Version") -> str:
    words = [f"{about['number']} {about['outcome']}" for about in one.decisions]
    return ", ".join([*words, *(["champion"] if one.champion else [])])


def _counts(found: Difference) -> str:
    numbers = {
        "added": found.added,
        "removed": found.removed,
        "relabelled": found.relabelled,
        "in another split": found.resplit,
        "with other attributes": found.redescribed,
    }
    return ", ".join(f"{len(part):,} {name}" for name, part in numbers.items())


def _named(title: str, lines: Sequence[str]) -> RenderableType | None:
    if not lines:
        return None
    more = [f"  and {len(lines) - _MOST:,} more, which --json lists"] if len(lines) > _MOST else []
    return Text("\n".join(["", title, *(f"  {visible(line)}" for line in lines[:_MOST]), *more]))


def _asked(models: tuple[str, str], flips: Flips) -> str:
    counts = ", ".join(f"{len(flips.of(kind)):,} {kind}" for kind in _KINDS)
    return f"Models {models[0]} and {models[1]} on {count(flips.images, 'common test image')}: {counts}"


def _flip(one: Flip) -> str:
    return f"{one.image[:SHORT]}  {one.before} -> {one.after}, is {one.truth}  {one.key}"


def _row(row: "Row") -> str:
    return f"{row.image[:SHORT]}  {row.label}, {row.split}  {row.key}"


def _pair(pair: Pair, before: str, after: str) -> str:
    return f"{pair.after.image[:SHORT]}  {before} -> {after}  {pair.after.key}"


def _attributes(pair: Pair) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    return dict(pair.before.attributes), dict(pair.after.attributes)


def _words(attributes: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in sorted(attributes.items())) or "none"
