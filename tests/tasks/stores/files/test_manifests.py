"""The files of dataset versions: when they are damaged, and when a command ends as soon as it has read one."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import PedigreeError
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.datasets.version_rows import dataset_hash
from tasks.domain.hashing import sha256_of
from tasks.domain.labels.label_rows import LABEL_ROWS, LabelRows, rows_hash
from tasks.stores.store import Store


def test_no_flipped_bit_of_a_manifest_changes_what_is_read(tmp_path: Path) -> None:
    """Whichever byte of a manifest is damaged, its rows are read as they were, keys too, or refused in a sentence."""
    rows = [
        Row(f"{number:064x}", f"breed {number % 3}", list(Split)[number % 4], (("coat", "white"),), f"key {number**7}")
        for number in range(24)
    ]
    name = dataset_hash(rows)
    Store(str(tmp_path)).manifests.write(name, rows)
    path = tmp_path / "datasets" / name / "manifest.parquet"
    intact = path.read_bytes()
    refused = 0
    for offset in range(len(intact)):
        path.write_bytes(intact[:offset] + bytes([intact[offset] ^ 4]) + intact[offset + 1 :])
        try:
            assert Store(str(tmp_path)).manifests.read(name) == rows
        except PedigreeError:
            refused += 1
    assert refused > len(intact) / 2


def test_versions_are_read_once_in_a_process(tmp_path: Path) -> None:
    """Each step opens the store anew, and takes what another has read; a file that was replaced is read again."""
    manifests = Store(str(tmp_path)).manifests
    for name in "ab":
        manifests.write(name, [Row(name, "pug", Split.TRAIN, (), name)])
    read = {name: manifests.columns(name) for name in "ab"}
    assert all(Store(str(tmp_path)).manifests.columns(name) is rows for name, rows in read.items())
    file = tmp_path / "datasets" / "a" / "manifest.parquet"
    file.write_bytes(file.read_bytes())
    assert manifests.columns("a") is not read["a"]
    file.write_bytes(b"")
    with pytest.raises(PedigreeError):
        manifests.columns("a")


READ = """
import sys
from pathlib import Path
from tasks.stores.store import Store
manifests = Store(sys.argv[1]).manifests
before = set(Path("/proc/self/task").iterdir())
manifests.read(sys.argv[2])
print(len(set(Path("/proc/self/task").iterdir()) - before))
"""


def test_reading_a_manifest_leaves_no_thread(tmp_path: Path) -> None:
    """A process that has read a manifest has no thread more: one of Arrow's can abort a command that ends at once."""
    rows = [Row(f"{number:064x}", "pug", Split.TRAIN, (), f"key {number}") for number in range(300)]
    Store(str(tmp_path)).manifests.write(dataset_hash(rows), rows)
    command = [sys.executable, "-c", READ, str(tmp_path), dataset_hash(rows)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own command line
    assert done.stdout == "0\n"


facts = st.lists(st.tuples(st.text(max_size=3), st.text(max_size=3)), max_size=2).map(tuple)
labels = st.tuples(st.text(), st.text(), st.text(), facts, facts, st.sampled_from(["", "conflict"]))


@given(st.lists(labels, max_size=5))
def test_a_labelling_is_named_by_what_anybody_can_compute(rows: list[tuple[Any, ...]]) -> None:
    """The name of a labelling is the SHA-256 of the canonical JSON of its rows, by the names of the columns."""
    names = ("key", "image", "label", "attributes", "origins", "problem")
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    table = pa.table(columns, schema=LABEL_ROWS)
    assert rows_hash(LabelRows.from_table(table)) == sha256_of([dict(zip(names, row, strict=True)) for row in rows])
