"""Splits: the split of each image, written once and never changed."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa

from tasks.domain.datasets.splits import Assignment, Split, SplitRecord, filter_valid_splits
from tasks.stores.files.checksums import Checksums
from tasks.stores.objects.object_store import Bucket
from tasks.stores.tables.lance_table import Table

_SCHEMA = pa.schema([("place", pa.int64()), ("image", pa.string()), ("group", pa.string()), ("split", pa.string())])
# Members by their values: an enumeration's own call takes as long as the rest of a row.
_SPLITS = {split.value: split for split in Split}

Decide = Callable[[Mapping[str, Assignment]], Mapping[str, Assignment]]


@dataclass(frozen=True)
class SplitStore:
    """The table ``splits`` of a store."""

    objects: Bucket
    checksums: Checksums

    def stored(self) -> dict[str, Assignment]:
        """Return every image's split."""
        return filter_valid_splits(self._rows())

    def settle(self, decide: Decide) -> dict[str, Assignment]:
        """Write the splits of new images.

        Args:
            decide: Returns the new splits, given all that are stored, and nothing once all its images have one; it is
                called again where another run wrote in between.

        Returns:
            All splits.
        """
        rows = self._rows()
        while new := decide(assigned := filter_valid_splits(rows)):
            self._append(new, len(rows))
            rows += self._rows(len(rows))
        return assigned

    def damage(self) -> Iterator[tuple[str, str]]:
        """Yield the path in the store of each damaged file of the table, and what is wrong."""
        return self._table().damage()

    def _append(self, assigned: Mapping[str, Assignment], first: int) -> None:
        self._table().append(
            [
                {"place": position, "image": image, "group": assignment.group, "split": assignment.split.value}
                for position, (image, assignment) in enumerate(assigned.items(), first)
            ]
        )

    def _rows(self, start: int = 0) -> list[SplitRecord]:
        """Read the rows from this one on; earlier rows cannot change, since the table is only appended to."""
        rows = self._table().read(_SCHEMA.names).slice(start)
        columns = (rows[name].to_pylist() for name in _SCHEMA.names)
        return [
            SplitRecord(position, image, Assignment(group, _SPLITS[split]))
            for position, image, group, split in zip(*columns, strict=True)
        ]

    def _table(self) -> Table:
        return Table(self.objects, self.checksums, "splits", _SCHEMA)
