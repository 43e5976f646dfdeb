"""Lance tables: what grows is appended, whole, by any number of writers at once."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from configs.errors import InaccessibleError, PedigreeError, ServiceUnavailableError
from tasks.stores.files.checksums import Checksums
from tasks.stores.objects.folder import folder_path
from tasks.stores.objects.object_store import Bucket
from tasks.stores.tables.lance_rows import files_of, row_numbers, sound, table_error

if TYPE_CHECKING:
    import lance

_ROWS_AT_ONCE = 64
# Rows read in one go, and how many goes ahead, where much is read.
_ROWS_A_SCAN, _AHEAD = 256, 4
# Row by row is faster for less than one row in so many.
_SPARSE = 4
# Files with fewer rows are joined whenever something is removed.
_ROWS_A_FILE = 256
# So often a column is added again where another writer was faster.
_TRIES = 5


@dataclass(frozen=True)
class Table:
    """One table of a store; a table that nobody has written yet reads as empty."""

    objects: Bucket
    checksums: Checksums
    name: str
    schema: pa.Schema

    def append(self, rows: pa.Table | pa.RecordBatchReader | Sequence[dict[str, Any]]) -> None:
        """Add rows in one commit, also those that a reader yields by and by; none is visible before all of them are."""
        if isinstance(rows, Sequence):
            rows = pa.Table.from_pylist(list(rows), schema=self.schema)
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

    def _prepare(self) -> None:
        """Make the table where there is none, and give one that an older Pedigree made the columns that it lacks."""
        dataset = self._open()
        if dataset is None:
            self._create()
            return
        for _ in range(_TRIES):
            lacking = [field for field in self.schema if field.name not in dataset.schema.names]
            if not lacking:
                return
            # Another writer may do the same at this moment.
            with suppress(OSError):
                dataset.add_columns(lacking)
            dataset = self._open() or dataset

    def _create(self) -> None:
        """Make the empty table aside and put its files in place, each only if it is not there yet.

        Lance itself would let the slower of two creators overwrite what the faster one has appended meanwhile.
        """
        import lance

        with TemporaryDirectory() as folder:
            lance.write_dataset(self.schema.empty_table(), folder, mode="create")
            # The manifest comes last, since the table is there as soon as its first version is.
            for path in sorted(Path(folder).rglob("*"), key=lambda path: (path.suffix == ".manifest", path)):
                if path.is_file():
                    self.objects.create(f"{self.name}.lance/{path.relative_to(folder).as_posix()}", path.read_bytes())

    def files(self) -> set[str]:
        """Name the files of the store that hold the table's rows as they are now."""
        return set(map(self._key, self._files_now()))

    def read(self, columns: Sequence[str]) -> pa.Table:
        """Return these columns of all rows, in the order in which they were appended; a column that is new is empty."""
        dataset = self._open()
        fields = [self.schema.field(name) for name in columns]
        if dataset is None:
            return pa.schema(fields).empty_table()
        with self._sentence():
            stored = [field.name for field in fields if field.name in dataset.schema.names]
            rows = sound(dataset.to_table(columns=stored, scan_in_order=True))
        for position, field in enumerate(fields):
            if field.name not in stored:
                rows = rows.add_column(position, field, pa.nulls(rows.num_rows, field.type))
        return rows

    def take(self, names: Sequence[str], columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield these columns of the rows with these names in the column ``image``, as asked, a few at a time.

        Of rows with the same name the first one counts: a doubled append is harmless.
        """
        dataset = self._open()
        if dataset is None:
            return
        with self._sentence():
            numbers = row_numbers(sound(dataset.to_table(columns=["image"], scan_in_order=True))["image"])
        yield from self._taken(dataset, [numbers[name] for name in names], columns)

    def take_rows(self, rows: Sequence[int], columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield these columns of the numbered rows, in the order asked, a few rows at a time."""
        dataset = self._open()
        if dataset is not None:
            yield from self._taken(dataset, rows, columns)

    def ascending(
        self, rows: NDArray[np.int64], columns: Sequence[str]
    ) -> Iterator[tuple[pa.RecordBatch, NDArray[np.int64]]]:
        """Yield these columns of the numbered rows, which must ascend, as a few rows and which of these were asked for.

        Most of a table is fastest read from end to end, and little of it row by row.
        """
        dataset = self._open()
        if dataset is None or not len(rows):
            return
        with self._sentence():
            if len(rows) * _SPARSE < dataset.count_rows():
                parts = (rows[start : start + _ROWS_A_SCAN] for start in range(0, len(rows), _ROWS_A_SCAN))
                for part in parts:
                    taken = sound(dataset.take(part.tolist(), columns=list(columns)))
                    yield from ((batch, np.arange(batch.num_rows)) for batch in taken.to_batches())
                return
            scan = dataset.to_batches(
                columns=list(columns),
                batch_size=_ROWS_A_SCAN,
                batch_readahead=_AHEAD,
                fragment_readahead=_AHEAD,
                scan_in_order=True,
            )
            passed = 0
            for batch in scan:
                first, last = np.searchsorted(rows, [passed, passed + batch.num_rows])
                yield sound(batch), rows[first:last] - passed
                passed += batch.num_rows

    def stored_schema(self) -> pa.Schema | None:
        """Return the columns as they were written, with what was noted beside them; None where there is no table."""
        dataset = self._open()
        # An empty dataset counts as false.
        return None if dataset is None else dataset.schema

    def scan(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield these columns of all rows, some at a time."""
        dataset = self._open()
        if dataset is not None:
            with self._sentence():
                scan = dataset.to_batches(columns=list(columns), batch_size=_ROWS_A_SCAN, scan_in_order=True)
                yield from (sound(batch) for batch in scan)

    def add_column(
        self, field: pa.Field, columns: Sequence[str], compute: Callable[[pa.RecordBatch], list[Any]]
    ) -> None:
        """Give every row a value in a new column, computed from these columns of it, in one commit."""
        import lance

        @lance.batch_udf(output_schema=pa.schema([field]))
        def added(batch: pa.RecordBatch) -> pa.RecordBatch:
            return pa.record_batch([pa.array(compute(sound(batch)), field.type)], schema=pa.schema([field]))

        dataset = self._open()
        if dataset is not None:
            before = files_of(dataset)
            with self._sentence("written"):
                dataset.add_columns(added, read_columns=list(columns))
            self._record(self._files_now() - before)

    def remove(self, image: str) -> bool:
        """Remove an image's rows with every byte of theirs, and tell whether there were any.

        Lance marks rows as gone, writes the rest of their files anew, and drops all former versions of the table.
        """
        dataset = self._open()
        if dataset is None or not dataset.count_rows(filter=f"image = '{image}'"):
            return False
        before = files_of(dataset)
        with self._sentence("written"):
            dataset.delete(f"image = '{image}'")
            dataset.optimize.compact_files(
                target_rows_per_fragment=_ROWS_A_FILE, materialize_deletions_threshold=0.0, batch_size=_ROWS_AT_ONCE
            )
            dataset.cleanup_old_versions(older_than=timedelta(0))
        after = self._files_now()
        self.checksums.forget(map(self._key, before - after))
        self._record(after - before)
        return True

    def damage(self) -> Iterator[tuple[str, str]]:
        """Read the table file by file, and yield the path in the store of each damaged file, and what is wrong."""
        try:
            dataset = self._open()
        except (ServiceUnavailableError, InaccessibleError):
            raise
        except PedigreeError as problem:
            yield f"{self.name}.lance/_versions", str(problem)
            return
        for fragment in dataset.get_fragments() if dataset else ():
            try:
                with self._sentence():
                    for batch in fragment.to_batches(batch_size=_ROWS_AT_ONCE):
                        sound(batch)
            except (ServiceUnavailableError, InaccessibleError):
                raise
            except PedigreeError as problem:
                for file in fragment.data_files():
                    yield f"{self.name}.lance/data/{file.path}", str(problem)

    def _taken(self, dataset: "lance.LanceDataset", rows: Sequence[int], columns: Sequence[str]) -> Iterator[pa.Table]:
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            with self._sentence():
                part = sound(dataset.take(list(rows[start : start + _ROWS_AT_ONCE]), columns=list(columns)))
            yield part

    def _files_now(self) -> set[str]:
        dataset = self._open()
        return set() if dataset is None else files_of(dataset)

    def _key(self, file: str) -> str:
        return f"{self.name}.lance/data/{file}"

    def _record(self, files: Iterable[str]) -> None:
        """Keep the checksums of data files that were just written."""
        for file in sorted(files):
            self.checksums.record(self._key(file))

    def _open(self) -> "lance.LanceDataset | None":
        import lance

        with self._sentence():
            try:
                return lance.dataset(**self._lance_arguments())
            except (ValueError, FileNotFoundError) as error:
                if "not found" not in str(error):
                    raise
            # What lets nobody in, or is no S3, may be told as not found too; and another writer may just have made it.
            # Whoever makes a table writes its first version before any rows.
            rows = any(self.objects.entries(f"{self.name}.lance/data/"))
            if any(self.objects.entries(f"{self.name}.lance/_versions/")):
                return lance.dataset(**self._lance_arguments())
            if not rows:
                return None
        folder, url = f"The folder {self.name}.lance/_versions", self.objects.url
        state = f"is missing in {url}, and the rows of the table lie there"
        raise PedigreeError(f"{folder} {state}: put it back from a copy of the store.")

    def _lance_arguments(self) -> dict[str, Any]:
        if self.objects.url.startswith("s3://"):
            from tasks.stores.objects.s3_client import lance_arguments

            return lance_arguments(f"{self.objects.url.rstrip('/')}/{self.name}.lance")
        return {"uri": str(folder_path(self.objects.url) / f"{self.name}.lance")}

    @contextmanager
    def _sentence(self, done: str = "read") -> Iterator[None]:
        """Turn whatever Lance raises about files that are damaged, or cannot be read or written, into one sentence."""
        try:
            yield
        except PedigreeError:
            raise
        except Exception as error:
            raise table_error(self.name, self.objects, done, error) from error
        except BaseException as error:
            # Lance panics on some damaged files, and a panic is no Exception.
            if type(error).__name__ != "PanicException":
                raise
            raise table_error(self.name, self.objects, done, error) from error
