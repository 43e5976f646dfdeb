"""The images that a data card measures: all of a small version; of a large one a fixed sample, and all that is new."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow.compute as pc

from tasks.domain.columns import sort_order
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.version_rows import VersionRows
from tasks.domain.phrasing import count

#: A version with at most so many images is measured whole.
SAMPLE = 50_000


def select_measured(rows: Sequence[Row], parent: Sequence[Row], sample: int = SAMPLE) -> list[Row]:
    """Select the images whose pictures, attributes and features the data card measures.

    The sample is the images whose names come first. Names are hashes of the images' bytes, so it is a fair one, it does
    not depend on the order in which images arrived, and it is nearly the same in every version.

    Args:
        rows: The version's rows.
        parent: The parent version's rows; empty without a parent, of which nothing is called new then.
        sample: The size of the sample.

    Returns:
        The rows of the sample, and those that are new or relabelled since the parent, in the order of the rows.
    """
    columns, former = VersionRows.of(rows), VersionRows.of(parent)
    if len(columns) <= sample:
        return list(columns)
    last = columns.images[int(sort_order(columns.images)[sample - 1])]
    measured = np.asarray(pc.less_equal(columns.images, last))
    if len(former):
        labels = sorted({*columns.labels(), *former.labels()})
        places = np.asarray(pc.fill_null(pc.index_in(columns.images, former.images), -1), np.int64)
        measured = measured | (places < 0) | (former.label_codes(labels)[places] != columns.label_codes(labels))
    return list(columns.take(measured))


def describe_measured(card: Mapping[str, Any]) -> str:
    """Say of how many images a data card measures, from a card as stored in JSON; empty where it measured all."""
    measured, images = card.get("measured", card["images"]), card["images"]
    if measured >= images:
        return ""
    return (
        f"pictures, attributes and features were measured of {measured:,} of {count(images, 'image')}: a fixed sample "
        f"of {SAMPLE:,}, and all that is new or relabelled since the parent version"
    )
