"""The step that assembles a dataset version: a list of images that is named by its own hash."""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from configs import schema
from configs.errors import PedigreeError
from tasks.datasets.grouping import group_images, group_with_new_crops
from tasks.domain.datasets.image_issues import NearDuplicates, Twin, count_contradictory, find_contradictions
from tasks.domain.datasets.manifest import ClassSelection, Dataset, Row, dataset_hash, select_classes
from tasks.domain.datasets.published_splits import (
    ATTRIBUTE,
    check_layout,
    check_split_words,
    parse_split,
    published_words,
)
from tasks.domain.datasets.splits import Assignment, Shares, Split, assign_splits
from tasks.domain.labels.labeling import Labelling
from tasks.domain.labels.results import Labels
from tasks.domain.phrasing import count
from tasks.domain.registry.model_record import hash_settings
from tasks.step import step
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
    labelling = store.labellings.read(labels.name)
    # A split is permanent, so no image gets one before it is clear what the folders mean.
    layout_question = check_layout(labelling, settings.labels.layout)
    obeyed = {} if layout_question else _obeyed_splits(labelling, settings.labels)
    splits, image_groups = ({}, {}) if layout_question else _settle_splits(labelling, obeyed, settings.dataset, store)
    rows = [] if layout_question else _rows(labelling, splits, settings.labels)
    selection = select_classes(rows, settings.dataset.min_images_per_class)
    name = dataset_hash(selection.rows)
    entries = store.ledger.entries()
    judged = [entry for entry in entries if entry.decided_by_gate]
    parent = next((entry.dataset for entry in reversed(judged) if entry.dataset != name), None)
    done = not force and any((entry.dataset, entry.recipe) == (name, hash_settings(settings)) for entry in judged)
    lacking = layout_question or _lacking(selection) + _describe_excluded(labels, selection)
    alike = (
        ()
        if layout_question or (done and not lacking)
        else _contradictions(
            labelling, labels.name, (splits, image_groups), settings.dataset.near_duplicate_bits, store
        )
    )
    if not (lacking or done):
        store.manifests.write(name, selection.rows, parent)
    return Dataset(
        hash=name,
        parent=parent,
        images=len(selection.rows),
        classes=tuple(sorted({row.label for row in selection.rows})),
        waiting=tuple(f"{entry.label} ({entry.reason})" for entry in selection.waiting),
        state="waiting" if lacking else "unchanged" if done else "new",
        reason=lacking or ("nothing new to learn from" if done else "to be trained on"),
        decided=entries[-1].number if entries else 0,
        contradictory=count_contradictory(alike, {row.image for row in selection.rows}),
    )


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
) -> tuple[dict[str, Assignment], dict[str, str]]:
    """Assign a split to every new image.

    Args:
        labelling: What every image shows.
        obeyed: The published splits.
        dataset: The shares of the splits, and how many bits may differ between near duplicates.
        store: Holds the images' hashes and earlier splits; gets the new ones.

    Returns:
        The split of every image, and the near-duplicate groups, which are empty where no image is new.
    """
    labels = {row.image: row.label for row in labelling.labelled}
    images, image_groups = labels.keys(), dict[str, str]()
    shares = Shares(test=dataset.test_percent, validation=dataset.validation_percent)

    def decide(assigned: Mapping[str, Assignment]) -> Mapping[str, Assignment]:
        if images <= assigned.keys():
            return {}
        # This is called again where another run has added images meanwhile.
        all_images, new = images | assigned.keys(), sorted(images - assigned.keys())
        image_groups.clear()
        groups = group_images(store, pa.array(sorted(all_images), pa.string()), dataset.near_duplicate_bits)
        image_groups.update(group_with_new_crops(store, groups, new, dataset.near_duplicate_bits).to_dict())
        return assign_splits(image_groups, assigned, shares, labels, obeyed)

    return store.splits.settle(decide), image_groups


def _rows(labelling: Labelling, splits: dict[str, Assignment], labels: schema.Labels) -> list[Row]:
    # A published split that is obeyed is no attribute: its slice would be the whole test split once more.
    dropped = {ATTRIBUTE} if labels.splits == "keep" else set()
    return [
        Row(
            image=labelled.image,
            label=labelled.label,
            split=splits[labelled.image].split,
            attributes=tuple(pair for pair in labelled.attributes if pair[0] not in dropped)
            if dropped
            else labelled.attributes,
            key=labelled.key,
        )
        for labelled in labelling.labelled
    ]


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
    labels = sorted({row.label for row in selection.rows})
    if len(labels) < 2:  # noqa: PLR2004
        learnable = f"only {labels[0]}" if labels else "no class"
        waiting = "; ".join(
            f"{waiting_class.label} waits: {waiting_class.reason}" for waiting_class in selection.waiting[:_NAMED]
        )
        waiting += f"; {more} more wait" if (more := len(selection.waiting) - _NAMED) > 0 else ""
        return f"{learnable} can be learned, and a model needs two classes" + (f" ({waiting})" if waiting else "")
    for split in (Split.VALIDATION, Split.TEST):
        if not any(row.split is split for row in selection.rows):
            return f"{count(len(selection.rows), 'image')}, none of them in the {split.value} split: add more images"
    return ""
