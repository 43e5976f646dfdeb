"""JSON manifests: an array of records, a record a line or one object; and the records of SageMaker Ground Truth."""

import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
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

Records = list[tuple[str, Any]]
JobMetadata = Mapping[str, Mapping[str, Any]]

_LINE = re.compile(r"[^\r\n]+")
_LINE_END = re.compile(r"\r\n|\r|\n")
_SPACE = re.compile(r"[ \t\r\n]*")
# Longer numbers stay text: Python would refuse to convert them, and with them the whole file.
_MAX_DIGITS = 300
#: The field that names the object, by which rows of Ground Truth are recognized.
REFERENCE = "source-ref"
_SINGLE_LABEL, _MULTI_LABEL = "groundtruth/image-classification", "groundtruth/image-classification-multilabel"
_VERIFICATION, _METADATA = "groundtruth/label-verification", "-metadata"


def read_json(text: str, name: str) -> Records:
    """Read the records of a JSON file; an object that is the whole file is the only record.

    Args:
        text: The whole manifest.
        name: Its key, for messages.

    Returns:
        The records, each with its place.

    Raises:
        PedigreeError: The file is not valid JSON; the message names the line.
    """
    return list(_read_array(text, name)) if text.lstrip()[:1] == "[" else _read_lines(text, name)


def _read_lines(text: str, name: str) -> Records:
    """Read a record a line, or the whole file as one record where its first line is not JSON by itself."""
    lines = [(number, line) for number, line in _lines(text) if line.strip()]
    try:
        first = _load(lines[0][1])
    except (ValueError, RecursionError) as error:
        document = _load_document(text) if len(lines) > 1 else None
        if document is None:
            raise _invalid_json(name, lines[0][0], error) from None
        return [(f"line {lines[0][0]:,}", document)]
    rest = ((f"line {number:,}", _parse_line(line, name, number)) for number, line in lines[1:])
    return [(f"line {lines[0][0]:,}", first), *rest]


def _lines(text: str) -> Iterator[tuple[int, str]]:
    r"""Yield the lines of JSON Lines, which end in \r or \n only; Python's splitlines() would also split at U+2028."""
    number, end = 1, 0
    for line in _LINE.finditer(text):
        number, end = number + len(_LINE_END.findall(text, end, line.start())), line.end()
        yield number, line.group()


def _load_document(text: str) -> Mapping[str, Any] | None:
    try:
        value = _load(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _read_array(text: str, name: str) -> Iterator[tuple[str, Any]]:
    """Yield the records of an array one by one, each with its place; invalid JSON is a PedigreeError."""
    position = _after_space(text, text.index("[") + 1)
    number, line, counted, ended = 0, 1, 0, text[position : position + 1] == "]"
    while not ended:
        number, line, counted = number + 1, line + len(_LINE_END.findall(text, counted, position)), position
        try:
            value, position = _DECODER.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            raise _invalid_json(name, line, error, text) from None
        yield f"record {number:,}, line {line:,},", value
        position = _after_space(text, position)
        ended = text[position : position + 1] == "]"
        if text[position : position + 1] == ",":
            position = _after_space(text, position + 1)
        elif not ended:
            raise _invalid_json(name, line, ValueError("a comma or the list's end is missing after this record"))
    if text[position + 1 :].strip():
        raise _invalid_json(name, line, ValueError("text follows the list's end"))


def _after_space(text: str, position: int) -> int:
    return _SPACE.match(text, position).end()  # type: ignore[union-attr]


def _parse_line(line: str, name: str, number: int) -> Any:  # noqa: ANN401 - JSON may hold anything
    try:
        return _load(line)
    except (ValueError, RecursionError) as error:
        raise _invalid_json(name, number, error) from None


def _load(text: str) -> Any:  # noqa: ANN401 - the same
    value, end = _DECODER.raw_decode(text, _after_space(text, 0))
    if text[end:].strip():
        raise ValueError("text follows its end")
    return value


def _invalid_json(name: str, line: int, error: Exception, text: str = "") -> PedigreeError:
    """Build the error for invalid JSON.

    Args:
        name: The key of the manifest.
        line: The line in which the record begins.
        error: What the decoder raised.
        text: The whole file, where the decoder's positions refer to it; empty where they refer to a line.

    Returns:
        The error to raise.
    """
    why = "it nests too deeply" if isinstance(error, RecursionError) else str(error)
    if isinstance(error, json.JSONDecodeError):
        line = 1 + len(_LINE_END.findall(text, 0, error.pos)) if text else line
        why = f"{error.msg}, column {error.colno:,}"
    return PedigreeError(f"The manifest {name} is not valid JSON in line {line:,} ({why}): export it again.")


def _make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        twice = (name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        raise ValueError(f"an object names {join_names([next(twice)])} twice")
    return fields


def _parse_int(text: str) -> int | str:
    return int(text) if len(text) <= _MAX_DIGITS else text


def _parse_float(text: str) -> float | str:
    value = float(text)
    return value if math.isfinite(value) else text


# pandas writes NaN for a missing value.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_make_object,
    parse_int=_parse_int,
    parse_float=_parse_float,
    parse_constant=lambda word: None if word == "NaN" else word,
)


def read_ground_truth(rows: Sequence[tuple[str, Any]], name: str, options: ManifestOptions) -> ParsedManifest:
    """Read an output manifest of SageMaker Ground Truth, whose rows hold the results of one or more labeling jobs.

    Args:
        rows: The records, each with its place.
        name: The key of the manifest, for messages.
        options: What the settings ask of it; its column is the name of a job.

    Returns:
        The class of each row by that job, or by its last classification job where none is set.

    Raises:
        PedigreeError: No row has the job that is set, or it is unclear which job is the label.
    """
    _check_jobs(rows, name, options.column)
    statements, skipped = read_rows(rows, lambda location, row: _make_statements(location, row, options.column))
    return ParsedManifest(
        statements, skipped, options.column, unlabelled="no row holds the class of an image classification job"
    )


def _check_jobs(rows: Sequence[tuple[str, Any]], name: str, column: str) -> None:
    """Check that the job in the settings exists, or that all classification jobs have classes in common."""
    jobs: defaultdict[str, set[str]] = defaultdict(set)
    for _, row in rows:
        for job, note in _job_metadata(row).items() if isinstance(row, Mapping) else ():
            if _is_classification(note):
                jobs[job].update(text for value in _values(note) if (text := to_text(value)))
    if column and column not in jobs:
        names = join_names(jobs) or "none"
        raise PedigreeError(f"The manifest {name} has no job {column}: set labels.column to one of: {names}.")
    answered = [classes for classes in jobs.values() if classes]
    if not column and any(classes.isdisjoint(answered[-1]) for classes in answered):
        raise PedigreeError(
            f"The manifest {name} has classification jobs without a class in common ({join_names(jobs)}): "
            "set labels.column to the one that is the label."
        )


def _make_statements(location: str, row: Any, column: str) -> Iterator[Statement]:  # noqa: ANN401 - JSON may hold anything
    if not isinstance(row, Mapping):
        raise RowError("is no record of fields with names")
    reference = parse_reference(row.get(REFERENCE), REFERENCE)
    notes = _job_metadata(row)
    non_attributes = {REFERENCE, *notes, *(f"{job}{_METADATA}" for job in notes)}
    attributes = extract_attributes({field: value for field, value in row.items() if field not in non_attributes})
    jobs = [job for job, note in notes.items() if _is_classification(note) and column in {"", job}]
    if jobs and _refuted(notes, jobs[-1]):
        yield replace(make_statement(location, reference, "", attributes), doubtful=True)
    else:
        for label in _classes(notes[jobs[-1]]) if jobs else [""]:
            yield make_statement(location, reference, label, attributes)


def _job_metadata(row: Mapping[str, Any]) -> JobMetadata:
    """Return the metadata that each job wrote beside its result, by the job's name."""
    return {
        field.removesuffix(_METADATA): value
        for field, value in row.items()
        if field.endswith(_METADATA) and isinstance(value, Mapping)
    }


def _is_classification(note: Mapping[str, Any]) -> bool:
    return note.get("type") in (_SINGLE_LABEL, _MULTI_LABEL)


def _classes(note: Mapping[str, Any]) -> list[str]:
    """Return the classes of a job's result; several of them become a conflict."""
    return [parse_label(value, "a job's classes") for value in _values(note)] or [""]


def _values(note: Mapping[str, Any]) -> list[Any]:
    ticked = note.get("class-map", {})
    if note["type"] == _SINGLE_LABEL:
        return [note.get("class-name")]
    return list(ticked.values()) if isinstance(ticked, Mapping) else [ticked]


def _refuted(notes: JobMetadata, job: str) -> bool:
    """Check whether a later verification job judged the label to be anything but correct."""
    later = list(notes)[list(notes).index(job) + 1 :]
    verdicts = [
        parse_label(notes[name].get("class-name"), "class-name")
        for name in later
        if notes[name].get("type") == _VERIFICATION
    ]
    return any(verdict and verdict.casefold() != "correct" for verdict in verdicts)
