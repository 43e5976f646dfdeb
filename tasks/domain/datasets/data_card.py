"""The data card: what a dataset version holds, why other images are not in it, and how it differs from its parent."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tasks.domain.datasets.attribute_balance import (
    Balance,
    Narrow,
    balances,
    narrow_ranges,
    range_warnings,
    warnings_of,
)
from tasks.domain.datasets.exclusions import Absent, left_out
from tasks.domain.datasets.image_issues import Finding
from tasks.domain.datasets.label_issue_counts import LabelIssues
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.version_diff import compare
from tasks.domain.images.image_info import Examined
from tasks.domain.labels.image_attributes import PICTURE, traits
from tasks.domain.labels.labeling import Attributes, Labelling, spelling_hints
from tasks.domain.labels.manifest_formats.use import ManifestUse
from tasks.domain.phrasing import count, listed

_LOPSIDED = 10
_GONE = "no object holds it any more"
#: So many absent objects of a reason are named in the card; the store knows all of them.
NAMED = 50


@dataclass(frozen=True, slots=True)
class ClassCard:
    """One class: how many images in each split, and how many with each attribute value that somebody wrote down."""

    label: str
    images: int
    splits: dict[str, int]
    attributes: dict[str, int]


@dataclass(frozen=True, slots=True)
class Change:
    """An image that came, went or changed its label since the parent version, and what became of it in words."""

    image: str
    key: str
    what: str


@dataclass(frozen=True, slots=True)
class Missing:
    """Objects that are in no version, or not in this one: the reason, how many, and the first of them."""

    reason: str
    images: int
    first: tuple[Absent, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a card is made from, besides the version's own rows and its parent's.

    Classes with fewer test images than ``minimum`` are unknown to the gate.
    """

    labelling: Labelling
    rejected: Sequence[Absent] = ()
    waiting: Sequence[str] = ()
    examined: Mapping[str, Examined] = field(default_factory=dict)
    forgotten: frozenset[str] = frozenset()
    findings: Sequence[Finding] = ()
    manifest: ManifestUse | None = None
    minimum: int = 1


@dataclass(frozen=True, slots=True)
class DataCard:
    """A dataset version beside its parent; without a parent nothing counts as a change."""

    images: int
    classes: tuple[ClassCard, ...]
    balances: tuple[Balance, ...]
    narrow: tuple[Narrow, ...]
    added: tuple[Change, ...]
    removed: tuple[Change, ...]
    relabelled: tuple[Change, ...]
    missing: tuple[Missing, ...]
    findings: tuple[Finding, ...]
    warnings: tuple[str, ...]

    def plain(self) -> dict[str, Any]:
        """Turn the card into what JSON can hold."""
        return asdict(self)


def class_cards(rows: Sequence[Row]) -> tuple[ClassCard, ...]:
    """Count a version's classes by split and attribute."""
    by_label: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_label[row.label].append(row)
    return tuple(
        ClassCard(
            label=label,
            images=len(own),
            splits=dict(sorted(Counter(row.split.value for row in own).items())),
            attributes=dict(
                sorted(Counter(f"{name}={value}" for row in own for name, value in row.attributes).items())
            ),
        )
        for label, own in sorted(by_label.items())
    )


def data_card(rows: Sequence[Row], parent: Sequence[Row], evidence: Evidence) -> DataCard:
    """Write a version's card: counts, balance, changes since its parent, what is missing, and what to look at."""
    classes = class_cards(rows)
    told, origins = attributes_told(rows, evidence)
    spread, narrow = balances(rows, told, origins), narrow_ranges(rows, evidence.examined)
    absent = [*evidence.rejected, *left_out(evidence.labelling, rows, evidence.waiting)]
    fates = _fates(absent, evidence.forgotten)
    difference = compare(parent, rows if parent else ())
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
        missing=_missing(absent),
        findings=tuple(evidence.findings),
        warnings=(
            *_of_sizes(classes, {row.label for row in parent}, evidence.minimum),
            *range_warnings(narrow),
            *warnings_of(spread),
            *spelling_hints(one.label for one in evidence.labelling.labelled),
            *(evidence.manifest.sentences() if evidence.manifest else ()),
        ),
    )


def attributes_told(rows: Iterable[Row], evidence: Evidence) -> tuple[dict[str, Attributes], dict[str, set[str]]]:
    """Gather each image's attributes, what was written before what the picture shows, and where each name is from."""
    written = {one.image: dict(one.origins) for one in evidence.labelling.labelled}
    told: dict[str, Attributes] = {}
    origins: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        seen = dict(traits(evidence.examined[row.image])) if row.image in evidence.examined else {}
        told[row.image] = tuple(sorted((seen | dict(row.attributes)).items()))
        for name, _ in told[row.image]:
            origin = written.get(row.image, {}).get(name, "folder") if name in dict(row.attributes) else PICTURE
            origins[name].add(origin)
    return told, dict(origins)


def _fates(absent: Iterable[Absent], forgotten: Iterable[str]) -> dict[str, str]:
    """Say of images why they are not in the version."""
    return {one.image: f"{one.reason}: {one.detail}" for one in absent} | dict.fromkeys(forgotten, "removed for good")


def _missing(absent: Sequence[Absent]) -> tuple[Missing, ...]:
    by_reason: defaultdict[str, list[Absent]] = defaultdict(list)
    for one in sorted(absent, key=lambda one: (one.key, one.image)):
        by_reason[one.reason].append(one)
    return tuple(Missing(reason, len(found), tuple(found[:NAMED])) for reason, found in sorted(by_reason.items()))


def _of_sizes(classes: Sequence[ClassCard], former: set[str], minimum: int) -> Iterable[str]:
    ordered = sorted(classes, key=lambda one: (one.images, one.label))
    if ordered and ordered[-1].images > _LOPSIDED * ordered[0].images:
        most, least = ordered[-1], ordered[0]
        yield f"{most.label} has {most.images:,} images, over ten times as many as {least.label}"
    yield from _untested({one.label: one.splits.get("test", 0) for one in classes}, minimum)
    yield from (f"the class {label} is gone" for label in sorted(former - {one.label for one in classes}))


def _untested(tests: Mapping[str, int], minimum: int) -> Iterable[str]:
    none = [label for label, images in tests.items() if not images]
    few = sorted((images, label) for label, images in tests.items() if 0 < images < minimum)
    if len(none) == 1:
        yield f"{none[0]} has no test image, so nothing is known about it"
    elif none:
        yield f"{len(none):,} classes have no test image, so nothing is known about them: {listed(none)}"
    if few:
        names = listed([f"{label} ({images:,})" for images, label in few])
        yield f"fewer than {minimum:,} test images, so it is unknown how well they are recognised: {names}"


@dataclass(frozen=True, slots=True)
class Inspected:
    """The data card of a dataset version, in short."""

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
