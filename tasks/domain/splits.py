"""Splits for life: train, validation or test, by the hash of an image's near-duplicate group."""

import hashlib
from collections import defaultdict
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


def assign(
    groups: Mapping[str, str],
    known: Mapping[str, Assigned],
    shares: Shares,
    published: Mapping[str, Split] = MappingProxyType({}),
) -> dict[str, Assigned]:
    """Give every image that has none a split; known images are never moved.

    A new image takes the split of the known images in its group. Where those stand on both sides of the line it is held
    out; where there are none, the group's hash decides.

    Args:
        groups: The near-duplicate group of every image, known or new.
        known: The splits that were given before.
        shares: How many new groups are for test and validation.
        published: Splits that are to be obeyed. Of a new group that stands on both sides test goes before validation,
            and that before train; what was published for another side than its group's is held out. A side that
            nobody published is taken from what was published to train on.
    """
    sides: defaultdict[str, set[Split]] = defaultdict(set)
    wanted: defaultdict[str, set[Split]] = defaultdict(set)
    for image, group in groups.items():
        if image in known and known[image].split is not Split.HELD_OUT:
            sides[group].add(known[image].split)
        if image not in known and image in published:
            wanted[group].add(published[image])
    rest = _not_published(shares, set(published.values()))
    return {
        image: Assigned(group, _own(group, _Sides(sides[group], wanted[group], published.get(image)), shares, rest))
        for image, group in groups.items()
        if image not in known
    }


class _Sides(NamedTuple):
    """The splits of a group's known images, those that were published for its new ones, and for the image itself."""

    known: set[Split]
    wanted: set[Split]
    own: Split | None


def _own(group: str, sides: _Sides, shares: Shares, rest: Shares) -> Split:
    if not sides.wanted:
        return _split(group, sides.known, shares)
    if not sides.known:
        first = _first(sides.wanted)
        if sides.own not in {None, first}:
            return Split.HELD_OUT
        return split_of_group(group, rest) if first is Split.TRAIN else first
    given = _split(group, sides.known, shares)
    fits = sides.own in {None, given} or (sides.own is Split.TRAIN and given in _taken(rest))
    return given if fits else Split.HELD_OUT


def _taken(rest: Shares) -> set[Split]:
    """Name the sides that are taken from what was published to train on."""
    return {side for side, share in ((Split.TEST, rest.test), (Split.VALIDATION, rest.validation)) if share}


def _not_published(shares: Shares, sides: set[Split]) -> Shares:
    """Return the shares of those sides that nobody published."""
    test = 0 if Split.TEST in sides else shares.test
    return Shares(test, 0 if Split.VALIDATION in sides else shares.validation)


def _first(sides: set[Split]) -> Split:
    return next(side for side in (Split.TEST, Split.VALIDATION, Split.TRAIN) if side in sides)


def _split(group: str, sides: set[Split], shares: Shares) -> Split:
    if not sides:
        return split_of_group(group, shares)
    return next(iter(sides)) if len(sides) == 1 else Split.HELD_OUT
