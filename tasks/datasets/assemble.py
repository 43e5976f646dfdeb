"""The step that assembles a dataset version: a list of images that is named by its own hash."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa

from configs import schema
from configs.errors import PedigreeError
from tasks.datasets.grouping import group_images, group_with_new_crops
from tasks.domain.datasets.assignments import NO_ASSIGNMENTS, SPLITS, Assignments
from tasks.domain.datasets.image_issues import NearDuplicates, Twin, count_contradictory, find_contradictions
from tasks.domain.datasets.manifest import Dataset
from tasks.domain.datasets.published_splits import (
    ATTRIBUTE,
    check_layout,
    check_split_words,
    parse_split,
    published_words,
)
from tasks.domain.datasets.splits import Assignment, Shares, Split, assign_splits
from tasks.domain.datasets.version_rows import ClassSelection, VersionRows, dataset_hash, select_classes
from tasks.domain.labels.labelled_images import LabelledImages, Labelling
from tasks.domain.labels.results import Labels
from tasks.domain.phrasing import count
from tasks.domain.registry.decisions import Decision
from tasks.domain.registry.model_record import hash_settings
from tasks.domain.runs.known_inputs import assemble_inputs
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
    """
    labelling = store.labellings.read(labels.name)
    # A split is permanent, so no image gets one before it is clear what the folders mean.
    layout_question = check_layout(labelling, settings.labels.layout)
    rows, splits, image_groups = VersionRows.of(()), NO_ASSIGNMENTS, dict[str, str]()
    if not layout_question:
        obeyed = _obeyed_splits(labelling, settings.labels)
        splits, image_groups = _settle_splits(labelling, obeyed, settings.dataset, store)
        rows = _rows(LabelledImages.of(labelling.labelled), splits, settings.labels)
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
        contradictory=count_contradictory(alike, set(selection.rows.images.to_pylist())) if alike else 0,
    )
    # An image keeps its split for life, so that what other runs have added meanwhile changes nothing here.
    versions = store.known_results.table_versions("assemble")
    inputs = assemble_inputs(labels.name, settings.labels, settings.dataset)
    store.known_results.write("assemble", inputs, versions, found._asdict())
    return found


def _obeyed_splits(labelling: Labelling, labels: schema.Labels) -> dict[str, Split]:
    """Return the published splits by image, where the settings say that they are obeyed.

    Args:
        labelling: What every image shows, with its attributes.
        labels: Say whether published splits are obeyed.

    Returns:
        The splits.

    Raises:
        PedigreeError: A word is no split.
    """
    words = published_words(labelling.labelled) if labels.splits == "keep" else {}
    if odd := check_split_words(words):
        raise PedigreeError(odd)
    return {image: split for image, word in words.items() if (split := parse_split(word))}


def _settle_splits(
    labelling: Labelling, obeyed: Mapping[str, Split], dataset: schema.Dataset, store: Store
) -> tuple[Assignments, dict[str, str]]:
    """Assign a split to every new image.

    Args:
        labelling: What every image shows.
        obeyed: The published splits.
        dataset: The shares of the splits, and how many bits may differ between near duplicates.
        store: Holds the images' hashes and earlier splits; gets the new ones.

    Returns:
        The split of every image, and the near-duplicate groups, which are empty where no image is new.
    """
    labelled, image_groups = LabelledImages.of(labelling.labelled), dict[str, str]()
    shares = Shares(test=dataset.test_percent, validation=dataset.validation_percent)

    def decide(assigned: Assignments) -> Mapping[str, Assignment]:
        new = sorted(labelled.images.filter(pa.array(assigned.find(labelled.images) < 0)).to_pylist())
        if not new:
            return {}
        # This is called again where another run has added images meanwhile.
        all_images, labels = {*assigned, *new}, {row.image: row.label for row in labelled}
        image_groups.clear()
        groups = group_images(store, pa.array(sorted(all_images), pa.string()), dataset.near_duplicate_bits)
        image_groups.update(group_with_new_crops(store, groups, new, dataset.near_duplicate_bits).to_dict())
        return assign_splits(image_groups, assigned, shares, labels, obeyed)

    return store.splits.settle(decide), image_groups


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
    labelling: Labelling,
    name: str,
    settled: tuple[Mapping[str, Assignment], Mapping[str, str]],
    bits: int,
    store: Store,
) -> Sequence[Twin]:
    """Find near duplicates that contradict each other, and store them beside the labelling.

    Args:
        labelling: What every image shows.
        name: The hash of the labelling; what is stored beside it already is not computed again.
        settled: The split of every image, and its near-duplicate group; no groups where they are not known yet.
        bits: How many bits may differ between near duplicates.
        store: Holds the images' hashes and the labelling.

    Returns:
        The near duplicates under two labels.
    """
    if twins := store.labellings.read_twins(name, bits):
        return twins["labels"]
    hashes = store.images.hashes([labelled.image for labelled in labelling.labelled])
    splits, image_groups = settled
    groups = image_groups or group_images(store, pa.array(sorted(splits), pa.string()), bits).to_dict()
    near = NearDuplicates(hashes, groups, bits)
    labels = find_contradictions(near, {labelled.image: labelled.label for labelled in labelling.labelled})
    words = {
        image: split for image, word in published_words(labelling.labelled).items() if (split := parse_split(word))
    }
    store.labellings.write_twins(
        name, bits, {"labels": labels, "splits": find_contradictions(near, words) if words else ()}
    )
    return labels


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
