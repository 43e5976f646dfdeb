"""Table formats, whose rows are named fields: which field names the object, and which one is the label."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from configs.errors import PedigreeError
from tasks.domain.labels.manifest_formats.statements import (
    ManifestOptions,
    ParsedManifest,
    RowError,
    Statement,
    extract_attributes,
    join_names,
    make_statement,
    parse_label,
    parse_reference,
    read_rows,
    to_text,
)

Rows = Sequence[tuple[str, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class TableFormat:
    """One table format.

    Attributes:
        reference: The field that names the object.
        labels: Fields that are the label unless the settings name another.
        lone: Whether a field that is the only candidate is the label, whatever its name.
        beside: Whether references start in the manifest's own folder.
        stems: Whether references may lack their extension.
    """

    reference: str
    labels: tuple[str, ...] = ("label",)
    lone: bool = False
    beside: bool = False
    stems: bool = False


# The first format whose reference column is present is used. Two columns of _FILES at once are an error, unless there
# is a column named key.
KEY = TableFormat("key")
_FILES = (
    TableFormat("file_name", beside=True),  # Hugging Face: metadata.csv and metadata.jsonl
    TableFormat("filename"),
    TableFormat("image"),
    TableFormat("source-ref"),
)
_IDS = (
    TableFormat("image_id", lone=True, stems=True),  # Kaggle
    TableFormat("id", lone=True, stems=True),  # Kaggle
)
REFERENCES = frozenset(table_format.reference for table_format in (KEY, *_FILES, *_IDS))


def read_table(columns: Sequence[str], rows: Rows, name: str, options: ManifestOptions) -> ParsedManifest:
    """Read rows of named fields, as in spreadsheets and in the manifests of Hugging Face and Kaggle.

    Args:
        columns: The names of all fields.
        rows: The rows, each with its place.
        name: The key of the manifest, for messages.
        options: What the settings ask of it.

    Returns:
        The content of the manifest.

    Raises:
        PedigreeError: No field or several fields name the objects, or it is unclear which one is the label.
    """
    table_format = detect_format(columns, name)
    candidates = [column for column in columns if column != table_format.reference and column not in options.attributes]
    label = choose_label(table_format, candidates, columns, name, options)

    non_attributes = frozenset({table_format.reference, label})

    def read(location: str, row: Mapping[str, Any]) -> list[Statement]:
        if not isinstance(row, dict):
            raise RowError("is no record of fields with names")
        reference = parse_reference(row.get(table_format.reference), table_format.reference)
        named = parse_label(row.get(label) if label else None, label)
        return [make_statement(location, reference, named, extract_attributes(row, non_attributes))]

    statements, skipped = read_rows(rows, read)
    return ParsedManifest(
        statements,
        skipped,
        label,
        beside=table_format.beside,
        stems=table_format.stems,
        attributes_only=not label and not candidates and len(columns) > 1,
    )


def detect_format(columns: Sequence[str], name: str) -> TableFormat:
    """Detect the format of a table by the column that names its objects.

    Args:
        columns: The names of all fields.
        name: The key of the manifest, for messages.

    Returns:
        The format.

    Raises:
        PedigreeError: No column names the objects, or several may.
    """
    if KEY.reference in columns:
        return KEY
    files = [table_format for table_format in _FILES if table_format.reference in columns]
    if len(files) > 1:
        names = " and ".join(table_format.reference for table_format in files)
        raise PedigreeError(
            f"The manifest {name} has columns {names}, which may name the objects: call the right one key."
        )
    for table_format in (*files, *_IDS):
        if table_format.reference in columns:
            return table_format
    raise PedigreeError(
        f"The manifest {name} has no field named key (its fields: {join_names(columns) or 'none'}): call the field "
        "that names the objects key."
    )


def choose_label(
    table_format: TableFormat, candidates: Sequence[str], columns: Sequence[str], name: str, options: ManifestOptions
) -> str:
    """Choose the field that is the label: the one that the settings name, else the one that the format defines.

    Args:
        table_format: The format of the table.
        candidates: Fields that are neither the reference nor attributes.
        columns: The names of all fields.
        name: The key of the manifest, for messages.
        options: What the settings ask of it.

    Returns:
        The field; empty where there is no label and none is required.

    Raises:
        PedigreeError: The field in the settings does not exist, or it is unclear which one is the label.
    """
    if options.column:
        if options.column in columns and options.column != table_format.reference:
            return options.column
        choices = join_names(column for column in columns if column != table_format.reference)
        raise PedigreeError(
            f"The manifest {name} has no field {options.column} for the label: set labels.column to one of: {choices}."
        )
    labels = [field for field in table_format.labels if field in columns]
    if not labels and table_format.lone and len(candidates) == 1:
        labels = list(candidates)
    if len(labels) == 1:
        return labels[0]
    if not labels and not (candidates and options.must_label):
        return ""
    raise PedigreeError(
        f"The manifest {name} has {'several fields that may be the label' if labels else 'no field named label'}"
        f": set labels.column to the one that holds the labels ({join_names(labels or candidates)}), or name all of "
        "them in labels.attributes if none does."
    )


def find_text_field(row: Mapping[str, Any], names: Sequence[str]) -> str:
    """Find the first of some fields that holds text.

    Args:
        row: The fields of a row.
        names: The names to look for, in this order.

    Returns:
        The name of the field; empty where none holds text.
    """
    return next((name for name in names if isinstance(row.get(name), str) and to_text(row[name])), "")


def list_columns(rows: Sequence[tuple[str, Any]]) -> list[str]:
    """List the fields of all records, in the order in which they first occur."""
    return list(dict.fromkeys(field for _, row in rows if isinstance(row, Mapping) for field in row if field))
