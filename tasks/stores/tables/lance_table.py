"""Lance tables: any number of writers append rows at the same time, each in one commit."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa

from configs.errors import InaccessibleError, PedigreeError, ServiceUnavailableError
from tasks.stores.files.checksums import Checksums
from tasks.stores.kept import KEPT
from tasks.stores.objects.folder import folder_path
from tasks.stores.objects.object_store import Bucket
from tasks.stores.tables.found_rows import FoundRows
from tasks.stores.tables.fragments import commit_rows, write_rows
from tasks.stores.tables.lance_rows import (
    ROWS_A_SCAN,
    create_table,
    damaged_files,
    files_of,
    sound,
    table_error,
    table_errors,
)
from tasks.stores.tables.row_numbers import NAMED_BY, RowNumbers
from tasks.stores.tables.upkeep import drop_image, files_of_held_rows, tend

if TYPE_CHECKING:
    import lance

#: Names that are looked up together: whoever reads for days follows the newest version, since old ones are swept.
LOOKED_UP = 4096
_AGAIN = "start the run again, which fetches what its source still holds"
# Attempts to add a column where another writer was faster.
_TRIES = 5

#: Rows that are to be written: columns, a stream of them, or a few dictionaries.
Rows: TypeAlias = pa.Table | pa.RecordBatchReader | Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Table:
    """One table of a store; a table that nobody has written yet reads as empty."""

    objects: Bucket
    checksums: Checksums
    name: str
    schema: pa.Schema

    def append(self, rows: Rows) -> None:
        """Append rows in one commit, also those that a reader yields; none is visible before all are."""
        rows = self._in_columns(rows)
        if isinstance(rows, pa.Table) and not rows.num_rows:
            return
        import lance

        try:
            before = self._files_now()
            self._prepare()
            after = lance.write_dataset(rows, **self._lance_arguments(), schema=self.schema, mode="append")
        except OSError as error:
            raise table_error(self.name, self.objects, "written", error) from error
        self._record(files_of(after) - before)

    def write_fragments(self, rows: Rows) -> list[str]:
        """Write rows that nobody reads before ``commit_fragments`` gets, within a day, the lines that this returns."""
        self._prepare()
        dataset = self._open()
        rows = self._in_columns(rows)
        if dataset is None or (isinstance(rows, pa.Table) and not rows.num_rows):
            return []
        with self._errors("written"):
            return write_rows(dataset, rows, self.schema, self._key(""), self.checksums)

    def commit_fragments(self, fragments: Sequence[str]) -> int:
        """Append rows that were written before, in one commit and in this order, with the checksums of their files.

        Args:
            fragments: What ``write_fragments`` returned, in any process; one that is given twice is appended once.

        Returns:
            The number of rows that were appended.

        Raises:
            PedigreeError: A file was swept, since it waited for more than a day; nothing is appended then.
        """
        dataset = self._open()
        if dataset is None or not fragments:
            return 0
        with self._errors("written"):
            return commit_rows(dataset, fragments, self._key(""), self.checksums)

    def _in_columns(self, rows: Rows) -> pa.Table | pa.RecordBatchReader:
        return pa.Table.from_pylist(list(rows), schema=self.schema) if isinstance(rows, Sequence) else rows

    def _prepare(self) -> None:
        """Create the table where there is none, and add the columns that one of an older Pedigree lacks."""
        dataset = self._open()
        if dataset is None:
            create_table(self.objects, self.name, self.schema)
            return
        for _ in range(_TRIES):
            lacking = [field for field in self.schema if field.name not in dataset.schema.names]
            if not lacking:
                return
            # Another writer may do the same at this moment.
            with suppress(OSError):
                dataset.add_columns(lacking)
            dataset = self._open() or dataset

    def files(self, *, replaced: bool = False) -> set[str]:
        """Return the files that hold the table's rows as they are now; with ``replaced`` also before compaction."""
        dataset = self._open() if replaced else None
        return set(map(self._key, self._files_now() if dataset is None else files_of_held_rows(dataset)))

    def read(self, columns: Sequence[str]) -> pa.Table:
        """Return these columns of all rows, in the order in which they were appended; a column that is new is empty."""
        dataset = self._open()
        fields = [self.schema.field(name) for name in columns]
        if dataset is None:
            return pa.schema(fields).empty_table()
        with self._errors():
            stored = [field.name for field in fields if field.name in dataset.schema.names]
            rows = sound(dataset.to_table(columns=stored, scan_in_order=True))
        for position, field in enumerate(fields):
            if field.name not in stored:
                rows = rows.add_column(position, field, pa.nulls(rows.num_rows, field.type))
        return rows

    @cached_property
    def numbers(self) -> RowNumbers:
        """The row numbers of the table's names, which one step after the other asks for and this process reads once."""
        kept = KEPT.get((self.objects.url, self.name, *self.schema.names), self.make_numbers)
        kept.follow(self._open, self._errors)
        return kept

    def make_numbers(self) -> RowNumbers:
        """Return row numbers that go with whoever asked for them, and for which nothing is read yet."""
        return RowNumbers(self._open, [name for name in NAMED_BY if name in self.schema.names], self._errors)

    def find(self, names: Sequence[str], views: Sequence[str] = ("",)) -> FoundRows:
        """Look images up in the table as it is now.

        Args:
            names: The images. Of several rows of an image the first one counts, so a doubled append is harmless.
            views: The views; one empty text for a table without views.

        Returns:
            The rows of all images in the first view, then in the next, and so on.
        """
        with self._errors():
            return FoundRows(*self.numbers.find(names, views), self._errors)

    def at(self, rows: Sequence[int]) -> FoundRows:
        """Return the rows of these numbers in the table as it is now."""
        return FoundRows(self._open(), np.array(rows, np.int64), self._errors)

    def take(self, names: Sequence[str], columns: Sequence[str]) -> Iterator[pa.Table]:
        """Read the rows of images, a few at a time.

        Args:
            names: The images.
            columns: The columns that are wanted.

        Yields:
            A few rows, in the order asked.

        Raises:
            PedigreeError: An image has no row.
        """
        for start in range(0, len(names), LOOKED_UP):
            found = self.find(part := names[start : start + LOOKED_UP])
            if not found.present().all():
                lacking = part[int(np.argmin(found.present()))]
                raise PedigreeError(f"The table {self.name} in {self.objects.url} lacks image {lacking}: {_AGAIN}.")
            yield from found.take(columns)

    def stored_schema(self) -> pa.Schema | None:
        """Return the schema as it was written, with its metadata; None where there is no table."""
        dataset = self._open()
        return None if dataset is None else dataset.schema  # An empty dataset counts as false.

    def count_rows(self) -> int:
        """Count the rows."""
        dataset = self._open()
        return 0 if dataset is None else int(dataset.count_rows())

    def scan(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield these columns of all rows, some at a time."""
        dataset = self._open()
        if dataset is not None:
            with self._errors():
                scan = dataset.to_batches(columns=list(columns), batch_size=ROWS_A_SCAN, scan_in_order=True)
                yield from (sound(batch) for batch in scan)

    def add_column(
        self, field: pa.Field, columns: Sequence[str], compute: Callable[[pa.RecordBatch], list[Any]]
    ) -> None:
        """Add a column to all rows, in one commit.

        Args:
            field: The new column.
            columns: The columns that its values are computed from.
            compute: Returns the values of a batch of rows.
        """
        import lance

        @lance.batch_udf(output_schema=pa.schema([field]))
        def added(batch: pa.RecordBatch) -> pa.RecordBatch:
            return pa.record_batch([pa.array(compute(sound(batch)), field.type)], schema=pa.schema([field]))

        dataset = self._open()
        if dataset is not None:
            before = files_of(dataset)
            with self._errors("written"):
                dataset.add_columns(added, read_columns=list(columns))
            self._record(self._files_now() - before)

    def remove(self, image: str) -> bool:
        """Remove an image's rows with all their bytes; return False where there were none."""
        dataset = self._open()
        if dataset is None or not dataset.count_rows(filter=f"image = '{image}'"):
            return False
        before = files_of(dataset)
        with self._errors("written"):
            drop_image(dataset, image)
        after = self._files_now()
        self.checksums.forget(map(self._key, before - after))
        self._record(after - before)
        return True

    def tend(self, now: datetime | None) -> int:
        """Compact the table where it needs that, and sweep it by the store's time; return how many fragments went."""
        with self._errors("written"):
            return tend(self._open, f"{self.name}.lance/", self.checksums, now)

    def damage(self) -> Iterator[tuple[str, str]]:
        """Read the table file by file, and report damaged files.

        Yields:
            The path in the store of each damaged file, and what is wrong with it.

        Raises:
            InaccessibleError: The table cannot be read at all.
            ServiceUnavailableError: The server does not answer.
        """
        try:
            dataset = self._open()
        except (ServiceUnavailableError, InaccessibleError):
            raise
        except PedigreeError as problem:
            yield f"{self.name}.lance/_versions", str(problem)
            return
        if dataset is not None:
            yield from ((self._key(file), problem) for file, problem in damaged_files(dataset, self._errors))

    def _files_now(self) -> set[str]:
        dataset = self._open()
        return set() if dataset is None else files_of(dataset)

    def _key(self, file: str) -> str:
        return f"{self.name}.lance/data/{file}"

    def _record(self, files: Iterable[str]) -> None:
        """Write the checksums of data files that were just written."""
        for file in sorted(files):
            self.checksums.record(self._key(file))

    def _open(self) -> "lance.LanceDataset | None":
        import lance

        with self._errors():
            try:
                return lance.dataset(**self._lance_arguments())
            except (ValueError, FileNotFoundError) as error:
                if "not found" not in str(error):
                    raise
            # Lance also calls a table missing that it may not read, or that was created just now, first version first.
            rows = any(self.objects.entries(f"{self.name}.lance/data/"))
            # Whoever creates it writes other files into that folder before.
            if any(entry.key.endswith(".manifest") for entry in self.objects.entries(f"{self.name}.lance/_versions/")):
                return lance.dataset(**self._lance_arguments())
            if not rows:
                return None
        state = f"is missing in {self.objects.url}, and the rows of the table lie there"
        raise PedigreeError(f"The folder {self.name}.lance/_versions {state}: put it back from a copy of the store.")

    def _lance_arguments(self) -> dict[str, Any]:
        if self.objects.url.startswith("s3://"):
            from tasks.stores.objects.s3_client import lance_arguments

            return lance_arguments(f"{self.objects.url.rstrip('/')}/{self.name}.lance")
        return {"uri": str(folder_path(self.objects.url) / f"{self.name}.lance")}

    def _errors(self, done: str = "read") -> AbstractContextManager[None]:
        return table_errors(self.name, self.objects, done)
