"""The step that assembles a dataset version: a list of images that is named by its own hash."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from configs import schema
from configs.errors import PedigreeError
from tasks.datasets.settle_splits import settle_splits
from tasks.domain.datasets.assignments import NO_ASSIGNMENTS, SPLITS, Assignments
from tasks.domain.datasets.image_issues import Twin, count_contradictory, find_contradictions
from tasks.domain.datasets.manifest import Dataset
from tasks.domain.datasets.published_splits import (
    ATTRIBUTE,
    check_layout,
    check_split_words,
    list_words,
    published_splits,
)
from tasks.domain.datasets.splits import Split
from tasks.domain.datasets.version_rows import ClassSelection, VersionRows, dataset_hash, select_classes
from tasks.domain.labels.labelled_images import LabelledImages, Labelling
from tasks.domain.labels.results import Labels
from tasks.domain.phrasing import count
from tasks.domain.registry.decisions import Decision
from tasks.domain.registry.model_record import hash_settings
from tasks.domain.runs.known_inputs import assemble_inputs
from tasks.features.grouping import ImageGroups, group_images, mix_groups
from tasks.step import step
from tasks.stores.files.known_steps import known_version
from tasks.stores.store import Store

# The most waiting classes that the reason names; further ones are counted.
_NAMED = 3


@step(hours=2)
def assemble(labels: Labels, settings: schema.Settings, force: bool) -> Dataset:  # noqa: FBT001 - the run's own word
    """Assign each new image its permanent split, leave small classes out, and name the remaining images by their hash.

    Args:
        labels: What every image shows.
        settings: All of them: a version is not trained on twice under the hash of those that decide a model.
        force: Train also when the gate has decided about this version under these settings.

    Returns:
        The dataset version, and whether and why it is trained on.

    Raises:
        PedigreeError: The published splits name one that is none.
    """
    store = Store(settings.store.url)
    entries = store.ledger.entries()
    found = _find_known(store, labels, settings)
    # A version that is to be trained on needs its manifest.
    if found is None or not (found.lacking or _is_judged(found.hash, entries, settings, force=force)):
        found = _find(labels, settings, store, force=force)
        entries = store.ledger.entries()
    done = _is_judged(found.hash, entries, settings, force=force)
    return Dataset(
        hash=found.hash,
        parent=_find_parent(found.hash, entries),
        images=found.images,
        classes=found.classes,
        waiting=found.waiting,
        state="waiting" if found.lacking else "unchanged" if done else "new",
        reason=found.lacking or ("nothing new to learn from" if done else "to be trained on"),
        decided=entries[-1].number if entries else 0,
        contradictory=found.contradictory if found.lacking or not done else 0,
    )


def _is_judged(name: str, entries: Sequence[Decision], settings: schema.Settings, *, force: bool) -> bool:
    """Check whether the gate has decided about a version under these settings, so that it is not trained on again."""
    version = (name, hash_settings(settings))
    return not force and any(entry.decided_by_gate and (entry.dataset, entry.recipe) == version for entry in entries)


def _find_parent(name: str, entries: Sequence[Decision]) -> str | None:
    judged = (entry.dataset for entry in reversed(entries) if entry.decided_by_gate)
    return next((dataset for dataset in judged if dataset != name), None)


class _Found(NamedTuple):
    """What a labelling comes to, whatever was decided about it.

    Attributes:
        hash: The hash that names the version.
        images: How many images it has.
        classes: Its classes.
        waiting: The classes that wait, as lines ``class (why)``.
        lacking: Why nothing can be trained yet; empty where it can.
        contradictory: How many images are near duplicates of others under another label; 0 where nobody asked.
    """

    hash: str
    images: int
    classes: tuple[str, ...]
    waiting: tuple[str, ...]
    lacking: str
    contradictory: int


def _find_known(store: Store, labels: Labels, settings: schema.Settings) -> _Found | None:
    facts = known_version(store.known_results, labels.name, settings)
    if facts is None:
        return None
    return _Found(**{**facts, "classes": tuple(facts["classes"]), "waiting": tuple(facts["waiting"])})


def _find(labels: Labels, settings: schema.Settings, store: Store, *, force: bool) -> _Found:
    """Assemble the version, and write its manifest where it is to be trained on.

    Args:
        labels: What every image shows.
        settings: All of them.
        store: Holds the labelling; gets new splits, contradictions and the manifest.
        force: Train also when the gate has decided about this version under these settings.

    Returns:
        What was found, which is also written down for later runs.

    Raises:
        PedigreeError: The published splits name one that is none.
    """
    labelling = store.labellings.read(labels.name)
    # A split is permanent, so no image gets one before it is clear what the folders mean.
    layout_question = check_layout(labelling, settings.labels.layout)
    rows, splits, image_groups = VersionRows.of(()), NO_ASSIGNMENTS, None
    if not layout_question:
        labelled, keeps_published = LabelledImages.of(labelling.labelled), settings.labels.splits == "keep"
        if keeps_published and (odd := check_split_words(list_words(labelled))):
            raise PedigreeError(odd)
        splits, image_groups = settle_splits(labelled, settings.dataset, store, keeps_published=keeps_published)
        rows = _rows(labelled, splits, settings.labels)
    selection = select_classes(rows, settings.dataset.min_images_per_class)
    name = dataset_hash(selection.rows)
    lacking = layout_question or _lacking(selection) + _describe_excluded(labels, selection)
    entries, alike = store.ledger.entries(), tuple[Twin, ...]()
    done = _is_judged(name, entries, settings, force=force)
    if not layout_question and (lacking or not done):
        bits = settings.dataset.near_duplicate_bits
        alike = tuple(_contradictions(labelling, labels.name, (splits, image_groups), bits, store))
    if not (lacking or done):
        store.manifests.write(name, selection.rows, _find_parent(name, entries))
    found = _Found(
        hash=name,
        images=len(selection.rows),
        classes=tuple(selection.rows.labels()),
        waiting=tuple(f"{entry.label} ({entry.reason})" for entry in selection.waiting),
        lacking=lacking,
        contradictory=count_contradictory(alike, _twins_among(selection.rows.images, alike)),
    )
    # An image keeps its split for life, so that what other runs have added meanwhile changes nothing here.
    versions = store.known_results.table_versions("assemble")
    inputs = assemble_inputs(labels.name, settings.labels, settings.dataset)
    store.known_results.write("assemble", inputs, versions, found._asdict())
    return found


def _rows(labelled: LabelledImages, splits: Assignments, labels: schema.Labels) -> VersionRows:
    # A published split that is obeyed is no attribute: its slice would be the whole test split once more.
    dropped = {ATTRIBUTE} if labels.splits == "keep" else set()
    kinds = tuple(
        (label, tuple(pair for pair in attributes if pair[0] not in dropped))
        for label, attributes, _ in labelled.claims
    )
    assigned = splits.splits[splits.find(labelled.images)]
    return VersionRows(labelled.images, labelled.keys, assigned, labelled.codes, kinds)


def _contradictions(
    labelling: Labelling, name: str, settled: tuple[Assignments, ImageGroups | None], bits: int, store: Store
) -> Sequence[Twin]:
    """Find near duplicates that contradict each other, and store them beside the labelling.

    Args:
        labelling: What every image shows.
        name: The hash of the labelling; what is stored beside it already is not computed again.
        settled: The split of every image, and its near-duplicate group; None where groups are not known yet.
        bits: How many bits may differ between near duplicates.
        store: Holds the images' hashes and the labelling.

    Returns:
        The near duplicates under two labels.
    """
    if twins := store.labellings.read_twins(name, bits):
        return twins["labels"]
    labelled, (splits, known_groups) = LabelledImages.of(labelling.labelled), settled
    groups = group_images(store, splits.images, bits) if known_groups is None else known_groups
    labels, published = labelled.labels(), published_splits(labelled)
    numbers = {label: number for number, label in enumerate(labels)}
    codes = np.array([numbers.get(label, -1) for label, _, _ in labelled.claims], np.int32)[labelled.codes]
    found = {
        "labels": find_contradictions(*mix_groups(groups, labelled.images, codes, labels, bits)),
        "splits": find_contradictions(*mix_groups(groups, labelled.images, published, SPLITS, bits)),
    }
    store.labellings.write_twins(name, bits, found)
    return found["labels"]


def _twins_among(images: pa.Array, twins: Sequence[Twin]) -> set[str]:
    return set(images.filter(pc.is_in(images, pa.array([twin.image for twin in twins], pa.string()))).to_pylist())


def _describe_excluded(labels: Labels, selection: ClassSelection) -> str:
    """Return, where nothing can be trained, how many images their labels exclude; empty where there are none."""
    if _lacking(selection) == "":
        return ""
    parts = [f"{count(labels.conflicts, 'image')} under two labels"] * (labels.conflicts > 0)
    parts += [f"{count(labels.unlabelled, 'image')} without a label"] * (labels.unlabelled > 0)
    return f"; {' and '.join(parts)}, which pedigree data rejects names" if parts else ""


def _lacking(selection: ClassSelection) -> str:
    """Return in one sentence why nothing can be trained yet; empty where it can."""
    labels = selection.rows.labels()
    if len(labels) < 2:  # noqa: PLR2004
        learnable = f"only {labels[0]}" if labels else "no class"
        waiting = "; ".join(
            f"{waiting_class.label} waits: {waiting_class.reason}" for waiting_class in selection.waiting[:_NAMED]
        )
        waiting += f"; {more} more wait" if (more := len(selection.waiting) - _NAMED) > 0 else ""
        return f"{learnable} can be learned, and a model needs two classes" + (f" ({waiting})" if waiting else "")
    for split in (Split.VALIDATION, Split.TEST):
        if SPLITS.index(split) not in selection.rows.splits:
            return f"{count(len(selection.rows), 'image')}, none of them in the {split.value} split: add more images"
    return ""
