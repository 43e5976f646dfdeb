"""Which split each image got, written once and never changed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa

from tasks.domain.splits import Assigned, Split
from tasks.stores.tables import Table

_SCHEMA = pa.schema([("image", pa.string()), ("group", pa.string()), ("split", pa.string())])


@dataclass(frozen=True)
class SplitStore:
    """The table ``splits`` of a store."""

    url: str

    def known(self) -> dict[str, Assigned]:
        """Return every image's split; the first that was written stands."""
        found: dict[str, Assigned] = {}
        for row in self._table().read(_SCHEMA.names).to_pylist():
            found.setdefault(row["image"], Assigned(row["group"], Split(row["split"])))
        return found

    def add(self, assigned: Mapping[str, Assigned]) -> dict[str, Assigned]:
        """Write new splits, and return all as they stand: another run may have been faster."""
        rows = [{"image": image, "group": one.group, "split": one.split.value} for image, one in assigned.items()]
        self._table().append(rows)
        return self.known()

    def damage(self) -> Iterator[tuple[str, str]]:
        """Yield the path in the store of each damaged file of the table, and what is wrong."""
        return self._table().damage()

    def _table(self) -> Table:
        return Table(self.url, "splits", _SCHEMA)
