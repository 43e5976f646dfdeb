"""Label Studio's exports of classifications with choices: JSON, JSON-MIN and CSV."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from configs.errors import PedigreeError
from tasks.domain.labels.attributes import Attributes
from tasks.domain.labels.manifest_formats.statements import (
    ManifestOptions,
    ParsedManifest,
    RowError,
    SkippedRow,
    Statement,
    extract_attributes,
    join_names,
    make_statement,
    parse_label,
    read_rows,
    to_text,
)
from tasks.domain.labels.manifest_formats.tables import Rows, TableFormat, choose_label, find_text_field

#: Fields by which JSON-MIN and CSV are told from other tables.
SIGNATURE_COLUMNS = frozenset({"annotation_id", "lead_time"})
#: The fields that may name the image, most common first.
IMAGE_FIELDS = ("image", "img", "key", "url")
_NOTHING_CHOSEN = "no annotation holds a choice, and predictions do not count"
_BOOKKEEPING = {"id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement", "comment"}
# In Label Studio's own template the control is named choice.
_FLAT_FORMAT = TableFormat("", labels=("label", "choice"), lone=True)


@dataclass(frozen=True, slots=True)
class _Task:
    """One labelling task.

    Attributes:
        place: Where the record stands, for messages.
        reference: What names the image.
        attributes: Further fields of the task's data.
        opinions: For each annotation, the choices in each control.
    """

    place: str
    reference: str
    attributes: Attributes
    opinions: list[dict[str, list[str]]]


def read_flat_export(columns: Sequence[str], rows: Rows, name: str, options: ManifestOptions) -> ParsedManifest:
    """Read an export as JSON-MIN or CSV, where choices stand beside the fields of the task.

    Args:
        columns: The names of all fields.
        rows: The rows, each with its place.
        name: The key of the manifest, for messages.
        options: What the settings ask of it.

    Returns:
        The content of the manifest.

    Raises:
        PedigreeError: It is unclear which field is the label.
    """
    fields = [column for column in columns if column not in _BOOKKEEPING and column not in IMAGE_FIELDS[:1]]
    images = {find_text_field(row, IMAGE_FIELDS) for _, row in rows if isinstance(row, Mapping)}
    fields = [field for field in fields if field not in images]
    candidates = [field for field in fields if field not in options.attributes]
    label = choose_label(_FLAT_FORMAT, candidates, fields, name, options)

    beside = set(fields) - {label}

    def read(location: str, row: Mapping[str, Any]) -> Iterator[Statement]:
        reference = _find_reference(row)
        attributes = extract_attributes(
            {field: value for field, value in row.items() if field in beside and value != reference}
        )
        for choice in _parse_choices(row.get(label) if label else None, label) or [""]:
            yield make_statement(location, reference.strip(), choice, attributes)

    statements, skipped = read_rows(rows, read)
    return ParsedManifest(statements, skipped, label, attributes_only=not label and bool(fields) and not candidates)


def read_task_export(rows: Sequence[tuple[str, Any]], name: str, options: ManifestOptions) -> ParsedManifest:
    """Read an export as JSON, with one statement for every choice of every annotator.

    Two different opinions on one image so become a conflict.

    Args:
        rows: The records, each with its place.
        name: The key of the manifest, for messages.
        options: What the settings ask of it; its column is the name of a control.

    Returns:
        The content of the manifest.

    Raises:
        PedigreeError: Several controls have choices, and the settings name none of them.
    """
    tasks: list[_Task] = []
    skipped: list[SkippedRow] = []
    for location, row in rows:
        try:
            tasks.append(_parse_task(location, row))
        except RowError as fault:
            skipped.append(SkippedRow(location, str(fault)))
    control = _choose_control(
        dict.fromkeys(control_name for task in tasks for opinion in task.opinions for control_name in opinion),
        name,
        options,
    )
    statements, faulty = read_rows(
        ((task.place, task) for task in tasks), lambda _, task: _make_statements(task, control)
    )
    return ParsedManifest(statements, skipped + faulty, control, unlabelled=_NOTHING_CHOSEN)


def _choose_control(controls: Iterable[str], name: str, options: ManifestOptions) -> str:
    names = list(controls)
    if options.column:
        if names and options.column not in names:
            raise PedigreeError(
                f"The manifest {name} has no control {options.column}: "
                f"set labels.column to one of: {join_names(names)}."
            )
        return options.column
    if len(names) > 1:
        raise PedigreeError(
            f"The manifest {name} has choices of more than one control ({join_names(names)}): "
            "set labels.column to the one that is the label."
        )
    return names[0] if names else ""


def _make_statements(task: _Task, control: str) -> Iterator[Statement]:
    answered = [opinion for opinion in task.opinions if control in opinion]
    for opinion in answered or [{control: [""]}]:
        beside = {name: chosen[0] for name, chosen in opinion.items() if name != control and len(chosen) == 1}
        attributes = extract_attributes(beside | dict(task.attributes))
        for choice in opinion[control]:
            yield make_statement(task.place, task.reference, choice, attributes)


def _parse_task(location: str, row: Any) -> _Task:  # noqa: ANN401 - JSON may hold anything
    data = _require_mapping(_require_mapping(row, "the task").get("data"), "data")
    reference = _find_reference(data)
    attributes = extract_attributes({name: value for name, value in data.items() if value != reference})
    opinions = [
        _parse_opinion(annotation)
        for annotation in _require_list(row.get("annotations"), "annotations")
        if not _require_mapping(annotation, "an annotation").get("was_cancelled")
    ]
    return _Task(location, reference.strip(), attributes, opinions)


def _parse_opinion(annotation: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return what one annotator chose, by control."""
    opinion: dict[str, list[str]] = {}
    for result in _require_list(annotation.get("result", []), "result"):
        value = _require_mapping(_require_mapping(result, "a result").get("value", {}), "value")
        if "choices" in value:
            chosen = [parse_label(choice, "choices") for choice in _require_list(value["choices"], "choices")]
            opinion.setdefault(to_text(result.get("from_name")), []).extend(filter(None, chosen))
    return {control: chosen for control, chosen in opinion.items() if chosen}


def _parse_choices(value: object, name: str) -> list[str]:
    """Return the choices in one field; several of them are a list or an object, which CSV holds as JSON text.

    Returns:
        The choices; empty where there is none.

    Raises:
        RowError: The text is not valid JSON.
    """
    if isinstance(value, str) and value.lstrip().startswith('{"choices"'):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise RowError(f"holds choices in {join_names([name])} that are no JSON") from None
    if isinstance(value, dict) and "choices" in value:
        value = _require_list(value["choices"], name)
    if isinstance(value, list):
        return [parse_label(choice, name) for choice in value]
    return [text for text in [parse_label(value, name)] if text]


def _find_reference(row: Mapping[str, Any]) -> str:
    name = find_text_field(_require_mapping(row, "the record"), IMAGE_FIELDS)
    if not name:
        raise RowError("names no image: its data needs a field image (or img, key, url)")
    return str(row[name])


def _require_mapping(value: Any, name: str) -> Mapping[str, Any]:  # noqa: ANN401 - the same
    if not isinstance(value, Mapping):
        raise RowError(f"is no export of Label Studio: {name} is no object")
    return value


def _require_list(value: Any, name: str) -> list[Any]:  # noqa: ANN401 - the same
    if not isinstance(value, list):
        raise RowError(f"is no export of Label Studio: {name} is no list")
    return value
