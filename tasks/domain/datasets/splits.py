"""Splits for life: train, validation or test, dealt to the near-duplicate groups of each class."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple


class Split(StrEnum):
    """What an image is used for; one that is held out is used for nothing."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"
    HELD_OUT = "held-out"


@dataclass(frozen=True, slots=True)
class Shares:
    """Percent of a class's groups that are for the test and for the validation split; the rest is for training."""

    test: int
    validation: int


class Assignment(NamedTuple):
    """The group that an image belonged to when it got its split, and that split."""

    group: str
    split: Split


class SplitRecord(NamedTuple):
    """An image's split as it was written: at which place of all that were ever written, counted from zero."""

    position: int
    image: str
    assigned: Assignment


def valid_splits(written: Iterable[SplitRecord]) -> dict[str, Assignment]:
    """Return the splits that count, of all in the order in which they were written.

    Whoever writes numbers on from what was there when the splits were chosen. What then stands at another place was
    chosen without knowing what another run wrote meanwhile, and does not count.
    """
    return {record.image: record.assigned for number, record in enumerate(written) if record.position == number}


def assign_splits(
    groups: Mapping[str, str],
    assigned: Mapping[str, Assignment],
    shares: Shares,
    labels: Mapping[str, str] = MappingProxyType({}),
    published: Mapping[str, Split] = MappingProxyType({}),
) -> dict[str, Assignment]:
    """Give every image that has none a split; known images are never moved.

    A new image takes the split of the known images in its group. Where those stand on both sides of the line it is held
    out; where there are none, the group is dealt: each class's new groups, in the order of their hashes, go one by one
    to the split that is furthest behind its share of the class. So the shares of every class are kept within one group,
    and what is dealt depends on the images and labels of the night alone, not on their order or their names.

    Args:
        groups: The near-duplicate group of every image, known or new.
        assigned: The splits that were given before.
        shares: How many of a class's groups are for test and validation.
        labels: Today's label of each image that has one. A group is of the class that most of its images bear, of
            several such classes the first by name.
        published: Splits that are to be obeyed. Of a new group that stands on both sides test goes before validation,
            and that before train; what was published for another side than its group's is held out. A side that
            nobody published is taken from what was published to train on.
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
    dealt = _deal(to_deal, {**sides, **fixed}, _group_classes(groups, labels))
    return {
        image: Assignment(
            group,
            _choose_split(dealt.get(group), _Sides(sides[group], published_sides[group], published.get(image)), rest),
        )
        for image, group in new.items()
    }


def _group_classes(groups: Mapping[str, str], labels: Mapping[str, str]) -> dict[str, str]:
    """Name each group's class: the label of most of its images, of several such the first by name."""
    members: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for image, group in groups.items():
        if image in labels or not labels:
            members[group][labels.get(image, "")] += 1
    return {group: min(counts, key=lambda label: (-counts[label], label)) for group, counts in members.items()}


def _deal(
    to_deal: Mapping[str, Shares], sides: Mapping[str, Iterable[Split]], classes: Mapping[str, str]
) -> dict[str, Split]:
    """Deal groups one by one, in the order of their hashes, each to the split that its class lacks most.

    Args:
        to_deal: The shares that each new group is dealt by.
        sides: The splits where the other groups stand.
        classes: The class of each group; a group of no class was removed from the source and does not count.
    """
    counts: defaultdict[str, Counter[Split]] = defaultdict(Counter)
    for group in sides:
        if group in classes:
            counts[classes[group]].update(sides[group])
    dealt = {}
    for group in sorted(to_deal, key=lambda group: hashlib.sha256(group.encode()).digest()):
        count = counts[classes.get(group, "")]
        dealt[group] = _furthest_behind(count, to_deal[group])
        count[dealt[group]] += 1
    return dealt


def _furthest_behind(count: Counter[Split], shares: Shares) -> Split:
    """Choose the split that lacks most of its share once there is a group more; on a tie train, then test.

    In whole numbers, so that every machine deals alike. Source: Tijdeman, 1980, "The chairman assignment problem".
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
    """The splits of a group's known images, those that were published for its new ones, and for the image itself."""

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
    """Name the sides that are taken from what was published to train on."""
    return {side for side, share in ((Split.TEST, rest.test), (Split.VALIDATION, rest.validation)) if share}


def _unpublished_shares(shares: Shares, sides: set[Split]) -> Shares:
    """Return the shares of those sides that nobody published."""
    test = 0 if Split.TEST in sides else shares.test
    return Shares(test, 0 if Split.VALIDATION in sides else shares.validation)


def _first_side(sides: set[Split]) -> Split:
    return next(side for side in (Split.TEST, Split.VALIDATION, Split.TRAIN) if side in sides)
