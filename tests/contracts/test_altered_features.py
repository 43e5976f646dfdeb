"""What the store promises of features that somebody exchanged, and of those without checksums."""

from collections.abc import Callable, Sequence

import lance
import numpy as np
import pyarrow as pa
import pytest

from configs.errors import PedigreeError
from tasks.stores.objects.object_store import open_bucket
from tasks.stores.store import Store
from tasks.stores.tables.features import FeatureStore


def _with_features(url: str, images: Sequence[str] = ("a", "b", "c", "d")) -> FeatureStore:
    store = Store(url).features("net", 2)
    store.add(images, np.arange(2 * len(images), dtype=np.float32).reshape(-1, 2))
    return store


def _rewritten(url: str, change: Callable[[pa.Table], pa.Table]) -> None:
    """Write all rows of a table anew, as somebody does who may write into the store."""
    table = Store(url).table("features/net", pa.schema([]))
    rows = lance.dataset(**table._lance_arguments()).to_table()
    lance.write_dataset(change(rows), **table._lance_arguments(), mode="overwrite")


@pytest.mark.parametrize(
    ("change", "view"),
    [
        (
            lambda rows: rows.set_column(2, rows.schema.field(2), rows["vector"].take(pa.array([3, 2, 1, 0]))),
            "identity",
        ),
        (lambda rows: rows.set_column(0, rows.schema.field(0), pa.array(["b", "a", "d", "c"])), "identity"),
        (lambda rows: rows.set_column(1, rows.schema.field(1), pa.array(["mirror"] * 4)), "mirror"),
        (lambda rows: rows.drop(["checksum"]), "identity"),
        (lambda rows: rows.set_column(3, rows.schema.field(3), pa.nulls(4, pa.binary(16))), "identity"),
    ],
)
def test_exchanged_features_are_never_read(url: str, change: Callable[[pa.Table], pa.Table], view: str) -> None:
    """Vectors under other names, under another view or without their checksums are refused, and what to do is said."""
    store = _with_features(url)
    _rewritten(url, change)
    with pytest.raises(
        PedigreeError, match=r"The table features/net in .* (is not what was written|has lost its checksums)"
    ):
        store.read(["a", "b"], view)


def test_features_without_checksums_get_theirs(url: str) -> None:
    """Rows of an earlier Pedigree are counted, get a checksum of what lies there, and are checked from then on."""
    store = _with_features(url)
    _rewritten(url, lambda rows: rows.drop(["checksum"]))
    open_bucket(url).remove("checksums/features-net.json")
    assert store.rows_without_checksum() == 4
    assert store.read(["b"]).tolist() == [[2, 3]]
    assert store.add_checksums() == 4
    assert (store.rows_without_checksum(), list(store.damaged_images(["a", "b", "c", "d"]))) == (0, [])
    store.add(["e"], np.ones((1, 2), np.float32))
    assert store.read(["e", "a"]).tolist() == [[1, 1], [0, 1]]
    _rewritten(url, lambda rows: rows.set_column(0, rows.schema.field(0), pa.array(["b", "a", "c", "d", "e"])))
    assert set(store.damaged_images(["a", "b", "c", "d", "e"])) == {"a", "b"}
    with pytest.raises(PedigreeError, match="first about image a"):
        store.read(["a"])


def test_a_table_without_versions_is_no_empty_table(url: str) -> None:
    """Where a table's versions are gone but its rows lie there, reading says so."""
    _with_features(url)
    for entry in list(open_bucket(url).entries("features/net.lance/_versions/")):
        open_bucket(url).remove(entry.key)
    with pytest.raises(PedigreeError, match=r"features/net\.lance/_versions is missing"):
        Store(url).features("net", 2).stored()
