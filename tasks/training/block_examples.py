"""Examples that do not fit into memory: their features are read once from the store, and then block by block."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from configs import schema
from configs.environment import home
from configs.sections import Scale
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.images.augmentation import IDENTITY, VIEWS

if TYPE_CHECKING:
    from tasks.modeling.head.block_training import BlockExamples
    from tasks.stores.tables.features import FeatureStore

_GIGABYTE = 10**9
# The bytes of a float32.
_BYTES = 4


def fits_into_memory(rows: Sequence[Row], width: int, training: schema.Training, scale: Scale) -> bool:
    """Return whether the features of images and their views are at most as large as ``scale.in_memory`` says.

    Args:
        rows: The images that are learned from.
        width: Numbers in each vector.
        training: Says in which views images are learned from.
        scale: The limit in gigabytes.

    Returns:
        Whether they fit; the dataset and the settings alone decide, so a reproduction decides the same.
    """
    views = sum(len(VIEWS[training.views]) if row.split is Split.TRAIN else 1 for row in rows)
    return views * width * _BYTES <= scale.in_memory * _GIGABYTE


@contextmanager
def open_block_examples(
    rows: Sequence[Row],
    classes: Sequence[str],
    table: "FeatureStore",
    training: schema.Training,
    groups: Mapping[str, str],
) -> Iterator["BlockExamples"]:
    """Copy the features of images and their views to a file on this machine, in the order of training.

    The table is read once, in its own order; training reads the file in any order, as often as it needs to.

    Args:
        rows: The images.
        classes: The names of the classes, in the order of their indices.
        table: Holds the features.
        training: Says in which views images are learned from.
        groups: The near-duplicate groups of the images.

    Yields:
        The images as they are, then the other views of those in the training split. The file is gone afterwards.
    """
    from tasks.modeling.head.block_training import BlockExamples
    from tasks.modeling.head.feature_file import open_feature_file

    train, indices = [row for row in rows if row.split is Split.TRAIN], {name: n for n, name in enumerate(classes)}
    other_views = VIEWS[training.views][1:]
    home().mkdir(parents=True, exist_ok=True)
    viewed = [*rows, *chain.from_iterable([train] * len(other_views))]
    with open_feature_file(home(), len(viewed), table.width, table.precision) as file:
        for positions, vectors in table.stream([row.image for row in rows], [IDENTITY]):
            file.write(positions, vectors)
        for positions, vectors in table.stream([row.image for row in train], other_views):
            file.write(positions + len(rows), vectors)
        truth = np.fromiter((indices[row.label] for row in viewed), np.int64, len(viewed))
        yield BlockExamples(file, truth, [groups.get(row.image, row.image) for row in viewed], len(rows))
