"""Splits: the split of each image, written once and never changed."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from tasks.domain.datasets.assignments import Assignments, filter_valid_splits
from tasks.domain.datasets.splits import Assignment
from tasks.stores.files.checksums import Checksums
from tasks.stores.files.known_results import TableVersion, table_version
from tasks.stores.objects.object_store import Bucket
from tasks.stores.tables.lance_table import Table

_SCHEMA = pa.schema([("place", pa.int64()), ("image", pa.string()), ("group", pa.string()), ("split", pa.string())])

Decide = Callable[[Assignments], Mapping[str, Assignment]]


@dataclass(frozen=True)
class SplitStore:
    """The table ``splits`` of a store."""

    objects: Bucket
    checksums: Checksums

    def stored(self) -> Assignments:
        """Return every image's split; what this object has read is read anew only once somebody has written."""
        version = table_version(self.objects, "splits")
        if version not in self._kept:
            self._kept.clear()
            self._kept[version] = filter_valid_splits(self._rows())
        return self._kept[version]

    def settle(self, decide: Decide) -> Assignments:
        """Write the splits of new images.

        Args:
            decide: Returns the new splits, given all that are stored, and nothing once all its images have one; it is
                called again where another run wrote in between.

        Returns:
            All splits.
        """
        rows = self._rows()
        while new := decide(assigned := filter_valid_splits(rows)):
            self._append(new, rows.num_rows)
            # Earlier rows cannot change, since the table is only appended to.
            rows = pa.concat_tables([rows, self._rows().slice(rows.num_rows)])
        return assigned

    def damage(self) -> Iterator[tuple[str, str]]:
        """Yield the path in the store of each damaged file of the table, and what is wrong."""
        return self._table().damage()

    @cached_property
    def _kept(self) -> dict[TableVersion, Assignments]:
        return {}

    def _append(self, assigned: Mapping[str, Assignment], first: int) -> None:
        groups, splits = zip(*assigned.values(), strict=True)
        places = np.arange(first, first + len(assigned))
        columns = [places, list(assigned), groups, [split.value for split in splits]]
        self._table().append(pa.table(columns, schema=_SCHEMA))

    def _rows(self) -> pa.Table:
        return self._table().read(_SCHEMA.names)

    def _table(self) -> Table:
        return Table(self.objects, self.checksums, "splits", _SCHEMA)
