"""Splits for life: train, validation or test, by the hash of an image's near-duplicate group."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Split(StrEnum):
    """What an image is used for; one that is held out is used for nothing."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"
    HELD_OUT = "held-out"


@dataclass(frozen=True, slots=True)
class Shares:
    """Percent of new groups that go to the test and to the validation split; the rest is for training."""

    test: int
    validation: int


class Assigned(NamedTuple):
    """The group that an image belonged to when it got its split, and that split."""

    group: str
    split: Split


class Placed(NamedTuple):
    """An image's split as it was written: at which place of all that were ever written, counted from zero."""

    place: int
    image: str
    assigned: Assigned


def standing(written: Iterable[Placed]) -> dict[str, Assigned]:
    """Return the splits that count, of all in the order in which they were written.

    Whoever writes numbers on from what was there when the splits were chosen. What then stands at another place was
    chosen without knowing what another run wrote meanwhile, and does not count.
    """
    return {one.image: one.assigned for number, one in enumerate(written) if one.place == number}


def split_of_group(group: str, shares: Shares) -> Split:
    """Choose a split by the SHA-256 of the group's name, taken as a number between 0 and 100."""
    place = int.from_bytes(hashlib.sha256(group.encode()).digest()[:8]) / 2**64 * 100
    if place < shares.test:
        return Split.TEST
    return Split.VALIDATION if place < shares.test + shares.validation else Split.TRAIN


def assign(groups: Mapping[str, str], known: Mapping[str, Assigned], shares: Shares) -> dict[str, Assigned]:
    """Give every image that has none a split; known images are never moved.

    A new image takes the split of the known images in its group. Where those stand on both sides of the line it is held
    out; where there are none, the group's hash decides.
    """
    sides: defaultdict[str, set[Split]] = defaultdict(set)
    for image, group in groups.items():
        if image in known and known[image].split is not Split.HELD_OUT:
            sides[group].add(known[image].split)
    return {
        image: Assigned(group, _split(group, sides[group], shares))
        for image, group in groups.items()
        if image not in known
    }


def _split(group: str, sides: set[Split], shares: Shares) -> Split:
    if not sides:
        return split_of_group(group, shares)
    return next(iter(sides)) if len(sides) == 1 else Split.HELD_OUT
