"""Upkeep of Lance tables: what rewrites the files of rows that are there, and leaves their order as it is."""

from datetime import timedelta
from typing import TYPE_CHECKING

from tasks.stores.tables.lance_rows import ROWS_AT_ONCE

if TYPE_CHECKING:
    import lance

# More rows than any table has: fragments are rewritten whole.
_ALL_ROWS = 2**40


def drop_image(dataset: "lance.LanceDataset", image: str) -> None:
    """Delete the rows of an image, write the rest of their fragments anew, and drop all former versions.

    Args:
        dataset: The table.
        image: The image.
    """
    dataset.delete(f"image = '{image}'")
    untouched = [fragment.fragment_id for fragment in dataset.get_fragments() if not fragment.num_deletions]
    dataset.optimize.compact_files(
        target_rows_per_fragment=_ALL_ROWS,
        materialize_deletions_threshold=0.0,
        batch_size=ROWS_AT_ONCE,
        excluded_fragment_ids=untouched,
    )
    dataset.cleanup_old_versions(older_than=timedelta(0))
