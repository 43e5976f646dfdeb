"""Helpers for Lance tables: data files, checks of rows, and errors as sentences."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from configs.errors import InaccessibleError, PedigreeError, ServiceUnavailableError
from configs.visible_text import shown
from tasks.stores.objects.object_store import Bucket

if TYPE_CHECKING:
    import lance

#: Rows in one read where they may hold whole pictures, then where much of a table is read.
ROWS_AT_ONCE, ROWS_A_SCAN = 64, 256
# Lance writes this of requests that it gave up on, since the server did not answer or was busy, and of no other.
_TRIED = r"after \d+ retries"
_REFUSED = r"[Pp]ermission ?[Dd]enied|Access ?Denied|403 Forbidden"
_NEWER = r"cannot be read by this version of Lance|upgrade Lance"
_FULL = "make room and run again, nothing was half-written"


def create_table(objects: Bucket, name: str, schema: pa.Schema) -> None:
    """Create an empty table elsewhere and put its files in place, each only if it is not there yet.

    Lance itself would let the slower of two creators overwrite what the faster one has appended meanwhile.

    Args:
        objects: The store's files.
        name: The table's name.
        schema: Its columns.
    """
    import lance

    with TemporaryDirectory() as folder:
        lance.write_dataset(schema.empty_table(), folder, mode="create")
        # The manifest comes last, since the table exists as soon as its first version does.
        for path in sorted(Path(folder).rglob("*"), key=lambda path: (path.suffix == ".manifest", path)):
            if path.is_file():
                objects.create(f"{name}.lance/{path.relative_to(folder).as_posix()}", path.read_bytes())


def files_of(dataset: "lance.LanceDataset") -> set[str]:
    """Return the data files of the rows that a table has now."""
    return {file.path for fragment in dataset.get_fragments() for file in fragment.data_files()}


def damaged_files(
    dataset: "lance.LanceDataset", errors: Callable[[], AbstractContextManager[None]]
) -> Iterator[tuple[str, str]]:
    """Read a table file by file, and report those that cannot be read.

    Args:
        dataset: The table.
        errors: Turns what Lance raises into one sentence.

    Yields:
        The name of each damaged file, and what is wrong with it.

    Raises:
        InaccessibleError: A file may not be read.
        ServiceUnavailableError: The server does not answer.
    """
    for fragment in dataset.get_fragments():
        try:
            with errors():
                for batch in fragment.to_batches(batch_size=ROWS_AT_ONCE):
                    sound(batch)
        except (ServiceUnavailableError, InaccessibleError):
            raise
        except PedigreeError as problem:
            yield from ((file.path, str(problem)) for file in fragment.data_files())


def sound(rows: Any) -> Any:  # noqa: ANN401 - a pyarrow.Table or RecordBatch, which have no types
    """Check that offsets and letters of rows are sound, and return them; reading damaged ones would crash."""
    rows.validate(full=True)
    return rows


def one_line(error: BaseException) -> str:
    """Return an error in one line, without the place in Lance's own source."""
    return shown(re.sub(r",? ?/\S+\.rs:\d+:\d+", "", " ".join(str(error).split())))[:200].rstrip(".")


def table_error(name: str, objects: Bucket, done: str, error: BaseException) -> PedigreeError:
    """Describe in one sentence what Lance could not do with a table, and what to do.

    Args:
        name: The table's name.
        objects: The store's files.
        done: The verb, such as read or written.
        error: What Lance raised.

    Returns:
        The error to raise, of the class that fits the cause.
    """
    url = objects.url
    if url.startswith("s3://") and (problem := _ask_server(objects, str(error))):
        return problem
    if refused := re.search(_REFUSED, str(error)):
        return InaccessibleError(
            f"The table {name} in {url} cannot be {done} ({refused[0]}): give this user the right to."
        )
    if re.search(_NEWER, str(error)):
        return InaccessibleError(f"A newer Pedigree wrote the table {name} in {url}: update Pedigree.")
    if re.search(_TRIED, str(error)):
        return ServiceUnavailableError(
            f"The table {name} in {url} cannot be {done}: the server does not answer or is too busy."
        )
    reason = f"the disk is full; {_FULL}" if "No space left" in str(error) else one_line(error)
    return PedigreeError(f"The table {name} in {url} cannot be {done}: {reason}.")


@contextmanager
def table_errors(name: str, objects: Bucket, done: str) -> Iterator[None]:
    """Replace whatever Lance raises about damaged or inaccessible files by one sentence.

    Args:
        name: The table's name.
        objects: The store's files.
        done: The verb, such as read or written.

    Yields:
        Nothing.

    Raises:
        Exception: Of the class that fits the cause, such as PedigreeError, where Lance raised anything.
    """  # noqa: DOC501 - a function builds the error
    try:
        yield
    except PedigreeError:
        raise
    except Exception as error:
        raise table_error(name, objects, done, error) from error
    except BaseException as error:
        # Lance panics on some damaged files, and a panic is no Exception.
        if type(error).__name__ != "PanicException":
            raise
        raise table_error(name, objects, done, error) from error


def _ask_server(objects: Bucket, words: str) -> PedigreeError | None:
    """Ask the same server by boto3, which tells the cause where Lance only counts failed attempts."""
    from tasks.stores.objects.s3_errors import is_certificate, untrusted

    if is_certificate(words):
        return untrusted(objects.url, words)
    try:
        objects.check()
    except PedigreeError as problem:
        return problem
    return None
