"""The files of dataset versions, when they are damaged."""

from pathlib import Path

from configs.problems import Problem
from tasks.domain.manifest import Row, dataset_hash
from tasks.domain.splits import Split
from tasks.stores.datasets import read_manifest, write_manifest


def test_no_flipped_bit_of_a_manifest_changes_what_is_read(tmp_path: Path) -> None:
    """Whichever byte of a manifest is damaged, its rows are read as they were, keys too, or refused in a sentence."""
    rows = [
        Row(f"{number:064x}", f"breed {number % 3}", list(Split)[number % 4], (("coat", "white"),), f"key {number**7}")
        for number in range(24)
    ]
    name = dataset_hash(rows)
    write_manifest(str(tmp_path), name, rows)
    path = tmp_path / "datasets" / name / "manifest.parquet"
    whole = path.read_bytes()
    refused = 0
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        try:
            assert read_manifest(str(tmp_path), name) == rows
        except Problem:
            refused += 1
    assert refused > len(whole) / 2
