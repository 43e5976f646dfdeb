"""A manifest: a file in the source that says which object shows what, in one of the forms that tools export."""

import csv
import io
import json
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from configs.problems import Problem
from tasks.domain.labels import Attributes

# What Label Studio writes beside the answer itself, in its JSON-MIN and CSV exports.
_BOOKKEEPING = {"id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement", "comment"}
_CLASSIFICATION = "groundtruth/image-classification"


@dataclass(frozen=True, slots=True)
class Statement:
    """What one row says about one object, which it names by key, address or path; the label may be empty."""

    reference: str
    label: str
    attributes: Attributes


def read_manifest(data: bytes, name: str) -> list[Statement]:
    """Read CSV, JSON Lines, or an export of Label Studio (JSON, JSON-MIN, CSV) or of Amazon SageMaker Ground Truth.

    Raises:
        Problem: The file is not UTF-8, cannot be parsed, or a row does not say which object it is about.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise Problem(f"The manifest {name} is not UTF-8 text (line {line}): save it as UTF-8.") from None
    rows = list(_rows(text, name))
    return [statement for number, row in enumerate(rows, 1) for statement in _statements(row, f"{name}, row {number}")]


def key_of(reference: str, source: str, keys: Container[str]) -> str | None:
    """Find the object that a reference means: a key, an address below the source, or Label Studio's local file."""
    below = reference.removeprefix(source.rstrip("/") + "/")
    if below in keys:
        return below
    parts = parse_qs(urlsplit(reference).query).get("d", [reference])[0].strip("/").split("/")
    if "/local-files/" not in reference:
        return None
    return next((key for start in range(len(parts)) if (key := "/".join(parts[start:])) in keys), None)


def _rows(text: str, name: str) -> Iterator[Mapping[str, Any]]:
    start = text.lstrip()[:1]
    if start == "[":
        return iter(_objects(_json(text, name, "as a whole"), name))
    if start == "{":
        lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
        return iter(_objects([_json(line, name, f"in line {number}") for number, line in lines], name))
    return _csv(text, name)


def _json(text: str, name: str, where: str) -> Any:  # noqa: ANN401 - JSON may hold anything
    try:
        return json.loads(text)
    except ValueError as error:
        raise Problem(f"The manifest {name} is not valid JSON {where} ({error}): export it again.") from None


def _objects(values: Iterable[Any], name: str) -> list[Mapping[str, Any]]:
    found = list(values)
    if all(isinstance(one, dict) for one in found):
        return found
    raise Problem(f"The manifest {name} must hold one JSON object a row: see docs/labels.md.")


def _csv(text: str, name: str) -> Iterator[Mapping[str, Any]]:
    head = text.partition("\n")[0]
    separator = max(",;\t", key=head.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)
    columns = [column.strip() for column in reader.fieldnames or ()]
    if not {"key", "image", "source-ref"} & set(columns):
        found = ", ".join(columns) or "none"
        raise Problem(f"The manifest {name} has no column named key (its columns: {found}): name the objects' keys so.")
    reader.fieldnames = columns
    try:
        yield from reader
    except csv.Error as error:
        raise Problem(f"The manifest {name} is not valid CSV in line {reader.line_num} ({error}).") from None


def _statements(row: Mapping[str, Any], where: str) -> Iterator[Statement]:
    if "source-ref" in row:
        yield _of_ground_truth(row)
    elif isinstance(row.get("data"), dict) and isinstance(row.get("annotations"), list):
        yield from _of_label_studio(row["data"], row["annotations"], where)
    elif "annotation_id" in row or "lead_time" in row:
        yield _of_label_studio_min(row, where)
    elif row.get("key"):
        told = {name: value for name, value in row.items() if name not in {"key", "label"}}
        yield Statement(str(row["key"]).strip(), _text(row.get("label")), _attributes(told))
    else:
        raise Problem(f"The manifest {where}, does not say which object it is about: give every row a key.")


def _of_ground_truth(row: Mapping[str, Any]) -> Statement:
    """Take the class of the last classification job in the row; jobs can be chained."""
    notes = {name: value for name, value in row.items() if name.endswith("-metadata") and isinstance(value, dict)}
    jobs = [name for name, note in notes.items() if note.get("type") == _CLASSIFICATION]
    label = _text(notes[jobs[-1]].get("class-name")) if jobs else ""
    own = {"source-ref", *notes, *(name.removesuffix("-metadata") for name in notes)}
    return Statement(
        str(row["source-ref"]), label, _attributes({name: one for name, one in row.items() if name not in own})
    )


def _of_label_studio(data: Mapping[str, Any], annotations: Iterable[Any], where: str) -> Iterator[Statement]:
    """Yield one statement for every choice of every annotator, so that two opinions become a conflict."""
    reference = _image(data, where)
    told = _attributes({name: value for name, value in data.items() if value != reference})
    choices = [
        choice
        for annotation in annotations
        if not annotation.get("was_cancelled")
        for result in annotation.get("result", [])
        for choice in result.get("value", {}).get("choices", [])
    ]
    for choice in choices or [""]:
        yield Statement(reference, _text(choice), told)


def _of_label_studio_min(row: Mapping[str, Any], where: str) -> Statement:
    reference = _image(row, where)
    told = {name: value for name, value in row.items() if name not in _BOOKKEEPING and value != reference}
    named = next((name for name in ("label", "choice", *told) if _text(told.get(name))), "")
    label = _text(told.pop(named, None))
    return Statement(reference, label, _attributes(told))


def _image(data: Mapping[str, Any], where: str) -> str:
    for name in ("image", "img", "key", "url"):
        if isinstance(data.get(name), str) and data[name]:
            return str(data[name])
    raise Problem(f"The manifest {where}, names no image: its data needs a field image.")


def _attributes(told: Mapping[Any, Any]) -> Attributes:
    return tuple(sorted((str(name), text) for name, value in told.items() if name and (text := _text(value))))


def _text(value: object) -> str:
    """Write a plain value as text; what is no plain value says nothing."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).strip() if isinstance(value, str | int | float) else ""
