"""CSV with commas, semicolons or tabs, read strictly: whatever does not fit is an error that names line and column."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from configs.errors import PedigreeError
from tasks.domain.labels.manifest_formats.statements import join_names
from tasks.domain.phrasing import count

SEPARATORS = ",;\t"
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?[,;\t]*(?:\r\n|\r|\n|$)')
_QUOTED = re.compile(r'"[^"]*(?:""[^"]*)*"')
_SPACES = re.compile(" *")
_LINE_END = re.compile(r"\r\n|\r|\n")


class Table(NamedTuple):
    """A table: its named columns in order, and the place and the values (by column) of each row."""

    columns: list[str]
    rows: list[tuple[str, Mapping[str, str]]]


class _Record(NamedTuple):
    line: int
    fields: list[str]


def read_delimited(text: str, name: str, references: frozenset[str]) -> Table:
    """Read a header and the rows below it; empty rows are skipped.

    Args:
        text: The whole manifest.
        name: Its key, for messages.
        references: Columns that may name the objects; the separator is chosen so that the header has one of them.

    Returns:
        The table.

    Raises:
        PedigreeError: The header or a row is malformed; the message names line and column.
    """
    separator, start = _detect_separator(text, name, references)
    records = _records(text, name, separator, start)
    header = next(records, _Record(1, []))
    columns = [column.strip().lstrip("\ufeff").strip() for column in header.fields]
    _check_references(columns, name, references)
    _check_header(columns, name, header.line)
    nameless = [index for index, column in enumerate(columns) if not column]
    rows = [(f"line {record.line:,}", _fields_by_column(record, columns, nameless, name)) for record in records]
    return Table([column for column in columns if column], rows)


def _detect_separator(text: str, name: str, references: frozenset[str]) -> tuple[str, int]:
    """Choose the separator by the header.

    Returns:
        The separator, and the offset at which the header starts.

    Raises:
        PedigreeError: A first line sep=… names another separator.
    """
    says = _SEPARATOR_LINE.match(text)
    if says and says[1] not in SEPARATORS:
        raise PedigreeError(f"The manifest {name} says sep={says[1]!a} in line 1: separate by comma, semicolon or tab.")
    if says:
        return says[1], says.end()
    headers = {separator: _header_fields(text, separator) for separator in SEPARATORS}
    named = [separator for separator in SEPARATORS if headers[separator] & references]
    if named:
        return max(named, key=lambda separator: len(headers[separator])), 0
    return max(SEPARATORS, key=_line(text, 1).count), 0


def _header_fields(text: str, separator: str) -> frozenset[str]:
    """Return the fields of the first non-empty row under one separator; empty where it cannot be parsed."""
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True, skipinitialspace=True)
        return frozenset(next(([field.strip() for field in row] for row in reader if any(map(str.strip, row))), []))
    except csv.Error:
        return frozenset()


def _records(text: str, name: str, separator: str, start: int) -> Iterator[_Record]:
    """Yield the non-empty rows, each with the line in which it begins; malformed CSV is a PedigreeError."""
    source = io.StringIO(text, newline="")
    source.seek(start)
    skipped = 1 if start else 0
    reader = csv.reader(source, delimiter=separator, strict=True, skipinitialspace=True)
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader, None)
        except csv.Error as error:
            raise _invalid_csv(text, name, separator, (line + skipped, reader.line_num + skipped), error) from None
        if fields is None:
            return
        if any(map(str.strip, fields)):
            if reader.line_num > line:
                _check_spanning(fields, name, separator, (line + skipped, reader.line_num + skipped))
            yield _Record(line + skipped, fields)


def _invalid_csv(text: str, name: str, separator: str, lines: tuple[int, int], error: csv.Error) -> PedigreeError:
    first, last = lines
    column = _column_of_quote(_line(text, first), separator)
    where = f"The manifest {name}, line {first:,}, column {column:,}:"
    if "unexpected end" in str(error):
        return PedigreeError(f"{where} a quote opens here and never ends; close it, or double a quote that is text.")
    if "expected after" in str(error):
        until = f" and closes in line {last:,}" if last > first else ""
        return PedigreeError(f"{where} a quote opens here{until}, and text follows it; double a quote that is text.")
    return PedigreeError(
        f"The manifest {name} is not valid CSV in line {first:,} ({error}): correct it, or export it again."
    )


def _line(text: str, number: int) -> str:
    start = 0
    for end in islice(_LINE_END.finditer(text), number - 1):
        start = end.end()
    following = _LINE_END.search(text, start)
    return text[start : following.start() if following else len(text)]


def _column_of_quote(line: str, separator: str) -> int:
    """Return the number of the first field, from 1, whose quote does not close right before a separator."""
    position, column = 0, 1
    while position < len(line):
        position = _SPACES.match(line, position).end()  # type: ignore[union-attr]
        if line[position : position + 1] == '"':
            closed = _QUOTED.match(line, position)
            if not closed or closed.end() >= len(line) or line[closed.end()] != separator:
                return column
            position = closed.end()
        else:
            position = line.find(separator, position)
            if position < 0:
                return column
        position, column = position + 1, column + 1
    return column


def _check_spanning(fields: list[str], name: str, separator: str, lines: tuple[int, int]) -> None:
    """Reject a field over several lines that holds what looks like rows: its quote was probably not meant as one."""
    least = max(1, len(fields) - 1)
    for column, field in enumerate(fields, 1):
        if any(line.count(separator) >= least for line in _LINE_END.split(field)[1:]):
            raise PedigreeError(
                f"The manifest {name}, line {lines[0]:,}, column {column:,}: a quote opens here and closes in line "
                f"{lines[1]:,}, around what looks like rows; close it in its line, or write the text in one line."
            )


def _check_references(columns: Sequence[str], name: str, references: frozenset[str]) -> None:
    """Check the header for a reference column before any row, since the first line may be no header at all."""
    if references.intersection(columns):
        return
    separate = ", and separate the columns by comma, semicolon or tab" if len(columns) == 1 else ""
    raise PedigreeError(
        f"The manifest {name} has no column named key (its columns: {join_names(columns)}): let its first line name "
        f"the columns, call the one that names the objects key{separate}."
    )


def _check_header(columns: list[str], name: str, line: int) -> None:
    twice = [column for column, times in Counter(filter(None, columns)).items() if times > 1]
    if twice:
        numbers = " and ".join(str(number) for number, column in enumerate(columns, 1) if column == twice[0])
        raise PedigreeError(
            f"The manifest {name}, line {line:,}, names {join_names(twice[:1])} twice, in columns {numbers}: "
            "every column needs a name of its own."
        )


def _fields_by_column(record: _Record, columns: list[str], nameless: Sequence[int], name: str) -> Mapping[str, str]:
    """Assign a row's fields to their columns; empty fields beyond the header are ignored, since spreadsheets pad rows.

    Returns:
        The values by column.

    Raises:
        PedigreeError: A field has no column, or a column has no field.
    """
    line, fields = record
    if len(fields) != len(columns):
        _check_length(record, len(columns), name)
    row = dict(zip(columns, fields, strict=False))
    for index in nameless:
        # An unnamed first column is the row number, as pandas writes it.
        if index and fields[index].strip():
            raise PedigreeError(
                f"The manifest {name}, line {line:,}, column {index + 1:,}: the header has no name for this field."
            )
    if nameless:
        del row[""]
    return row


def _check_length(record: _Record, columns: int, name: str) -> None:
    line, fields = record
    surplus = next((number for number, field in enumerate(fields[columns:], columns + 1) if field.strip()), 0)
    if surplus or len(fields) < columns:
        raise PedigreeError(
            f"The manifest {name}, line {line:,}, column {surplus or len(fields) + 1:,}: the row has "
            f"{count(len(fields), 'field')}, the header {columns:,}; quote a field that holds the separator, and give "
            "each column its field."
        )
