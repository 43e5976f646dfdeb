"""Splits for life: train, validation or test, assigned once to the near-duplicate groups of each class."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple


class Split(StrEnum):
    """What an image is used for; a held-out image is not used at all."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"
    HELD_OUT = "held-out"


@dataclass(frozen=True, slots=True)
class Shares:
    """The shares of a class's near-duplicate groups, in percent; the rest is for training.

    Attributes:
        test: Percent for the test split.
        validation: Percent for the validation split.
    """

    test: int
    validation: int


class Assignment(NamedTuple):
    """The near-duplicate group of an image when its split was assigned, and the split."""

    group: str
    split: Split


def assign_splits(
    groups: Mapping[str, str],
    assigned: Mapping[str, Assignment],
    shares: Shares,
    labels: Mapping[str, str] = MappingProxyType({}),
    published: Mapping[str, Split] = MappingProxyType({}),
    counted: Mapping[str, Counter[Split]] = MappingProxyType({}),
) -> dict[str, Assignment]:
    """Assign a split to every image that has none; known images are never moved.

    A new image gets the split of the known images in its group. If these are in different splits, it is held out. A
    group without known images is new: the new groups of each class, ordered by their hashes, go one by one to the split
    that is furthest behind its share of the class. So the shares of every class are met within one group, and the
    splits depend only on the images and labels of the run, not on their order.

    Args:
        groups: The near-duplicate group of every image, known or new.
        assigned: The splits assigned before.
        shares: The shares of a class's groups for test and validation.
        labels: Today's label of each image that has one. A group belongs to the class of most of its images; on a tie,
            to the first of these classes by name.
        published: Published splits to keep. A new group published in several splits goes to test before validation,
            and to validation before train; its images published for another split are held out. A split that was not
            published at all is taken from the images published for training.
        counted: How many groups each class has in each split besides: groups without a new image need not be given.

    Returns:
        The group and the split of each new image.
    """
    new = {image: group for image, group in groups.items() if image not in assigned}
    sides: defaultdict[str, set[Split]] = defaultdict(set)
    published_sides: defaultdict[str, set[Split]] = defaultdict(set)
    for image, group in groups.items():
        if image in assigned and assigned[image].split is not Split.HELD_OUT:
            sides[group].add(assigned[image].split)
    for image, group in new.items():
        if image in published:
            published_sides[group].add(published[image])
    rest = _unpublished_shares(shares, set(published.values()))
    fixed = {
        group: {_first_side(published_sides[group])} - {Split.TRAIN} for group in published_sides if not sides[group]
    }
    to_deal = {
        group: rest if published_sides[group] else shares
        for group in new.values()
        if not sides[group] and not fixed.get(group)
    }
    classes = _group_classes(groups, labels)
    dealt = _deal(to_deal, _count_sides({**sides, **fixed}, classes, counted), classes)
    return {
        image: Assignment(
            group,
            _choose_split(dealt.get(group), _Sides(sides[group], published_sides[group], published.get(image)), rest),
        )
        for image, group in new.items()
    }


def _group_classes(groups: Mapping[str, str], labels: Mapping[str, str]) -> dict[str, str]:
    """Return each group's class: the label of most of its images; on a tie, the first by name."""
    members: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for image, group in groups.items():
        if image in labels or not labels:
            members[group][labels.get(image, "")] += 1
    return {group: min(counts, key=lambda label: (-counts[label], label)) for group, counts in members.items()}


def _count_sides(
    sides: Mapping[str, Iterable[Split]], classes: Mapping[str, str], counted: Mapping[str, Counter[Split]]
) -> defaultdict[str, Counter[Split]]:
    """Count the groups of each class in each split; a group without a class was removed from the source.

    Args:
        sides: The splits of the groups.
        classes: The class of each group; one without a class does not count.
        counted: The counts of further groups.

    Returns:
        The counts by class.
    """
    counts: defaultdict[str, Counter[Split]] = defaultdict(Counter)
    for name, count in counted.items():
        counts[name].update(count)
    for group in sides:
        if group in classes:
            counts[classes[group]].update(sides[group])
    return counts


def _deal(
    to_deal: Mapping[str, Shares], counts: defaultdict[str, Counter[Split]], classes: Mapping[str, str]
) -> dict[str, Split]:
    """Assign groups one by one, in the order of their hashes, each to the split that its class lacks most.

    Args:
        to_deal: The shares that apply to each new group.
        counts: How many groups each class has in each split, to which the new ones are added.
        classes: The class of each new group; one without a class was removed from the source.

    Returns:
        The split of each new group.
    """
    dealt = {}
    for group in sorted(to_deal, key=lambda group: hashlib.sha256(group.encode()).digest()):
        count = counts[classes.get(group, "")]
        dealt[group] = _furthest_behind(count, to_deal[group])
        count[dealt[group]] += 1
    return dealt


def _furthest_behind(count: Counter[Split], shares: Shares) -> Split:
    """Choose the split that lacks most of its share once there is one more group; on a tie train, then test.

    Whole numbers make the choice the same on every machine. Source: Tijdeman, 1980, "The chairman assignment problem".

    Returns:
        The split.
    """
    percent = {
        Split.TRAIN: 100 - shares.test - shares.validation,
        Split.TEST: shares.test,
        Split.VALIDATION: shares.validation,
    }
    total = 1 + sum(count[split] for split, share in percent.items() if share)
    lacking = {split: share * total - 100 * count[split] for split, share in percent.items() if share}
    return max(lacking, key=lambda split: lacking[split])


class _Sides(NamedTuple):
    """The splits that bear on one new image.

    Attributes:
        assigned: The splits of the known images in its group.
        group_published: The published splits of the new images in its group.
        image_published: Its own published split; None without one.
    """

    assigned: set[Split]
    group_published: set[Split]
    image_published: Split | None


def _choose_split(dealt: Split | None, sides: _Sides, rest: Shares) -> Split:
    if not sides.assigned:
        fits = sides.image_published is None or sides.image_published is _first_side(sides.group_published)
        return (dealt or _first_side(sides.group_published)) if fits else Split.HELD_OUT
    given = next(iter(sides.assigned)) if len(sides.assigned) == 1 else Split.HELD_OUT
    fits = sides.image_published in {None, given} or (
        sides.image_published is Split.TRAIN and given in _substituted_sides(rest)
    )
    return given if fits else Split.HELD_OUT


def _substituted_sides(rest: Shares) -> set[Split]:
    """Return the splits that are taken from the images published for training."""
    return {side for side, share in ((Split.TEST, rest.test), (Split.VALIDATION, rest.validation)) if share}


def _unpublished_shares(shares: Shares, sides: set[Split]) -> Shares:
    """Return the shares, with zero for the splits that were published."""
    test = 0 if Split.TEST in sides else shares.test
    return Shares(test, 0 if Split.VALIDATION in sides else shares.validation)


def _first_side(sides: set[Split]) -> Split:
    return next(side for side in (Split.TEST, Split.VALIDATION, Split.TRAIN) if side in sides)
