"""A manifest: a file in the source that says which object shows what, in one of the forms that tools export."""

from collections.abc import Mapping

from configs.errors import PedigreeError
from tasks.domain.labels.manifest_formats import ground_truth, label_studio
from tasks.domain.labels.manifest_formats.delimited import read_delimited
from tasks.domain.labels.manifest_formats.json_rows import Records, read_json
from tasks.domain.labels.manifest_formats.statements import ManifestOptions, Reading, listing
from tasks.domain.labels.manifest_formats.tables import REFERENCES, columns_of, read_table
from tasks.domain.labels.manifest_formats.whole_files import is_coco, is_one_hot, read_coco, read_one_hot


def read_manifest(data: bytes, name: str, options: ManifestOptions | None = None) -> Reading:
    """Read a table (CSV or JSON Lines), or an export of Label Studio, Ground Truth, COCO, Roboflow or Hugging Face.

    Args:
        data: Its bytes.
        name: Its key, for sentences; Roboflow's is told by it.
        options: What the settings say of it.

    Raises:
        Problem: It cannot be read for certain, none of its rows can be used, or it has none of the labels asked for.
    """
    options = options or ManifestOptions()
    text = _decoded(data, name)
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
            f"nothing is filled in under {listing([reading.label])}" if reading.label else "no field of it is the label"
        )
        raise PedigreeError(
            f"The manifest {name} gives no label in any of its {len(reading.statements):,} rows: "
            f"{reading.unlabelled or where}. Export it with labels, name another field in labels.column, or put "
            "manifest behind another of labels.sources."
        )
    return reading


def _decoded(data: bytes, name: str) -> str:
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


def _read_csv(text: str, name: str, options: ManifestOptions) -> Reading:
    columns, rows = read_delimited(text, name, REFERENCES | {"img", "url"})
    if label_studio.SIGNS & set(columns):
        return label_studio.read_short(columns, rows, name, options)
    if is_one_hot(columns, rows, name, options):
        return read_one_hot(columns, rows, name, options)
    return read_table(columns, rows, name, options)


def _read_records(records: Records, name: str, options: ManifestOptions) -> Reading:
    """Tell the tool by what its records hold; a record that does not fit is skipped there."""
    if not records:
        return Reading([], [])
    rows = [row for _, row in records if isinstance(row, Mapping)]
    if len(records) == 1 and rows and is_coco(rows[0]):
        return read_coco(rows[0], name, options)
    if any(ground_truth.REFERENCE in row for row in rows):
        return ground_truth.read_ground_truth(records, name, options)
    if any(isinstance(row.get("data"), dict) and "annotations" in row for row in rows):
        return label_studio.read_tasks(records, name, options)
    columns = columns_of(records)
    if not rows:
        raise PedigreeError(f"The manifest {name} must hold one JSON object a row: see docs/labels.md.")
    if label_studio.SIGNS & set(columns):
        return label_studio.read_short(columns, records, name, options)
    return read_table(columns, records, name, options)
