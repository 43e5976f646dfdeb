"""Screens of ``pedigree data``: short tables that fit 80 columns."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from configs.visible_text import visible
from flows.cli.inbox_tables import render_withdrawn
from flows.cli.tables import older
from tasks.domain.ingestion.source_objects import describe_passed_over
from tasks.domain.phrasing import SHORT, count

if TYPE_CHECKING:
    from tasks.catalog.export import ExportedVersion
    from tasks.catalog.images import ReleasedRejects, RemovedImage
    from tasks.catalog.inbox import WithdrawnPicture
    from tasks.catalog.lineage import Lineage, ModelDecision
    from tasks.catalog.verify import Verification
    from tasks.catalog.versions import Rejects, Version, VersionComparison, VersionDetails, Versions
    from tasks.domain.datasets.manifest import Row
    from tasks.domain.datasets.version_diff import RowPair, VersionDiff
    from tasks.domain.evaluation.misclassifications import Kind, PredictionFlip, PredictionFlips
    from tasks.domain.runs.results import RunData

_SPLITS = ("train", "validation", "test", "held-out")
_KINDS: "tuple[Kind, ...]" = ("now wrong", "now right", "wrong in another way")
_A = {
    "image": "an image or its key",
    "dataset": "a version",
    "model": "a model",
    "backbone": "a backbone",
    "night": "a run of Prefect's",
}
# The most versions and runs that a sentence names; --json names all.
_MOST = 20


def render_versions(listing: "Versions", most: int) -> RenderableType:
    """Render the newest versions, one a line.

    Args:
        listing: All of them.
        most: How many are shown.

    Returns:
        The table, and how many older ones there are.
    """
    table = _table("version", "written", "images", "classes", "decisions")
    for version in listing.versions[-most:]:
        counts = ("damaged", "") if version.problem else (f"{version.images:,}", f"{version.classes:,}")
        table.add_row(version.hash[:SHORT], version.written[:16].replace("T", " "), *counts, _decisions(version))
    return Group(*older(len(listing.versions) - most), table)


def render_version_details(details: "VersionDetails") -> RenderableType:
    """Render a version's classes by split, then its attributes, warnings and decisions."""
    head = Text(f"Version {details.dataset}\n{details.images:,} images; parent {(details.parent or 'none')[:SHORT]}")
    table = _table("class", "images", *_SPLITS)
    for row in details.classes:
        table.add_row(
            Text(visible(row["label"])),
            f"{row['images']:,}",
            *(f"{row['splits'].get(split, 0):,}" for split in _SPLITS),
        )
    attributes: Counter[str] = Counter()
    for row in details.classes:
        attributes.update(row["attributes"])
    lines = [f"{name}: {number:,}" for name, number in sorted(attributes.items())]
    notes = [("look", warning) for warning in details.warnings]
    notes += [(f"decision {about['number']}", f"{about['outcome']}: {about['reason']}") for about in details.decisions]
    # A column of its own keeps long sentences apart from the next one's beginning.
    sentences = Table("", "", box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    for title, sentence in notes:
        sentences.add_row(title, Text(visible(sentence)))
    return Group(head, table, *(Text(visible(line)) for line in lines), sentences)


def render_version_comparison(comparison: "VersionComparison", page: Path | None, most: int) -> RenderableType:
    """Render how many images differ in each way, and name the first of them.

    Args:
        comparison: What differs between two versions or two models.
        page: The page that was written, if one was.
        most: How many of each kind are named.

    Returns:
        The counts, the lists, and where the page is.
    """
    difference, flips = comparison.difference, comparison.flips
    head = Text(f"From {comparison.before[:SHORT]} to {comparison.after[:SHORT]}: {_counts(difference)}")
    parts = [
        *([_named(kind, [_flip(flip) for flip in flips.select(kind)], most) for kind in _KINDS] if flips else ()),
        _named("added", [_row(row) for row in difference.added], most),
        _named("removed", [_row(row) for row in difference.removed], most),
        _named(
            "relabelled", [_pair(pair, pair.before.label, pair.after.label) for pair in difference.relabelled], most
        ),
        _named("other split", [_pair(pair, pair.before.split, pair.after.split) for pair in difference.resplit], most),
        _named(
            "other attributes", [_pair(pair, *map(_words, _attributes(pair))) for pair in difference.redescribed], most
        ),
    ]
    predictions = [Text(_flip_counts(comparison.models, flips))] if comparison.models and flips else []
    return Group(
        head, *predictions, *(part for part in parts if part), *([Text(f"The page is {page}")] if page else [])
    )


def render_lineage(lineage: "Lineage", most: int) -> RenderableType:
    """Render where an image was used, and each model, one a line.

    Args:
        lineage: What a word means, and what was made from it.
        most: How many uses and models are shown.

    Returns:
        The lists.
    """
    uses = [f"{use.dataset[:SHORT]}  {use.label}, {use.split}  {use.key}" for use in lineage.images]
    parts = [Text(f"{lineage.word} is {_A[lineage.what]}."), _named("used in version", uses, most)]
    parts += [] if uses else [_named("versions", [name[:SHORT] for name in lineage.versions], most)]
    table = _table("decision", "model", "version", "run")
    for model in lineage.models[-most:]:
        serves = ", serves" if model.champion else ""
        table.add_row(
            f"{model.decision} {model.outcome}{serves}", model.model_version, model.dataset[:SHORT], model.run_id
        )
    runs = sorted({f"{model.run_id[:SHORT]}: {_run_address(model)}" for model in lineage.models if model.flow_run})
    parts += (
        [Text(), *older(len(lineage.models) - most), table]
        if lineage.models
        else [Text("No model that used it has been decided about.")]
    )
    return Group(*(part for part in (*parts, _named("the runs in Prefect", runs, most)) if part is not None))


def _run_address(model: "ModelDecision") -> str:
    return model.flow_run_url if model.flow_run_url not in {"", "none"} else model.flow_run


def render_rebuilt_data(data: "RunData") -> RenderableType:
    """Render what a version was built from, in the words of the run log."""
    return Text("\n".join(visible(part) for part in data.sentences()))


def render_removed_image(removal: "RemovedImage", withdrawn: "WithdrawnPicture | None" = None) -> RenderableType:
    """Render what was removed, and which versions cannot be rebuilt any more.

    Args:
        removal: What was removed from the store.
        withdrawn: What was removed from the inbox; None where there is none.

    Returns:
        A few lines.
    """
    text = (
        f"Removed {removal.image[:SHORT]} for good, and the features that {removal.features} backbones had made of it."
    )
    version_names = ", ".join(name[:SHORT] for name in removal.versions[:_MOST])
    lost = f"\nThese versions used it and cannot be rebuilt as they were: {version_names}." if version_names else ""
    pages = ", ".join(removal.runs[:_MOST])
    cards = f"\nThe data cards of these MLflow runs may still show it, small: {pages}." if pages else ""
    kept = visible(removal.original)
    original = f"\nThe original lies in the source, and is not removed there: {kept}." if kept else ""
    inbox = f"\nIn the inbox: {render_withdrawn(withdrawn)}" if withdrawn else ""
    return Text(f"{text}{lost}{cards}{original}{inbox}")


def render_rejects(listing: "Rejects", most: int) -> RenderableType:
    """Render how many objects were rejected for each reason, and name the first of each.

    Args:
        listing: All of them.
        most: How many of each reason are named.

    Returns:
        The table, and the names.
    """
    passed = describe_passed_over(listing.passed_over.items())
    beside = [Text(visible(f"passed over: {passed}"))] if passed else []
    if not listing.absent:
        return Group(Text("Nothing was rejected."), *beside)
    table = _table("reason", "objects")
    groups: dict[str, list[str]] = {}
    for exclusion in listing.absent:
        groups.setdefault(exclusion.reason, []).append(f"{exclusion.key}: {exclusion.detail}")
    for reason, lines in groups.items():
        table.add_row(reason, f"{len(lines):,}")
    parts = [part for reason, lines in groups.items() if (part := _named(reason, lines, most))]
    return Group(table, *parts, *(Text(visible(f"waits: {line}")) for line in listing.waiting), *beside)


def render_released(rejects: "ReleasedRejects") -> RenderableType:
    """Render how many objects the next retraining examines again, by reason."""
    if not rejects.released:
        return Text("Nothing that the sources hold is rejected for that.")
    table = _table("reason", "objects")
    for reason, number in rejects.released.items():
        table.add_row(reason, f"{number:,}")
    return Group(table, Text("The next pedigree retrain examines them again."))


def render_exported_version(export: "ExportedVersion") -> RenderableType:
    """Render what was exported, and where it is."""
    held = f"{count(export.images, 'image')} of {count(export.classes, 'class', 'classes')}"
    return Text(f"{held}, with manifest.csv, in {export.folder}")


def render_verification(version: "Verification", most: int) -> RenderableType:
    """Render that a version is whole, or what is damaged.

    Args:
        version: What was verified.
        most: How many places of damage are named.

    Returns:
        The sentence, or the list.
    """
    if not version.damage:
        parts = f"{count(version.images, 'image')}, {count(version.decisions, 'decision')} and all that belongs to them"
        return Text("\n".join((f"Version {version.dataset[:SHORT]} is whole: {parts}", *version.notes)))
    damage = _named("damaged", [f"{damage.what}: {damage.detail}" for damage in version.damage], most) or Text()
    return Group(damage, *map(Text, version.notes))


def _table(first: str, *columns: str) -> Table:
    table = Table(first, box=None, padding=(0, 1))
    for name in columns:
        table.add_column(name, justify="left" if name in {"written", "decisions"} else "right")
    return table


def _decisions(version: "Version") -> str:
    words = [f"{about['number']} {about['outcome']}" for about in version.decisions]
    return ", ".join([*words, *(["champion"] if version.champion else [])])


def _counts(difference: "VersionDiff") -> str:
    numbers = {
        "added": difference.added,
        "removed": difference.removed,
        "relabelled": difference.relabelled,
        "in another split": difference.resplit,
        "with other attributes": difference.redescribed,
    }
    return ", ".join(f"{len(part):,} {name}" for name, part in numbers.items())


def _named(title: str, lines: Sequence[str], most: int) -> RenderableType | None:
    if not lines:
        return None
    more = [f"  and {len(lines) - most:,} more, which --all lists"] if len(lines) > most else []
    return Text("\n".join(["", title, *(f"  {visible(line)}" for line in lines[:most]), *more]))


def _flip_counts(models: tuple[str, str], flips: "PredictionFlips") -> str:
    counts = ", ".join(f"{len(flips.select(kind)):,} {kind}" for kind in _KINDS)
    return f"Models {models[0]} and {models[1]} on {count(flips.images, 'common test image')}: {counts}"


def _flip(flip: "PredictionFlip") -> str:
    return f"{flip.image[:SHORT]}  {flip.before} -> {flip.after}, is {flip.truth}  {flip.key}"


def _row(row: "Row") -> str:
    return f"{row.image[:SHORT]}  {row.label}, {row.split}  {row.key}"


def _pair(pair: "RowPair", before: str, after: str) -> str:
    return f"{pair.after.image[:SHORT]}  {before} -> {after}  {pair.after.key}"


def _attributes(pair: "RowPair") -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    return dict(pair.before.attributes), dict(pair.after.attributes)


def _words(attributes: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in sorted(attributes.items())) or "none"
