"""Fragments: rows that any process writes beside a table, and that one commit makes a part of it."""

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from configs.errors import PedigreeError
from tasks.stores.files.checksums import Checksums
from tasks.stores.tables.lance_rows import files_of

if TYPE_CHECKING:
    import lance
    import pyarrow as pa
    from lance.fragment import FragmentMetadata


def write_rows(
    dataset: "lance.LanceDataset",
    rows: "pa.Table | pa.RecordBatchReader",
    schema: "pa.Schema",
    folder: str,
    checksums: Checksums,
) -> list[str]:
    """Write rows into files of their own, which no version of the table names yet.

    Args:
        dataset: The table.
        rows: The rows.
        schema: Their columns.
        folder: The key prefix of the table's data files.
        checksums: Hash the files, so that who commits them need not read them.

    Returns:
        One line of text for each fragment, in the order of the rows.
    """
    from lance.fragment import write_fragments

    fragments = write_fragments(rows, dataset, schema=schema)
    return [
        json.dumps({"fragment": fragment.to_json(), "sha256": sums})
        for fragment in fragments
        if (sums := {file.path: checksums.objects.sha256(f"{folder}{file.path}") for file in fragment.files})
    ]


def commit_rows(dataset: "lance.LanceDataset", fragments: Sequence[str], folder: str, checksums: Checksums) -> int:
    """Append written fragments in one commit, in the order given; what the table has already is not appended again.

    Args:
        dataset: The table.
        fragments: What ``write_rows`` returned, in any process.
        folder: The key prefix of the table's data files.
        checksums: Get those of the files.

    Returns:
        The number of rows that were appended.

    Raises:
        PedigreeError: A file of a fragment is gone, as after it waited for more than a day; nothing is appended.
    """
    import lance

    new = list(_new(fragments, files_of(dataset)))
    for _, sums in new:
        for file in sums:
            if not any(entry.key == f"{folder}{file}" for entry in checksums.objects.entries(f"{folder}{file}")):
                raise PedigreeError(
                    f"The file {folder}{file} in {checksums.objects.url} is gone before its rows were taken into the "
                    "table: run again, and they are made anew."
                )
    if new:
        operation = lance.LanceOperation.Append([fragment for fragment, _ in new])
        lance.LanceDataset.commit(dataset, operation, read_version=dataset.version)
    for _, sums in new:
        for file, checksum in sums.items():
            checksums.keep(f"{folder}{file}", checksum)
    return sum(int(fragment.num_rows) for fragment, _ in new)


def _new(fragments: Sequence[str], known: set[str]) -> Iterator[tuple["FragmentMetadata", dict[str, str]]]:
    """Yield each fragment once with its files' checksums, and none whose files the table names already."""
    from lance.fragment import FragmentMetadata

    seen = set(known)
    for text in fragments:
        facts: dict[str, Any] = json.loads(text)
        if not seen & facts["sha256"].keys():
            seen |= facts["sha256"].keys()
            yield FragmentMetadata.from_json(json.dumps(facts["fragment"])), facts["sha256"]
