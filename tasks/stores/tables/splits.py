"""Splits: the split of each image, written once and never changed."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tasks.domain.datasets.assignments import Assignments, filter_valid_splits
from tasks.domain.datasets.splits import Assignment
from tasks.stores.files.checksums import Checksums
from tasks.stores.files.known_results import TableVersion, table_version
from tasks.stores.kept import KEPT
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
        """Return every image's split; this process reads them anew only once somebody has written."""
        return KEPT.get(self._version(), lambda: filter_valid_splits(self._rows()))

    def settle(self, decide: Decide) -> Assignments:
        """Write the splits of new images.

        Args:
            decide: Returns the new splits, given all that are stored, and nothing once all its images have one; it is
                called again where another run wrote in between.

        Returns:
            All splits.
        """
        version, rows = self._version(), self._rows()
        while new := decide(assigned := filter_valid_splits(rows)):
            self._append(new, rows.num_rows)
            version = self._version()
            # Earlier rows cannot change, since the table is only appended to.
            rows = pa.concat_tables([rows, self._rows().slice(rows.num_rows)])
        KEPT.put(version, assigned)
        return assigned

    def damage(self) -> Iterator[tuple[str, str]]:
        """Yield the path in the store of each damaged file of the table, and what is wrong."""
        return self._table().damage()

    def _version(self) -> tuple[str, str, TableVersion]:
        return self.objects.url, "splits", table_version(self.objects, "splits")

    def _append(self, assigned: Mapping[str, Assignment], first: int) -> None:
        groups, splits = zip(*assigned.values(), strict=True)
        places = np.arange(first, first + len(assigned))
        columns = [places, list(assigned), groups, [split.value for split in splits]]
        self._table().append(pa.table(columns, schema=_SCHEMA))

    def _rows(self) -> pa.Table:
        return self._table().read(_SCHEMA.names)

    def _table(self) -> Table:
        return Table(self.objects, self.checksums, "splits", _SCHEMA)
