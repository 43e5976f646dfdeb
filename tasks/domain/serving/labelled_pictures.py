"""Labelled pictures: what an export of a labelling tool says about pictures of the inbox, and which may be used."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from tasks.domain.labels.attributes import Attributes
from tasks.domain.labels.inbox_labels import FROM_INBOX, InboxLabel, find_image
from tasks.domain.labels.labeling import normalize_aliases, normalize_name
from tasks.domain.labels.manifest_formats.statements import ParsedManifest


@dataclass(frozen=True, slots=True)
class PictureLabel:
    """The label that people gave a picture.

    Attributes:
        label: The class.
        attributes: What they chose beside it, sorted by name.
    """

    label: str
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class LabelledPictures:
    """What an export says about pictures of the inbox.

    Attributes:
        labels: The label of each picture that has one.
        unlabelled: The pictures that nobody labelled, or whose task was skipped.
        disagreeing: The labels of each picture that has several.
        unknown: What the export names and the inbox does not hold.
    """

    labels: Mapping[str, PictureLabel]
    unlabelled: tuple[str, ...]
    disagreeing: Mapping[str, tuple[str, ...]]
    unknown: tuple[str, ...]


def sort_labels(reading: ParsedManifest, inbox: Collection[str], aliases: Mapping[str, str]) -> LabelledPictures:
    """Sort the statements of an export by picture, and by whether they agree.

    A picture with a label in one task and none in another has that label.

    Args:
        reading: The export.
        inbox: The pictures in the inbox.
        aliases: Other spellings of classes.

    Returns:
        The pictures, each in one of the parts.
    """
    spellings, unknown = normalize_aliases(aliases), dict[str, None]()
    by_image: dict[str, dict[str, Attributes]] = {}
    for statement in reading.statements:
        image = find_image(statement.reference)
        if image not in inbox:
            unknown[statement.reference] = None
            continue
        label = normalize_name(statement.label)
        labels = by_image.setdefault(image, {})
        if label:
            labels.setdefault(spellings.get(label.casefold(), label), _chosen(statement.attributes))
    return LabelledPictures(
        {image: PictureLabel(*next(iter(labels.items()))) for image, labels in by_image.items() if len(labels) == 1},
        tuple(image for image, labels in by_image.items() if not labels),
        {image: tuple(sorted(labels)) for image, labels in by_image.items() if len(labels) > 1},
        tuple(unknown),
    )


def _chosen(attributes: Attributes) -> Attributes:
    return tuple(pair for pair in attributes if pair[0] != FROM_INBOX[0])


@dataclass(frozen=True, slots=True)
class MergedLabels:
    """Labels of an export beside those that came in before.

    Attributes:
        labels: All labels that are to stand.
        added: The pictures that come in now.
        replaced: The pictures whose label changes.
        contradicting: The pictures that came in under another label, which stays: that one, and the new one.
        standing: The pictures that came in under the same label before.
    """

    labels: tuple[InboxLabel, ...]
    added: tuple[str, ...]
    replaced: tuple[str, ...]
    contradicting: Mapping[str, tuple[str, str]]
    standing: tuple[str, ...]


def merge_labels(
    came_in: Mapping[str, Sequence[InboxLabel]], labels: Mapping[str, InboxLabel], *, replace: bool = False
) -> MergedLabels:
    """Put the labels of an export beside those that came in before.

    Args:
        came_in: The labels of each picture that came in before; several where two people accepted it at once.
        labels: The label of each picture in the export.
        replace: Whether another label takes the place of the one before.

    Returns:
        The labels that are to stand, and what each picture comes to.
    """
    former = {image: [label.label for label in came_in[image]] for image in labels if image in came_in}
    differing = {image for image, before in former.items() if set(before) != {labels[image].label}}
    added = tuple(image for image in labels if image not in former)
    taken = {*added, *(differing if replace else ())}
    before = [label for image, rows in came_in.items() if image not in taken for label in rows]
    return MergedLabels(
        (*before, *(labels[image] for image in taken)),
        added,
        tuple(sorted(differing & taken)),
        {image: (" and ".join(former[image]), labels[image].label) for image in sorted(differing - taken)},
        tuple(image for image in former if image not in differing),
    )
