"""Formats whose rows are fields with names, as a table: which names the object, which may be the label."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from configs.errors import Problem
from tasks.domain.labels.manifest_formats.statements import (
    Asked,
    Reading,
    RowFault,
    Statement,
    attributes_of,
    label_of,
    read_rows,
    reference_of,
    shown,
    statement,
    text_of,
)

Rows = Sequence[tuple[str, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Format:
    """One format: the fields that say what.

    Args:
        reference: The field that names the object.
        labels: Fields that are the label without a word in the settings.
        lone: So is the only field that may be one.
        beside: References start in the manifest's own folder.
        stems: References may lack their extension.
    """

    reference: str
    labels: tuple[str, ...] = ("label",)
    lone: bool = False
    beside: bool = False
    stems: bool = False


# The first whose reference is there counts. Of those before Kaggle's no two may be there at once, unless it is key.
KEY = Format("key")
_FILES = (
    Format("file_name", beside=True),  # Hugging Face: metadata.csv and metadata.jsonl
    Format("filename"),
    Format("image"),
    Format("source-ref"),
)
_IDS = (
    Format("image_id", lone=True, stems=True),  # Kaggle
    Format("id", lone=True, stems=True),  # Kaggle
)
REFERENCES = frozenset(known.reference for known in (KEY, *_FILES, *_IDS))


def read_table(columns: Sequence[str], rows: Rows, name: str, asked: Asked) -> Reading:
    """Read rows whose fields have names, as spreadsheets, Hugging Face and Kaggle have them.

    Raises:
        Problem: No field, or more than one, names the objects; or it is open which one is the label.
    """
    known = format_of(columns, name)
    candidates = [column for column in columns if column != known.reference and column not in asked.attributes]
    label = choose_label(known, candidates, columns, name, asked)

    own = frozenset({known.reference, label})

    def read(place: str, row: Mapping[str, Any]) -> list[Statement]:
        if not isinstance(row, dict):
            raise RowFault("is no record of fields with names")
        reference = reference_of(row.get(known.reference), known.reference)
        named = label_of(row.get(label) if label else None, label)
        return [statement(place, reference, named, attributes_of(row, own))]

    only = not label and not candidates and len(columns) > 1
    return Reading(*read_rows(rows, read), label, known.beside, known.stems, attributes_only=only)


def format_of(columns: Sequence[str], name: str) -> Format:
    """Tell a table by the column that names its objects; raise Problem where none does, or more than one may."""
    if KEY.reference in columns:
        return KEY
    files = [known for known in _FILES if known.reference in columns]
    if len(files) > 1:
        names = " and ".join(known.reference for known in files)
        raise Problem(f"The manifest {name} has columns {names}, which may name the objects: call the right one key.")
    for known in (*files, *_IDS):
        if known.reference in columns:
            return known
    raise Problem(
        f"The manifest {name} has no field named key (its fields: {shown(columns) or 'none'}): call the field that "
        "names the objects key."
    )


def choose_label(known: Format, candidates: Sequence[str], columns: Sequence[str], name: str, asked: Asked) -> str:
    """Tell which field is the label: the one that is set, or that the format says; empty where none needs to be.

    Raises:
        Problem: The field that is set does not exist, or nothing says which one it is.
    """
    if asked.column:
        if asked.column in columns and asked.column != known.reference:
            return asked.column
        others = shown(column for column in columns if column != known.reference)
        raise Problem(
            f"The manifest {name} has no field {asked.column} for the label: set labels.column to one of: {others}."
        )
    by_format = [field for field in known.labels if field in columns]
    if not by_format and known.lone and len(candidates) == 1:
        by_format = list(candidates)
    if len(by_format) == 1:
        return by_format[0]
    if not by_format and not (candidates and asked.must_label):
        return ""
    raise Problem(
        f"The manifest {name} has {'several fields that may be the label' if by_format else 'no field named label'}"
        f": set labels.column to the one that holds the labels ({shown(by_format or candidates)}), or name all of them "
        "in labels.attributes if none does."
    )


def first_text(row: Mapping[str, Any], names: Sequence[str]) -> str:
    """Name the first of these fields that holds text; empty where none does."""
    return next((name for name in names if isinstance(row.get(name), str) and text_of(row[name])), "")


def columns_of(rows: Sequence[tuple[str, Any]]) -> list[str]:
    """Name the fields of all records, in the order in which they first occur."""
    return list(dict.fromkeys(field for _, row in rows if isinstance(row, Mapping) for field in row if field))
