"""Splits of new images: of a million images only those become objects whose near-duplicate groups have a new one."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from configs import schema
from tasks.domain.datasets.assignments import SPLITS, Assignments, count_groups
from tasks.domain.datasets.published_splits import published_splits
from tasks.domain.datasets.splits import Assignment, Shares, Split, assign_splits
from tasks.domain.labels.labelled_images import LabelledImages
from tasks.features.grouping import ImageGroups, group_images, group_with_new_crops
from tasks.stores.store import Store


def settle_splits(
    labelled: LabelledImages, dataset: schema.Dataset, store: Store, *, keeps_published: bool
) -> tuple[Assignments, ImageGroups | None]:
    """Assign a split to every new image.

    Args:
        labelled: The labelled images.
        dataset: The shares of the splits, and how many bits may differ between near duplicates.
        store: Holds the images' hashes and earlier splits; gets the new ones.
        keeps_published: Whether published splits are obeyed.

    Returns:
        The split of every image, and the near-duplicate groups; None where no image is new.
    """
    published = published_splits(labelled) if keeps_published else np.full(len(labelled), -1, np.int8)
    shares = Shares(test=dataset.test_percent, validation=dataset.validation_percent)
    arrival, found = Arrival(labelled, published, shares), list[ImageGroups]()

    def decide(assigned: Assignments) -> dict[str, Assignment]:
        new = arrival.find_new(assigned)
        if not new:
            return {}
        # This is called again where another run has added images meanwhile.
        images = pa.concat_arrays([assigned.images, pa.array(new, pa.string())])
        groups = group_images(store, images, dataset.near_duplicate_bits)
        found[:] = [group_with_new_crops(store, groups, new, dataset.near_duplicate_bits)]
        return arrival.assign(found[0], assigned)

    return store.splits.settle(decide), found[0] if found else None


@dataclass(frozen=True, eq=False)
class Arrival:
    """Labelled images, of which those without a split get one.

    Attributes:
        labelled: All labelled images.
        published: The number of each image's published split in ``SPLITS``, int8 of shape (n_images,); -1 for none.
        shares: The shares of the splits.
    """

    labelled: LabelledImages
    published: NDArray[np.int8]
    shares: Shares

    def find_new(self, assigned: Assignments) -> list[str]:
        """Return the labelled images that have no split, sorted."""
        images = self.labelled.images
        return sorted(images.filter(pa.array(assigned.find(images) < 0)).to_pylist())

    def assign(self, groups: ImageGroups, assigned: Assignments) -> dict[str, Assignment]:
        """Assign a split to each image that has none, exactly as if ``assign_splits`` was given all images.

        Args:
            groups: The near-duplicate groups of all images, known or new.
            assigned: The splits assigned before.

        Returns:
            The group and the split of each new image that is in a group.
        """
        rows = assigned.find(groups.images)
        splits = np.full(len(groups), -1, np.int8)
        splits[rows >= 0] = assigned.splits[rows[rows >= 0]]
        labels, places = self._label_codes(groups.images)
        near = groups.members_of(np.flatnonzero(rows < 0))
        images = groups.images.filter(pa.array(near)).to_pylist()
        names = self.labelled.labels()
        return assign_splits(
            dict(zip(images, groups.names(near), strict=True)),
            {
                image: Assignment("", SPLITS[split])
                for image, split in zip(images, splits[near].tolist(), strict=True)
                if split >= 0
            },
            self.shares,
            {image: names[code] for image, code in zip(images, labels[near].tolist(), strict=True) if code >= 0},
            self._published_near(places[near & (rows < 0)]),
            count_groups(groups.groups[~near], splits[~near], labels[~near], names),
        )

    def _label_codes(self, images: pa.Array) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Return the number of each image's label by the order of labels, and its row here; -1 where it has none."""
        places = np.asarray(pc.fill_null(pc.index_in(images, self.labelled.images), -1), np.int64)
        codes = self.labelled.label_codes(self.labelled.labels())
        labels = np.full(len(images), -1, np.int32)
        labels[places >= 0] = codes[places[places >= 0]]
        return labels, places

    def _published_near(self, places: NDArray[np.int64]) -> dict[str, Split]:
        """Return the published splits of images in these rows, and one image of each split that is published at all."""
        used, first = np.unique(self.published, return_index=True)
        rows = np.concatenate([places[places >= 0], first[used >= 0]])
        rows = rows[self.published[rows] >= 0]
        images = self.labelled.images.take(pa.array(rows)).to_pylist()
        return {image: SPLITS[code] for image, code in zip(images, self.published[rows].tolist(), strict=True)}
