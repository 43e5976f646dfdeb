"""The data card: what a dataset version holds, how it differs from its parent, what is missing and what looks wrong."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.domain.datasets.assignments import SPLITS
from tasks.domain.datasets.attribute_balance import (
    Balance,
    NarrowRange,
    compute_balances,
    find_narrow_ranges,
    list_balance_warnings,
    list_range_warnings,
)
from tasks.domain.datasets.exclusions import Excluded, list_excluded
from tasks.domain.datasets.image_issues import Issue
from tasks.domain.datasets.label_issues import LabelIssues
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.version_diff import diff_versions
from tasks.domain.datasets.version_rows import VersionRows
from tasks.domain.images.image_info import ImageInfo
from tasks.domain.labels.attributes import Attributes
from tasks.domain.labels.labeling import PICTURE, image_attributes, suggest_aliases
from tasks.domain.labels.labelled_images import LabelledImages, Labelling
from tasks.domain.labels.results import ManifestUse
from tasks.domain.phrasing import count, list_names

_IMBALANCE_RATIO = 10
_GONE = "no object holds it any more"
#: How many excluded objects of each reason the card names; the store knows all of them.
NAMED = 50


@dataclass(frozen=True, slots=True)
class ClassCard:
    """The counts of one class.

    Attributes:
        label: The class.
        images: How many images it has.
        splits: How many images are in each split.
        attributes: How many images have each ``name=value`` of the labelled attributes.
    """

    label: str
    images: int
    splits: dict[str, int]
    attributes: dict[str, int]


@dataclass(frozen=True, slots=True)
class Change:
    """An image that was added, removed or relabelled since the parent version.

    Attributes:
        image: The SHA-256 of its bytes.
        key: Where it was found in the source.
        what: What has changed, in words.
    """

    image: str
    key: str
    what: str


@dataclass(frozen=True, slots=True)
class Missing:
    """The excluded objects of one reason.

    Attributes:
        reason: The reason.
        images: How many there are.
        first: The first of them, sorted by key.
    """

    reason: str
    images: int
    first: tuple[Excluded, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a card is made from, besides the rows of the version and of its parent.

    Attributes:
        labelling: The labelled images, and those without a label.
        rejected: The objects that are no training images.
        waiting: The classes that wait, as lines ``class (why)``.
        examined: What is known of each image.
        forgotten: Images that were removed for good.
        findings: The issues that were found.
        manifest: What of the manifest could not be used; None without one.
        minimum: The number of test images from which on the gate judges a class.
        measured: The rows whose pictures, attributes and features are measured; None means all.
    """

    labelling: Labelling
    rejected: Sequence[Excluded] = ()
    waiting: Sequence[str] = ()
    image_infos: Mapping[str, ImageInfo] = field(default_factory=dict)
    forgotten: frozenset[str] = frozenset()
    findings: Sequence[Issue] = ()
    manifest: ManifestUse | None = None
    minimum: int = 1
    measured: Sequence[Row] | None = None


@dataclass(frozen=True, slots=True)
class DataCard:
    """The data card of a dataset version.

    Attributes:
        images: How many images the version has.
        classes: The counts of each class.
        balances: The balance of each attribute over the classes.
        narrow: The classes with a narrow range of brightness or tone.
        added: Images that the parent lacks; empty without a parent.
        removed: Images that only the parent has.
        relabelled: Images whose label has changed.
        missing: Objects that are not in the version, by reason.
        findings: The issues that a person should look at.
        warnings: The warnings, as sentences.
        measured: How many of the images the balances, ranges and issues tell about.
    """

    images: int
    classes: tuple[ClassCard, ...]
    balances: tuple[Balance, ...]
    narrow: tuple[NarrowRange, ...]
    added: tuple[Change, ...]
    removed: tuple[Change, ...]
    relabelled: tuple[Change, ...]
    missing: tuple[Missing, ...]
    findings: tuple[Issue, ...]
    warnings: tuple[str, ...]
    measured: int

    def to_dict(self) -> dict[str, Any]:
        """Return the card as a dictionary for JSON."""
        return asdict(self)


def build_class_cards(rows: Sequence[Row]) -> tuple[ClassCard, ...]:
    """Count the images of each class by split and by attribute value."""
    columns = VersionRows.of(rows)
    kinds, counts = np.unique(columns.codes.astype(np.int64) * len(SPLITS) + columns.splits, return_counts=True)
    splits, attributes = (defaultdict[str, Counter[str]](Counter) for _ in range(2))
    for kind, images in zip(kinds.tolist(), counts.tolist(), strict=True):
        label, described = columns.kinds[kind // len(SPLITS)]
        splits[label][SPLITS[kind % len(SPLITS)].value] += images
        for name, value in described:
            attributes[label][f"{name}={value}"] += images
    return tuple(
        ClassCard(label, counted.total(), dict(sorted(counted.items())), dict(sorted(attributes[label].items())))
        for label, counted in sorted(splits.items())
    )


def build_data_card(rows: Sequence[Row], parent: Sequence[Row], evidence: Evidence) -> DataCard:
    """Build the data card of a dataset version.

    Args:
        rows: The version's rows.
        parent: The parent version's rows; empty without a parent.
        evidence: What else is known of the images.

    Returns:
        The card.
    """
    classes = build_class_cards(rows)
    measured = rows if evidence.measured is None else evidence.measured
    attributes, origins = collect_attributes(measured, evidence)
    spread, narrow = compute_balances(measured, attributes, origins), find_narrow_ranges(measured, evidence.image_infos)
    exclusions = [*evidence.rejected, *list_excluded(evidence.labelling, rows, evidence.waiting)]
    fates = _explain_removed(exclusions, evidence.forgotten)
    difference = diff_versions(parent, rows if parent else ())
    return DataCard(
        images=len(rows),
        classes=classes,
        balances=spread,
        narrow=narrow,
        added=tuple(Change(row.image, row.key, f"new in {row.label}") for row in difference.added),
        removed=tuple(Change(row.image, row.key, fates.get(row.image, _GONE)) for row in difference.removed),
        relabelled=tuple(
            Change(pair.after.image, pair.after.key, f"{pair.before.label} is now {pair.after.label}")
            for pair in difference.relabelled
        ),
        missing=_missing(exclusions),
        findings=tuple(evidence.findings),
        warnings=(
            *_size_warnings(classes, set(VersionRows.of(parent).labels()), evidence.minimum),
            *list_range_warnings(narrow),
            *list_balance_warnings(spread),
            *suggest_aliases(LabelledImages.of(evidence.labelling.labelled).count_labels()),
            *(evidence.manifest.sentences() if evidence.manifest else ()),
        ),
        measured=len(measured),
    )


def collect_attributes(rows: Sequence[Row], evidence: Evidence) -> tuple[dict[str, Attributes], dict[str, set[str]]]:
    """Collect the attributes of each image; labelled ones take precedence over those read from the picture.

    Args:
        rows: The version's rows.
        evidence: What else is known of the images.

    Returns:
        The attributes of each image, and the sources of each attribute's name.
    """
    labelled = LabelledImages.of(evidence.labelling.labelled)
    of_rows = labelled.take(np.asarray(pc.is_in(labelled.images, pa.array([row.image for row in rows], pa.string()))))
    written = {entry.image: dict(entry.origins) for entry in of_rows}
    attributes: dict[str, Attributes] = {}
    origins: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        picture_attributes = (
            dict(image_attributes(evidence.image_infos[row.image])) if row.image in evidence.image_infos else {}
        )
        attributes[row.image] = tuple(sorted((picture_attributes | dict(row.attributes)).items()))
        for name, _ in attributes[row.image]:
            origin = written.get(row.image, {}).get(name, "folder") if name in dict(row.attributes) else PICTURE
            origins[name].add(origin)
    return attributes, dict(origins)


def _explain_removed(exclusions: Iterable[Excluded], forgotten: Iterable[str]) -> dict[str, str]:
    """Return for each excluded image why it is not in the version."""
    return {excluded.image: f"{excluded.reason}: {excluded.detail}" for excluded in exclusions} | dict.fromkeys(
        forgotten, "removed for good"
    )


def _missing(exclusions: Sequence[Excluded]) -> tuple[Missing, ...]:
    by_reason: defaultdict[str, list[Excluded]] = defaultdict(list)
    for excluded in sorted(exclusions, key=lambda excluded: (excluded.key, excluded.image)):
        by_reason[excluded.reason].append(excluded)
    return tuple(
        Missing(reason, len(excluded_objects), tuple(excluded_objects[:NAMED]))
        for reason, excluded_objects in sorted(by_reason.items())
    )


def _size_warnings(classes: Sequence[ClassCard], former: set[str], minimum: int) -> Iterable[str]:
    ordered = sorted(classes, key=lambda class_card: (class_card.images, class_card.label))
    if ordered and ordered[-1].images > _IMBALANCE_RATIO * ordered[0].images:
        most, least = ordered[-1], ordered[0]
        yield f"{most.label} has {most.images:,} images, over ten times as many as {least.label}"
    yield from _test_warnings({class_card.label: class_card.splits.get("test", 0) for class_card in classes}, minimum)
    yield from (f"the class {label} is gone" for label in sorted(former - {class_card.label for class_card in classes}))


def _test_warnings(tests: Mapping[str, int], minimum: int) -> Iterable[str]:
    none = [label for label, images in tests.items() if not images]
    few = sorted((images, label) for label, images in tests.items() if 0 < images < minimum)
    if len(none) == 1:
        yield f"{none[0]} has no test image, so nothing is known about it"
    elif none:
        yield f"{len(none):,} classes have no test image, so nothing is known about them: {list_names(none)}"
    if few:
        names = list_names([f"{label} ({images:,})" for images, label in few])
        yield f"fewer than {minimum:,} test images, so it is unknown how well they are recognised: {names}"


@dataclass(frozen=True, slots=True)
class DataCardSummary:
    """A short form of the data card.

    Attributes:
        added: How many images the parent lacks.
        removed: How many images only the parent has.
        relabelled: How many labels have changed.
        findings: How many issues were found.
        leakage: What a random split would have claimed, as sentences.
        warnings: The warnings, as sentences.
        labels: How many labels of each class are probably wrong.
    """

    added: int
    removed: int
    relabelled: int
    findings: int
    leakage: tuple[str, ...]
    warnings: tuple[str, ...]
    labels: LabelIssues

    def __str__(self) -> str:
        """Say what changed since the parent version, and what to look at."""
        text = (
            f"{self.added:,} added, {self.removed:,} removed, {self.relabelled:,} relabelled since the parent version"
        )
        text += f", {count(self.findings, 'finding')}" if self.findings else ""
        return "; ".join((text, *self.leakage, *self.warnings))
