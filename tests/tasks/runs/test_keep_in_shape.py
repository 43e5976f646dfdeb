"""After a run the store's tables are tended by one run at a time, which says what it did and never fails by it."""

import os
from pathlib import Path

import numpy as np
import pytest

from tasks.runs import keep_in_shape as subject
from tasks.runs.keep_in_shape import keep_in_shape
from tasks.stores.store import Store


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the lines of the run log."""
    lines: list[str] = []
    monkeypatch.setattr(subject, "log_line", lines.append)
    return lines


def _scattered(folder: Path) -> Store:
    """Make a store whose features came in fifty commits."""
    store = Store(str(folder))
    table = store.features("net", 2)
    for number in range(50):
        table.add([f"{number:03}"], np.zeros((1, 2), np.float32))
    return store


def test_tables_are_tended_by_one_run_at_a_time(tmp_path: Path, lines: list[str]) -> None:
    """While another run tends the tables this one leaves them; then they have few files, and the run log says it."""
    store = _scattered(tmp_path)
    with store.leases.hold("tables"):
        keep_in_shape(store, sweep=True)
    assert (len(store.features("net", 2)._table().files()), lines) == (50, [])
    keep_in_shape(store, sweep=True)
    assert lines == ["49 small fragments of the store's tables became part of larger ones"]
    assert len(store.features("net", 2)._table().files()) == 1
    keep_in_shape(store, sweep=True)
    assert len(lines) == 1


def test_a_table_that_cannot_be_tended_does_not_fail_the_run(tmp_path: Path, lines: list[str]) -> None:
    """Where a table is damaged the run says that its tables are left as they are, and ends as it would have."""
    store = _scattered(tmp_path)
    for path in (tmp_path / "features" / "net.lance" / "_versions").iterdir():
        path.write_bytes(b"woof")
    keep_in_shape(store, sweep=True)
    assert len(lines) == 1
    assert lines[0].startswith("the tables of the store are left as they are until the next run: ")


def test_results_that_steps_found_long_ago_are_swept(tmp_path: Path) -> None:
    """What a step found more than a week ago goes with the next sweep, and what is younger is known on."""
    store = Store(str(tmp_path))
    versions = store.known_results.table_versions("label")
    for number in (1, 2):
        store.known_results.write("label", {"number": number}, versions, {"found": number})
    before = set(tmp_path.glob("known/label/*"))
    store.known_results.write("label", {"number": 3}, versions, {"found": 3})
    days = 8 * 24 * 3600
    for path in before:
        os.utime(path, (path.stat().st_atime - days, path.stat().st_mtime - days))
    keep_in_shape(store, sweep=False)
    assert len(list(tmp_path.glob("known/label/*"))) == len(before) + 1
    keep_in_shape(store, sweep=True)
    assert [store.known_results.read("label", {"number": number}) for number in (1, 2, 3)] == [None, None, {"found": 3}]
    assert len(list(tmp_path.glob("known/label/*"))) == 1


def test_a_run_with_nothing_new_writes_nothing(tmp_path: Path, lines: list[str]) -> None:
    """Where nothing was written and no table has many files, the store stays as it was, to the last byte."""
    store = Store(str(tmp_path))
    store.splits.settle(lambda _known: {})
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    keep_in_shape(store, sweep=False)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    assert lines == []
