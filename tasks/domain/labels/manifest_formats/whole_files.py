"""Classification exports that say the class by place: COCO's three lists, and Roboflow's one column a class."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from configs.errors import PedigreeError
from tasks.domain.labels.manifest_formats.statements import (
    ManifestOptions,
    Reading,
    RowFault,
    SkippedRow,
    Statement,
    attributes_of,
    listing,
    make_statement,
    read_rows,
    reference_of,
    text_of,
)

_COCO = ("images", "annotations", "categories")
_COCO_BOOKKEEPING = {"id", "file_name", "width", "height", "license", "date_captured", "coco_url", "flickr_url"}
Rows = Sequence[tuple[str, Mapping[str, str]]]

_CLASSES, _FILENAME, _NOTHING = "_classes.csv", "filename", "Unlabeled"


def is_coco(value: object) -> bool:
    """Tell COCO's one object, with its lists of images, annotations and categories, from a record."""
    return isinstance(value, Mapping) and all(isinstance(value.get(part), list) for part in _COCO)


def read_coco(value: Mapping[str, Any], name: str, options: ManifestOptions) -> Reading:
    """Read the category of each image; several of one image become a conflict.

    Raises:
        PedigreeError: A setting names another label, or an id stands for two images or categories.
    """
    _no_column(options, name, "COCO's categories say it")
    images, annotations, categories = (value[part] for part in _COCO)
    names = _by_id(categories, "category", name)
    chosen: defaultdict[object, dict[object, None]] = defaultdict(dict)
    pictures = _by_id(images, "image", name)
    stray: list[SkippedRow] = []
    for number, annotation in enumerate(annotations, 1):
        if _is_about(annotation, pictures):
            category = annotation.get("category_id")
            chosen[annotation["image_id"]][category if _is_id(category) else None] = None
        else:
            stray.append(SkippedRow(f"annotation {number:,}", "is about no image of the manifest"))

    def read(location: str, image: object) -> Iterator[Statement]:
        if not isinstance(image, Mapping) or not _is_id(image.get("id")):
            raise RowFault("is no image with an id")
        reference = reference_of(image.get("file_name"), "file_name")
        attributes = attributes_of({field: image[field] for field in image if field not in _COCO_BOOKKEEPING})
        for category in chosen.get(image["id"], {"": None}):
            yield make_statement(location, reference, _category(names, category), attributes)

    statements, skipped = read_rows(((f"image {number:,}", image) for number, image in enumerate(images, 1)), read)
    return Reading(statements, skipped + stray, "category", beside=True, unlabelled="no image has an annotation")


def _is_about(annotation: object, images: Mapping[object, object]) -> bool:
    number = annotation.get("image_id") if isinstance(annotation, Mapping) else None
    return _is_id(number) and number in images


def _category(names: Mapping[object, Mapping[str, Any]], category: object) -> str:
    label = "" if category == "" else text_of(names.get(category, {}).get("name"))
    if category != "" and not label:
        raise RowFault("has an annotation whose category has no name")
    return label


def _by_id(values: Sequence[Any], kind: str, name: str) -> dict[object, Mapping[str, Any]]:
    held = [value for value in values if isinstance(value, Mapping) and _is_id(value.get("id"))]
    twice = [number for number, times in Counter(value["id"] for value in held).items() if times > 1]
    if twice:
        raise PedigreeError(
            f"The manifest {name} gives the {kind} id {listing([str(twice[0])])} twice: export it again."
        )
    return {value["id"]: value for value in held}


def _is_id(value: object) -> bool:
    return isinstance(value, int | str) and not isinstance(value, bool) and value != ""


def is_one_hot(columns: Sequence[str], rows: Rows, name: str, options: ManifestOptions) -> bool:
    """Tell Roboflow's classes: by the file's name, or by columns with nothing but a single 1 and 0 in every row.

    Raises:
        PedigreeError: The columns hold 0 and 1, but not a single 1 in each row, and nothing says what they are.
    """
    classes = columns[1:]
    if columns[:1] != [_FILENAME] or not classes:
        return False
    if name.rpartition("/")[2] == _CLASSES:
        return True
    ticks = [[row[column].strip() for column in classes] for _, row in rows]
    settled = options.column or "label" in columns or len(classes) == 1 or set(classes) <= {*options.attributes}
    if settled or not ticks or not all({*row} <= {"0", "1"} for row in ticks):
        return False
    if all(row.count("1") == 1 for row in ticks):
        return True
    raise PedigreeError(
        f"The manifest {name} has columns of 0 and 1 ({listing(classes)}): if they are Roboflow's classes, call it "
        f"{_CLASSES}; if one is the label, set labels.column; if all are attributes, set labels.attributes."
    )


def read_one_hot(columns: Sequence[str], rows: Rows, name: str, options: ManifestOptions) -> Reading:
    """Read the class whose column holds a 1; several of one row become a conflict.

    Raises:
        PedigreeError: A setting names another label.
    """
    _no_column(options, name, "its columns are the classes")

    def read(location: str, row: Mapping[str, str]) -> Iterator[Statement]:
        odd = [column for column in columns[1:] if row[column].strip() not in {"0", "1"}]
        if odd:
            raise RowFault(f"holds neither 0 nor 1 in {listing(odd)}")
        ticked = [column for column in columns[1:] if row[column].strip() == "1" and column != _NOTHING]
        for label in ticked or [""]:
            yield make_statement(location, reference_of(row[_FILENAME], _FILENAME), label, ())

    return Reading(*read_rows(rows, read), "the classes' columns", beside=True)


def _no_column(options: ManifestOptions, name: str, why: str) -> None:
    if options.column:
        raise PedigreeError(
            f"The manifest {name} has no field {options.column} for the label: {why}; leave labels.column empty."
        )
