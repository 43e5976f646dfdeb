"""Reading a manifest of any format: detection of the format, and the formats of COCO and Roboflow.

COCO joins three lists by ids; Roboflow has one column a class.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from configs.errors import PedigreeError
from tasks.domain.labels.manifest_formats import json_lines, label_studio
from tasks.domain.labels.manifest_formats.delimited import read_delimited
from tasks.domain.labels.manifest_formats.json_lines import Records, read_json
from tasks.domain.labels.manifest_formats.statements import (
    ManifestOptions,
    ParsedManifest,
    RowError,
    SkippedRow,
    Statement,
    extract_attributes,
    join_names,
    make_statement,
    parse_reference,
    read_rows,
    to_text,
)
from tasks.domain.labels.manifest_formats.tables import REFERENCES, list_columns, read_table

_COCO = ("images", "annotations", "categories")
_COCO_BOOKKEEPING = {"id", "file_name", "width", "height", "license", "date_captured", "coco_url", "flickr_url"}
Rows = Sequence[tuple[str, Mapping[str, str]]]

_CLASSES_FILE, _FILENAME, _UNLABELLED = "_classes.csv", "filename", "Unlabeled"


def is_coco(value: object) -> bool:
    """Check whether a value is COCO's single object with the lists images, annotations and categories."""
    return isinstance(value, Mapping) and all(isinstance(value.get(part), list) for part in _COCO)


def read_coco(value: Mapping[str, Any], name: str, options: ManifestOptions) -> ParsedManifest:
    """Read the category of each image from COCO; several categories of one image become a conflict.

    Args:
        value: The object that the file holds.
        name: The key of the manifest, for messages.
        options: What the settings ask of it.

    Returns:
        The content of the manifest.

    Raises:
        PedigreeError: The settings name a field for the label, or an id stands for two images or categories.
    """
    _refuse_column(options, name, "COCO's categories say it")
    images, annotations, categories = (value[part] for part in _COCO)
    names = _index_by_id(categories, "category", name)
    chosen: defaultdict[object, dict[object, None]] = defaultdict(dict)
    pictures = _index_by_id(images, "image", name)
    stray: list[SkippedRow] = []
    for number, annotation in enumerate(annotations, 1):
        if _refers_to(annotation, pictures):
            category = annotation.get("category_id")
            chosen[annotation["image_id"]][category if _is_id(category) else None] = None
        else:
            stray.append(SkippedRow(f"annotation {number:,}", "is about no image of the manifest"))

    def read(location: str, image: object) -> Iterator[Statement]:
        if not isinstance(image, Mapping) or not _is_id(image.get("id")):
            raise RowError("is no image with an id")
        reference = parse_reference(image.get("file_name"), "file_name")
        attributes = extract_attributes({field: image[field] for field in image if field not in _COCO_BOOKKEEPING})
        for category in chosen.get(image["id"], {"": None}):
            yield make_statement(location, reference, _category_name(names, category), attributes)

    statements, skipped = read_rows(((f"image {number:,}", image) for number, image in enumerate(images, 1)), read)
    return ParsedManifest(statements, skipped + stray, "category", beside=True, unlabelled="no image has an annotation")


def _refers_to(annotation: object, images: Mapping[object, object]) -> bool:
    number = annotation.get("image_id") if isinstance(annotation, Mapping) else None
    return _is_id(number) and number in images


def _category_name(names: Mapping[object, Mapping[str, Any]], category: object) -> str:
    label = "" if category == "" else to_text(names.get(category, {}).get("name"))
    if category != "" and not label:
        raise RowError("has an annotation whose category has no name")
    return label


def _index_by_id(values: Sequence[Any], kind: str, name: str) -> dict[object, Mapping[str, Any]]:
    held = [value for value in values if isinstance(value, Mapping) and _is_id(value.get("id"))]
    twice = [number for number, times in Counter(value["id"] for value in held).items() if times > 1]
    if twice:
        raise PedigreeError(
            f"The manifest {name} gives the {kind} id {join_names([str(twice[0])])} twice: export it again."
        )
    return {value["id"]: value for value in held}


def _is_id(value: object) -> bool:
    return isinstance(value, int | str) and not isinstance(value, bool) and value != ""


def is_one_hot(columns: Sequence[str], rows: Rows, name: str, options: ManifestOptions) -> bool:
    """Check whether a table has Roboflow's format with one column a class.

    It has if the file is named ``_classes.csv``, or if every row holds a single 1 and otherwise 0.

    Args:
        columns: The names of all fields.
        rows: The rows, each with its place.
        name: The key of the manifest.
        options: What the settings ask of it.

    Returns:
        Whether the columns are classes.

    Raises:
        PedigreeError: All values are 0 or 1, but some row has not a single 1, and the settings do not explain them.
    """
    classes = columns[1:]
    if columns[:1] != [_FILENAME] or not classes:
        return False
    if name.rpartition("/")[2] == _CLASSES_FILE:
        return True
    ticks = [[row[column].strip() for column in classes] for _, row in rows]
    settled = options.column or "label" in columns or len(classes) == 1 or set(classes) <= {*options.attributes}
    if settled or not ticks or not all({*row} <= {"0", "1"} for row in ticks):
        return False
    if all(row.count("1") == 1 for row in ticks):
        return True
    raise PedigreeError(
        f"The manifest {name} has columns of 0 and 1 ({join_names(classes)}): if they are Roboflow's classes, call it "
        f"{_CLASSES_FILE}; if one is the label, set labels.column; if all are attributes, set labels.attributes."
    )


def read_one_hot(columns: Sequence[str], rows: Rows, name: str, options: ManifestOptions) -> ParsedManifest:
    """Read Roboflow's format: the class of a row is the column that holds a 1; several of them become a conflict.

    Args:
        columns: The names of all fields.
        rows: The rows, each with its place.
        name: The key of the manifest, for messages.
        options: What the settings ask of it.

    Returns:
        The content of the manifest.

    Raises:
        PedigreeError: The settings name a field for the label.
    """
    _refuse_column(options, name, "its columns are the classes")

    def read(location: str, row: Mapping[str, str]) -> Iterator[Statement]:
        odd = [column for column in columns[1:] if row[column].strip() not in {"0", "1"}]
        if odd:
            raise RowError(f"holds neither 0 nor 1 in {join_names(odd)}")
        ticked = [column for column in columns[1:] if row[column].strip() == "1" and column != _UNLABELLED]
        for label in ticked or [""]:
            yield make_statement(location, parse_reference(row[_FILENAME], _FILENAME), label, ())

    statements, skipped = read_rows(rows, read)
    return ParsedManifest(statements, skipped, "the classes' columns", beside=True)


def _refuse_column(options: ManifestOptions, name: str, why: str) -> None:
    if options.column:
        raise PedigreeError(
            f"The manifest {name} has no field {options.column} for the label: {why}; leave labels.column empty."
        )


def read_manifest(data: bytes, name: str, options: ManifestOptions | None = None) -> ParsedManifest:
    """Read a table (CSV or JSON Lines), or an export of Label Studio, Ground Truth, COCO, Roboflow or Hugging Face.

    Args:
        data: The bytes of the manifest.
        name: Its key, for messages; Roboflow's format is recognized by it.
        options: What the settings ask of it; None for nothing.

    Returns:
        The content of the manifest.

    Raises:
        PedigreeError: It cannot be read reliably, no row can be used, or it lacks the labels that are required.
    """
    options = options or ManifestOptions()
    text = _decode(data, name)
    start = text.lstrip()[:1]
    if not start:
        raise PedigreeError(f"The manifest {name} is empty: export it again, or take manifest out of labels.sources.")
    reading = (
        _read_records(read_json(text, name), name, options) if start in {"[", "{"} else _read_csv(text, name, options)
    )
    if reading.skipped and not reading.statements:
        raise PedigreeError(f"The manifest {name}, {reading.skipped[0]}; no row of it can be used.")
    labelled = reading.attributes_only or any(statement.label or statement.doubtful for statement in reading.statements)
    if options.must_label and reading.statements and not labelled:
        where = (
            f"nothing is filled in under {join_names([reading.label])}"
            if reading.label
            else "no field of it is the label"
        )
        raise PedigreeError(
            f"The manifest {name} gives no label in any of its {len(reading.statements):,} rows: "
            f"{reading.unlabelled or where}. Export it with labels, name another field in labels.column, or put "
            "manifest behind another of labels.sources."
        )
    return reading


def _decode(data: bytes, name: str) -> str:
    try:
        text = data.decode("utf-8-sig").lstrip("\ufeff")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise PedigreeError(
            f"The manifest {name} is not UTF-8 text (line {line}): save it as CSV or JSON in UTF-8."
        ) from None
    nul = text.find("\0")
    if nul >= 0:
        line = text.count("\n", 0, nul) + 1
        raise PedigreeError(
            f"The manifest {name} is not UTF-8 text (line {line} holds a NUL): save it as CSV or JSON in UTF-8."
        )
    return text


def _read_csv(text: str, name: str, options: ManifestOptions) -> ParsedManifest:
    columns, rows = read_delimited(text, name, REFERENCES | {"img", "url"})
    if label_studio.SIGNATURE_COLUMNS & set(columns):
        return label_studio.read_flat_export(columns, rows, name, options)
    if is_one_hot(columns, rows, name, options):
        return read_one_hot(columns, rows, name, options)
    return read_table(columns, rows, name, options)


def _read_records(records: Records, name: str, options: ManifestOptions) -> ParsedManifest:
    """Detect the tool by the fields of its records, and read them; a record that does not fit is skipped there."""
    if not records:
        return ParsedManifest([], [])
    rows = [row for _, row in records if isinstance(row, Mapping)]
    if len(records) == 1 and rows and is_coco(rows[0]):
        return read_coco(rows[0], name, options)
    if any(json_lines.REFERENCE in row for row in rows):
        return json_lines.read_ground_truth(records, name, options)
    if any(isinstance(row.get("data"), dict) and "annotations" in row for row in rows):
        return label_studio.read_task_export(records, name, options)
    columns = list_columns(records)
    if not rows:
        raise PedigreeError(
            f"The manifest {name} must hold one JSON object a row: see docs/reference/label-manifests.md."
        )
    if label_studio.SIGNATURE_COLUMNS & set(columns):
        return label_studio.read_flat_export(columns, records, name, options)
    return read_table(columns, records, name, options)
