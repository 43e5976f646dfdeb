"""Splits as a step reads them: once, and anew as soon as somebody has written."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from tasks.domain.datasets.splits import Assignment, Split
from tasks.stores.store import Store
from tasks.stores.tables.lance_table import Table


def test_splits_are_read_once_until_somebody_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a run has settled is read by none of its steps, and what another run wrote since is seen by all."""
    store, reads = Store(str(tmp_path)), list[str]()
    read = Table.read

    def count(table: Table, columns: Sequence[str]) -> pa.Table:
        reads.append(table.name)
        return read(table, columns)

    monkeypatch.setattr(Table, "read", count)
    for number, image in enumerate("ab"):
        given = {image: Assignment(image, Split.TRAIN)}
        Store(store.url).splits.settle(lambda known, given=given: {} if given.keys() <= known.keys() else given)  # type: ignore[misc]
        reads.clear()
        assert sorted(store.splits.stored()) == list("ab"[: number + 1])
        assert Store(store.url).splits.stored() is store.splits.stored()
        assert not reads
    another = pa.table({"place": [2], "image": ["c"], "group": ["c"], "split": ["test"]})
    store.table("splits", another.schema).append(another)
    assert sorted(store.splits.stored()) == list("abc")
    assert reads == ["splits"]
