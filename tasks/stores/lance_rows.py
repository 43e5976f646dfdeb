"""What Lance gives: files, rows that are sound, and errors in one line."""

import re
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from configs.addresses import shown

if TYPE_CHECKING:
    import lance


def files_of(dataset: "lance.LanceDataset") -> set[str]:
    """Name the data files of the rows that a table has now."""
    return {file.path for fragment in dataset.get_fragments() for file in fragment.data_files()}


def sound(rows: Any) -> Any:  # noqa: ANN401 - a pyarrow.Table or RecordBatch, which have no types
    """Return rows whose offsets and letters are sound; damaged ones would crash whoever reads them."""
    rows.validate(full=True)
    return rows


def one_line(error: BaseException) -> str:
    """Say it in one line, without the place in Lance's own source."""
    return shown(re.sub(r",? ?/\S+\.rs:\d+:\d+", "", " ".join(str(error).split())))[:200].rstrip(".")


def row_numbers(names: pa.ChunkedArray) -> dict[str, int]:
    """Map each name of a column to the first row that carries it."""
    numbers: dict[str, int] = {}
    for number, name in enumerate(names.to_pylist()):
        numbers.setdefault(name, number)
    return numbers
