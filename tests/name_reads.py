"""Counts how often the names of all rows of a table are read."""

from collections import Counter

import lance
import pytest


class NameReads:
    """The whole columns of names that were read since the fixture began."""

    def __init__(self) -> None:
        """Begin to count."""
        self._reads: Counter[str] = Counter()

    def add(self, uri: str) -> None:
        """Count one reading of a table at this address."""
        self._reads[uri.rpartition("/")[2].removesuffix(".lance")] += 1

    def of(self, table: str) -> int:
        """Return how often all names of a table were read."""
        return self._reads[table]


@pytest.fixture
def name_reads(monkeypatch: pytest.MonkeyPatch) -> NameReads:
    """Count each scan of a table that reads its names from end to end."""
    reads, scanner = NameReads(), lance.LanceDataset.scanner

    def counted(dataset: lance.LanceDataset, columns: object = None, *args: object, **kwargs: object) -> object:
        if kwargs.get("fragments") is None and (columns is None or "image" in list(columns)):  # type: ignore[call-overload]
            reads.add(str(dataset.uri))
        return scanner(dataset, columns, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(lance.LanceDataset, "scanner", counted)
    return reads
