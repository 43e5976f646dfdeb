"""The splits of all images in columns: which rows of their table are valid, and the split of each image."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tasks.domain.columns import sort_order, starts_of_groups, texts_at_once, whole
from tasks.domain.datasets.splits import Assignment, Split

#: The splits by the numbers that stand for them in columns.
SPLITS = tuple(Split)


@dataclass(frozen=True, eq=False)
class Assignments(Mapping[str, Assignment]):
    """Every image with its group and split; an assignment is made when it is asked for.

    Attributes:
        images: The images, texts, each of them once.
        groups: Their near-duplicate groups, texts.
        splits: The number of each image's split in ``SPLITS``, int8 of shape (n_images,).
    """

    images: pa.Array
    groups: pa.Array
    splits: NDArray[np.int8]

    @property
    def nbytes(self) -> int:
        """The bytes that the columns take."""
        return int(self.images.nbytes + self.groups.nbytes + self.splits.nbytes)

    def __len__(self) -> int:
        """Count the images."""
        return len(self.splits)

    def __iter__(self) -> Iterator[str]:
        """Yield the images."""
        return texts_at_once(self.images)

    def __getitem__(self, image: str) -> Assignment:
        """Return the group and the split of an image."""
        row = self._rows[image]
        return Assignment(self.groups[row].as_py(), SPLITS[self.splits[row]])

    def __contains__(self, image: object) -> bool:
        """Check whether an image has a split."""
        return image in self._rows

    def find(self, images: pa.Array) -> NDArray[np.int64]:
        """Return the row of each of these images.

        Args:
            images: The images, texts.

        Returns:
            Row numbers, int64 of shape (n_images,); -1 for an image without a split.
        """
        return np.asarray(pc.fill_null(pc.index_in(images, self.images), -1).to_numpy(zero_copy_only=False), np.int64)

    def group_names(self, images: Sequence[str] | pa.Array) -> list[str]:
        """Return the group of each of these images; an image without a split is a group of its own.

        Args:
            images: The images.

        Returns:
            The names of the groups.
        """
        names = images if isinstance(images, pa.Array) else pa.array(images, pa.string())
        positions = pc.index_in(names, self.images)
        groups: list[str] = pc.coalesce(self.groups.take(positions), names).to_pylist()
        return groups

    @cached_property
    def _rows(self) -> dict[str, int]:
        return dict(zip(self.images.to_pylist(), range(len(self)), strict=True))


#: The splits of a store that has none.
NO_ASSIGNMENTS = Assignments(pa.nulls(0, pa.string()), pa.nulls(0, pa.string()), np.zeros(0, np.int8))


def count_groups(
    groups: NDArray[np.intp], splits: NDArray[np.int8], labels: NDArray[np.int32], names: Sequence[str]
) -> dict[str, Counter[Split]]:
    """Count the near-duplicate groups of each class in each split, as ``assign_splits`` does.

    Args:
        groups: The number of each image's group, of shape (n_images,).
        splits: The number of each image's split in ``SPLITS``, of shape (n_images,); -1 for none.
        labels: The number of each image's label in ``names``, of shape (n_images,); -1 for none.
        names: The labels, sorted.

    Returns:
        The counts by class. A group belongs to the class of most of its images; on a tie, to the first by name.
    """
    kinds, sizes = np.unique((groups.astype(np.int64) * len(names) + labels)[labels >= 0], return_counts=True)
    class_of = np.full(int(groups.max(initial=-1)) + 1, -1, np.int64)
    # Of several labels of a group the last one stands: the most frequent, and of these the first by name.
    order = np.lexsort((-kinds, sizes))
    class_of[kinds[order] // len(names)] = kinds[order] % len(names)
    used = splits >= 0
    placed = np.unique((groups.astype(np.int64) * len(SPLITS) + splits)[used])
    classes = class_of[placed // len(SPLITS)]
    counts = np.zeros((len(names), len(SPLITS)), np.int64)
    np.add.at(counts, (classes[classes >= 0], placed[classes >= 0] % len(SPLITS)), 1)
    return {
        name: Counter(dict(zip(SPLITS, of_class, strict=True)))
        for name, of_class in zip(names, counts.tolist(), strict=True)
    }


def filter_valid_splits(written: pa.Table) -> Assignments:
    """Return the splits that are valid.

    A writer continues the numbers of the rows that it has read. If a row stands at another position than its number,
    another run wrote in between; the row was made without knowing that run's splits and is not valid.

    Args:
        written: All rows in the order in which they were written: the columns ``place``, the number that its writer
            expected, ``image``, ``group`` and ``split``.

    Returns:
        The split of each image, the last valid one of several.
    """
    valid = np.flatnonzero(np.asarray(written["place"]) == np.arange(written.num_rows))
    rows = written if len(valid) == written.num_rows else written.take(pa.array(valid))
    images, groups = whole(rows["image"]), whole(rows["group"])
    words = pc.index_in(whole(rows["split"]), pa.array([split.value for split in SPLITS]))
    splits = np.asarray(words.to_numpy(zero_copy_only=False), np.int8)
    order = sort_order(images)
    starts = starts_of_groups(images.take(pa.array(order)))
    if len(starts) == len(images):
        return Assignments(images, groups, splits)
    last = np.sort(order[np.append(starts[1:], len(order)) - 1])
    return Assignments(images.take(pa.array(last)), groups.take(pa.array(last)), splits[last])
