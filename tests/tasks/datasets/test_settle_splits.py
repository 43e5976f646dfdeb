"""Splits and contradictions from columns are those of looking at every image, though few of them become objects."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from tasks.datasets.settle_splits import Arrival
from tasks.domain.datasets.assignments import SPLITS, Assignments
from tasks.domain.datasets.image_issues import NearDuplicates, find_contradictions
from tasks.domain.datasets.splits import Assignment, Shares, Split, assign_splits
from tasks.domain.labels.labelled_images import LabelledImage, LabelledImages
from tasks.features.grouping import ImageGroups, mix_groups

_LABELS = ["boxer", "poodle", "pug"]
_BITS = 72
# Each image: its group, the split that it has, its label of today, and its published split. A new image has a label.
_known = st.tuples(
    st.integers(0, 9), st.sampled_from(Split), st.none() | st.sampled_from(_LABELS), st.none() | st.sampled_from(Split)
)
_new = st.tuples(st.integers(0, 12), st.none(), st.sampled_from(_LABELS), st.none() | st.sampled_from(list(Split)[:3]))
_stores = st.permutations(range(40)).flatmap(
    lambda order: st.lists(_known | _new, min_size=1, max_size=40).map(lambda images: (order[: len(images)], images))
)
_Images = list[tuple[int, Split | None, str | None, Split | None]]


def columns_of(order: list[int], images: _Images) -> tuple[ImageGroups, Assignments, LabelledImages]:
    """Make the columns of images, whose splits and labels stand in an order of their own."""
    names, numbers = [f"{place:02}" for place in range(len(images))], [group for group, *_ in images]
    first = np.array([numbers.index(number) for number in numbers], np.intp)
    hashes = np.array([[number] * 32 for number in numbers], np.uint8)
    order = sorted(range(len(images)), key=order.__getitem__)
    placed = [place for place in order if images[place][1]]
    texts = pa.array([names[place] for place in placed], pa.string())
    splits = np.array([SPLITS.index(images[place][1] or Split.TRAIN) for place in placed], np.int8)
    labelled = [
        LabelledImage(f"{names[place]}.jpg", names[place], images[place][2] or "", (), ())
        for place in order
        if images[place][2]
    ]
    return ImageGroups(pa.array(names), hashes, first), Assignments(texts, texts, splits), LabelledImages.of(labelled)


@given(_stores, st.sampled_from([Shares(20, 15), Shares(0, 30), Shares(40, 0)]))
def test_splits_are_those_of_looking_at_every_image(store: tuple[list[int], _Images], shares: Shares) -> None:
    """Images of the groups without a new image are only counted, and each new image gets the very same split."""
    groups, assigned, labelled = columns_of(*store)
    images = dict(zip(groups.images.to_pylist(), store[1], strict=True))
    published = {image: given for image, (*_, label, given) in images.items() if given and label}
    labels = {row.image: row.label for row in labelled}
    codes = [SPLITS.index(published[row.image]) if row.image in published else -1 for row in labelled]
    arrival = Arrival(labelled, np.array(codes, np.int8), shares)
    new = [image for image, (_, split, *_) in images.items() if split is None]
    assert arrival.find_new(assigned) == new
    if new:
        given_splits = {image: Assignment("", split) for image, (_, split, *_) in images.items() if split}
        expected = assign_splits(groups.to_dict(), given_splits, shares, labels, published)
        assert arrival.assign(groups, assigned) == expected


@given(_stores)
def test_contradictions_are_those_of_looking_at_every_image(store: tuple[list[int], _Images]) -> None:
    """Images whose group has one mark are left out, and the pairs under two marks are the very same."""
    groups, _, labelled = columns_of(*store)
    hashes = dict(zip(groups.images.to_pylist(), map(bytes, groups.hashes), strict=True))
    labels = {row.image: row.label for row in labelled}
    codes = np.array([_LABELS.index(row.label) for row in labelled], np.int32)
    near, marks = mix_groups(groups, labelled.images, codes, _LABELS, _BITS)
    assert len({near.groups[image] for image in marks}) <= len(marks) / 2
    expected = find_contradictions(NearDuplicates(hashes, groups.to_dict(), _BITS), labels)
    assert find_contradictions(near, marks) == expected
