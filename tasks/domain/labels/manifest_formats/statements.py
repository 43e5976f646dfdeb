"""Statements: what a manifest says row by row, the rows that are skipped, and how single values become text."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple, TypeVar

from tasks.domain.labels.attributes import Attributes

Row = TypeVar("Row")

# An S3 key has at most 1,024 bytes, a path 4,096; an address stands before it.
_MAX_REFERENCE = 8192
# NUL, and halves of characters, which no file can hold.
_find_invalid = re.compile("[\0\ud800-\udfff]").search
_MAX_NAME, _MAX_NAMES = 100, 8


class RowError(Exception):
    """An error in one row of a manifest; only that row is skipped."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What one row says about one object.

    Attributes:
        reference: What names the object: its key, an address or a path.
        label: The label; may be empty.
        attributes: Names and values, sorted by name.
        place: Where the row stands in the manifest, for messages.
        doubtful: Whether the manifest itself says that the label is wrong; the label is then empty.
    """

    reference: str
    label: str
    attributes: Attributes
    place: str = field(default="", compare=False)
    doubtful: bool = False


class SkippedRow(NamedTuple):
    """A row that could not be used: where it stands, and what is wrong with it."""

    place: str
    fault: str

    def __str__(self) -> str:
        """Return the place and the fault as one sentence."""
        return f"{self.place} {self.fault}"


@dataclass(frozen=True, slots=True)
class ManifestOptions:
    """What the settings ask of a manifest.

    Attributes:
        column: The field that is the label; empty to let the format decide.
        attributes: Fields that are attributes, never the label.
        must_label: Whether a manifest without labels is an error.
    """

    column: str = ""
    attributes: tuple[str, ...] = ()
    must_label: bool = False


@dataclass(frozen=True, slots=True)
class ParsedManifest:
    """The content of a manifest.

    Attributes:
        statements: What its rows say.
        skipped: The rows that could not be used.
        label: The field that is the label, for messages.
        beside: Whether references start in the manifest's own folder.
        stems: Whether references may lack their extension.
        attributes_only: Whether the settings take no label from it.
        unlabelled: Why there is no label, in the words of the format, for messages.
    """

    statements: list[Statement]
    skipped: list[SkippedRow]
    label: str = ""
    beside: bool = False
    stems: bool = False
    attributes_only: bool = False
    unlabelled: str = ""


def read_rows(
    rows: Iterable[tuple[str, Row]], read: Callable[[str, Row], Iterable[Statement]]
) -> tuple[list[Statement], list[SkippedRow]]:
    """Read the rows one by one; a row with an error is skipped as a whole.

    Args:
        rows: The rows, each with its place.
        read: Makes statements of a place and a row, or raises RowError.

    Returns:
        The statements, and the skipped rows.
    """
    statements: list[Statement] = []
    skipped: list[SkippedRow] = []
    for location, row in rows:
        try:
            statements += list(read(location, row))
        except RowError as fault:
            skipped.append(SkippedRow(location, str(fault)))
    return statements, skipped


def make_statement(location: str, reference: str, label: str, attributes: Attributes) -> Statement:
    """Create a statement, after checking that its texts can be stored and shown.

    Args:
        location: Where the row stands, for messages.
        reference: What names the object.
        label: The label; may be empty.
        attributes: Names and values.

    Returns:
        The statement.

    Raises:
        RowError: The reference is too long, or a text holds a NUL or a lone surrogate.
    """
    if len(reference) > _MAX_REFERENCE:
        raise RowError(f"names its object in {len(reference):,} letters, where {_MAX_REFERENCE:,} are the most")
    if _find_invalid(reference) or _find_invalid(label) or _hold_invalid(attributes):
        raise RowError("holds a NUL character, or half of a character (a lone surrogate)")
    return Statement(reference, label, attributes, location)


@lru_cache(maxsize=2**12)
def _hold_invalid(attributes: Attributes) -> bool:
    """Check whether a name or a value is invalid text; cached, since rows share their attributes."""
    return any(_find_invalid(text) for pair in attributes for text in pair)


def extract_attributes(fields: Mapping[str, object], without: Collection[str] = ()) -> Attributes:
    """Return the fields that hold a scalar value as attributes.

    Args:
        fields: The fields of a row.
        without: Names of fields that are no attributes.

    Returns:
        Names and values as text, sorted by name.
    """
    pairs = [
        (name, text) for name, value in fields.items() if name not in without and (text := to_text(value)) and name
    ]
    return tuple(sorted(pairs)) if len(pairs) > 1 else tuple(pairs)


def to_text(value: object) -> str:
    """Convert a scalar value to text; any other value becomes ""."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else ""


def parse_label(value: object, name: str) -> str:
    """Convert a label to text.

    Args:
        value: The value of the field.
        name: The name of the field, for messages.

    Returns:
        The label; empty where there is none.

    Raises:
        RowError: The value is a list or an object.
    """
    if isinstance(value, str):
        return value.strip()
    if value is not None and not isinstance(value, int | float):
        kind = "a list" if isinstance(value, list) else "an object"
        raise RowError(f"holds {kind} in {join_names([name])}, where a label is one word or name")
    return to_text(value)


def parse_reference(value: object, name: str) -> str:
    """Convert what names an object to text.

    Args:
        value: The value of the field: text or a whole number.
        name: The name of the field, for messages.

    Returns:
        The reference.

    Raises:
        RowError: The value is empty or of another type.
    """
    text = "" if isinstance(value, bool | float) else to_text(value)
    if not text:
        raise RowError(f"does not say which object it is about: {join_names([name])} is empty or no text")
    return text


def join_names(names: Iterable[str]) -> str:
    """Join names of fields for a message: the first few of them, in one line, each cut to a fixed length."""
    one_line = [" ".join(name.encode(errors="replace").decode().split()) for name in names]
    short = [name if len(name) <= _MAX_NAME else f"{name[:_MAX_NAME]}…" for name in one_line]
    more = f" and {len(short) - _MAX_NAMES:,} more" if len(short) > _MAX_NAMES else ""
    return ", ".join(short[:_MAX_NAMES]) + more
