"""Published splits: train, validation and test as a benchmark gives them, in folders or in a column of a manifest."""

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tasks.domain.columns import folders_of
from tasks.domain.datasets.assignments import SPLITS
from tasks.domain.datasets.image_issues import FlaggedImage, Issue
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.datasets.version_rows import VersionRows
from tasks.domain.labels.labeling import normalize_name
from tasks.domain.labels.labelled_images import LabelledImage, LabelledImages, Labelling
from tasks.domain.phrasing import list_names

#: The attribute that holds an image's published split.
ATTRIBUTE = "split"
#: The kind of issue on a data card: an image that is not in its published split.
ELSEWHERE = "not in its published split"
_MEANING = (
    "held out, since a near duplicate is published in another split (test goes before validation, and that before "
    "train), or in another split for life, which an earlier run gave it"
)
_WORDS = {
    Split.TRAIN: "train|training|trn",
    Split.VALIDATION: "val|valid|validation|validate|dev|development",
    Split.TEST: "test|testing|tst|hold-?out|eval|evaluation",
}
_ADDED = r"[-_ ]?(set|split|data|dataset|images?|imgs?)?[-_ ]?\d*"


def parse_split(word: str) -> Split | None:
    """Parse the name of a split, such as Train, val2017 or test_set; None where it names none."""
    name = normalize_name(word).casefold()
    return next((split for split, words in _WORDS.items() if re.fullmatch(f"({words}){_ADDED}", name)), None)


def published_splits(labelled: LabelledImages) -> NDArray[np.int8]:
    """Return the number in ``SPLITS`` of the split that each image's attribute ``split`` names.

    Args:
        labelled: The images.

    Returns:
        The numbers, int8 of shape (n_images,); -1 where the attribute is absent or names none.
    """
    words = [dict(attributes).get(ATTRIBUTE, "") for _, attributes, _ in labelled.claims]
    splits = [parse_split(word) for word in words]
    numbers = [SPLITS.index(split) if split else -1 for split in splits]
    return np.array(numbers, np.int8)[labelled.codes]


def list_words(labelled: LabelledImages) -> set[str]:
    """Return the values that the attribute ``split`` has in any image."""
    used = [dict(labelled.claims[code][1]) for code in np.unique(labelled.codes).tolist()]
    return {attributes[ATTRIBUTE] for attributes in used if attributes.get(ATTRIBUTE)}


def check_split_words(words: Iterable[str]) -> str:
    """Check that all words name a split; return the message on those that do not, or ""."""
    odd = sorted({word for word in words if parse_split(word) is None})
    if not odd:
        return ""
    return (
        f"labels.splits is keep, and {list_names(odd)} in the attribute {ATTRIBUTE} names no split: write train, "
        "validation or test, or set labels.splits to ignore."
    )


def check_layout(labelling: Labelling, layout: str) -> str:
    """Check whether the folders look as if ``labels.layout`` did not fit them, as when splits are taken for classes.

    Args:
        labelling: The labelled images.
        layout: The meaning of each level of folders, from the settings.

    Returns:
        The message that says what to set, or "" where the layout fits.
    """
    # Folders that hold the same photograph are in conflict, but are classes nevertheless.
    claimed = {label for conflict in labelling.conflicts for label, _ in conflict.claims}
    labelled = LabelledImages.of(labelling.labelled)
    labels = sorted({*labelled.labels(), *claimed})
    sides = {label: split for label in labels if (split := parse_split(label))}
    if sides and (len(sides) == len(labels) or len(set(sides.values())) > 1):
        are = (
            "are classes here, and the usual names of splits"
            if len(sides) > 1
            else "is the only class, and a split's name"
        )
        return f"{list_names(sorted(sides))} {are}: {_advise(labelled)}"
    return _check_nesting(labelled, labels, layout)


def _advise(labelled: LabelledImages) -> str:
    origins = {dict(labelled.claims[code][2]).get("label") for code in np.unique(labelled.codes).tolist()}
    if "folder" in origins or not origins:
        return (
            f"set labels.layout to {ATTRIBUTE}/label, and labels.splits to keep (train and test as published) or ignore"
        )
    return "name the field that holds the class in labels.column"


def _check_nesting(labelled: LabelledImages, labels: Sequence[str], layout: str) -> str:
    """Check whether a class folder holds a folder named like another class, on a level that the layout leaves open."""
    classes = {label.casefold(): label for label in labels}
    deep = len(layout.split("/"))
    nested = labelled.take(np.asarray(pc.greater(pc.count_substring(labelled.keys, "/"), deep)))
    # Few of a million images differ in both.
    paths = pa.table([folders_of(nested.keys), pa.array(nested.codes)], names=["path", "code"])
    folders = set()
    for row in paths.group_by(["path", "code"], use_threads=False).aggregate([]).to_pylist():
        label, _, origins = labelled.claims[row["code"]]
        folders.add((label, row["path"], dict(origins).get("label", "")))
    for label, path, origin in sorted(folders):
        inner = {normalize_name(name).casefold() for name in path.split("/")[deep:]}
        other = next((classes[name] for name in sorted(inner) if classes.get(name, label) != label), None)
        if other and origin == "folder":
            return (
                f"the folder of the class {label} holds a folder named like the class {other} ({path}): "
                f"move it, or, where it is right, name that level in labels.layout, such as {layout}/part"
            )
    return ""


def report_misplaced(
    rows: Iterable[Row], labelled: Iterable[LabelledImage], twins: Mapping[str, str]
) -> tuple[Issue, ...]:
    """Find the images that are not in the split that was published for them.

    Args:
        rows: The version's rows.
        labelled: All images, of which some have a published split.
        twins: The key of the nearest near duplicate that was published in another split, by image.

    Returns:
        The issue for the data card; empty where there are no such images.
    """
    columns, published = VersionRows.of(rows), LabelledImages.of(labelled)
    words = [dict(attributes).get(ATTRIBUTE, "") for _, attributes, _ in published.claims]
    sides = published_splits(published)
    positions = pc.index_in(columns.images, published.images)
    places = np.asarray(pc.fill_null(positions, -1).to_numpy(zero_copy_only=False), np.int64)
    codes = np.append(published.codes, np.int32(len(words)))[places]
    has_word = np.array([*map(bool, words), False], np.bool_)[codes]
    # Splits that were not published are taken from the images published for training.
    taken = np.setdiff1d([SPLITS.index(Split.TEST), SPLITS.index(Split.VALIDATION)], sides)
    side = np.append(sides, np.int8(-1))[places]
    is_taken = (side == SPLITS.index(Split.TRAIN)) & np.isin(columns.splits, taken)
    wrong = np.flatnonzero(has_word & (columns.splits != side) & ~is_taken)
    misplaced = zip(columns.take(wrong), [words[code] for code in codes[wrong].tolist()], strict=True)
    flagged_images = tuple(
        FlaggedImage(row.image, row.key, row.label, _explain_split(word, row.split, twins.get(row.image, "")))
        for row, word in sorted(misplaced, key=lambda pair: (pair[0].split, pair[0].key))
    )
    return (Issue(ELSEWHERE, _MEANING, flagged_images),) if flagged_images else ()


def _explain_split(word: str, split: Split, twin: str) -> str:
    return f"published as {word}, but {split.value} here" + (f", like {twin}" if twin else "")
