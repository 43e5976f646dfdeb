"""The augmented manifests of Amazon SageMaker Ground Truth: image classification, and verification of labels."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from configs.errors import PedigreeError
from tasks.domain.labels.manifest_formats.statements import (
    ManifestOptions,
    Reading,
    RowFault,
    Statement,
    attributes_of,
    label_of,
    listing,
    make_statement,
    read_rows,
    reference_of,
    text_of,
)

#: The field that tells its rows.
REFERENCE = "source-ref"
_ONE, _SEVERAL = "groundtruth/image-classification", "groundtruth/image-classification-multilabel"
_VERIFICATION, _NOTE = "groundtruth/label-verification", "-metadata"

Notes = Mapping[str, Mapping[str, Any]]


def read_ground_truth(rows: Sequence[tuple[str, Any]], name: str, options: ManifestOptions) -> Reading:
    """Read the class of each row's last classification job, or of the job that is set; jobs can be chained.

    Raises:
        PedigreeError: No row has the job that is set.
    """
    _check_jobs(rows, name, options.column)
    statements, skipped = read_rows(rows, lambda location, row: _statements(location, row, options.column))
    return Reading(
        statements, skipped, options.column, unlabelled="no row holds the class of an image classification job"
    )


def _check_jobs(rows: Sequence[tuple[str, Any]], name: str, column: str) -> None:
    """Refuse a job that is not there, and two that answer different questions where none is set."""
    jobs: defaultdict[str, set[str]] = defaultdict(set)
    for _, row in rows:
        for job, note in _notes(row).items() if isinstance(row, Mapping) else ():
            if _labels(note):
                jobs[job].update(text for value in _values(note) if (text := text_of(value)))
    if column and column not in jobs:
        names = listing(jobs) or "none"
        raise PedigreeError(f"The manifest {name} has no job {column}: set labels.column to one of: {names}.")
    answered = [classes for classes in jobs.values() if classes]
    if not column and any(classes.isdisjoint(answered[-1]) for classes in answered):
        raise PedigreeError(
            f"The manifest {name} has classification jobs without a class in common ({listing(jobs)}): "
            "set labels.column to the one that is the label."
        )


def _statements(location: str, row: Any, column: str) -> Iterator[Statement]:  # noqa: ANN401 - JSON may hold anything
    if not isinstance(row, Mapping):
        raise RowFault("is no record of fields with names")
    reference = reference_of(row.get(REFERENCE), REFERENCE)
    notes = _notes(row)
    non_attributes = {REFERENCE, *notes, *(f"{job}{_NOTE}" for job in notes)}
    attributes = attributes_of({field: value for field, value in row.items() if field not in non_attributes})
    jobs = [job for job, note in notes.items() if _labels(note) and column in {"", job}]
    if jobs and _refuted(notes, jobs[-1]):
        yield replace(make_statement(location, reference, "", attributes), doubtful=True)
    else:
        for label in _classes(notes[jobs[-1]]) if jobs else [""]:
            yield make_statement(location, reference, label, attributes)


def _notes(row: Mapping[str, Any]) -> Notes:
    """Take what each job wrote beside its answer, by the job's name."""
    return {
        field.removesuffix(_NOTE): value
        for field, value in row.items()
        if field.endswith(_NOTE) and isinstance(value, Mapping)
    }


def _labels(note: Mapping[str, Any]) -> bool:
    return note.get("type") in (_ONE, _SEVERAL)


def _classes(note: Mapping[str, Any]) -> list[str]:
    """Take a job's class; several ticked ones become a conflict."""
    return [label_of(value, "a job's classes") for value in _values(note)] or [""]


def _values(note: Mapping[str, Any]) -> list[Any]:
    ticked = note.get("class-map", {})
    if note["type"] == _ONE:
        return [note.get("class-name")]
    return list(ticked.values()) if isinstance(ticked, Mapping) else [ticked]


def _refuted(notes: Notes, job: str) -> bool:
    """Tell whether a later verification job found the label to be anything but correct."""
    later = list(notes)[list(notes).index(job) + 1 :]
    verdicts = [
        label_of(notes[name].get("class-name"), "class-name")
        for name in later
        if notes[name].get("type") == _VERIFICATION
    ]
    return any(verdict and verdict.casefold() != "correct" for verdict in verdicts)
