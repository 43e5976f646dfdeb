"""Splits that a benchmark publishes: train, validation and test as folders or as a manifest's column."""

import re
from collections.abc import Iterable, Mapping, Sequence

from tasks.domain.datasets.image_issues import FlaggedImage, Issue
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.labels.labeling import LabelledImage, Labelling, normalize_name
from tasks.domain.phrasing import list_names

#: The attribute that says an image's published split.
ATTRIBUTE = "split"
#: The kind of finding on a data card.
ELSEWHERE = "not in its published split"
_MEANING = (
    "held out, since a near duplicate is published in another split (test goes before validation, and that before "
    "train), or in another split for life, which an earlier night gave it"
)
_WORDS = {
    Split.TRAIN: "train|training|trn",
    Split.VALIDATION: "val|valid|validation|validate|dev|development",
    Split.TEST: "test|testing|tst|hold-?out|eval|evaluation",
}
_ADDED = r"[-_ ]?(set|split|data|dataset|images?|imgs?)?[-_ ]?\d*"


def parse_split(word: str) -> Split | None:
    """Read the name of a split, such as Train, val2017 or test_set; None for what names none."""
    name = normalize_name(word).casefold()
    return next((split for split, words in _WORDS.items() if re.fullmatch(f"({words}){_ADDED}", name)), None)


def published_words(images: Iterable[LabelledImage]) -> dict[str, str]:
    """Return the word that the attribute ``split`` of each image holds, where there is one."""
    words = ((labelled.image, dict(labelled.attributes).get(ATTRIBUTE, "")) for labelled in images)
    return {image: word for image, word in words if word}


def check_split_words(words: Mapping[str, str]) -> str:
    """Say in a sentence which words name no split; nothing where all do."""
    odd = sorted({word for word in words.values() if parse_split(word) is None})
    if not odd:
        return ""
    return (
        f"labels.splits is keep, and {list_names(odd)} in the attribute {ATTRIBUTE} names no split: write train, "
        "validation or test, or set labels.splits to ignore."
    )


def check_layout(labelling: Labelling, layout: str) -> str:
    """Ask in a sentence what the folders mean, where they look as if the layout did not fit; nothing where it does."""
    # The same photograph in two folders is in conflict, and those folders are classes all the same.
    claimed = {label for conflict in labelling.conflicts for label, _ in conflict.claims}
    labels = sorted({row.label for row in labelling.labelled} | claimed)
    sides = {label: split for label in labels if (split := parse_split(label))}
    if sides and (len(sides) == len(labels) or len(set(sides.values())) > 1):
        are = (
            "are classes here, and the usual names of splits"
            if len(sides) > 1
            else "is the only class, and a split's name"
        )
        return f"{list_names(sorted(sides))} {are}: {_advise(labelling)}"
    return _check_nesting(labelling, labels, layout)


def _advise(labelling: Labelling) -> str:
    origins = {dict(row.origins).get("label") for row in labelling.labelled}
    if "folder" in origins or not origins:
        return (
            f"set labels.layout to {ATTRIBUTE}/label, and labels.splits to keep (train and test as published) or ignore"
        )
    return "name the field that holds the class in labels.column"


def _check_nesting(labelling: Labelling, labels: Sequence[str], layout: str) -> str:
    """Ask about a class folder that holds a folder of another class's name, on a level that the layout leaves open."""
    classes = {label.casefold(): label for label in labels}
    deep = len(layout.split("/"))
    # A source may have a million images, and few folders.
    folders = {
        (row.label, row.key.rpartition("/")[0], dict(row.origins).get("label"))
        for row in labelling.labelled
        if row.key.count("/") > deep
    }
    for label, path, origin in sorted(folders):
        inner = {normalize_name(name).casefold() for name in path.split("/")[deep:]}
        other = next((classes[name] for name in sorted(inner) if classes.get(name, label) != label), None)
        if other and origin == "folder":
            return (
                f"the folder of the class {label} holds a folder named like the class {other} ({path}): "
                f"move it, or, where it is right, name that level in labels.layout, such as {layout}/part"
            )
    return ""


def report_misplaced(rows: Iterable[Row], words: Mapping[str, str], twins: Mapping[str, str]) -> tuple[Issue, ...]:
    """Find the images that are not in the split that was published for them.

    Args:
        rows: A version's rows.
        words: What was published, by image.
        twins: The key of the nearest near duplicate that was published in another split, by image.
    """
    sides = {image: parse_split(word) for image, word in words.items()}
    # A side that nobody published is taken from what was published to train on.
    taken = {Split.TEST, Split.VALIDATION} - set(sides.values())
    flagged_images = tuple(
        FlaggedImage(
            row.image, row.key, row.label, _explain_split(words[row.image], row.split, twins.get(row.image, ""))
        )
        for row in sorted(rows, key=lambda row: (row.split, row.key))
        if row.image in words
        and row.split is not sides[row.image]
        and not (sides[row.image] is Split.TRAIN and row.split in taken)
    )
    return (Issue(ELSEWHERE, _MEANING, flagged_images),) if flagged_images else ()


def _explain_split(word: str, split: Split, twin: str) -> str:
    return f"published as {word}, but {split.value} here" + (f", like {twin}" if twin else "")
