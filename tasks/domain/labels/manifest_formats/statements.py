"""What a manifest says, row by row, and the rows that it could not be taken from."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple, TypeVar

from tasks.domain.labels.labeling import Attributes

Row = TypeVar("Row")

# An S3 key has at most 1,024 bytes, a path 4,096; an address stands before it.
_MAX_REFERENCE = 8192
# NUL, and halves of characters, which no file can hold.
_find_invalid = re.compile("[\0\ud800-\udfff]").search
_MAX_NAME, _MAX_NAMES = 100, 8


class RowError(Exception):
    """What is wrong with one row: it costs that row alone."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What one row says about one object, which it names by key, address or path; the label may be empty.

    A row is doubtful where the manifest itself says that its label is wrong; it then has none.
    """

    reference: str
    label: str
    attributes: Attributes
    place: str = field(default="", compare=False)
    doubtful: bool = False


class SkippedRow(NamedTuple):
    """A row that could not be used, and why."""

    place: str
    fault: str

    def __str__(self) -> str:
        """Say where it stands and what is wrong."""
        return f"{self.place} {self.fault}"


@dataclass(frozen=True, slots=True)
class ManifestOptions:
    """What the settings ask of a manifest: which field is the label, which are attributes, whether it must label."""

    column: str = ""
    attributes: tuple[str, ...] = ()
    must_label: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """All that a manifest says.

    ``beside``: its references start in its own folder. ``stems``: they may lack their extension.
    ``label``: the field that is the label, for sentences. ``attributes_only``: the settings want no label of it.
    ``unlabelled``: what the format says where it has no label at all, for sentences.
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
    """Read each row, which comes with its place, by itself: one that is wrong is skipped, whole."""
    statements: list[Statement] = []
    skipped: list[SkippedRow] = []
    for location, row in rows:
        try:
            statements += list(read(location, row))
        except RowError as fault:
            skipped.append(SkippedRow(location, str(fault)))
    return statements, skipped


def make_statement(location: str, reference: str, label: str, attributes: Attributes) -> Statement:
    """Make a statement of texts that can be kept and shown; raise RowFault for others."""
    if len(reference) > _MAX_REFERENCE:
        raise RowError(f"names its object in {len(reference):,} letters, where {_MAX_REFERENCE:,} are the most")
    if _find_invalid(reference) or _find_invalid(label) or _hold_invalid(attributes):
        raise RowError("holds a NUL character, or half of a character (a lone surrogate)")
    return Statement(reference, label, attributes, location)


@lru_cache(maxsize=2**12)
def _hold_invalid(attributes: Attributes) -> bool:
    """Tell whether a name or value is no text; most rows have the same ones as others."""
    return any(_find_invalid(text) for pair in attributes for text in pair)


def extract_attributes(fields: Mapping[str, object], without: Collection[str] = ()) -> Attributes:
    """Take the fields that hold a plain value, sorted by name, but for some."""
    pairs = [
        (name, text) for name, value in fields.items() if name not in without and (text := to_text(value)) and name
    ]
    return tuple(sorted(pairs)) if len(pairs) > 1 else tuple(pairs)


def to_text(value: object) -> str:
    """Write a plain value as text; what is no plain value says nothing."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else ""


def parse_label(value: object, name: str) -> str:
    """Write a label as text; raise RowFault where it is no plain value."""
    if isinstance(value, str):
        return value.strip()
    if value is not None and not isinstance(value, int | float):
        kind = "a list" if isinstance(value, list) else "an object"
        raise RowError(f"holds {kind} in {listing([name])}, where a label is one word or name")
    return to_text(value)


def parse_reference(value: object, name: str) -> str:
    """Write what names an object as text; raise RowFault where nothing does."""
    text = value.strip() if isinstance(value, str) else "" if isinstance(value, bool | float) else to_text(value)
    if not text:
        raise RowError(f"does not say which object it is about: {listing([name])} is empty or no text")
    return text


def listing(names: Iterable[str]) -> str:
    """Write names of fields for a sentence: in one line, the first few of them, none too long."""
    one_line = [" ".join(name.encode(errors="replace").decode().split()) for name in names]
    short = [name if len(name) <= _MAX_NAME else f"{name[:_MAX_NAME]}…" for name in one_line]
    more = f" and {len(short) - _MAX_NAMES:,} more" if len(short) > _MAX_NAMES else ""
    return ", ".join(short[:_MAX_NAMES]) + more
