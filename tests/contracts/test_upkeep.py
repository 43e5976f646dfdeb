"""Tables are compacted and swept on a folder and on S3, and nobody who reads or writes meanwhile is disturbed."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import lance
import pyarrow as pa
import pytest

from tasks.catalog.verify_files import damaged_files
from tasks.domain.datasets.splits import Assignment, Split
from tasks.stores.files.store_clock import store_time
from tasks.stores.store import Store
from tasks.stores.tables.lance_table import Table
from tasks.stores.tables.upkeep import cheapest_join, old_versions

SCHEMA = pa.schema([("image", pa.string()), ("data", pa.large_binary())])
# Tends a table whose files are days old, and dies as if the power had failed at the named moment.
DEADLY = """
import os, sys
import lance
import pyarrow as pa
from datetime import timedelta
from tasks.stores.files.checksums import Checksums
from tasks.stores.files.store_clock import store_time
from tasks.stores.store import Store
from tasks.stores.tables import upkeep
url, owner, method, calls = sys.argv[1], *sys.argv[2].split("."), int(sys.argv[3])
place = {"upkeep": upkeep, "Checksums": Checksums, "LanceDataset": lance.LanceDataset}[owner]
original = getattr(place, method)

def deadly(*arguments, **keywords):
    global calls
    calls -= 1
    if not calls:
        os._exit(9)
    return original(*arguments, **keywords)

setattr(place, method, deadly)
store = Store(url)
table = store.table("rows", pa.schema([("image", pa.string()), ("data", pa.large_binary())]))
table.tend(store_time(store.objects) + timedelta(days=2))
table.tend(store_time(store.objects) + timedelta(days=4))
"""


def _scattered(url: str, fragments: int = 50) -> tuple[Store, Table, list[str]]:
    """Make a table of so many fragments, one row each, in the order of the names that are returned."""
    store = Store(url)
    table, names = store.table("rows", SCHEMA), [f"{number:03}" for number in range(fragments)]
    written = [text for name in names for text in table.write_fragments([{"image": name, "data": name.encode()}])]
    for half in (written[: fragments // 2], written[fragments // 2 :]):
        table.commit_fragments(half)
    return store, table, names


def _tend(store: Store, table: Table, days: int = 0) -> int:
    """Tend a table as if this many days had passed by the store's clock."""
    return table.tend(store_time(store.objects) + timedelta(days=days))


def test_compaction_leaves_each_row_where_it_was(url: str) -> None:
    """Rows keep their order and their numbers, who has read the numbers before reads on, and fragments are few."""
    store, table, names = _scattered(url)
    reader, rows = store.table("rows", SCHEMA), [7, 3]
    assert reader.find(["007", "003"]).rows.tolist() == rows
    slow = reader.find(names).take(["image"])
    assert _tend(store, table) > 0
    table.append([{"image": "new", "data": b"new"}])
    assert table.read(["image"])["image"].to_pylist() == [*names, "new"]
    assert len(table.files()) <= 33
    assert reader.find(["007", "003", "new"]).rows.tolist() == [*rows, 50]
    assert [name for part in slow for name in part["image"].to_pylist()] == names
    assert list(damaged_files(store)) == []


def test_upkeep_takes_no_overwritten_table_on_trust(tmp_path: Path) -> None:
    """A table that somebody wrote anew stays damaged, also once it was compacted and swept."""
    store, table, names = _scattered(str(tmp_path))
    lance.write_dataset(table.read(["image", "data"]).slice(1), str(tmp_path / "rows.lance"), mode="overwrite")
    for name in names:
        table.append([{"image": f"new-{name}", "data": b""}])
    for days in (0, 2):
        assert _tend(store, table, days) >= 0
        assert list(damaged_files(store)) != []


def test_who_reads_a_replaced_version_has_a_day(url: str) -> None:
    """What compaction replaced is there for a day after that, however old it is, and then it goes."""
    store, table, names = _scattered(url)
    reader = table.find(names)
    _tend(store, table)
    files = table.files(replaced=True)
    _tend(store, table)
    assert table.files(replaced=True) == files > table.files()
    assert [name for part in reader.take(["image"]) for name in part["image"].to_pylist()] == names
    _tend(store, table, days=2)
    assert table.files(replaced=True) == table.files()
    assert {entry.key for entry in store.objects.entries("rows.lance/data/")} == table.files()
    assert set(store.checksums.read("rows.lance/")) == table.files()
    assert table.read(["image"])["image"].to_pylist() == names
    assert list(damaged_files(store)) == []


def test_files_that_no_version_names_go_after_a_day(url: str) -> None:
    """What a writer left that died before its commit is swept, and what another has just written is not."""
    store, table, names = _scattered(url, fragments=3)
    fragments = table.write_fragments([{"image": "new", "data": b"new"}])
    _tend(store, table)
    assert table.commit_fragments(fragments) == 1
    table.write_fragments([{"image": "lost", "data": b"lost"}])
    assert len(list(store.objects.entries("rows.lance/data/"))) == 5
    _tend(store, table, days=2)
    assert {entry.key for entry in store.objects.entries("rows.lance/data/")} == table.files()
    assert table.read(["image"])["image"].to_pylist() == [*names, "new"]


@pytest.mark.parametrize(
    ("moment", "calls"),
    [
        ("upkeep._rewrite", 1),
        ("upkeep._settle_checksums", 1),
        ("Checksums.record", 1),
        ("Checksums.forget", 1),
        ("LanceDataset.cleanup_old_versions", 1),
        ("upkeep._sweep_strays", 1),
    ],
)
def test_a_kill_loses_and_doubles_nothing(tmp_path: Path, moment: str, calls: int) -> None:
    """Whenever the run that tends a table dies, the table and ``verify`` are as before, and the next run ends it."""
    store, table, names = _scattered(str(tmp_path))
    process = subprocess.run([sys.executable, "-c", DEADLY, str(tmp_path), moment, str(calls)], check=False)  # noqa: S603
    assert process.returncode == 9
    assert table.read(["image"])["image"].to_pylist() == names
    assert list(damaged_files(store)) == []
    _tend(store, table)
    _tend(store, table, days=2)
    assert table.read(["image"])["image"].to_pylist() == names
    assert {entry.key for entry in store.objects.entries("rows.lance/data/")} == table.files()
    assert set(store.checksums.read("rows.lance/")) == table.files()
    assert list(damaged_files(store)) == []


def test_splits_keep_their_places(tmp_path: Path) -> None:
    """An image's place among the splits, which is a row number that the row itself holds, outlives compaction."""
    store = Store(str(tmp_path))
    splits = store.splits
    for number in range(50):
        name = f"{number:064}"
        splits.settle(lambda known, name=name: {} if name in known else {name: Assignment(name, Split.TRAIN)})  # type: ignore[misc]
    before, rows = splits.stored(), splits._table().read(["place", "image"]).to_pylist()
    assert splits._table().tend(None) > 0
    assert splits.stored() == before
    assert splits._table().read(["place", "image"]).to_pylist() == rows
    assert [row["place"] for row in rows] == list(range(50))


def test_a_removed_image_leaves_nothing_in_old_versions(tmp_path: Path) -> None:
    """Whoever forgets an image just after compaction has none of its bytes in the files that are kept for a day."""
    store, table, _ = _scattered(str(tmp_path))
    table.append([{"image": "secret", "data": b"woof " * 99}])
    _tend(store, table)
    assert table.remove("secret")
    assert not any(b"woof woof" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_the_smallest_neighbours_are_joined_first() -> None:
    """What costs least for each fragment that it saves is joined, and never more rows than a fragment may have."""
    assert cheapest_join([90_000, 5, 5, 5, 90_000, 300]) == range(1, 4)
    assert cheapest_join([90_000, 90_000]) is None
    rows = [256] * 4000
    while window := cheapest_join(rows):
        rows[window.start : window.stop] = [sum(rows[window.start : window.stop])]
    assert sum(rows) == 256 * 4000
    assert max(rows) <= 65_536
    assert len(rows) <= 64 + 1


def test_a_version_is_old_by_when_another_replaced_it() -> None:
    """A version of a month ago that was replaced an hour ago is kept; the newest one is kept for good."""
    now = datetime(2026, 11, 29, tzinfo=UTC)
    ages = {1: 31 * 24, 2: 30 * 24, 3: 25, 4: 1}
    manifests = [
        (f"rows.lance/_versions/{2**64 - 1 - number}.manifest", (now - timedelta(hours=hours)).isoformat())
        for number, hours in ages.items()
    ]
    assert old_versions([*manifests, ("rows.lance/_versions/latest_version_hint.json", "")], now) == [1, 2]
    assert old_versions(manifests, now + timedelta(days=400)) == [1, 2, 3]
